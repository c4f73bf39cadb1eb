"""Update: the Helm release comes to run what is wanted; if it cannot, it goes back to what it ran before.

The record keeps what is in force until the last step. The way there leaves time for the way
back, which has attempts of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.instance import ServiceInstance
from helmbroker.broker.domain.kept import Stage
from helmbroker.broker.domain.operation import ADMITTED, BEGUN, SETTLED, TRIED, WELL_BEFORE, Aftermath
from helmbroker.broker.operations import client, converge, remembering
from helmbroker.broker.operations.admission import admit
from helmbroker.broker.operations.failures import Unrepeatable
from helmbroker.broker.operations.outages import outlasting
from helmbroker.broker.operations.pending import in_force
from helmbroker.broker.operations.work import UpdateWork
from helmbroker.durable import Done, Fail, Failed, Later, Operation, Outcome, Step, Transient, run_steps

BACK_SHARE = 1 / 3  # of an operation's time that the way there leaves for the way back
BACK_ATTEMPTS = 3  # likewise, of its attempts: for claims that die before they have begun it
GIVEN_UP = "failed"  # the result that says that the way there is given up, and why
_COMMIT, _VOLUMES, _RETURN, _AWAIT_RETURN = "commit", "volumes", "return", "await return"


def check(work: UpdateWork) -> Outcome:
    return admit(work, work.addon.chart, work.values(), work.record.instance.release)


def remember(work: UpdateWork) -> Outcome:
    """The revision that runs what is in force; after an update that was not undone, still the one before it."""
    ref = work.record.instance.release
    release = work.tools.cluster.release(ref)
    converge.check_ours(release, ref, work.labels)
    if release is None:
        return Fail(converge.GONE)
    if broken := converge.unreadable(release):
        return broken
    revision = work.before.return_to
    if revision is None:
        revision = in_force(release)
        with work.transaction() as tx:
            tx.begin_change(work.record.instance.id, revision)
    return Done(revision)


def upgrade(work: UpdateWork) -> Outcome:
    release, back_to = work.record.instance.release, int(str(work.ctx.results[BEGUN]))
    doing, chart = f"updating {work.addon.name}", work.addon.chart
    return converge.upgrade(work, chart, work.values(), release, work.labels, doing=doing, back_to=back_to)


def await_ready(work: UpdateWork) -> Outcome:
    return converge.await_ready(work, work.record.instance.release)


def confirm(work: UpdateWork) -> Outcome:
    """The cluster remembers what is to be in force, before the record says so."""
    return _remember(work, work.record.instance)


def commit(work: UpdateWork) -> Outcome:
    """With its own result, so that nothing which fails later can send a committed update back."""
    with work.transaction() as tx:
        tx.settle(work.record.instance)
        work.ctx.save(_COMMIT, None)
    return Done()


def look_at_volumes(work: UpdateWork) -> Outcome:
    """The result: what has grown, and cannot be undone; told when all else is."""
    revision = _revision_before(work)
    ref = work.record.instance.release
    return Done({} if revision is None else dict(work.tools.cluster.grown(ref, revision)))


def go_back(work: UpdateWork) -> Outcome:
    """The result: whether there was anything to undo."""
    revision = _revision_before(work)
    if revision is None:
        return Done(False)
    work.ctx.note(f"undoing the update: {_given_up(work)['reason']}")
    return converge.restore(work, work.record.instance.release, work.labels, revision=revision)


def await_return(work: UpdateWork) -> Outcome:
    """The result: whether what is in force is ready. What was not touched is not waited for."""
    ref = work.record.instance.release
    if not work.ctx.results[_RETURN]:
        return Done(not isinstance(work.tools.cluster.readiness(ref), NotReady))
    outcome = converge.await_ready(work, ref)
    return Done(True) if isinstance(outcome, Done) else outcome


def confirm_return(work: UpdateWork) -> Outcome:
    """The cluster remembers again what is in force."""
    return _remember(work, work.before.instance)


def settle(work: UpdateWork) -> Outcome:
    """Nothing of the update stays."""
    left = _aftermath(work, usable=bool(work.ctx.results[_AWAIT_RETURN]))
    with work.transaction() as tx:
        tx.settle(work.before.instance)
        work.ctx.save(SETTLED, left.plain())
    return Done(left.plain())


_FIRST = (Step(ADMITTED, check),)
_CHANGE = (Step(BEGUN, remember), Step("upgrade", upgrade), Step("await ready", await_ready))
_LAST = (Step("confirm", confirm), Step(_COMMIT, commit))
_UNDO = (
    Step(_VOLUMES, look_at_volumes),
    Step(_RETURN, go_back),
    Step(_AWAIT_RETURN, await_return),
)
_UNDONE = (Step("confirm return", confirm_return), Step(SETTLED, settle))
STEPS = (*_FIRST, *_CHANGE, *_LAST)
WAY_BACK = (*_UNDO, *_UNDONE)
# tried as the addon's contract says, before and after: what worked and does not any more is a reason to go back
TRIED_STEPS = (
    *_FIRST,
    Step(client.MADE, client.make),
    Step(WELL_BEFORE, client.before),
    *_CHANGE,
    Step("try after", client.after),
    Step("drop client", client.drop),
    *_LAST,
)
TRIED_WAY_BACK = (*_UNDO, Step("drop client anyway", client.drop_at_any_rate), *_UNDONE)


def steps(operation: Operation) -> tuple[Step[UpdateWork], ...]:
    """The way there of an update, as it was asked for."""
    return TRIED_STEPS if operation.params.get(TRIED) else STEPS


def way_back(operation: Operation) -> tuple[Step[UpdateWork], ...]:
    """And the way back."""
    return TRIED_WAY_BACK if operation.params.get(TRIED) else WAY_BACK


def run(work: UpdateWork) -> str:
    """There, or there and back. Raises Failed when it ends where it began (OSB items 76, 77), or on the way."""
    if GIVEN_UP not in work.ctx.results:
        failed = _go_there(work)
        if failed is None:
            return f"{work.addon.name} is updated"
        _give_up(work, failed)
    raise _go_back(work)


def _go_there(work: UpdateWork) -> Failed | None:
    """None: it has arrived."""
    ctx, most = work.ctx, work.ctx.max_attempts - BACK_ATTEMPTS
    if ctx.operation.attempt > most and _COMMIT not in ctx.results:
        return Failed(
            f"gave up after {ctx.operation.attempt - 1} attempts; the last one: {ctx.operation.description}"
        )
    work.reserve_s = _reserve_s(work)
    if work.time_left_s <= 0 and BEGUN not in ctx.results:
        return Failed("gave up: its time was over when its turn came")
    try:
        _run(work, steps(ctx.operation))
    except Failed as error:
        if _COMMIT in ctx.results:  # or was to be: the next claim reads from the database which of them
            raise Transient("it is not known yet whether the update was recorded", 0.0) from error
        return error
    except Transient as error:
        if ctx.operation.attempt >= most or work.time_left_s <= 0:
            return Failed(f"gave up after {ctx.operation.attempt} attempts: {error.reason}")
        raise
    return None


def _run(work: UpdateWork, steps: Sequence[Step[UpdateWork]]) -> None:
    """Also what fails between two steps gets its meaning here, before it is too late for the way back."""
    try:
        run_steps(work.ctx, outlasting(steps), work)
    except Exception as error:
        raise work.ctx.meaning(error) from error


def _give_up(work: UpdateWork, failed: Failed) -> None:
    """From here on there is only the way back, also after a crash: with all attempts, and with time."""
    ctx, reserve_s = work.ctx, _reserve_s(work)
    repeatable = not isinstance(failed, Unrepeatable)
    late = ctx.remaining_s < reserve_s / 2
    deadline = ctx.operation.deadline + (reserve_s - ctx.remaining_s if late else 0.0)
    with ctx.transaction() as conn:
        ctx.save(GIVEN_UP, {"reason": work.public(failed.reason), "repeatable": repeatable})
        ctx.operation = ctx.queue.write(conn, ctx.operation, deadline=deadline, attempt=1)
    work.tools.patience.renew(ctx.operation.id)
    if late:
        raise Later(0.0)  # the next claim has the new deadline


def _go_back(work: UpdateWork) -> Failed:
    ctx, why = work.ctx, _sentence(str(_given_up(work)["reason"]))
    work.reserve_s = 0.0
    try:
        _run(work, way_back(ctx.operation))
    except Failed as error:
        ctx.save(SETTLED, _aftermath(work, usable=False).plain())
        return Failed(
            f"{why} It could not be undone: {_sentence(error.reason)} Update the instance again to repair it."
        )
    if ctx.results[_RETURN]:
        return Failed(f"{why} {_volumes_kept(work)}The instance runs again what it ran before.")
    return Failed(f"{why} Nothing was changed.")


def _revision_before(work: UpdateWork) -> int | None:
    """None: no update has touched the release since it was last as the record says."""
    known: Any = work.ctx.results.get(BEGUN, work.before.return_to)
    return None if known is None else int(known)


def _remember(work: UpdateWork, instance: ServiceInstance) -> Outcome:
    revision = remembering.instance_kept(work, instance, Stage.MADE)
    with work.transaction() as tx:
        tx.deployed(instance.id, None, revision)
    return Done()


def _aftermath(work: UpdateWork, *, usable: bool) -> Aftermath:
    return Aftermath(usable=usable, repeatable=bool(_given_up(work)["repeatable"]))


def _volumes_kept(work: UpdateWork) -> str:
    grown: Any = work.ctx.results[_VOLUMES]
    return "".join(f"The volume {name} keeps its new size {size}. " for name, size in sorted(grown.items()))


def _given_up(work: UpdateWork) -> dict[str, Any]:
    found: Any = work.ctx.results[GIVEN_UP]
    return dict(found)


def _reserve_s(work: UpdateWork) -> float:
    operation = work.ctx.operation
    return (operation.deadline - operation.created_at) * BACK_SHARE


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
