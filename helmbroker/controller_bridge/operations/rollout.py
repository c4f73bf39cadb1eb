"""Steps of every operation that makes an app release: watch it, settle it, or bring the app back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    AppReleaseError,
    AppsUnavailable,
    Broken,
    ConfigChange,
    Healthy,
    ReleaseState,
)
from helmbroker.controller_bridge.operations.work import Work, failure, result, step, undoing
from helmbroker.durable import JSON, Done, Fail, Outcome, Step, Wait

RESERVE_S = 420.0  # kept for bringing the app back and for undoing the binding
_LAST_S = 60.0


def made(work: Work, source: str) -> int | None:
    """The version that step `source` has made; None when it made none."""
    version = result(work, source).get("version")
    return version if isinstance(version, int) else None


def change(work: Work, group: str, variables: Mapping[str, str] | None, summary: str) -> int | None:
    """Set a config group, or (None) remove it: the app release to watch.

    When nothing is left to change, that is a release which an interrupted operation has made and nobody has
    seen come up; None when there is no such release either. What users deploy themselves is not ours to watch.
    """
    apps = work.acting.apps
    version = apps.change_config(
        work.app, ConfigChange({group: variables}), author=work.user, summary=summary, key=work.ctx.operation.id
    )
    if version is None:
        newest = next(iter(apps.page(work.app, limit=1, offset=0)[1]), None)
        if newest is not None and newest.state is ReleaseState.PENDING and newest.key:
            version = newest.version
    return version


def watching(source: str, *, app_may_be_gone: bool = False, reserve_s: float = RESERVE_S) -> tuple[Step[Work], ...]:
    """Wait until the release that step `source` made is healthy, then settle it; `reserve_s` seconds are kept."""

    def wait(work: Work) -> Outcome:
        version = made(work, source)
        if version is None:
            return Done()
        try:
            rollout = work.ports.apps.rollout(work.app, version)
        except AppNotFound:
            if app_may_be_gone:
                return Done()
            raise
        if isinstance(rollout, Healthy):
            return Done()
        if isinstance(rollout, Broken):
            return Fail(f"app release v{version} failed: {rollout.reason}")
        return Wait(max(work.pause_s, rollout.after_s), f"app release v{version}: {rollout.reason}")

    settle = _settling(source, app_may_be_gone=app_may_be_gone)
    return (step("await rollout", wait, reserve_s=reserve_s), step("settle", settle, reserve_s=reserve_s))


def recovering(source: str) -> tuple[Step[Work], ...]:
    """Bring the app back to its last good release, if step `source` made a new one; what cannot be is noted."""
    return (
        step("recover", _recover(source)),
        step("await recovery", _noting(_await_recovery)),
        step("settle recovery", _noting(_settle_recovery)),
    )


def _begun(work: Work, source: str) -> int | None:
    """As `made`; also what the step made when it failed after that, so that it could not say so."""
    if source in work.ctx.results:
        return made(work, source)
    return work.ports.apps.of_key(work.app, work.ctx.operation.id)


def recovery_failed(results: Mapping[str, JSON]) -> bool:
    """Whether the app could not be brought back."""
    found = (results.get(name) for name in ("recover", "await recovery", "settle recovery"))
    return any(isinstance(each, Mapping) and "problem" in each for each in found)


def _recover(source: str) -> Callable[[Work], Outcome]:
    def recover(work: Work) -> Outcome:
        version = _begun(work, source)
        if version is None:
            return Done()
        key = f"{work.ctx.operation.id}:recover"
        back = work.acting.apps.recover(work.app, version, reason=failure(work), key=key)
        return Done({"version": back})

    return _noting(recover)


def _await_recovery(work: Work) -> Outcome:
    version = made(work, "recover")
    if version is None:
        return Done()
    rollout = work.ports.apps.rollout(work.app, version)
    if isinstance(rollout, Healthy):
        return Done()
    if isinstance(rollout, Broken):
        return Done({"problem": rollout.reason})
    if work.left_s < _LAST_S:
        return Done({"problem": f"app release v{version} took too long: {rollout.reason}"})
    told = undoing(work, f"going back with app release v{version}: {rollout.reason}")
    return Wait(max(work.pause_s, rollout.after_s), told)


def _settle_recovery(work: Work) -> Outcome:
    version = made(work, "recover")
    if version is not None and not result(work, "await recovery"):
        work.acting.apps.settle(work.app, version)
    return Done()


def _noting(run: Callable[[Work], Outcome]) -> Callable[[Work], Outcome]:
    """A refusal while undoing is noted: what else has to be undone must not stay because of it."""

    def noting(work: Work) -> Outcome:
        try:
            return run(work)
        except AppsUnavailable:
            raise
        except AppReleaseError as error:
            return Done({"problem": str(error)})

    return noting


def _settling(source: str, *, app_may_be_gone: bool) -> Callable[[Work], Outcome]:
    def settle(work: Work) -> Outcome:
        version = made(work, source)
        try:
            if version is not None:
                work.acting.apps.settle(work.app, version)
        except AppNotFound:
            if not app_may_be_gone:
                raise
        return Done()

    return settle
