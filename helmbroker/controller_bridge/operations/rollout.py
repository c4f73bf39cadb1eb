"""Steps of every operation that makes an app release: watch it, settle it, or bring the app back."""

from __future__ import annotations

from collections.abc import Callable

from helmbroker.controller_bridge.apps.port import AppNotFound, Broken, CannotRelease, Healthy
from helmbroker.controller_bridge.operations.work import Work, failure, pause_s, result, step, undoing
from helmbroker.durable import Done, Fail, Outcome, Step, Wait

RESERVE_S = 420.0  # kept for bringing the app back and for undoing the binding
_LAST_S = 60.0


def made(work: Work, source: str) -> int | None:
    """The version that step `source` has made; None when it made none."""
    version = result(work, source).get("version")
    return version if isinstance(version, int) else None


def watching(source: str, *, app_may_be_gone: bool = False) -> tuple[Step[Work], ...]:
    """Wait until the release that step `source` made is healthy, then settle it."""

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
        if work.ctx.remaining_s < RESERVE_S:
            return Fail(f"app release v{version} took too long: {rollout.reason}")
        return Wait(pause_s(work), f"app release v{version}: {rollout.reason}")

    return (step("await rollout", wait), step("settle", _settling(source, app_may_be_gone=app_may_be_gone)))


def recovering(source: str) -> tuple[Step[Work], ...]:
    """Bring the app back to its last good release, if step `source` has made a new one; what cannot be is noted."""

    def recover(work: Work) -> Outcome:
        version = made(work, source)
        if version is None:
            return Done()
        try:
            back = work.ports.apps.recover(
                work.app, version, reason=failure(work), key=f"{work.ctx.operation.id}:recover"
            )
        except (AppNotFound, CannotRelease) as error:
            return Done({"problem": str(error)})
        return Done({"version": back})

    def wait(work: Work) -> Outcome:
        version = made(work, "recover")
        if version is None:
            return Done(dict(result(work, "recover")))
        try:
            rollout = work.ports.apps.rollout(work.app, version)
        except AppNotFound as error:
            return Done({"problem": str(error)})
        if isinstance(rollout, Healthy):
            return Done()
        if isinstance(rollout, Broken):
            return Done({"problem": rollout.reason})
        if work.ctx.remaining_s < _LAST_S:
            return Done({"problem": f"app release v{version} took too long: {rollout.reason}"})
        return Wait(pause_s(work), undoing(work, f"going back with app release v{version}: {rollout.reason}"))

    settle_it = _settling("recover", app_may_be_gone=True)

    def settle(work: Work) -> Outcome:
        return Done() if result(work, "await recovery") else settle_it(work)

    return (step("recover", recover), step("await recovery", wait), step("settle recovery", settle))


def _settling(source: str, *, app_may_be_gone: bool) -> Callable[[Work], Outcome]:
    def settle(work: Work) -> Outcome:
        version = made(work, source)
        try:
            if version is not None:
                work.ports.apps.settle(work.app, version)
        except AppNotFound:
            if not app_may_be_gone:
                raise
        return Done()

    return settle
