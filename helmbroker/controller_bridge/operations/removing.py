"""Steps that end credentials: DELETE bindings at the broker, and wait until it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from helmbroker.controller_bridge.broker_port import BrokerError, Caller
from helmbroker.controller_bridge.operations.polling import asked, poll
from helmbroker.controller_bridge.operations.work import Work, failure, result, step
from helmbroker.durable import JSON, Done, Fail, Outcome, Step, Wait


def removing(ask: str, wait: str, bindings: Callable[[Work], Sequence[str]]) -> tuple[Step[Work], Step[Work]]:
    """The steps `ask` and `wait` for these bindings of the resource; what is gone is forgotten beside its own.

    One that stays keeps no other one: it fails `wait` when the others are gone. The result of `ask` is what the
    broker has answered, in the order of the bindings.
    """

    def ask_all(work: Work) -> list[JSON]:
        return [_ask(work, each) for each in bindings(work)]

    def run_ask(work: Work) -> Outcome:
        return Done({"asked": ask_all(work)})

    def run_wait(work: Work) -> Outcome:
        noted, mine = result(work, ask).get("asked"), bindings(work)
        if not isinstance(noted, list) or len(noted) != len(mine):  # of a release before; or some are forgotten
            noted = ask_all(work)  # is the same request
        outcomes = {each: _look(work, each, answered) for each, answered in zip(mine, noted, strict=True)}
        for outcome in outcomes.values():
            if isinstance(outcome, Wait):
                return outcome
        stay = {each: outcome.reason for each, outcome in outcomes.items() if isinstance(outcome, Fail)}
        _forget(work, frozenset(mine) - stay.keys())
        return Fail("; ".join(dict.fromkeys(stay.values()))) if stay else Done()

    return step(ask, run_ask), step(wait, run_wait)


def _ask(work: Work, binding_id: str) -> JSON:
    caller = Caller(None) if failure(work) else work.caller
    try:
        return asked(work, work.acting.broker.unbind(work.binding(binding_id), caller))
    except BrokerError as error:
        if error.busy:
            raise
        return {"refused": str(error)}


def _look(work: Work, binding_id: str, answered: JSON) -> Outcome:
    noted = answered if isinstance(answered, Mapping) else {}
    if "refused" in noted:
        return Fail(str(noted["refused"]))
    look = partial(work.binding_status, binding_id=binding_id)
    return poll(work, noted, look, "the broker removes the credentials", removes=True)


def _forget(work: Work, gone: frozenset[str]) -> None:
    kept = [each for each in work.reload().other_bindings if each not in gone]
    if len(kept) < len(work.resource.other_bindings):
        with work.ctx.transaction() as conn:
            work.ports.store.change(conn, work.resource.uuid, other_bindings=kept)
        work.reload()
