"""How a controller is asked for a release: after a note, so that one whose answer was lost is found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from helmbroker.controller_bridge.apps.drycc import config as edits
from helmbroker.controller_bridge.apps.drycc.calls import Calls, PipelineBusy
from helmbroker.controller_bridge.apps.drycc.config import Detach, Post
from helmbroker.controller_bridge.apps.drycc.lineage import RECENT
from helmbroker.controller_bridge.apps.drycc.notes import Note, Notes
from helmbroker.controller_bridge.apps.drycc.wire import Release
from helmbroker.controller_bridge.apps.port import AppsUnavailable, ConfigChange, ReleaseState

_LEAST_BUSY_S, _MOST_BUSY_S = 5.0, 60.0
_LOCK_S = 3600.0  # after which the controller takes the lock of a pipeline away

Mine = Callable[[Release], bool]


class Asking:
    """One controller and the notes of what it was asked for. now: the time, aware, UTC."""

    def __init__(self, calls: Calls, notes: Notes, now: Callable[[], datetime]) -> None:
        self._calls, self._notes, self._now = calls, notes, now

    def change(self, app: str, change: ConfigChange, note: Note) -> int | None:
        """A release with `change`; None when nothing changes. See AppReleases.change_config."""

        def mine(release: Release) -> bool:
            return edits.contains(self._calls.config(app, release.version), change)

        known, recent = self.begun(app, note.key, mine)
        if known is not None:
            return known
        edit = edits.edit(self._calls.config(app), change, self._calls.ptypes(app))
        removed = tuple(group for group, variables in change.groups.items() if variables is None)
        note = replace(note, base=recent[0].version, removed=removed)
        return None if edit is None else self.send(app, edit, note, recent, mine)

    def begun(self, app: str, key: str, mine: Mine) -> tuple[int | None, Sequence[Release]]:
        """The release this operation has made, also when its answer was lost; and the recent releases."""
        note = self._notes.find(app, key)
        if note is not None and note.version is not None:
            return note.version, ()
        recent = self._calls.newest(app, RECENT)
        newer = [each for each in reversed(recent) if note is not None and each.version > note.base]
        found = next((each for each in newer if mine(each)), None)
        if found is None:
            return None, recent
        self._notes.made(app, key, found.version)
        return found.version, recent

    def send(self, app: str, edit: Post | Detach, note: Note, recent: Sequence[Release], mine: Mine) -> int | None:
        """Write the note, send the change, find its release: by its config, where the answer names that."""
        overtaken = self._notes.begin(app, note)
        if overtaken is not None:
            return overtaken
        uuid = self.changed(app, edit, recent[0])
        if uuid is None:
            return None
        newer = [each for each in reversed(self._calls.newest(app, RECENT)) if each.version > note.base]
        found = next((each for each in newer if (each.config == uuid if uuid else mine(each))), None)
        if found is None:
            raise AppsUnavailable(f"the controller does not show the release it has just made of app {app}")
        self._notes.made(app, note.key, found.version)
        return found.version

    def changed(self, app: str, edit: Post | Detach, latest: Release) -> str | None:
        """None: nothing changes. The controller compares with what has succeeded last, not with what it deploys."""
        try:
            uuid = self._calls.change(app, edit)
        except PipelineBusy as busy:
            raise AppsUnavailable(str(busy), after_s=self._busy_s(latest)) from None
        if uuid is None and latest.outcome is ReleaseState.PENDING and latest.build:
            waits = f"v{latest.version} of app {app} waits to be deployed"
            raise AppsUnavailable(
                waits if latest.waits else f"app {app} is being deployed", after_s=self._busy_s(latest)
            )
        return uuid

    def roll_back(self, app: str, to_version: int, note: Note, *, over: int = 0) -> tuple[int, int]:
        """The controller's own way back: the new release, and the newest one before. over: see wait_for_others."""
        target = self._calls.release(app, to_version)

        made, recent = self.begun(app, note.key, target.equals)
        if made is None:
            self.wait_for_others(app, recent, over)
            made = self._notes.begin(app, replace(note, base=recent[0].version))
        if made is None:
            made = self._calls.roll_back(app, to_version)
            self._notes.made(app, note.key, made)
        kept = self._notes.find(app, note.key)
        return made, made - 1 if kept is None else kept.base

    def wait_for_others(self, app: str, recent: Sequence[Release], over: int) -> None:
        """Raise AppsUnavailable while a release is deployed, as two pipelines at once end in any order.

        The controller forces a rollback: it does not refuse one then. over: the release that has had its time.
        """
        for each in recent:
            if each.begun and each.version != over and self.age_s(each) < _LOCK_S:
                raise AppsUnavailable(f"app {app} is being deployed (v{each.version})", after_s=self._busy_s(each))

    def age_s(self, release: Release) -> float:
        """Seconds since it was made."""
        created = release.created if release.created.tzinfo else release.created.replace(tzinfo=UTC)
        return max(0.0, (self._now() - created).total_seconds())

    def _busy_s(self, latest: Release) -> float:
        return min(_MOST_BUSY_S, max(_LEAST_BUSY_S, self.age_s(latest) / 4))
