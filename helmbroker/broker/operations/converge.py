"""Helm releases brought to where they should be, from whatever state they are found in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus, NotReady
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.operations.admission import admitted
from helmbroker.broker.operations.failures import BY_A_JOB, begun, failure
from helmbroker.broker.operations.pending import (
    HALF_CHANGED,
    HALF_MADE,
    HOPELESS_AGAIN_S,
    OF_NO_USE,
    others_at_work,
)
from helmbroker.broker.operations.work import Work
from helmbroker.catalog.model import Object
from helmbroker.durable import Done, Fail, Failed, Outcome, Wait

GONE = "The Helm release of the service instance is gone from the cluster. Ask the operator."


def install(
    work: Work,
    chart: Path,
    values: Object,
    ref: ReleaseRef,
    labels: dict[str, str],
    *,
    doing: str,
    claims: bool,
    again: Callable[[], object] | None = None,
) -> Outcome:
    """The release as this operation wants it: made, or upgraded; done when it was done before.

    What a stopped attempt left half made is removed first, with its volumes if `claims`: their content would not
    fit the passwords of the new one. `doing`: what the user is told. `again`: it has been made before, so what is
    left is taken over, and what others have set is set back; called right before, to bring what must be there.
    """
    release = work.tools.cluster.release(ref)
    check_ours(release, ref, labels)
    mark = _mark(work, labels)
    if release is not None and release.status is HelmStatus.DEPLOYED and release.belongs_to(mark):
        return Done()
    if busy := others_at_work(work, release):
        return busy
    try:
        if left := _stopped_attempt_undone(work, release, ref, claims=claims, had=again is not None):
            return Wait(work.look_again_s, f"what an earlier attempt made is not gone yet: {_listed(left)}")
        if again is not None:
            work.tools.cluster.drop_unreadable(ref, work.ctx.still_ours)
            again()
            work.admitted = None
            release = work.tools.cluster.release(ref)
        force = again is not None and not (release is not None and release.client_side)  # which sets back anyway
        manifest = admitted(work, chart, values, ref, force=force)
        labels, timeout_s = _claimed(work, mark), _timeout_s(work)
        _deploy(work, Deployment(ref, chart, values, manifest, labels, timeout_s, force), doing)
    except HelmError as error:
        raise failure(work, error, ref) from error
    return Done()


def _stopped_attempt_undone(
    work: Work, release: HelmRelease | None, ref: ReleaseRef, *, claims: bool, had: bool
) -> list[str]:
    """Remove it, or roll it back; what of it is not gone yet. `had`: nothing has to go, it is taken over."""
    if release is not None and release.status in (HALF_MADE if had else OF_NO_USE):
        _discard(work, ref, claims=claims)
        release = None
    if release is not None and release.status in HALF_CHANGED:
        _rollback(work, ref, release.revision - 1)
    return [] if had or release is not None else work.tools.cluster.leftovers(ref, claims=claims)


def upgrade(
    work: Work, chart: Path, values: Object, ref: ReleaseRef, labels: dict[str, str], *, doing: str, back_to: int
) -> Outcome:
    """The release, which has run before, as this operation wants it; its volumes are never touched.

    `back_to`: the revision to begin from when a stopped attempt has left it half changed.
    """
    release = work.tools.cluster.release(ref)
    check_ours(release, ref, labels)
    if release is None or release.status in HALF_MADE:
        return Fail(GONE)
    if broken := unreadable(release):
        return broken
    mark = _mark(work, labels)
    if release.status is HelmStatus.DEPLOYED and release.belongs_to(mark):
        return Done()
    if busy := others_at_work(work, release):
        return busy
    try:
        if release.status in HALF_CHANGED:
            _rollback(work, ref, back_to)
        manifest = admitted(work, chart, values, ref)
        labels, timeout_s = _claimed(work, mark), _timeout_s(work)
        _deploy(work, Deployment(ref, chart, values, manifest, labels, timeout_s), doing)
    except HelmError as error:
        raise failure(work, error, ref) from error
    return Done()


def restore(work: Work, ref: ReleaseRef, labels: dict[str, str], *, revision: int) -> Outcome:
    """The release runs what it ran at `revision`. The result: whether it had left it."""
    release = work.tools.cluster.release(ref)
    check_ours(release, ref, labels)
    if release is None or release.status in HALF_MADE:
        return Fail(GONE)
    if broken := unreadable(release):
        return broken
    if release.revision == revision:
        return Done(False)
    if busy := others_at_work(work, release):
        return busy
    try:  # also when an attempt before has done so: it is the same once more
        _rollback(work, ref, revision)
    except HelmError as error:
        raise failure(work, error, ref) from error
    return Done(True)


def remove(work: Work, ref: ReleaseRef, labels: dict[str, str], *, hooks: bool) -> Outcome:
    """The release is gone, and so is what its hooks made. One that never was, or is somebody else's, is done.

    With `hooks` it has to be readable: who drops the user otherwise?
    """
    release = work.tools.cluster.release(ref)
    if is_foreign(release, labels):
        return Done(_left_alone(ref))
    if hooks and (broken := unreadable(release)):
        return broken
    if busy := others_at_work(work, release):
        return busy
    if release is not None:
        try:
            _uninstall(work, ref, hooks=hooks, timeout_s=_timeout_s(work))
        except HelmError as error:
            raise failure(work, error, ref) from error
    sweep(work, ref, claims=False)
    return Done()


def remove_at_any_rate(work: Work, ref: ReleaseRef, labels: dict[str, str]) -> Outcome:
    """As `remove`, with the chart's pre-delete Jobs where it once was deployed, and without them if they fail.

    The result is a note for the user, if there is something to say.
    """
    release = work.tools.cluster.release(ref)
    if release is None or is_foreign(release, labels) or _was_never_deployed(release):
        return remove(work, ref, labels, hooks=False)
    if unreadable(release):
        remove(work, ref, labels, hooks=False)
        return Done("its Helm release could not be read, so the chart's own clean-up was left out")
    if busy := others_at_work(work, release):
        return busy
    try:
        _uninstall(work, ref, hooks=True, timeout_s=_timeout_s(work) / 2)
    except HelmError as error:
        if error.fault not in BY_A_JOB:
            raise failure(work, error, ref) from error
        work.ctx.check()
        reason = work.public(work.tools.cluster.failed_job(ref) or error.detail)
        remove(work, ref, labels, hooks=False)
        return Done(f"the chart's own clean-up failed and was left out: {reason}")
    return Done()


def await_ready(work: Work, ref: ReleaseRef) -> Outcome:
    """Every workload is ready, or the reason why that cannot be hoped for."""
    state = work.tools.cluster.readiness(ref)
    if not isinstance(state, NotReady):
        return Done()
    return wait(work, state.reason, hopeless=state.hopeless)


def wait(work: Work, reason: str, *, hopeless: bool) -> Outcome:
    """Look again soon; what is hopeless is looked at less often, and fails after a while."""
    reason, operation_id = work.public(reason), work.ctx.operation.id
    if work.reserve_s and work.time_left_s <= 0:
        return Fail(f"gave up, as the rest of the time is for the way back; still waiting: {reason}")
    if not hopeless:
        work.tools.patience.renew(operation_id)
        return Wait(work.look_again_s, reason)
    if work.tools.patience.over(operation_id):
        return Fail(f"{begun(reason)}.")
    return Wait(HOPELESS_AGAIN_S, reason)


def await_gone(work: Work, ref: ReleaseRef, *, claims: bool) -> Outcome:
    """Nothing of the release runs any more."""
    left = work.tools.cluster.leftovers(ref, claims=claims)
    return Wait(work.look_again_s, f"not gone yet: {_listed(left)}") if left else Done()


def sweep(work: Work, ref: ReleaseRef, *, claims: bool) -> None:
    """Delete what Helm has left behind of the release, as far as it was there while the operation was ours."""
    work.admitted = None
    work.tools.cluster.sweep(ref, claims=claims, meanwhile=work.ctx.still_ours)


def unreadable(release: HelmRelease | None) -> Fail | None:
    """The end of an operation that would have to know what is deployed."""
    if release is None or release.status is not HelmStatus.UNREADABLE:
        return None
    ref = release.ref
    return Fail(
        f"The Helm release {ref.name} in namespace {ref.namespace} cannot be read: the Secret of its revision "
        f"{release.revision} is damaged. Ask the operator: `helmbroker doctor --repair` makes it anew."
    )


def is_foreign(release: HelmRelease | None, labels: dict[str, str]) -> bool:
    """Whether there is a release, and it is not ours: it is neither changed nor deleted."""
    return release is not None and not release.belongs_to(labels)


def check_ours(release: HelmRelease | None, ref: ReleaseRef, labels: dict[str, str]) -> None:
    """Raise Failed when somebody else's release has our name."""
    if is_foreign(release, labels):
        raise Failed(f"{begun(_left_alone(ref))}. Remove it, or give the broker a namespace of its own.")


def _discard(work: Work, ref: ReleaseRef, *, claims: bool) -> None:
    """The release goes last: who dies on the way is followed by one who sees that there is something to remove."""
    sweep(work, ref, claims=claims)
    _uninstall(work, ref, hooks=False, timeout_s=_timeout_s(work))


def _deploy(work: Work, deployment: Deployment, doing: str) -> None:
    work.ctx.note(doing)
    work.ctx.still_ours()
    work.makers_helm.deploy(deployment, work.ctx.stop)


def _rollback(work: Work, ref: ReleaseRef, revision: int) -> None:
    """All goes back but the sizes of volumes, which cannot."""
    work.tools.cluster.keep_grown(ref, revision, work.ctx.still_ours)
    work.ctx.still_ours()
    work.admitted = None
    work.makers_helm.rollback(ref, revision=revision, timeout_s=_timeout_s(work), stop=work.ctx.stop)


def _uninstall(work: Work, ref: ReleaseRef, *, hooks: bool, timeout_s: float) -> None:
    work.ctx.still_ours()
    work.admitted = None
    work.tools.helm.uninstall(ref, hooks=hooks, timeout_s=timeout_s, stop=work.ctx.stop)
    work.tools.cluster.drop_unreadable(ref, work.ctx.still_ours)


def _was_never_deployed(release: HelmRelease) -> bool:
    """Whether there is nothing that the chart's own clean-up could talk to."""
    if release.status is HelmStatus.FAILED:
        return release.revision == 1
    return release.status is HelmStatus.PENDING_INSTALL


def _mark(work: Work, labels: dict[str, str]) -> dict[str, str]:
    """Labels of what this very operation has deployed."""
    return {**labels, naming.LABEL_OPERATION: naming.digest(work.ctx.operation.id, length=40)}


def _claimed(work: Work, mark: dict[str, str]) -> dict[str, str]:
    """With what tells this deployment from those that others make of the same release."""
    operation = work.ctx.operation
    return {**mark, naming.LABEL_CLAIM: naming.digest(operation.id, str(operation.fence), length=40)}


def _left_alone(ref: ReleaseRef) -> str:
    return f"the Helm release {ref.name} in namespace {ref.namespace} is not this broker's and is left alone"


def _timeout_s(work: Work) -> float:
    return max(1.0, work.time_left_s)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
