"""Looks at every app under a Drycc controller, slowly: has it a release that may lack its credentials, is it gone?

One worker of all does it, by a schedule. A deploy hook only says who is next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

import sqlalchemy as sa

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
_AT_ONCE_S = 3600.0
_THERE = {"missing_since": None, "held": None, "confirmed": None}


def removed_at(app: WatchedApp, grace_s: float) -> float | None:
    """When an app that is missing loses its resources (seconds since the epoch); None: when it is confirmed."""
    if app.confirmed is not None:
        return app.confirmed
    return None if app.held is not None or app.missing_since is None else app.missing_since + grace_s


@dataclass(frozen=True)
class Watch:
    """One controller. poll_s: between two looks at an app. grace_s: from missing an app to removing what it had.

    clock: WatchedApps.clock.
    """

    store: Store
    service: Service
    calls: Calls
    poll_s: float
    grace_s: float
    clock: Callable[[], float]

    def run(self, ctx: Context) -> str:
        """The handler of the schedule: as many looks as the controller allows now.

        An app that cannot be looked at waits behind the others; when some cannot, it is the controller.
        """
        watched, moment = WatchedApps(self.store), self.clock()
        watched.gather(moment)
        looked = failed = 0
        for app in watched.due(moment):
            ctx.check()
            try:
                self._look(watched, app)
                looked += 1
            except AppReleaseError as error:
                failed += 1
                again = self.clock() + _SOON_S
                with self.store.writing() as conn:
                    watched.looked(conn, app, again=again)
                if failed == _MOST_FAILED or (isinstance(error, AppsUnavailable) and error.after_s):
                    return f"looked at {looked} apps; {error}"
        return f"looked at {looked} apps"

    def _look(self, watched: WatchedApps, app: WatchedApp) -> None:
        """Raises AppReleaseError."""
        moment = self.clock()
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
        again = moment + self.poll_s
        with self.store.writing() as conn:
            by_now = watched.locked(conn, app.app)
            if by_now is None:
                return
            seen = by_now.seen
            if going_back and seen == app.seen:  # a controller that was restored begins anew
                seen = None
            if self._deploying(good, moment):
                again = moment + _SOON_S
            elif seen is None or good.version > seen:
                self.service.releasing.reinject(conn, app.app, f"{app.look_at}/{good.version}/{good.uuid}")
                seen = good.version
            watched.looked(conn, app, again=again, seen=seen, born=born, **_THERE)

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
            watched.looked(conn, app, again=moment + self.poll_s, missing_since=since)
            self._hold(watched, conn, since)
            by_now = watched.locked(conn, app.app)
        if by_now is None:
            return
        end = removed_at(by_now, self.grace_s)
        if end is None:
            _LOG.error(
                "app %s is gone: %s; %d apps went missing at about the same time: nothing is removed. Look "
                "whether the controller has lost its apps; if not: `helmbroker-bridge apps confirm-gone %s`",
                app.app,
                why,
                by_now.held,
                app.app,
            )
        elif moment < end:
            _LOG.warning("app %s is gone: %s; in %.0f s its resources are removed", app.app, why, end - moment)
        else:
            count = self.service.abandon(app.app)
            _LOG.warning("app %s is gone: %s; %d resources are removed", app.app, why, count)

    def _hold(self, watched: WatchedApps, conn: sa.Connection, since: float) -> None:
        """Many that go at once look like a fault of the controller: an operator has to confirm each of them.

        At once is within an hour, or from look to look, if that is longer. It is written down for each, and for who
        is missed beside them: those that are confirmed, removed by hand or found again cannot be counted any more.
        """
        within_s = max(_AT_ONCE_S, self.poll_s)
        together, known, held = watched.together(conn, since, within_s)
        if held or together > max(_MOST_GONE, known * _MOST_GONE_SHARE):
            watched.hold(conn, since, within_s, max(held, together))

    def _deploying(self, release: Release, moment: float) -> bool:
        created = release.created if release.created.tzinfo else release.created.replace(tzinfo=UTC)
        young = moment - created.timestamp() < _DEPLOYING_S
        return release.outcome is ReleaseState.PENDING and release.build is not None and young
