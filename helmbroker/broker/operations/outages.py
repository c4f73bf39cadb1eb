"""Steps that outlast what the broker stands on: a cluster or keys that are away, a full disk, a database
that restarts.

Attempts are for what fails by itself. Counted, the outages of an hour would end operations that did nothing wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.helm_errors import Outage
from helmbroker.broker.operations.work import Work
from helmbroker.durable import Context, Fail, Outcome, Step, Wait
from helmbroker.sealing import KeysAway

T = TypeVar("T")
W = TypeVar("W", bound=Work)
AGAIN_S = 5.0  # so long that the operation gives its thread to others meanwhile


def outlasted(ctx: Context, read: Callable[[], T]) -> T:
    """What `read` brings, before there is a step: during an outage the operation leaves, and comes again."""
    while True:
        try:
            return read()
        except Unavailable as unavailable:
            ctx.check()
            ctx.pause(AGAIN_S, unavailable.description)


def outlasting(steps: Sequence[Step[W]]) -> tuple[Step[W], ...]:
    """The same steps; during an outage they wait, and say what for."""
    return tuple(Step(step.name, partial(_run, step.run)) for step in steps)


def _run(step: Callable[[W], Outcome], work: W) -> Outcome:
    try:
        return step(work)
    except Outage as outage:
        reason = outage.reason
    except Unavailable as unavailable:
        reason = unavailable.description
    except KeysAway as away:
        reason = str(away)
    work.ctx.check()  # helm says many things when it is stopped
    if work.reserve_s and work.time_left_s <= 0:
        return Fail(f"gave up, as the rest of the time is for the way back; still waiting: {reason}")
    return Wait(AGAIN_S, work.public(reason))
