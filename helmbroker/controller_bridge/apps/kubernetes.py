"""AppReleases on Kubernetes: an app is a namespace, its process types are the Deployments labelled for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from helmbroker.controller_bridge.apps import environment
from helmbroker.controller_bridge.apps.cluster import AppCluster, Processes, translated
from helmbroker.controller_bridge.apps.ledger import Entry, Ledger, LedgerStore
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
from helmbroker.controller_bridge.apps.template import image_of, own_variables
from helmbroker.kubeapi.port import Kube

BRIDGE = "helmbroker-bridge"
"""The author of releases that nobody asked for: what was found running, and the way back after a failure."""

_ATTEMPTS = 10  # at a number that others may take at the same time

Compose = Callable[[Ledger, Entry, Processes], Entry | None]
"""(ledger, the release to start from, what is deployed) -> the next release, or None when nothing changes."""


class KubernetesAppReleases:
    """The port AppReleases. Stateless; every method may be interrupted anywhere and repeated.

    now: the time, aware, UTC.
    """

    def __init__(self, kube: Kube, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._cluster = AppCluster(kube)
        self._store = LedgerStore(kube)
        self._offered = OfferedSecrets(kube)
        self._now = now

    def change_config(self, app: str, change: ConfigChange, *, author: str, summary: str, key: str) -> int | None:
        """See AppReleases.change_config."""

        def compose(ledger: Ledger, base: Entry, processes: Processes) -> Entry | None:
            config = environment.changed(base.config, change)
            for kind, deployment in processes.items():
                environment.check_not_hidden(kind, own_variables(deployment), change)
            if base is ledger.latest and config == base.config:
                return None
            number = _next_number(ledger)
            described = (author, summary, self._time(), key, base.number)
            return Entry(number, number, _images(processes), config, *described)

        with translated():
            made = self._release(app, key, compose)
            return None if made is None else made.number

    def rollback(self, app: str, to_version: int, *, author: str, key: str) -> int:
        """See AppReleases.rollback."""

        def compose(ledger: Ledger, _base: Entry, _processes: Processes) -> Entry:
            target = ledger.entry(to_version)
            if target.state is not ReleaseState.SUCCEEDED:
                reason = f": {target.reason}" if target.reason else ""
                good = [f"v{entry.number}" for entry in ledger.entries if entry.state is ReleaseState.SUCCEEDED]
                raise CannotRelease(
                    f"app {app} cannot go back to v{to_version}, which is {target.state}{reason}; "
                    f"it can go back to {', '.join(good) or 'none'}"
                )
            if target is ledger.latest:
                raise CannotRelease(f"app {app} has v{to_version} already: there is nothing to go back from")
            back = self._return_to(target, ledger, author, f"rolled back to v{to_version}", key, target.images)
            return ledger.refreshed(back)

        with translated():
            made = self._release(app, key, compose)
            if made is None:
                raise CannotRelease(f"app {app} has no release to go back to")
            return made.number

    def recover(self, app: str, failed_version: int, *, reason: str, key: str) -> int:
        """See AppReleases.recover. When a newer release does not contain the failed one, that newer one stays."""
        with translated():
            for _ in range(_ATTEMPTS):
                processes = self._cluster.processes(app)
                ledger = self._store.read(app)
                failed, latest, made = ledger.entry(failed_version), ledger.latest, ledger.of_key(key)
                if made is None and latest is not None and _is_lost(ledger, latest, failed_version):
                    made = self._way_back(ledger, failed, latest, reason, key)
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
            self._cluster.sweep(app, self._store.read(app))

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
            self._cluster.processes(app)
            return [entry.told() for entry in reversed(self._store.read(app).entries)]

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
        if base.images == _images(processes):
            return base
        self._adopt(app, ledger, base, processes, "another build was deployed")
        return None

    def _adopt(self, app: str, ledger: Ledger, base: Entry | None, processes: Processes, summary: str) -> None:
        """Write down what others did. Lost to another release of that number: then that one is looked at."""
        number, stamp = _next_number(ledger), None if base is None else base.stamp
        config = {} if base is None else base.config
        described = (BRIDGE, summary, self._time(), "", None if base is None else base.number)
        found = Entry(number, stamp, _images(processes), config, *described, state=ReleaseState.SUCCEEDED)
        self._store.append(app, found)

    def _way_back(self, ledger: Ledger, failed: Entry, latest: Entry, reason: str, key: str) -> Entry:
        target = ledger.succeeded_before(failed.number)
        if target is None:
            raise CannotRelease(f"app {ledger.app} has no release before v{failed.number} that succeeded")
        summary = f"returned to v{target.number} after v{failed.number} failed: {reason}"
        # A build that somebody deployed meanwhile stays: only images that the failed release changed come back.
        images = {kind: image for kind, image in target.images.items() if latest.images.get(kind) != image}
        return self._return_to(target, ledger, BRIDGE, summary, key, images)

    def _return_to(
        self, target: Entry, ledger: Ledger, author: str, summary: str, key: str, restored: Mapping[str, str]
    ) -> Entry:
        number = _next_number(ledger)
        described = (author, summary, self._time(), key, number - 1, target.number, restored)
        return Entry(number, target.stamp, target.images, target.config, *described)

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
        verdict = judge(replace(seen, events=self._cluster.warnings(app)), entry.number)
        if isinstance(verdict, Healthy):
            return verdict
        return replace(verdict, reason=environment.blotted(verdict.reason, entry.config))

    def _apply(self, app: str, entry: Entry, processes: Processes) -> bool:
        if entry.state is ReleaseState.FAILED:
            return False
        return self._cluster.apply(app, entry, environment.environment(entry.config), processes)

    def _time(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _next_number(ledger: Ledger) -> int:
    return 1 if ledger.latest is None else ledger.latest.number + 1


def _is_lost(ledger: Ledger, latest: Entry, failed_version: int) -> bool:
    """Whether what the app was last given has failed, or contains what failed."""
    return latest.state is ReleaseState.FAILED or ledger.builds_on(latest, failed_version)


def _images(processes: Processes) -> dict[str, str]:
    return {kind: image_of(deployment) for kind, deployment in processes.items()}


def _crowded(app: str) -> AppsUnavailable:
    return AppsUnavailable(f"app {app} gets releases from elsewhere all the time; try again")
