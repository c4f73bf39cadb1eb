"""AppReleases on Kubernetes: an app is a namespace, its process types are the workloads labelled for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from helmbroker.controller_bridge.apps import composing, environment
from helmbroker.controller_bridge.apps.cluster import AppCluster, translated
from helmbroker.controller_bridge.apps.composing import BRIDGE, Asked, Compose
from helmbroker.controller_bridge.apps.difference import changes
from helmbroker.controller_bridge.apps.drift import drift
from helmbroker.controller_bridge.apps.ledger import Entry, Ledger, LedgerStore
from helmbroker.controller_bridge.apps.manager import AppConfig
from helmbroker.controller_bridge.apps.offered import OfferedSecrets
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
from helmbroker.controller_bridge.apps.rollout import judge
from helmbroker.controller_bridge.apps.workloads import Processes
from helmbroker.kubeapi.port import Kube

_ATTEMPTS = 10  # at a number that others may take at the same time


class KubernetesAppReleases:
    """The ports AppReleases and ReleaseManager. Stateless; every method may be interrupted anywhere and repeated.

    now: the time, aware, UTC. history: how many releases of an app are kept.
    """

    def __init__(
        self, kube: Kube, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), history: int = 50
    ) -> None:
        self._cluster = AppCluster(kube)
        self._store = LedgerStore(kube)
        self._offered = OfferedSecrets(kube)
        self._now, self._history = now, history

    def change_config(self, app: str, change: ConfigChange, *, author: str, summary: str, key: str) -> int | None:
        """See AppReleases.change_config."""
        return self.edit_config(app, lambda _: change, author=author, summary=summary, key=key)

    def check_config(self, app: str, change: ConfigChange) -> None:
        """See AppReleases.check_config."""
        with translated():
            processes = self._cluster.processes(app)
            composing.config_after(change, self._store.read(app).base, processes)

    def edit_config(
        self,
        app: str,
        edit: Callable[[AppConfig], ConfigChange],
        *,
        author: str,
        summary: str,
        key: str,
    ) -> int | None:
        """See ReleaseManager.edit_config."""
        return self._number(app, composing.reconfigured(edit, self._asked(author, summary, key)), key)

    def deploy(self, app: str, images: Mapping[str, str], *, author: str, summary: str, key: str) -> int | None:
        """See ReleaseManager.deploy."""
        return self._number(app, composing.redeployed(images, self._asked(author, summary, key)), key)

    def rollback(self, app: str, to_version: int, *, author: str, key: str) -> int:
        """See AppReleases.rollback."""
        asked = self._asked(author, f"rolled back to v{to_version}", key)
        made = self._number(app, composing.gone_back(to_version, asked), key)
        if made is None:
            raise CannotRelease(f"app {app} has no release to go back to")
        return made

    def recover(self, app: str, failed_version: int, *, reason: str, key: str) -> int:
        """See AppReleases.recover. When a newer release does not contain the failed one, that newer one stays."""
        with translated():
            for _ in range(_ATTEMPTS):
                processes = self._cluster.processes(app)
                ledger = self._store.read(app)
                failed, latest, made = ledger.entry(failed_version), ledger.latest, ledger.of_key(key)
                if made is None and latest is not None and _is_lost(ledger, latest, failed_version):
                    made = composing.way_back(ledger, failed, latest, self._asked(BRIDGE, reason, key))
                    if not self._store.append(app, made):
                        continue
                    ledger = self._store.read(app)
                self._mark_failed(ledger, failed, reason)
                current = ledger.latest
                if current is not None and not _is_lost(ledger, current, failed_version):
                    self._apply(app, current, processes)
                goal = made or current
                if goal is not None:
                    return goal.number
        raise _crowded(app)

    def rollout(self, app: str, version: int) -> Rollout:
        """See AppReleases.rollout. A release that a newer one contains is judged by the newer one."""
        with translated():
            processes = self._cluster.processes(app)
            ledger = self._store.read(app)
            entry, latest = ledger.entry(version), ledger.latest
            if entry.state is ReleaseState.FAILED:
                return Broken(entry.reason or f"v{version} has failed")
            if latest is None or latest is entry:
                return self._looked_at(app, entry, processes)
            if entry.state is ReleaseState.SUCCEEDED:
                return Healthy()
            if not ledger.builds_on(latest, version):
                return Broken(f"v{version} was undone by v{latest.number}: {latest.summary}")
            if latest.state is ReleaseState.FAILED:
                return Broken(f"v{latest.number}, which contains v{version}, failed: {latest.reason}")
            return self._looked_at(app, latest, processes)

    def settle(self, app: str, version: int) -> None:
        """See AppReleases.settle."""
        with translated():
            self._cluster.processes(app)
            entry = self._store.read(app).entry(version)
            if entry.state is ReleaseState.FAILED:
                raise CannotRelease(
                    f"v{version} of app {app} cannot succeed any more, it has failed: {entry.reason}"
                )
            self._store.mark(app, version, ReleaseState.SUCCEEDED)
            ledger = self._store.read(app)
            self._cluster.sweep(app, ledger)
            for outlived in ledger.outlived(self._history):
                self._store.forget(app, outlived)

    def offer(self, app: str, name: str, entries: Mapping[str, str] | None) -> None:
        """See AppReleases.offer."""
        with translated():
            if entries is None:
                self._offered.remove(app, name)
            else:
                self._cluster.processes(app)
                self._offered.keep(app, name, entries)

    def releases(self, app: str) -> list[AppRelease]:
        """See AppReleases.releases."""
        with translated():
            processes = self._cluster.processes(app)
            ledger = self._store.read(app)
            told = [entry.told() for entry in reversed(ledger.entries)]
            if ledger.latest is not None:
                told[0] = replace(told[0], drift=drift(ledger.latest, processes))
            return told

    def page(self, app: str, *, limit: int, offset: int) -> tuple[int, list[AppRelease]]:
        """See AppReleases.page. The ledger is read whole, as it is short."""
        found = self.releases(app)
        return len(found), found[offset : offset + limit]

    def release(self, app: str, version: int) -> AppRelease | None:
        """See AppReleases.release."""
        return next((each for each in self.releases(app) if each.version == version), None)

    def of_key(self, app: str, key: str) -> int | None:
        """See AppReleases.of_key."""
        with translated():
            self._cluster.processes(app)
            made = self._store.read(app).of_key(key)
            return None if made is None else made.number

    def config(self, app: str, version: int | None = None) -> AppConfig:
        """See ReleaseManager.config."""
        with translated():
            processes = self._cluster.processes(app)
            ledger = self._store.read(app)
            return composing.config_of(ledger.base if version is None else ledger.entry(version), processes)

    def changes(self, app: str, version: int, since: int | None = None) -> tuple[str, ...]:
        """See ReleaseManager.changes."""
        with translated():
            self._cluster.processes(app)
            ledger = self._store.read(app)
            entry = ledger.entry(version)
            before = ledger.find(entry.predecessor) if since is None else ledger.entry(since)
            return changes(before, entry)

    def _number(self, app: str, compose: Compose, key: str) -> int | None:
        with translated():
            made = self._release(app, key, compose)
            return None if made is None else made.number

    def _release(self, app: str, key: str, compose: Compose) -> Entry | None:
        """The release of this operation: found, or composed, written down and begun."""
        for _ in range(_ATTEMPTS):
            processes = self._cluster.processes(app)
            ledger = self._store.read(app)
            made = ledger.of_key(key)
            if made is None:
                base = self._base(app, ledger, processes)
                if base is None:
                    continue
                # The very ledger that `base` is of: should another release come first, its number is taken.
                made = compose(ledger, base, processes)
                if made is None:
                    return None
                if not self._store.append(app, made):
                    continue
                ledger = self._store.read(app)
            if ledger.latest is not None and made.number == ledger.latest.number:
                self._apply(app, made, processes)
            return made
        raise _crowded(app)

    def _base(self, app: str, ledger: Ledger, processes: Processes) -> Entry | None:
        """The release to start from, once the ledger says what runs. None: look again, something was put right."""
        base, latest = ledger.base, ledger.latest
        unknown = self._cluster.unknown_release(app, processes, 0 if latest is None else latest.number)
        if unknown:
            raise CannotRelease(unknown)
        if base is None:
            self._adopt(app, ledger, None, processes, "what ran before the first change")
            return None
        if base is not latest:
            return base
        if base.state is ReleaseState.PENDING:
            # A call may have been interrupted; only what was given in full says which images are deployed.
            return None if self._apply(app, base, processes) else base
        if base.images == composing.images(processes):
            return base
        self._adopt(app, ledger, base, processes, "another build was deployed")
        return None

    def _adopt(self, app: str, ledger: Ledger, base: Entry | None, processes: Processes, summary: str) -> None:
        """Write down what others did. Lost to another release of that number: then that one is looked at."""
        self._store.append(app, composing.found(ledger, base, processes, self._asked(BRIDGE, summary)))

    def _mark_failed(self, ledger: Ledger, failed: Entry, reason: str) -> None:
        """The failed release, and those made from it that nobody saw succeed."""
        for entry in ledger.entries:
            if entry.number == failed.number:
                self._store.mark(ledger.app, entry.number, ReleaseState.FAILED, reason)
            elif entry.state is ReleaseState.PENDING and ledger.builds_on(entry, failed.number):
                told = f"it contained v{failed.number}, which failed: {reason}"
                self._store.mark(ledger.app, entry.number, ReleaseState.FAILED, told)

    def _looked_at(self, app: str, entry: Entry, processes: Processes) -> Rollout:
        unknown = self._cluster.unknown_release(app, processes, entry.number)
        if unknown:
            return Broken(unknown)
        if self._apply(app, entry, processes):
            return Rolling(f"v{entry.number} is being given to the app")
        seen = self._cluster.look(app, processes, self._now())
        if isinstance(judge(seen, entry.number), Healthy):
            return Healthy()
        self._cluster.clear_the_way(app, seen, going_back=entry.rolled_back_to is not None)
        verdict = judge(replace(seen, events=self._cluster.warnings(app)), entry.number)
        if isinstance(verdict, Healthy):
            return verdict
        return replace(verdict, reason=environment.blotted(verdict.reason, entry.config))

    def _apply(self, app: str, entry: Entry, processes: Processes) -> bool:
        if entry.state is ReleaseState.FAILED:
            return False
        return self._cluster.apply(app, entry, processes)

    def _asked(self, author: str, summary: str, key: str = "") -> Asked:
        return Asked(author, summary, self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), key)


def _is_lost(ledger: Ledger, latest: Entry, failed_version: int) -> bool:
    """Whether what the app was last given has failed, or contains what failed."""
    return latest.state is ReleaseState.FAILED or ledger.builds_on(latest, failed_version)


def _crowded(app: str) -> AppsUnavailable:
    return AppsUnavailable(f"app {app} gets releases from elsewhere all the time; try again")
