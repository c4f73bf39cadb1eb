"""The catalog is read anew because an operator has asked for it; what a schedule does as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from helmbroker.durable import Context, Done, Outcome, Step


@dataclass(frozen=True)
class RefreshWork:
    """`look`: at all sources; in a sentence how that ended."""

    ctx: Context
    look: Callable[[Context], str]


def read(work: RefreshWork) -> Outcome:
    """Twice is as good as once: what has not changed is not fetched again."""
    return Done(work.look(work.ctx))


def summary(work: RefreshWork) -> str:
    """What the operator is told at the end."""
    return str(work.ctx.results[STEPS[0].name])


STEPS = (Step("read the sources", read),)
