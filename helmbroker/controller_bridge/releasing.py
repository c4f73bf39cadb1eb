"""Operations that make releases of an app, of no resource: what the API and the schedules ask for."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import sqlalchemy as sa

from helmbroker.controller_bridge.apps.port import AppReleaseError, AppReleases, AppsUnavailable
from helmbroker.controller_bridge.beginning import RELEASE_TIMEOUT_S
from helmbroker.controller_bridge.model import SELF, Kind, app_subject
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import JSON, Operation

_REINJECTED = uuid.UUID("6f6d2b2e-1d1c-4c83-9f7e-2f6a1f6f2f0b")  # ids of operations, by app and release


class Releasing:
    """The use cases; those of one app run one after the other."""

    def __init__(self, store: Store) -> None:
        self._store, self._queue = store, store.queue

    def begin(self, apps: AppReleases, app: str, user: str, make: Callable[[str], int | None]) -> int | None:
        """A release of config or of a build: written into the ledger at once, then watched by an operation.

        The operation is there before the release is: whatever interrupts the request, the release is watched.
        The config is in the ledger alone, as an operation's parameters are not sealed. `make` is given the key of
        the release, and says its number, or None when nothing changes. Raises what `make` raises.
        """
        key = str(uuid.uuid4())
        with self._store.writing() as conn:
            self._enqueue(conn, key, Kind.RELEASE, app, user)
        try:
            version = make(key)
        except AppsUnavailable:
            raise  # it may be written nevertheless: the operation finds out
        except AppReleaseError:
            if apps.of_key(app, key) is None:
                self._cancel(app, key)
            raise
        if version is None:
            self._cancel(app, key)
        return version

    def rollback(self, app: str, version: int, user: str) -> Operation:
        """Begin to go back to app release `version`."""
        with self._store.writing() as conn:
            return self._enqueue(conn, str(uuid.uuid4()), Kind.ROLLBACK, app, user, version=version)

    def reinject(self, conn: sa.Connection, app: str, release: str) -> None:
        """Begin to give the app what its bindings deliver; once for each `release`, as a look has found it."""
        self._enqueue(conn, str(uuid.uuid5(_REINJECTED, f"{app}/{release}")), Kind.REINJECT, app, SELF)

    def _enqueue(
        self, conn: sa.Connection, operation_id: str, kind: Kind, app: str, user: str, **more: JSON
    ) -> Operation:
        return self._queue.enqueue(
            conn,
            id=operation_id,
            kind=kind,
            subject=app_subject(app),
            params={"app": app, "user": user, **more},
            timeout_s=RELEASE_TIMEOUT_S,
        )

    def _cancel(self, app: str, key: str) -> None:
        with self._store.writing() as conn:
            self._queue.cancel(conn, app_subject(app), description="there was nothing to release", only=key)
