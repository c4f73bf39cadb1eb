"""AppReleases on a Drycc controller: it numbers and deploys; the bridge asks, finds its release, and waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from helmbroker.controller_bridge.apps.drycc import config as edits
from helmbroker.controller_bridge.apps.drycc.asking import Asking
from helmbroker.controller_bridge.apps.drycc.back import Back
from helmbroker.controller_bridge.apps.drycc.calls import Calls, NoSuchRelease
from helmbroker.controller_bridge.apps.drycc.lineage import Lineage
from helmbroker.controller_bridge.apps.drycc.notes import Note, Notes
from helmbroker.controller_bridge.apps.drycc.shown import Shown
from helmbroker.controller_bridge.apps.port import (
    AppRelease,
    Broken,
    CannotRelease,
    ConfigChange,
    Healthy,
    ReleaseState,
    Rolling,
    Rollout,
)

_STUCK_S = 60.0  # without an end, before it is asked why
_LEAST_LOOK_S, _MOST_LOOK_S = 3.0, 15.0
_WAITING_LOOK_S = 30.0  # where a person has to deploy it: each look is three requests


class DryccAppReleases:
    """The port AppReleases. What is in flight is in `notes`; every method may be interrupted anywhere and repeated.

    now: the time, aware, UTC.
    """

    def __init__(
        self, calls: Calls, notes: Notes, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._calls, self._notes, self._shown = calls, notes, Shown(calls)
        self._asking, self._lineage = Asking(calls, notes, now), Lineage(calls)
        self._back = Back(calls, notes, self._asking, self._shown, self._lineage)

    def change_config(self, app: str, change: ConfigChange, *, author: str, summary: str, key: str) -> int | None:
        """See AppReleases.change_config. Removals begin with the references; `settle` removes the values."""
        return self._asking.change(app, change, Note(key, 0, author, summary))

    def check_config(self, app: str, change: ConfigChange) -> None:
        """See AppReleases.check_config."""
        edits.edit(self._calls.config(app), change, self._calls.ptypes(app))

    def rollback(self, app: str, to_version: int, *, author: str, key: str) -> int:
        """See AppReleases.rollback, Back.rollback."""
        return self._back.rollback(app, to_version, author=author, key=key)

    def recover(self, app: str, failed_version: int, *, reason: str, key: str) -> int:
        """See AppReleases.recover, Back.recover."""
        return self._back.recover(app, failed_version, reason=reason, key=key)

    def rollout(self, app: str, version: int) -> Rollout:
        """See AppReleases.rollout. An app without a build runs nothing: its config waits for the first one."""
        release = self._calls.release(app, version)
        if release.outcome is ReleaseState.FAILED:
            return Broken(self._shown.trouble(app, release, self._notes.all(app)))
        if release.outcome is ReleaseState.SUCCEEDED or release.build is None:
            return Healthy()
        if release.waits and any(note.waits and note.version == version for note in self._notes.all(app)):
            return Healthy()  # it only takes back what never ran
        age_s = self._asking.age_s(release)
        look_s = min(_MOST_LOOK_S, max(_LEAST_LOOK_S, age_s / 4))
        if age_s < _STUCK_S:
            return Rolling("the controller deploys it", look_s)
        verdict = self._lineage.judged_by_newer(app, version)
        if verdict is not None:
            return verdict
        if not self._calls.autodeploy(app):
            return Rolling("autodeploy of the app is off: deploy it by `drycc releases deploy`", _WAITING_LOOK_S)
        return Rolling(f"the controller has deployed it for {age_s:.0f} s", look_s)

    def settle(self, app: str, version: int) -> None:
        """See AppReleases.settle. The controller marks releases itself; the rest of removed groups goes here."""
        release = self._calls.release(app, version)
        notes = self._notes.all(app)
        if release.outcome is ReleaseState.FAILED:
            why = self._shown.trouble(app, release, notes)
            raise CannotRelease(f"v{version} of app {app} cannot succeed any more, it has failed: {why}")
        removed = {group for note in notes if note.version == version for group in note.removed}
        edit = edits.leftovers(self._calls.config(app), sorted(removed)) if removed else None
        if edit is not None:
            self._asking.changed(app, edit, release)

    def offer(self, app: str, name: str, entries: Mapping[str, str] | None) -> None:
        """See AppReleases.offer. Nothing: a Drycc app can read no Secret but the one of its own config."""

    def releases(self, app: str) -> list[AppRelease]:
        """See AppReleases.releases. `images` are the uuids of builds; config is told of the newest ones."""
        return self._shown.told(app, list(self._calls.releases(app)), self._notes.all(app))

    def page(self, app: str, *, limit: int, offset: int) -> tuple[int, list[AppRelease]]:
        """See AppReleases.page. One request, and one for each of ten configs that were not asked for yet."""
        page = self._calls.page(app, limit, offset)
        return page.count, self._shown.told(app, page.results, self._notes.all(app))

    def release(self, app: str, version: int) -> AppRelease | None:
        """See AppReleases.release. One request, and one for its config, unless that was asked for already."""
        try:
            found = self._calls.release(app, version)
        except NoSuchRelease:
            return None
        return self._shown.told(app, [found], self._notes.all(app))[0]

    def of_key(self, app: str, key: str) -> int | None:
        """See AppReleases.of_key."""
        note = self._notes.find(app, key)
        return None if note is None else note.version
