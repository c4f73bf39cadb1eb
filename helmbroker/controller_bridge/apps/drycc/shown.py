"""Releases of a controller as the port tells them: names of variables, and troubles without values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from helmbroker.controller_bridge.apps import environment
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.config import containers
from helmbroker.controller_bridge.apps.drycc.notes import Note
from helmbroker.controller_bridge.apps.drycc.wire import Release
from helmbroker.controller_bridge.apps.port import AppRelease, ReleaseState

CONFIGS_A_LOOK = 10
"""Configs that are asked for to tell releases: each is a request, and the controller allows few."""

_KEPT = 1000
_CONTROLLER = "drycc"

Names = dict[str, tuple[str, ...]]


class Shown:
    """Of one controller. Configs never change, so their names are asked for once."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._names: dict[str, Names] = {}

    def told(self, app: str, releases: Sequence[Release], notes: Sequence[Note]) -> list[AppRelease]:
        """Newest first, as they came. The config of all but the first stays empty, if it was never asked for."""
        by_version = {note.version: note for note in notes}
        wanted = {each.config for each in releases[:CONFIGS_A_LOOK]}
        return [self._one(app, each, by_version.get(each.version), wanted) for each in releases]

    def trouble(self, app: str, release: Release, notes: Sequence[Note]) -> str:
        """Why it crashed, with every value of its config blotted out."""
        noted = next((note.reason for note in notes if note.version == release.version and note.reason), "")
        if noted:
            return noted
        config = containers(self._calls.config(app, release.version))
        return environment.blotted(release.trouble, config)

    def _one(self, app: str, release: Release, note: Note | None, wanted: set[str]) -> AppRelease:
        if release.config in wanted and release.config not in self._names:
            self._keep(app, release)
        reason = note.reason if note is not None else ""
        if not reason and release.outcome is ReleaseState.FAILED:
            reason = f"it crashed; `drycc releases info v{release.version}` says why"
        created = release.created if release.created.tzinfo is None else release.created.astimezone(UTC)
        return AppRelease(
            version=release.version,
            state=release.outcome,
            images=dict.fromkeys(release.deployed_ptypes or (), release.build or ""),
            config=self._names.get(release.config, {}),
            author=_CONTROLLER if note is None else note.author,
            summary=(release.summary or "") if note is None else note.summary,
            created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            reason=reason,
            key="" if note is None else note.key,
        )

    def _keep(self, app: str, release: Release) -> None:
        if len(self._names) >= _KEPT:
            self._names.clear()
        held = containers(self._calls.config(app, release.version))
        self._names[release.config] = {name: tuple(sorted(variables)) for name, variables in held.items()}
