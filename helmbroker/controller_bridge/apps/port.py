"""AppReleases: what the platform side asks of whatever runs apps (a Kubernetes namespace, a Drycc controller)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class ReleaseState(StrEnum):
    """How an app release ended, or that it has not yet."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class ConfigChange:
    """Config groups to set whole, or (None) to remove. Names are environment variable names.

    attached: config group -> the process types that get it from now on (None: all); others stay as they are.
    """

    groups: Mapping[str, Mapping[str, str] | None] = field(repr=False)
    attached: Mapping[str, Sequence[str] | None] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"ConfigChange({', '.join(sorted(self.groups))})"


@dataclass(frozen=True)
class AppRelease:
    """One numbered, immutable combination of an app's build and config. Holds names of variables, never values."""

    version: int
    state: ReleaseState
    images: Mapping[str, str]  # process type -> image
    config: Mapping[str, tuple[str, ...]]  # config group -> names of its variables
    author: str
    summary: str
    created: str  # RFC 3339, UTC, seconds
    reason: str  # why it failed; empty otherwise
    key: str = ""  # the operation that asked for it; empty when the bridge itself did
    drift: tuple[str, ...] = ()  # of the newest: what runs otherwise, as others have changed it; a sentence each


@dataclass(frozen=True)
class Rolling:
    """The rollout goes on; `after_s`: seconds before which there is no use in another look."""

    reason: str
    after_s: float = 0.0


@dataclass(frozen=True)
class Healthy:
    """Every process type runs the release with no unavailable pod, and nothing older runs any more."""


@dataclass(frozen=True)
class Broken:
    """The rollout cannot succeed; the reason says what and where."""

    reason: str


Rollout = Rolling | Healthy | Broken


class AppReleaseError(Exception):
    """A sentence for the user: what cannot be done with this app, and the cure."""


class AppNotFound(AppReleaseError):
    """There is no such app, or nothing in it that the bridge may manage."""


class CannotRelease(AppReleaseError):
    """The change or the rollback is not possible: colliding names, unknown or failed target, a foreign object."""


class AppsUnavailable(AppReleaseError):
    """Whatever runs the apps does not answer, or is too busy: worth another try, after `after_s` seconds."""

    def __init__(self, message: str, *, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class TokenFileUnusable(AppsUnavailable):
    """The bridge cannot read a token of its own. The message names the file, so it is not for strangers."""


class AppReleases(Protocol):
    """Numbered releases of apps. Every method may be repeated; `key` (an operation's id) makes changes idempotent.

    All methods raise AppNotFound, AppsUnavailable, and CannotRelease when the app or a named release cannot be
    handled; any other AppReleaseError is final as well. None waits for a rollout.
    """

    def change_config(self, app: str, change: ConfigChange, *, author: str, summary: str, key: str) -> int | None:
        """Record the next release with `change` and begin its rollout. Its number; None when nothing changes."""
        ...

    def check_config(self, app: str, change: ConfigChange) -> None:
        """Raise CannotRelease where `change_config` would do so because of `change`. Writes nothing."""
        ...

    def rollback(self, app: str, to_version: int, *, author: str, key: str) -> int:
        """Record a new release equal to `to_version` (succeeded ones only) and begin its rollout.

        The newest can be named when it has drifted: the app gets it again.
        Credentials of bindings are the newest that the app was given: older ones may be revoked.
        """
        ...

    def recover(self, app: str, failed_version: int, *, reason: str, key: str) -> int:
        """Mark `failed_version` failed; go back to the last succeeded one as a new number and begin its rollout."""
        ...

    def rollout(self, app: str, version: int) -> Rollout:
        """Look at the rollout of `version`, and put right what an interrupted call left undone."""
        ...

    def settle(self, app: str, version: int) -> None:
        """Mark `version` succeeded and remove config that nothing uses any more. The ledger stays."""
        ...

    def offer(self, app: str, name: str, entries: Mapping[str, str] | None) -> None:
        """Keep the Secret `name` of type `servicebinding.io/<entries["type"]>` for whoever reads it; None: no more.

        A Secret of this name that is not the bridge's own is refused. An app that is gone has none.
        """
        ...

    def releases(self, app: str) -> list[AppRelease]:
        """All releases, newest first."""
        ...

    def page(self, app: str, *, limit: int, offset: int) -> tuple[int, list[AppRelease]]:
        """How many releases the app has, and some of them, newest first: no more than that are read for it."""
        ...

    def release(self, app: str, version: int) -> AppRelease | None:
        """That one; None: the app has none of this number."""
        ...

    def of_key(self, app: str, key: str) -> int | None:
        """The number of the release that `key` has asked for; None: it got no release."""
        ...
