"""FakeAppReleases: the ports AppReleases and ReleaseManager in memory, with rollouts that go as the test says.

Modelled: numbering, keys, adoption of what ran before, groups, who gets them, and their collisions, recovery,
rollback, releases that contain others. Not modelled: drift, history, process types that set variables themselves,
and everything about pods: a rollout answers Rolling a number of times, and then Healthy, or Broken when its image
is missing or its environment is one that breaks apps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from helmbroker.controller_bridge.apps import environment
from helmbroker.controller_bridge.apps.difference import changes
from helmbroker.controller_bridge.apps.ledger import Entry, Ledger
from helmbroker.controller_bridge.apps.manager import AppConfig
from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    AppRelease,
    Broken,
    CannotRelease,
    ConfigChange,
    Healthy,
    ReleaseState,
    Rolling,
    Rollout,
)

CREATED = "2026-01-02T03:04:05Z"


def breaks_on_demand(variables: Mapping[str, str]) -> str | None:
    """Why an app with this environment does not run; None when it does: the variable BREAK says so."""
    return variables.get("BREAK") and "process type web: container web of pod web-1 ended with exit code 3 (Error)"


@dataclass
class FakeApp:
    """One app: its ledger, what is deployed, what its pods have, and how often its rollout was looked at."""

    images: dict[str, str]
    ledger: Ledger
    running: dict[str, str] = field(default_factory=dict)
    by_type: dict[str, dict[str, str]] = field(default_factory=dict)
    looks: int = 0
    offered: dict[str, dict[str, str]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)  # Secrets of others


class FakeAppReleases:
    """Apps in memory. before/after: called around every method with its name and the app; may raise."""

    def __init__(
        self,
        *,
        rolling_looks: int = 1,
        breaks: Callable[[Mapping[str, str]], str | None] = breaks_on_demand,
    ) -> None:
        self.apps: dict[str, FakeApp] = {}
        self.rolling_looks = rolling_looks
        self.before: Callable[[str, str], None] = lambda _method, _app: None
        self.after: Callable[[str, str], None] = lambda _method, _app: None
        self._breaks = breaks

    def add_app(self, app: str, images: Mapping[str, str] | None = None) -> None:
        """An app that runs, unknown to the bridge so far."""
        self.apps[app] = FakeApp(dict(images or {"web": "shop:1"}), Ledger(app))

    def deploy_by_hand(self, app: str, process_type: str, image: str) -> None:
        """What the owner of the app does without the bridge."""
        self.apps[app].images[process_type] = image

    def replace_config(self, app: str) -> None:
        """A build whose repository brings its own config: what was injected is gone."""
        found = self.apps[app]
        base = self._base(found)
        described = ("git", "a build", CREATED, "", base.number)
        made = Entry(self._next(found), base.stamp, dict(found.images), {}, *described)
        self._append(found, replace(made, state=ReleaseState.SUCCEEDED))
        found.running = {}

    def change_config(self, app: str, change: ConfigChange, *, author: str, summary: str, key: str) -> int | None:
        return self.edit_config(app, lambda _: change, author=author, summary=summary, key=key)

    def check_config(self, app: str, change: ConfigChange) -> None:
        self.before("check_config", app)
        before = self.config(app)
        environment.changed(before.groups, change, environment.attached(before.attached, change))

    def edit_config(
        self, app: str, edit: Callable[[AppConfig], ConfigChange], *, author: str, summary: str, key: str
    ) -> int | None:
        self.before("change_config", app)
        found = self._app(app)
        made = found.ledger.of_key(key)
        if made is None:
            base = self._base(found)
            change = edit(_config(found, base))
            whose = environment.attached(base.attached, change)
            config = environment.changed(base.config, change, whose)
            if base is not found.ledger.latest or (config, whose) != (base.config, base.attached):
                number = self._next(found)
                made = Entry(number, number, dict(found.images), config, author, summary, CREATED, key, base.number)
                made = replace(made, attached=whose)
                self._append(found, made)
        self.after("change_config", app)
        return None if made is None else made.number

    def deploy(self, app: str, images: Mapping[str, str], *, author: str, summary: str, key: str) -> int | None:
        self.before("deploy", app)
        found = self._app(app)
        made = found.ledger.of_key(key)
        if made is None:
            base = self._base(found)
            if unknown := sorted(set(images) - set(found.images)):
                raise CannotRelease(f"app {app} has no process type {unknown[0]}")
            if bad := [image for image in images.values() if not image or " " in image]:
                raise CannotRelease(f"{bad[0]!r} cannot be the image of a process type")
            other = {kind: image for kind, image in images.items() if found.images[kind] != image}
            if base is not found.ledger.latest or other:
                described = (author, summary, CREATED, key, base.number, None, other)
                made = Entry(self._next(found), base.stamp, {**found.images, **other}, base.config, *described)
                self._append(found, replace(made, attached=base.attached))
                found.images |= other
        self.after("deploy", app)
        return None if made is None else made.number

    def config(self, app: str, version: int | None = None) -> AppConfig:
        self.before("config", app)
        found = self._app(app)
        return _config(found, found.ledger.base if version is None else found.ledger.entry(version))

    def changes(self, app: str, version: int, since: int | None = None) -> tuple[str, ...]:
        self.before("changes", app)
        ledger = self._app(app).ledger
        entry = ledger.entry(version)
        return changes(ledger.find(entry.predecessor) if since is None else ledger.entry(since), entry)

    def rollback(self, app: str, to_version: int, *, author: str, key: str) -> int:
        self.before("rollback", app)
        found = self._app(app)
        made = found.ledger.of_key(key)
        if made is None:
            self._base(found)
            target = found.ledger.entry(to_version)
            if target.state is not ReleaseState.SUCCEEDED or target is found.ledger.latest:
                raise CannotRelease(f"app {app} cannot go back to v{to_version}: {target.state} {target.reason}")
            made = self._return_to(found, target, author, f"rolled back to v{to_version}", key, refreshed=True)
        self.after("rollback", app)
        return made.number

    def recover(self, app: str, failed_version: int, *, reason: str, key: str) -> int:
        self.before("recover", app)
        found = self._app(app)
        failed, latest, made = found.ledger.entry(failed_version), found.ledger.latest, found.ledger.of_key(key)
        assert latest is not None
        lost = latest.state is ReleaseState.FAILED or found.ledger.builds_on(latest, failed_version)
        if made is None and lost:
            target = found.ledger.succeeded_before(failed_version)
            if target is None:
                raise CannotRelease(f"app {app} has no release before v{failed_version} that succeeded")
            summary = f"returned to v{target.number} after v{failed_version} failed: {reason}"
            made = self._return_to(found, target, "helmbroker-bridge", summary, key)
        for entry in found.ledger.entries:
            contains = entry.state is ReleaseState.PENDING and found.ledger.builds_on(entry, failed_version)
            if entry.number == failed.number or contains:
                self._mark(found, entry, ReleaseState.FAILED, reason)
        self.after("recover", app)
        return (made or latest).number

    def rollout(self, app: str, version: int) -> Rollout:
        self.before("rollout", app)
        found = self._app(app)
        verdict = self._verdict(found, found.ledger.entry(version))
        self.after("rollout", app)
        return verdict

    def settle(self, app: str, version: int) -> None:
        self.before("settle", app)
        found = self._app(app)
        entry = found.ledger.entry(version)
        if entry.state is ReleaseState.FAILED:
            raise CannotRelease(f"v{version} of app {app} has failed: {entry.reason}")
        self._mark(found, entry, ReleaseState.SUCCEEDED, "")
        self.after("settle", app)

    def offer(self, app: str, name: str, entries: Mapping[str, str] | None) -> None:
        self.before("offer", app)
        if entries is not None:
            found = self._app(app)
            if name in found.foreign:
                raise CannotRelease(f"Secret {app}/{name} was not made by the bridge")
            found.offered[name] = dict(entries)
        elif app in self.apps:
            self.apps[app].offered.pop(name, None)
        self.after("offer", app)

    def releases(self, app: str) -> list[AppRelease]:
        self.before("releases", app)
        return [entry.told() for entry in reversed(self._app(app).ledger.entries)]

    def page(self, app: str, *, limit: int, offset: int) -> tuple[int, list[AppRelease]]:
        found = self.releases(app)
        return len(found), found[offset : offset + limit]

    def release(self, app: str, version: int) -> AppRelease | None:
        return next((each for each in self.releases(app) if each.version == version), None)

    def of_key(self, app: str, key: str) -> int | None:
        self.before("of_key", app)
        made = self._app(app).ledger.of_key(key)
        return None if made is None else made.number

    def _app(self, app: str) -> FakeApp:
        if app not in self.apps:
            raise AppNotFound(f"there is no app {app}")
        return self.apps[app]

    def _verdict(self, found: FakeApp, entry: Entry) -> Rollout:
        latest = found.ledger.latest
        assert latest is not None
        if entry.state is ReleaseState.FAILED:
            return Broken(entry.reason)
        if entry is not latest and entry.state is ReleaseState.SUCCEEDED:
            return Healthy()
        if not found.ledger.builds_on(latest, entry.number):
            return Broken(f"v{entry.number} was undone by v{latest.number}: {latest.summary}")
        if latest.state is ReleaseState.FAILED:
            return Broken(latest.reason)
        found.looks += 1
        if found.looks <= self.rolling_looks:
            return Rolling(f"process type web: 0 of 1 pods are ready (look {found.looks})")
        wanted = environment.environment(latest.config)
        missing = next((image for image in latest.images.values() if "missing" in image), None)
        reason = f"process type web: image {missing} cannot be pulled" if missing else self._breaks(wanted)
        if reason:
            return Broken(environment.blotted(reason, latest.config))
        found.running = wanted
        found.by_type = {kind: latest.environment_of(kind) for kind in found.images}
        found.images |= latest.restored
        return Healthy()

    def _base(self, found: FakeApp) -> Entry:
        base = found.ledger.base
        drifted = base is found.ledger.latest and base is not None and base.state is ReleaseState.SUCCEEDED
        if base is None or (drifted and base.images != found.images):
            stamp, config, summary = (
                (None, {}, "adopted") if base is None else (base.stamp, base.config, "deployed")
            )
            described = ("helmbroker-bridge", summary, CREATED, "", base.number if base else None)
            adopted = Entry(self._next(found), stamp, dict(found.images), config, *described)
            whose = {} if base is None else base.attached
            base = replace(adopted, state=ReleaseState.SUCCEEDED, attached=whose)
            self._append(found, base)
        return base

    def _return_to(
        self, found: FakeApp, target: Entry, author: str, summary: str, key: str, *, refreshed: bool = False
    ) -> Entry:
        number = self._next(found)
        described = (author, summary, CREATED, key, number - 1, target.number)
        latest = found.ledger.latest
        changed = {
            kind: image for kind, image in target.images.items() if latest and latest.images.get(kind) != image
        }
        made = Entry(number, target.stamp, target.images, target.config, *described, restored=changed)
        made = replace(made, attached=target.attached)
        made = found.ledger.refreshed(made) if refreshed else made
        self._append(found, made)
        return made

    def _next(self, found: FakeApp) -> int:
        return len(found.ledger.entries) + 1

    def _append(self, found: FakeApp, entry: Entry) -> None:
        found.ledger = replace(found.ledger, entries=(*found.ledger.entries, entry))
        found.looks = 0

    def _mark(self, found: FakeApp, entry: Entry, state: ReleaseState, reason: str) -> None:
        marked = replace(entry, state=state, reason=reason)
        entries = tuple(marked if each.number == entry.number else each for each in found.ledger.entries)
        found.ledger = replace(found.ledger, entries=entries)


def _config(found: FakeApp, entry: Entry | None) -> AppConfig:
    process_types = tuple(sorted(found.images))
    if entry is None:
        return AppConfig(0, {}, {}, process_types, "")
    return AppConfig(entry.number, entry.config, entry.attached, process_types, entry.created)
