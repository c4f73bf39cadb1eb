"""Resources that stand for the instance of another app's resource, with a binding of their own.

The row of a sharing resource has its name, its binding, its variables and its rotation; instance, service and plan
are those of the resource that it names. Destroying it ends nothing but itself.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from helmbroker.audit import Outcome
from helmbroker.controller_bridge.audited import Event
from helmbroker.controller_bridge.delivery import EnvMapping
from helmbroker.controller_bridge.model import BindingState, InstanceState, Resource
from helmbroker.controller_bridge.service import NotUnique, Refused
from helmbroker.controller_bridge.store import NameTaken, Store
from helmbroker.controller_bridge.views import NoSuchResource, gone


class Sharing:
    """The use cases. Whether the user may is for the caller to know: in both apps."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def share(self, app: str, name: str, source: tuple[str, str], user: str) -> Resource:
        """Make a resource for the instance of `source` (its app and name): it is ready at once.

        The source is locked meanwhile, so that it is either shared or destroyed. Raises NoSuchResource, NotUnique,
        Refused.
        """
        with self._store.writing() as conn:
            found = self._store.find(conn, *source, lock=True)
            if found is None:
                raise NoSuchResource(source[1])
            if why := gone(self._store, conn, found.app) or gone(self._store, conn, app):
                raise Refused(why)
            if found.source is not None:
                raise Refused(f"{'/'.join(source)} is shared itself: share {found.source}")
            if found.instance is not InstanceState.READY:
                raise Refused("the resource instance is not ready")
            made = _row(app, name, found, user)
            try:
                self._store.insert(conn, made, None)
            except NameTaken:
                raise NotUnique(name) from None
            detail = {"source": f"{found.app}/{found.name}"}
            self._store.audit.tell(conn, Event("share", Outcome.DONE, app, name, detail=detail))
            return self._store.get(conn, made.uuid) or made

    def sharing(self, resource: Resource) -> Sequence[str]:
        """Which resources share the instance of this one, as `app/name`."""
        with self._store.reading() as conn:
            return self._store.sharing(conn, resource.uuid)


def _row(app: str, name: str, source: Resource, user: str) -> Resource:
    """Without ids of its own: a program of the version before finds nothing that it could do with the instance."""
    identity, moment = str(uuid.uuid4()), time.time()
    return replace(
        source,
        uuid=identity,
        app=app,
        name=name,
        service_id=None,
        plan_id=None,
        instance_id=identity,
        binding_id=None,
        binding=BindingState.UNBOUND,
        instance_operation="",
        binding_operation=None,
        message=f"The instance is that of {source.app}/{source.name}",
        owner=user,
        created=moment,
        updated=moment,
        other_bindings=(),
        rotate_every_s=None,
        renew_before=None,
        rotate_at=None,
        env=EnvMapping(),
        shared_from=source.uuid,
    )
