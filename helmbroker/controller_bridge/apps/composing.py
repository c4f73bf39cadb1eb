"""The next release of an app, made from its ledger and from what is deployed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from helmbroker.controller_bridge.apps import environment
from helmbroker.controller_bridge.apps.drift import drift
from helmbroker.controller_bridge.apps.ledger import Entry, Ledger
from helmbroker.controller_bridge.apps.manager import AppConfig
from helmbroker.controller_bridge.apps.port import CannotRelease, ConfigChange, ReleaseState
from helmbroker.controller_bridge.apps.template import image_of, own_variables
from helmbroker.controller_bridge.apps.workloads import Processes

BRIDGE = "helmbroker-bridge"
"""The author of releases that nobody asked for: what was found running, and the way back after a failure."""

_IMAGE = re.compile(r"[A-Za-z0-9][^\s\x00-\x1f]{0,1023}")


@dataclass(frozen=True)
class Asked:
    """Who asks for a release, why, when (RFC 3339, UTC, seconds), and by which operation (empty: the bridge)."""

    author: str
    summary: str
    created: str
    key: str = ""


Compose = Callable[[Ledger, Entry, Processes], Entry | None]
"""(ledger, the release to start from, what is deployed) -> the next release, or None when nothing changes."""


def next_number(ledger: Ledger) -> int:
    """Numbers are never used again."""
    return 1 if ledger.latest is None else ledger.latest.number + 1


def images(processes: Processes) -> dict[str, str]:
    """What is deployed, by process type."""
    return {kind: image_of(workload) for kind, workload in processes.items()}


def found(ledger: Ledger, base: Entry | None, processes: Processes, asked: Asked) -> Entry:
    """What others did, as a release that succeeded."""
    number, deployed = next_number(ledger), images(processes)
    if base is None:
        described = (asked.author, asked.summary, asked.created, asked.key, None)
        return Entry(number, None, deployed, {}, *described, state=ReleaseState.SUCCEEDED)
    return replace(_after(base, number, asked), images=deployed, state=ReleaseState.SUCCEEDED)


def config_of(entry: Entry | None, processes: Processes) -> AppConfig:
    """The config of a release, beside the process types that there are now."""
    if entry is None:
        return AppConfig(0, {}, {}, tuple(processes), "")
    return AppConfig(entry.number, entry.config, entry.attached, tuple(processes), entry.created)


def config_after(
    change: ConfigChange, base: Entry | None, processes: Processes
) -> tuple[environment.Config, environment.Attached]:
    """The config of a release after a change, and who gets which group. Raises CannotRelease for what cannot be."""
    before = config_of(base, processes)
    whose = environment.attached(before.attached, change)
    config = environment.changed(before.groups, change, whose)
    for kind, workload in processes.items():
        environment.check_not_hidden(kind, own_variables(workload), change, whose)
    return config, whose


def reconfigured(edit: Callable[[AppConfig], ConfigChange], asked: Asked) -> Compose:
    """The release with another config. Raises CannotRelease for what cannot be."""

    def compose(ledger: Ledger, base: Entry, processes: Processes) -> Entry | None:
        config, whose = config_after(edit(config_of(base, processes)), base, processes)
        if base is ledger.latest and (config, whose) == (base.config, base.attached):
            return None
        made = replace(_after(base, next_number(ledger), asked), images=images(processes))
        return replace(made, config=config, attached=whose).stamped(base)

    return compose


def redeployed(wanted: Mapping[str, str], asked: Asked) -> Compose:
    """The release with other images, by process type. Raises CannotRelease for what cannot be."""

    def compose(ledger: Ledger, base: Entry, processes: Processes) -> Entry | None:
        for kind, image in wanted.items():
            if kind not in processes:
                there = ", ".join(processes)
                raise CannotRelease(f"app {ledger.app} has no process type {kind}: it has {there}")
            if _IMAGE.fullmatch(image) is None:
                raise CannotRelease(f"{image!r} cannot be the image of process type {kind}")
        deployed = images(processes)
        other = {kind: image for kind, image in wanted.items() if deployed[kind] != image}
        if base is ledger.latest and not other:
            return None
        made = _after(base, next_number(ledger), asked)
        return replace(made, images={**deployed, **other}, restored=other)

    return compose


def gone_back(to_version: int, asked: Asked) -> Compose:
    """A release equal to an older one, but with the newest credentials. Raises CannotRelease."""

    def compose(ledger: Ledger, _base: Entry, processes: Processes) -> Entry:
        target = ledger.entry(to_version)
        if target.state is not ReleaseState.SUCCEEDED:
            reason = f": {target.reason}" if target.reason else ""
            good = [f"v{entry.number}" for entry in ledger.entries if entry.state is ReleaseState.SUCCEEDED]
            raise CannotRelease(
                f"app {ledger.app} cannot go back to v{to_version}, which is {target.state}{reason}; "
                f"it can go back to {', '.join(good) or 'none'}"
            )
        if target is ledger.latest and not drift(target, processes):
            raise CannotRelease(f"app {ledger.app} has v{to_version} already: there is nothing to go back from")
        return ledger.refreshed(_return_to(target, ledger, asked, target.images))

    return compose


def way_back(ledger: Ledger, failed: Entry, latest: Entry, asked: Asked) -> Entry:
    """A release equal to the last good one before `failed`; the summary asked for is why. Raises CannotRelease."""
    target = ledger.succeeded_before(failed.number)
    if target is None:
        raise CannotRelease(f"app {ledger.app} has no release before v{failed.number} that succeeded")
    summary = f"returned to v{target.number} after v{failed.number} failed: {asked.summary}"
    # A build that somebody deployed meanwhile stays: only images that the failed release changed come back.
    restored = {kind: image for kind, image in target.images.items() if latest.images.get(kind) != image}
    return _return_to(target, ledger, replace(asked, summary=summary), restored)


def _return_to(target: Entry, ledger: Ledger, asked: Asked, restored: Mapping[str, str]) -> Entry:
    number = next_number(ledger)
    made = replace(_after(target, number, asked), restored=restored, rolled_back_to=target.number)
    return replace(made, predecessor=number - 1)


def _after(base: Entry, number: int, asked: Asked) -> Entry:
    """A release like `base`, to be changed."""
    described = (asked.author, asked.summary, asked.created, asked.key)
    made = Entry(number, base.stamp, base.images, base.config, *described, base.number)
    return replace(made, attached=base.attached, stamps=base.stamps)
