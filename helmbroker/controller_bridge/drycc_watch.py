"""Looks at every app under a Drycc controller, slowly: has it a release that may lack its credentials, is it gone?

One worker of all does it, by a schedule. A deploy hook only says who is next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.wire import Release
from helmbroker.controller_bridge.apps.port import AppNotFound, AppReleaseError, AppsUnavailable, ReleaseState
from helmbroker.controller_bridge.drycc_store import WatchedApp, WatchedApps
from helmbroker.controller_bridge.service import Service
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import Context

EVERY_S = 5.0
"""From one run of the schedule to the next: in that time no more turns come than a run may take."""

_LOG = logging.getLogger("helmbroker.bridge")
_RECENT = 10  # releases, among which one is that has not failed
_SOON_S = 15.0  # while it is deployed
_DEPLOYING_S = 1800.0  # after that nobody will end it any more
_MOST_FAILED = 3
_MOST_GONE, _MOST_GONE_SHARE = 3, 0.1  # apps that may go at once; more of them, and it is the controller


@dataclass(frozen=True)
class Watch:
    """One controller. poll_s: between two looks at an app. grace_s: from missing an app to removing what it had."""

    store: Store
    service: Service
    calls: Calls
    poll_s: float
    grace_s: float
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def run(self, ctx: Context) -> str:
        """The handler of the schedule: as many looks as the controller allows now.

        An app that cannot be looked at waits behind the others; when some cannot, it is the controller.
        """
        watched, moment = WatchedApps(self.store), self.now().timestamp()
        watched.gather(moment)
        looked = failed = 0
        for app in watched.due(moment):
            ctx.check()
            try:
                self._look(watched, app)
                looked += 1
            except AppReleaseError as error:
                failed += 1
                watched.hurry(app.app, self.now().timestamp() + _SOON_S)
                if failed == _MOST_FAILED or (isinstance(error, AppsUnavailable) and error.after_s):
                    return f"looked at {looked} apps; {error}"
        return f"looked at {looked} apps"

    def _look(self, watched: WatchedApps, app: WatchedApp) -> None:
        """Raises AppReleaseError."""
        moment = self.now().timestamp()
        try:
            recent = self.calls.newest(app.app, _RECENT)
            going_back = app.seen is not None and recent[0].version < app.seen
            born = self._born(app, recent)
        except AppNotFound:
            if not self.calls.accepted():
                told = "the controller knows neither an app nor us: it is not believed"
                raise AppsUnavailable(told, after_s=_SOON_S) from None
            self._miss(watched, app, moment, "the controller does not know it")
            return
        if app.born not in (None, born):
            self._miss(watched, app, moment, "another app has its name now")
            return
        good = next((each for each in recent if each.outcome is not ReleaseState.FAILED), recent[0])
        seen = None if going_back else app.seen  # a controller that was restored begins anew
        again = moment + self.poll_s
        with self.store.writing() as conn:
            if self._deploying(good, moment):
                again = moment + _SOON_S
            elif seen is None or good.version > seen:
                self.service.reinject(conn, app.app, f"{app.look_at}/{good.version}/{good.uuid}")
                seen = good.version
            watched.looked(conn, replace(app, seen=seen, born=born, missing_since=None), again=again)

    def _born(self, app: WatchedApp, recent: Sequence[Release]) -> str:
        """The uuid of v1, by which apps of one name are told apart; asked for whenever there is news of the app."""
        for each in recent:
            if each.version == 1:
                return each.uuid
        known = recent[0].version == app.seen and app.missing_since is None
        return app.born if known and app.born is not None else self.calls.release(app.app, 1).uuid

    def _miss(self, watched: WatchedApps, app: WatchedApp, moment: float, why: str) -> None:
        """One wrong answer, or a controller that lost its apps, must not cost a database."""
        since = moment if app.missing_since is None else app.missing_since
        with self.store.writing() as conn:
            watched.looked(conn, replace(app, missing_since=since), again=moment + self.poll_s)
        left_s = since + self.grace_s - moment
        missing, known = watched.missing()
        if left_s > 0:
            _LOG.warning("app %s is gone: %s; in %.0f s its resources are removed", app.app, why, left_s)
        elif missing > max(_MOST_GONE, known * _MOST_GONE_SHARE):
            _LOG.error(
                "app %s is gone, but so are %d of %d: nothing is removed; look whether the controller has lost its "
                "apps, and if they are meant to be gone, destroy their resources by hand",
                app.app,
                missing,
                known,
            )
        else:
            count = self.service.abandon(app.app)
            _LOG.warning("app %s is gone: %s; %d resources are removed", app.app, why, count)

    def _deploying(self, release: Release, moment: float) -> bool:
        created = release.created if release.created.tzinfo else release.created.replace(tzinfo=UTC)
        young = moment - created.timestamp() < _DEPLOYING_S
        return release.outcome is ReleaseState.PENDING and release.build is not None and young
