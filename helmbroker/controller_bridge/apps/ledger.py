"""The ledger of an app: one immutable Secret per release; only its outcome (labels) ever changes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from helmbroker.controller_bridge.apps.environment import Attached, Config, common, environment_of
from helmbroker.controller_bridge.apps.names import (
    LEDGER_TYPE,
    MANAGED_BY,
    MANAGER,
    REASON,
    RELEASE,
    STATE,
    env_name,
    is_ours,
    ledger_name,
)
from helmbroker.controller_bridge.apps.port import AppRelease, AppReleaseError, CannotRelease, ReleaseState
from helmbroker.controller_bridge.naming import BINDING_GROUP
from helmbroker.kubeapi.errors import AlreadyExists, Conflict
from helmbroker.kubeapi.port import Kube, Obj

_DATA_KEY = "release"
_REASON_LIMIT = 2000  # characters
_MARK_ATTEMPTS = 5


@dataclass(frozen=True)
class Entry:
    """One release as the ledger keeps it. Everything but `state` and `reason` is for ever.

    stamp: the release that introduced the environment which process types have in common; one that goes back to vK
    has the stamp of vK, so that its pods are the very same and none restarts. None: nothing was ever put into them.
    stamps: the same for process types to which groups are attached, and so have an environment of their own.
    """

    number: int
    stamp: int | None
    images: Mapping[str, str]  # process type -> image
    config: Config = field(repr=False)
    author: str
    summary: str
    created: str  # RFC 3339, UTC, seconds
    key: str  # the operation that asked for it; empty when the bridge itself did
    predecessor: int | None
    rolled_back_to: int | None = None
    restored: Mapping[str, str] = field(default_factory=dict)  # process type -> image that it brings back
    state: ReleaseState = ReleaseState.PENDING
    reason: str = ""
    attached: Attached = field(default_factory=dict)
    stamps: Mapping[str, int] = field(default_factory=dict)

    def environment_of(self, process_type: str) -> dict[str, str]:
        """What the pods of a process type get."""
        return environment_of(process_type, self.config, self.attached)

    def stamp_of(self, process_type: str) -> int | None:
        """The release that introduced the environment of a process type."""
        return self.stamps.get(process_type, self.stamp)

    def secret_of(self, process_type: str) -> str | None:
        """The Secret that holds its environment; None when it has none."""
        stamp = self.stamp_of(process_type)
        if stamp is None or not self.environment_of(process_type):
            return None
        return env_name(stamp, process_type if process_type in self.stamps else None)

    @property
    def secrets(self) -> set[str]:
        """The names of all Secrets with its environments."""
        mine = set() if self.stamp is None else {env_name(self.stamp)}
        return mine | {env_name(stamp, process_type) for process_type, stamp in self.stamps.items()}

    def stamped(self, before: Entry) -> Entry:
        """As it follows `before`: a process type whose environment is the same keeps its stamp, and so its pods."""
        same = common(self.config, self.attached) == common(before.config, before.attached)
        special = sorted({kind for process_types in self.attached.values() for kind in process_types})
        stamps = {
            kind: before.stamps[kind]
            if kind in before.stamps and self.environment_of(kind) == before.environment_of(kind)
            else self.number
            for kind in special
        }
        return replace(self, stamp=before.stamp if same else self.number, stamps=stamps)

    def told(self) -> AppRelease:
        """What may be shown: names of variables, never values."""
        config = {group: tuple(sorted(variables)) for group, variables in self.config.items()}
        shown = (self.author, self.summary, self.created, self.reason)
        return AppRelease(self.number, self.state, dict(self.images), config, *shown, key=self.key)


@dataclass(frozen=True)
class Ledger:
    """All releases of an app, oldest first."""

    app: str
    entries: tuple[Entry, ...] = ()

    @property
    def latest(self) -> Entry | None:
        """The newest release, whatever became of it."""
        return self.entries[-1] if self.entries else None

    @property
    def base(self) -> Entry | None:
        """The release a change starts from: the newest that has not failed."""
        return next((entry for entry in reversed(self.entries) if entry.state is not ReleaseState.FAILED), None)

    def of_key(self, key: str) -> Entry | None:
        """The release that an operation made, if it got so far."""
        return next((entry for entry in self.entries if key and entry.key == key), None)

    def find(self, number: int | None) -> Entry | None:
        """The release of that number, if there is one."""
        return next((entry for entry in self.entries if entry.number == number), None)

    def entry(self, number: int) -> Entry:
        """The release of that number; CannotRelease when there is none."""
        found = self.find(number)
        if found is None:
            kept = (
                f"it has v{self.entries[0].number} to v{self.entries[-1].number}" if self.entries else "it has none"
            )
            raise CannotRelease(f"app {self.app} has no release v{number}: {kept}")
        return found

    def refreshed(self, entry: Entry) -> Entry:
        """`entry` with the newest credentials of every binding in it: those of before a rotation are revoked."""
        groups = [group for group in entry.config if group.startswith(BINDING_GROUP)]
        alive = [each for each in self.entries if each.state is not ReleaseState.FAILED]
        newest = {group: each.config[group] for each in alive for group in groups if group in each.config}
        config = {**entry.config, **newest}
        return replace(entry, config=config).stamped(entry)

    def outlived(self, kept: int) -> tuple[Entry, ...]:
        """What need not be kept any more: all but the newest `kept`, what goes on, and the last that succeeded."""
        succeeded = [entry for entry in self.entries if entry.state is ReleaseState.SUCCEEDED]
        needed = {entry.number for entry in (*self.entries[-kept:], *succeeded[-1:])}
        return tuple(
            entry
            for entry in self.entries
            if entry.number not in needed and entry.state is not ReleaseState.PENDING
        )

    def succeeded_before(self, number: int) -> Entry | None:
        """The newest succeeded release older than `number`."""
        older = (entry for entry in reversed(self.entries) if entry.number < number)
        return next((entry for entry in older if entry.state is ReleaseState.SUCCEEDED), None)

    def builds_on(self, newer: Entry, number: int) -> bool:
        """Whether a release contains what release `number` changed: it is that one, or was made from it."""
        at: Entry | None = newer
        while at is not None and at.number > number:
            came_from = at.predecessor if at.rolled_back_to is None else at.rolled_back_to
            at = self.find(came_from)
        return at is not None and at.number == number


class LedgerStore:
    """Ledgers in Secrets of the apps' namespaces."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def read(self, app: str) -> Ledger:
        """The app's ledger; AppReleaseError when an entry cannot be read."""
        secrets = self._kube.list("Secret", app, labels={MANAGED_BY: MANAGER}, fields={"type": LEDGER_TYPE})
        entries = [_from_secret(secret) for secret in secrets if is_ours(secret, LEDGER_TYPE)]
        return Ledger(app, tuple(sorted(entries, key=lambda entry: entry.number)))

    def append(self, app: str, entry: Entry) -> bool:
        """Write a new release; False when somebody else took the number, to be looked at anew.

        Raises CannotRelease when a foreign Secret has the name.
        """
        try:
            self._kube.create(_to_secret(app, entry))
        except AlreadyExists:
            name = ledger_name(entry.number)
            there = self._kube.get("Secret", app, name)
            if there is not None and not is_ours(there, LEDGER_TYPE):
                raise foreign(app, name) from None
            return False
        return True

    def mark(self, app: str, number: int, state: ReleaseState, reason: str = "") -> None:
        """Write down how a release ended. CannotRelease when its Secret is gone or not ours."""
        name = ledger_name(number)
        for _ in range(_MARK_ATTEMPTS):
            secret = self._kube.get("Secret", app, name)
            if secret is None:
                raise CannotRelease(f"app {app} has no release v{number} any more: Secret {app}/{name} is gone")
            if not is_ours(secret, LEDGER_TYPE):
                raise foreign(app, name)
            metadata = {"labels": {STATE: str(state)}, "annotations": {REASON: reason[:_REASON_LIMIT] or None}}
            if _outcome(secret) == (state, reason[:_REASON_LIMIT]):
                return
            version = secret["metadata"]["resourceVersion"]
            try:
                self._kube.patch("Secret", app, name, {"metadata": metadata}, resource_version=version)
            except Conflict:
                continue
            return
        raise AppReleaseError(f"Secret {app}/{name} changes all the time: somebody else writes to it")

    def forget(self, app: str, entry: Entry) -> None:
        """Delete a release; it may be gone. A foreign Secret of its name stays."""
        name = ledger_name(entry.number)
        secret = self._kube.get("Secret", app, name)
        if secret is not None and is_ours(secret, LEDGER_TYPE):
            self._kube.delete("Secret", app, name, uid=secret["metadata"]["uid"])


def foreign(app: str, name: str) -> CannotRelease:
    """The error for a Secret with one of our names that the bridge did not make."""
    return CannotRelease(
        f"Secret {app}/{name} was not made by the bridge (its type or its label {MANAGED_BY} is another): "
        f"rename or delete it, the bridge needs the name"
    )


def _to_secret(app: str, entry: Entry) -> Obj:
    record = asdict(entry)
    del record["state"], record["reason"]
    content = json.dumps(record, sort_keys=True, ensure_ascii=False)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": ledger_name(entry.number),
            "namespace": app,
            "labels": {MANAGED_BY: MANAGER, RELEASE: str(entry.number), STATE: str(entry.state)},
            "annotations": {REASON: entry.reason} if entry.reason else {},
        },
        "type": LEDGER_TYPE,
        "immutable": True,
        "data": {_DATA_KEY: base64.b64encode(content.encode()).decode()},
    }


def _from_secret(secret: Obj) -> Entry:
    metadata = secret["metadata"]
    try:
        record: dict[str, Any] = json.loads(base64.b64decode(secret["data"][_DATA_KEY]))
        state, reason = _outcome(secret)
        entry = Entry(**record, state=state, reason=reason)
    except (KeyError, TypeError, ValueError, binascii.Error):
        # No chain: the text of the cause may quote what it could not read, and that holds secrets.
        place = f"{metadata['namespace']}/{metadata['name']}"
        raise AppReleaseError(
            f"Secret {place} cannot be read as an app release: it was changed by hand or by another version; "
            "restore it, or delete it if that release does not matter"
        ) from None
    return entry


def _outcome(secret: Obj) -> tuple[ReleaseState, str]:
    metadata = secret["metadata"]
    state = ReleaseState((metadata.get("labels") or {}).get(STATE, ReleaseState.PENDING))
    return state, str((metadata.get("annotations") or {}).get(REASON, ""))
