"""AppReleases on a Drycc controller: it numbers and deploys; the bridge asks, finds its release, and waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from helmbroker.controller_bridge.apps.drycc import config as edits
from helmbroker.controller_bridge.apps.drycc.calls import Calls, PipelineBusy, no_release
from helmbroker.controller_bridge.apps.drycc.config import Detach, Post
from helmbroker.controller_bridge.apps.drycc.notes import Note, Notes
from helmbroker.controller_bridge.apps.drycc.shown import Shown
from helmbroker.controller_bridge.apps.drycc.wire import Release
from helmbroker.controller_bridge.apps.port import (
    AppRelease,
    AppsUnavailable,
    Broken,
    CannotRelease,
    ConfigChange,
    Healthy,
    ReleaseState,
    Rolling,
    Rollout,
)

BRIDGE = "helmbroker-bridge"
_RECENT = 20  # releases that are looked at to find one again
_STUCK_S = 60.0  # without an end, before it is asked why
_LEAST_BUSY_S, _MOST_BUSY_S = 5.0, 60.0
_LEAST_LOOK_S, _MOST_LOOK_S = 3.0, 15.0

Mine = Callable[[Release], bool]


class DryccAppReleases:
    """The port AppReleases. What is in flight is in `notes`; every method may be interrupted anywhere and repeated.

    now: the time, aware, UTC.
    """

    def __init__(
        self, calls: Calls, notes: Notes, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._calls, self._notes, self._now = calls, notes, now
        self._shown = Shown(calls)

    def change_config(self, app: str, change: ConfigChange, *, author: str, summary: str, key: str) -> int | None:
        """See AppReleases.change_config. Removals begin with the references; `settle` removes the values."""

        def mine(release: Release) -> bool:
            return edits.contains(self._calls.config(app, release.version), change)

        known, recent = self._begun(app, key, mine)
        if known is not None:
            return known
        edit = edits.edit(self._calls.config(app), change, self._calls.ptypes(app))
        removed = tuple(group for group, variables in change.groups.items() if variables is None)
        note = Note(key, recent[0].version, author, summary, removed)
        return None if edit is None else self._send(app, edit, note, recent)

    def check_config(self, app: str, change: ConfigChange) -> None:
        """See AppReleases.check_config."""
        edits.edit(self._calls.config(app), change, self._calls.ptypes(app))

    def rollback(self, app: str, to_version: int, *, author: str, key: str) -> int:
        """See AppReleases.rollback. Another build is one release, its newest credentials are a second one."""
        note = Note(key, 0, author, f"rolled back to v{to_version}")
        if self._notes.find(app, _build_key(key)) is None:
            made = self._back_by_config(app, to_version, note)
            if made is not None:
                return made
        return self._back_by_build(app, to_version, note)

    def recover(self, app: str, failed_version: int, *, reason: str, key: str) -> int:
        """See AppReleases.recover. A release that somebody made after the failed one stays."""
        note = self._notes.find(app, key)
        if note is not None and note.version is not None:
            return note.version
        failed = self._calls.release(app, failed_version)
        latest = self._calls.newest(app, 1)[0]
        self._notes.failed(app, failed_version, reason)
        ours = note is not None or latest.version == failed.version or latest.outcome is ReleaseState.FAILED
        if not ours:
            return latest.version
        older = (each for each in self._calls.releases(app) if each.version < failed_version)
        target = next((each for each in older if each.outcome is ReleaseState.SUCCEEDED and each.build), None)
        if target is None:
            raise CannotRelease(f"app {app} has no release before v{failed_version} that succeeded")
        summary = f"returned to v{target.version} after v{failed_version} failed: {reason}"
        back, _ = self._roll_back(app, target.version, Note(key, 0, BRIDGE, summary))
        return back

    def rollout(self, app: str, version: int) -> Rollout:
        """See AppReleases.rollout. An app without a build runs nothing: its config waits for the first one."""
        release = self._calls.release(app, version)
        if release.outcome is ReleaseState.FAILED:
            return Broken(self._shown.trouble(app, release, self._notes.all(app)))
        if release.outcome is ReleaseState.SUCCEEDED or release.build is None:
            return Healthy()
        age_s = self._age_s(release)
        look_s = min(_MOST_LOOK_S, max(_LEAST_LOOK_S, age_s / 4))
        if age_s < _STUCK_S:
            return Rolling("the controller deploys it", look_s)
        newest = self._calls.newest(app, 1)[0]
        if newest.version > version and newest.outcome is ReleaseState.SUCCEEDED:
            return Healthy()  # a change starts from what has not failed, so the newer one contains it
        if not self._calls.autodeploy(app):
            return Rolling("autodeploy of the app is off: deploy it by `drycc releases deploy`", look_s)
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
            self._changed(app, edit, release)

    def offer(self, app: str, name: str, entries: Mapping[str, str] | None) -> None:
        """See AppReleases.offer. Nothing: a Drycc app can read no Secret but the one of its own config."""

    def releases(self, app: str) -> list[AppRelease]:
        """See AppReleases.releases. `images` are the uuids of builds; config is told of the newest ones."""
        notes = self._notes.all(app)
        return self._shown.told(app, list(self._calls.releases(app)), notes)

    def _begun(self, app: str, key: str, mine: Mine) -> tuple[int | None, Sequence[Release]]:
        """The release this operation has made, also when its answer was lost; and the recent releases."""
        note = self._notes.find(app, key)
        if note is not None and note.version is not None:
            return note.version, ()
        recent = self._calls.newest(app, _RECENT)
        newer = [each for each in reversed(recent) if note is not None and each.version > note.base]
        found = next((each for each in newer if mine(each)), None)
        if found is None:
            return None, recent
        self._notes.made(app, key, found.version)
        return found.version, recent

    def _send(self, app: str, edit: Post | Detach, note: Note, recent: Sequence[Release]) -> int | None:
        """Write the note, send the change, find its release by its config."""
        self._notes.begin(app, note)
        uuid = self._changed(app, edit, recent[0])
        if uuid is None:
            return None
        found = next((each for each in self._calls.newest(app, _RECENT) if each.config == uuid), None)
        if found is None:
            raise AppsUnavailable(f"the controller does not show the release it has just made of app {app}")
        self._notes.made(app, note.key, found.version)
        return found.version

    def _changed(self, app: str, edit: Post | Detach, latest: Release) -> str | None:
        """None: nothing changes. The controller compares with what has succeeded last, not with what it deploys."""
        try:
            uuid = self._calls.change(app, edit)
        except PipelineBusy as busy:
            raise AppsUnavailable(str(busy), after_s=self._busy_s(latest)) from None
        if uuid is None and latest.outcome is ReleaseState.PENDING and latest.build:
            raise AppsUnavailable(f"app {app} is being deployed", after_s=self._busy_s(latest))
        return uuid

    def _roll_back(self, app: str, to_version: int, note: Note) -> tuple[int, int]:
        """The controller's own way back: the new release, and the newest one before."""
        target = self._calls.release(app, to_version)

        def mine(release: Release) -> bool:
            return (release.config, release.build) == (target.config, target.build)

        made, recent = self._begun(app, note.key, mine)
        if made is None:
            self._notes.begin(app, replace(note, base=recent[0].version))
            try:
                made = self._calls.roll_back(app, to_version)
            except PipelineBusy as busy:
                raise AppsUnavailable(str(busy), after_s=self._busy_s(recent[0])) from None
            self._notes.made(app, note.key, made)
        kept = self._notes.find(app, note.key)
        return made, made - 1 if kept is None else kept.base

    def _back_by_config(self, app: str, to_version: int, note: Note) -> int | None:
        """With the build that is there; None: that will not do."""

        def mine(release: Release) -> bool:
            return edits.alike(self._calls.config(app, release.version), then)

        known = self._notes.find(app, note.key)
        if known is not None and known.version is not None:
            return known.version
        target, good = self._target(app, to_version)
        then = self._calls.config(app, to_version)
        made, recent = self._begun(app, note.key, mine)
        if made is not None or target.build != good.build:
            return made
        edit = edits.going_back(self._calls.config(app), then)
        note = replace(note, base=recent[0].version)
        return None if edit is None else self._send(app, edit, note, recent)

    def _back_by_build(self, app: str, to_version: int, note: Note) -> int:
        """By the controller's rollback; then what the app had of newer credentials, if any."""
        back, base = self._roll_back(app, to_version, replace(note, key=_build_key(note.key)))
        newest = edits.credentials(self._calls.config(app, base))
        then = edits.credentials(self._calls.config(app, to_version))
        stale = {group: newest.get(group) for group, held in then.items() if held != newest.get(group)}
        described = {"author": note.author, "summary": note.summary, "key": note.key}
        made = self.change_config(app, ConfigChange(stale), **described) if stale else None
        if made is None:
            self._notes.begin(app, replace(note, base=base))
            self._notes.made(app, note.key, back)
        return made or back

    def _target(self, app: str, version: int) -> tuple[Release, Release]:
        """The release to go back to, and the one that runs. Raises CannotRelease when it cannot be the goal."""
        found = list(self._calls.releases(app))
        target = next((each for each in found if each.version == version), None)
        if target is None:
            raise no_release(app, version, found[0].version)
        if target.outcome is not ReleaseState.SUCCEEDED or target.build is None:
            failed = target.outcome is ReleaseState.FAILED
            why = f": {self._shown.trouble(app, target, self._notes.all(app))}" if failed else ""
            raise CannotRelease(f"app {app} cannot go back to v{version}, which is {target.outcome}{why}")
        if target is found[0]:
            raise CannotRelease(f"app {app} has v{version} already: there is nothing to go back from")
        return target, next(each for each in found if each.outcome is not ReleaseState.FAILED)

    def _busy_s(self, latest: Release) -> float:
        return min(_MOST_BUSY_S, max(_LEAST_BUSY_S, self._age_s(latest) / 4))

    def _age_s(self, release: Release) -> float:
        created = release.created if release.created.tzinfo else release.created.replace(tzinfo=UTC)
        return max(0.0, (self._now() - created).total_seconds())


def _build_key(key: str) -> str:
    return f"{key}:build"
