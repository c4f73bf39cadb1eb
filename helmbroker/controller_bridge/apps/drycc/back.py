"""The ways back to an older release: by config where the build stays, by the controller's rollback, by undoing."""

from __future__ import annotations

from dataclasses import replace

from helmbroker.controller_bridge.apps.drycc import config as edits
from helmbroker.controller_bridge.apps.drycc.asking import Asking
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.lineage import Lineage
from helmbroker.controller_bridge.apps.drycc.notes import Note, Notes
from helmbroker.controller_bridge.apps.drycc.shown import Shown
from helmbroker.controller_bridge.apps.drycc.wire import HeldConfig, Release
from helmbroker.controller_bridge.apps.port import AppsUnavailable, CannotRelease, ConfigChange, ReleaseState

BRIDGE = "helmbroker-bridge"


class Back:
    """Rollbacks and recoveries of one controller."""

    def __init__(self, calls: Calls, notes: Notes, asking: Asking, shown: Shown, lineage: Lineage) -> None:
        self._calls, self._notes, self._asking, self._shown = calls, notes, asking, shown
        self._lineage = lineage

    def rollback(self, app: str, to_version: int, *, author: str, key: str) -> int:
        """See AppReleases.rollback. Another build is one release, its newest credentials are a second one."""
        note = Note(key, 0, author, f"rolled back to v{to_version}")
        if self._notes.find(app, _build_key(key)) is None:
            made = self._by_config(app, to_version, note)
            if made is not None:
                return made
        return self._by_build(app, to_version, note)

    def recover(self, app: str, failed_version: int, *, reason: str, key: str) -> int:
        """See AppReleases.recover. A release that somebody made after the failed one stays.

        So does what waits to be deployed, where the controller does not deploy by itself. What they have of the
        failed one is changed back on top of them.
        """
        known = self._notes.find(app, key)
        if known is not None and known.version is not None:
            return known.version
        failed = self._calls.release(app, failed_version)
        self._notes.failed(app, failed_version, reason)
        base, target = self._lineage.before(app, failed_version)
        back, recent = self._asking.begun(app, key, lambda each: target is not None and each.equals(target))
        if back is not None:
            return back
        latest = recent[0]
        theirs = latest.version != failed_version and latest.outcome is not ReleaseState.FAILED
        unseen = failed.waits and all(each.waits for each in recent if each.version > failed_version)
        waits = unseen and not self._calls.autodeploy(app)
        if base is not None and (theirs or (waits and base is not target)):
            runs = target if waits and target is not None else latest
            undone = self._take_back(app, failed, base, runs, Note(key, 0, BRIDGE, reason, waits=waits))
            if undone is not None:
                return undone
        if target is None:
            raise CannotRelease(f"app {app} has no release before v{failed_version} that succeeded")
        summary = f"returned to v{target.version} after v{failed_version} failed: {reason}"
        back, _ = self._asking.roll_back(app, target.version, Note(key, 0, BRIDGE, summary), over=failed_version)
        return back

    def _take_back(self, app: str, failed: Release, base: Release, runs: Release, note: Note) -> int | None:
        """Undo what `failed` changed since `base`, on top of the newest; where that waits, nobody deploys this.

        What others have undone already leaves the app with what `runs`. None: the controller says that this is what
        succeeded last, so that a rollback loses nothing.
        Each call sends one change at most: AppsUnavailable asks for the next, at which all may be otherwise.
        """
        note = replace(note, summary=f"took back v{failed.version}: {note.summary}")
        made, then = self._calls.config(app, failed.version), self._calls.config(app, base.version)

        def left(held: HeldConfig) -> edits.Post | edits.Detach | None:
            return edits.taking_back(held, made, then)

        def mine(release: Release) -> bool:
            return left(self._calls.config(app, release.version)) is None

        undone, recent = self._asking.begun(app, note.key, mine)
        edit = left(self._calls.config(app)) if undone is None else None
        if edit is None:
            return undone or runs.version
        if not note.waits:
            self._asking.wait_for_others(app, recent, failed.version)
        overtaken = self._notes.begin(app, replace(note, base=recent[0].version))
        if overtaken is not None or self._calls.change(app, edit) is None:
            return overtaken
        undone, _ = self._asking.begun(app, note.key, mine)
        if undone is None:
            raise AppsUnavailable(f"v{failed.version} of app {app} is taken back in steps, and one is done")
        return undone

    def _by_config(self, app: str, to_version: int, note: Note) -> int | None:
        """With the build that is there; None: that will not do."""

        def mine(release: Release) -> bool:
            return edits.alike(self._calls.config(app, release.version), then)

        known = self._notes.find(app, note.key)
        if known is not None and known.version is not None:
            return known.version
        target, good = self._target(app, to_version)
        then = self._calls.config(app, to_version)
        made, recent = self._asking.begun(app, note.key, mine)
        if made is not None or target.build != good.build:
            return made
        edit = edits.going_back(self._calls.config(app), then)
        note = replace(note, base=recent[0].version)
        return None if edit is None else self._asking.send(app, edit, note, recent, mine)

    def _by_build(self, app: str, to_version: int, note: Note) -> int:
        """By the controller's rollback; then what the app had of newer credentials, if any."""
        known = self._notes.find(app, note.key)
        if known is not None and known.version is not None:  # by another worker, meanwhile
            return known.version
        back, base = self._asking.roll_back(app, to_version, replace(note, key=_build_key(note.key)))
        newest = edits.credentials(self._calls.config(app, base))
        then = edits.credentials(self._calls.config(app, to_version))
        stale = {group: newest.get(group) for group, held in then.items() if held != newest.get(group)}
        made = self._asking.change(app, ConfigChange(stale), note) if stale else None
        if made is None:
            self._notes.begin(app, replace(note, base=base))
            self._notes.made(app, note.key, back)
        return made or back

    def _target(self, app: str, version: int) -> tuple[Release, Release]:
        """The release to go back to, and the one that runs. Raises CannotRelease when it cannot be the goal."""
        target, newer = self._calls.release(app, version), self._calls.releases(app)
        newest = next(newer)
        if target.outcome is not ReleaseState.SUCCEEDED or target.build is None:
            failed = target.outcome is ReleaseState.FAILED
            why = f": {self._shown.trouble(app, target, self._notes.all(app))}" if failed else ""
            raise CannotRelease(f"app {app} cannot go back to v{version}, which is {target.outcome}{why}")
        if target.version == newest.version:
            raise CannotRelease(f"app {app} has v{version} already: there is nothing to go back from")
        failed = newest.outcome is ReleaseState.FAILED
        return target, next(one for one in newer if one.outcome is not ReleaseState.FAILED) if failed else newest


def _build_key(key: str) -> str:
    return f"{key}:build"
