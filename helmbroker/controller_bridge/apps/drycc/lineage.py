"""Which releases of a controller come before and after one, and what of its change they have."""

from __future__ import annotations

from helmbroker.controller_bridge.apps.drycc import config as edits
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.wire import Release
from helmbroker.controller_bridge.apps.port import Broken, Healthy, ReleaseState

RECENT = 20
"""Releases that are looked at to find one again."""


class Lineage:
    """Of one controller. A change is what the config of a release has otherwise than that of its base."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def before(self, app: str, version: int) -> tuple[Release | None, Release | None]:
        """The release that `version` was made from, and the newest before it that succeeded."""
        base = None
        for each in self._calls.releases(app):
            if each.version >= version or each.outcome is ReleaseState.FAILED:
                continue
            base = base or each
            if each.outcome is ReleaseState.SUCCEEDED and each.build:
                return base, each
        return base, None

    def judged_by_newer(self, app: str, version: int) -> Healthy | Broken | None:
        """What the newest release that has succeeded since says about `version`; None: there is none.

        It need not contain it: a rollback, and a build with a dryccfile, have a config of their own.
        """
        recent = self._calls.newest(app, RECENT)
        newer = (each for each in recent if each.version > version and each.outcome is ReleaseState.SUCCEEDED)
        ran = next(newer, None)
        if ran is None:
            return None
        base, _ = self.before(app, version)
        held, made = self._calls.config(app, ran.version), self._calls.config(app, version)
        if base is None or edits.has(held, made, self._calls.config(app, base.version)):
            return Healthy()
        return Broken(f"v{version} was undone by v{ran.version}: {ran.summary}")
