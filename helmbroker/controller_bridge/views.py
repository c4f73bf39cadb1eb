"""What the REST API may see: resources, and what happens with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from helmbroker.controller_bridge.model import Kind, Resource, app_subject
from helmbroker.controller_bridge.operations.progress import described
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import Operation, State
from helmbroker.status.workers import living


class NoSuchResource(Exception):
    """The app has no resource of this name."""


class Seen(NamedTuple):
    """A resource, what happens with it or happened last, in words, and whether that failed."""

    resource: Resource
    message: str
    failed: bool


def gone(store: Store, conn: sa.Connection, app: str) -> str:
    """Why nothing of its resources may be given to the app, as a sentence; empty: it is there."""
    if not store.missing(conn, app):
        return ""
    return f"app {app} is gone, or another app has its name: its resources can only be unbound and destroyed"


class Views:
    """Reads; nothing here changes anything."""

    def __init__(self, store: Store) -> None:
        self._store, self._queue = store, store.queue

    def page(self, app: str, *, limit: int, offset: int) -> tuple[int, Sequence[Resource]]:
        """How many resources the app has, and some of them, newest first."""
        with self._store.reading() as conn:
            return self._store.page(conn, app, limit=limit, offset=offset)

    def look(self, app: str, name: str) -> Seen:
        """A resource, and at which step its operation is, or how the last one ended. Raises NoSuchResource."""
        with self._store.reading() as conn:
            resource = self._store.find(conn, app, name)
            if resource is None:
                raise NoSuchResource(name)
            ids = (each for each in (resource.binding_operation, resource.instance_operation) if each)
            found = [each for each in (self._queue.get(conn, one) for one in ids) if each]
            for operation in found:
                if not operation.state.finished:
                    return Seen(resource, described(operation), failed=False)
            last = max(found, key=lambda one: one.finished_at or 0.0, default=None)
            return Seen(resource, resource.message, last is not None and last.state is State.FAILED)

    def gone(self, app: str) -> str:
        """Why nothing of its resources may be given to the app; empty: it is there."""
        with self._store.reading() as conn:
            return gone(self._store, conn, app)

    def operations(self, app: str, name: str, *, most: int) -> list[Operation]:
        """What was done, and is being done, with the resource: newest first. Raises NoSuchResource."""
        with self._store.reading() as conn:
            resource = self._store.find(conn, app, name)
            if resource is None:
                raise NoSuchResource(name)
            return self._store.operations(conn, resource, most=most)

    def rollback_operation(self, app: str, operation_id: str) -> Operation | None:
        """A rollback of this app; None when there is none of this id."""
        with self._store.reading() as conn:
            found = self._queue.get(conn, operation_id)
        mine = found is not None and (found.kind, found.subject) == (Kind.ROLLBACK, app_subject(app))
        return found if mine else None

    def workers(self) -> str:
        """How many workers live, in words. Raises what the database raises when it does not answer."""
        with self._store.reading() as conn:
            return living(self._store.workers(conn))
