"""Helm releases that are half changed: what of them runs, and who may still be at work on them (decision 0022)."""

from __future__ import annotations

from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus
from helmbroker.broker.operations.work import Work
from helmbroker.durable import Wait

HALF_MADE = frozenset({HelmStatus.PENDING_INSTALL, HelmStatus.UNINSTALLING})
OF_NO_USE = HALF_MADE | {HelmStatus.UNREADABLE}
HALF_CHANGED = frozenset({HelmStatus.PENDING_UPGRADE, HelmStatus.PENDING_ROLLBACK})
HOPELESS_AGAIN_S = 5.0  # so long that the operation gives its thread to others meanwhile


def in_force(release: HelmRelease) -> int:
    """The revision that runs: one that is half made by a helm that was killed is not it, the one before is."""
    return release.revision - 1 if release.status in HALF_CHANGED else release.revision


def others_at_work(work: Work, release: HelmRelease | None) -> Wait | None:
    """While a person's helm may be upgrading the release. One that has been at it for too long was killed.

    Only upgrades can be told apart: see decision 0022.
    """
    if release is None or release.status is not HelmStatus.PENDING_UPGRADE or not release.by_others:
        return None
    if work.tools.patience.over(f"{work.ctx.operation.id} {release.ref.name} {release.revision}"):
        return None
    return Wait(
        HOPELESS_AGAIN_S,
        f"somebody else is upgrading the Helm release {release.ref.name} (revision {release.revision}); "
        "waiting until that has ended",
    )
