"""App releases that somebody asks for at the API: written into the ledger at once, then watched by an operation."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from helmbroker.controller_bridge.apps.port import AppReleaseError, AppReleases, AppsUnavailable
from helmbroker.controller_bridge.beginning import RELEASE_TIMEOUT_S
from helmbroker.controller_bridge.model import Kind, app_subject
from helmbroker.controller_bridge.store import Store


class Releasing:
    """The operation is there before the release is: whatever interrupts the request, the release is watched.

    The config of a release is in the ledger alone, as an operation's parameters are not sealed.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._queue = store, store.queue()

    def begin(self, apps: AppReleases, app: str, user: str, make: Callable[[str], int | None]) -> int | None:
        """`make` is given the key of the release, and says its number, or None when nothing changes.

        Raises what `make` raises.
        """
        key = str(uuid.uuid4())
        with self._store.writing() as conn:
            self._queue.enqueue(
                conn,
                id=key,
                kind=Kind.RELEASE,
                subject=app_subject(app),
                params={"app": app, "user": user},
                timeout_s=RELEASE_TIMEOUT_S,
            )
        try:
            version = make(key)
        except AppsUnavailable:
            raise  # it may be written nevertheless: the operation finds out
        except AppReleaseError:
            if all(one.key != key for one in apps.releases(app)):
                self._cancel(app, key)
            raise
        if version is None:
            self._cancel(app, key)
        return version

    def _cancel(self, app: str, key: str) -> None:
        with self._store.writing() as conn:
            self._queue.cancel(conn, app_subject(app), description="there was nothing to release", only=key)
