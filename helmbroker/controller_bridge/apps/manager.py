"""ReleaseManager: what is asked beside AppReleases where no controller has builds and config of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from helmbroker.controller_bridge.apps.port import AppReleases, ConfigChange


@dataclass(frozen=True)
class AppConfig:
    """The config of one release. Holds values: what is shown of it, users may see."""

    version: int  # 0: the app has no release yet
    groups: Mapping[str, Mapping[str, str]] = field(repr=False)
    attached: Mapping[str, Sequence[str]]  # config group -> process types; groups that are not in it are for all
    process_types: tuple[str, ...]  # those that the app has now
    created: str  # RFC 3339, UTC, seconds; empty when there is no release


@runtime_checkable
class ReleaseManager(AppReleases, Protocol):
    """AppReleases that also keeps builds and config. Errors, repeating and `key` are as there."""

    def deploy(self, app: str, images: Mapping[str, str], *, author: str, summary: str, key: str) -> int | None:
        """Record the next release with these images, by process type, and begin its rollout; others stay.

        Its number; None when nothing changes.
        """
        ...

    def edit_config(
        self,
        app: str,
        edit: Callable[[AppConfig], ConfigChange],
        *,
        author: str,
        summary: str,
        key: str,
    ) -> int | None:
        """As `change_config`, with what `edit` makes of the config to start from; it may be called again."""
        ...

    def config(self, app: str, version: int | None = None) -> AppConfig:
        """The config of that release, or of the newest that has not failed."""
        ...

    def changes(self, app: str, version: int, since: int | None = None) -> tuple[str, ...]:
        """What is other in `version` than in `since`, or in the release it was made from: a sentence each.

        Names of variables, never values.
        """
        ...
