"""What a broker has accepted and goes on with: how it is noted, and looked at until its plan's time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from helmbroker.controller_bridge.broker_port import Answer, BrokerError, Progress, Status, Unreachable
from helmbroker.controller_bridge.operations.work import AGAIN, UNTIL, Work, again, failure, text, undoing
from helmbroker.durable import JSON, Done, Fail, Outcome, Wait

Look = Callable[[str | None], Status]


def asked(work: Work, answer: Answer) -> dict[str, JSON]:
    """The result of a step that has asked: with the times, on the database's clock, it outlives every process.

    The plan's time begins with the broker's 202 (OSB, "Polling Interval and Duration").
    """
    noted: dict[str, JSON] = {"pending": answer.pending, "operation": answer.operation}
    if answer.longest_s is not None:
        noted |= {"longest_s": answer.longest_s, UNTIL: work.now + answer.longest_s}
    if answer.retry_after_s is not None:
        noted["look_at"] = work.now + answer.retry_after_s
    return noted


def poll(work: Work, noted: Mapping[str, JSON], look: Look, doing: str, *, removes: bool = False) -> Outcome:
    """Look at what `asked` has noted. What is no answer of OSB is asked for again; so is 410, unless it `removes`.

    Looks are as far apart as the broker wants them to be, but the last one is taken when the plan's time is over.
    """
    if not noted.get("pending"):
        return Done()
    left_s = _seconds(noted.get(UNTIL), float("inf")) - work.now
    early_s = _seconds(noted.get("look_at"), 0.0) - work.now
    if early_s > 0 and left_s > 0:
        outcome: Outcome = Wait(early_s, doing)
    else:
        outcome = _look(work, lambda: look(text(noted.get("operation"))), doing, removes=removes)
    if not isinstance(outcome, Wait):
        return outcome
    if left_s <= 0:
        longest_s, seen = _seconds(noted.get("longest_s"), 0.0), outcome.reason.removesuffix(AGAIN)
        return Fail(
            f"{doing} for more than {longest_s:.0f} s, which its plan's maximum_polling_duration allows: it counts "
            f"as failed. Last seen: {seen}. Try again; if it ends so again, ask the operator of the broker "
            f"{work.resource.broker}"
        )
    reason = undoing(work, outcome.reason) if failure(work) else outcome.reason
    return Wait(min(outcome.after_s, left_s), reason)


def _look(work: Work, look: Callable[[], Status], doing: str, *, removes: bool) -> Outcome:
    try:
        status = look()
    except (BrokerError, Unreachable) as error:
        return again(error)
    if status.gone and not removes:
        return again(BrokerError(410, "Gone", "it does not know what it was asked to make"))
    if status.progress is Progress.SUCCEEDED:
        return Done()
    if status.progress is Progress.FAILED:
        return Fail(status.description or f"{doing}: the broker gave no reason")
    return Wait(max(work.pause_s, status.retry_after_s or 0.0), status.description or doing)


def _seconds(value: JSON, otherwise: float) -> float:
    """A stored time; that of a release before is not there."""
    return float(value) if isinstance(value, int | float) else otherwise
