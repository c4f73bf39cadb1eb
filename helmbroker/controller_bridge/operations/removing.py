"""Steps that end credentials: DELETE bindings at the broker, and wait until it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from helmbroker.controller_bridge.broker_port import Caller
from helmbroker.controller_bridge.operations.work import Work, failure, judge, result, step, text, undoing
from helmbroker.durable import JSON, Done, Outcome, Step, Wait


def removing(ask: str, wait: str, bindings: Callable[[Work], Sequence[str]]) -> tuple[Step[Work], Step[Work]]:
    """The steps `ask` and `wait` for these bindings of the resource; what is gone is forgotten beside its own.

    The result of `ask` is what the broker has answered, in the order of the bindings.
    """

    def delete(work: Work) -> list[JSON]:
        caller = Caller(None) if failure(work) else work.caller
        answers = [work.acting.broker.unbind(work.binding(each), caller) for each in bindings(work)]
        return [{"pending": answer.pending, "operation": answer.operation} for answer in answers]

    def run_ask(work: Work) -> Outcome:
        return Done({"asked": delete(work)})

    def run_wait(work: Work) -> Outcome:
        asked = result(work, ask).get("asked")
        if not isinstance(asked, list):  # by a worker of a release before: asking again is the same request
            asked = delete(work)
        mine = bindings(work)
        for binding_id, accepted in zip(mine, asked, strict=False):  # fewer, once they are forgotten
            outcome = _look(work, binding_id, accepted)
            if not isinstance(outcome, Done):
                return outcome
        _forget(work, frozenset(mine))
        return Done()

    return step(ask, run_ask), step(wait, run_wait)


def _look(work: Work, binding_id: str, accepted: JSON) -> Outcome:
    if not isinstance(accepted, Mapping) or not accepted.get("pending"):
        return Done()
    status = work.ports.broker.binding_status(work.binding(binding_id), text(accepted.get("operation")))
    outcome = judge(work, status, "the broker removes the credentials")
    if isinstance(outcome, Wait) and failure(work):
        return Wait(outcome.after_s, undoing(work, outcome.reason))
    return outcome


def _forget(work: Work, gone: frozenset[str]) -> None:
    kept = [each for each in work.reload().other_bindings if each not in gone]
    if len(kept) < len(work.resource.other_bindings):
        with work.ctx.transaction() as conn:
            work.ports.store.change(conn, work.resource.uuid, other_bindings=kept)
        work.reload()
