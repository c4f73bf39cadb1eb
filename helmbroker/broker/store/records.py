"""Instances and bindings in SQL: the ports Records and Transaction on one connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Credentials, Hidden, Parameters
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding, ServiceInstance
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.store.operators import OperatorRecords, Tell, beginning, untold
from helmbroker.broker.store.schema import bindings, instances
from helmbroker.broker.store.sealed import place
from helmbroker.broker.store.statements import NOTHING_WANTED, save_instance, with_operation
from helmbroker.catalog.model import NOTHING, Lifetime, Object
from helmbroker.database import now
from helmbroker.durable import Operation, Queue
from helmbroker.durable.queue import read_row
from helmbroker.sealing import Keys

CANCELLED = "stopped, because it is being removed"
# of a binding without credentials
_UNDELIVERED: dict[str, Any] = {
    "sealed_credentials": None,
    "endpoints": "[]",
    "expires_at": None,
    "renew_before": None,
    "revoke_at": None,
    "deployed_revision": None,
}
Alone = Callable[[sa.Connection, str], None]


# made once: that takes longer than to run them
_INSTANCE = with_operation(instances).where(instances.c.id == sa.bindparam("instance_id"))


class SqlRecords(OperatorRecords):
    """Reads and writes on `conn`, in whatever transaction it is in.

    alone: called with an instance's id before the instance is read, in transactions that decide about it.
    tell: takes what is for the audit.
    """

    def __init__(
        self, conn: sa.Connection, queue: Queue, keys: Keys, *, alone: Alone | None = None, tell: Tell = untold
    ) -> None:
        super().__init__(conn, queue, tell)
        self._keys, self._alone = keys, alone

    def instance_ids(self) -> list[str]:
        return list(self._conn.scalars(sa.select(instances.c.id).order_by(instances.c.id)))

    def instance(self, instance_id: str) -> InstanceRecord | None:
        if self._alone is not None:
            self._alone(self._conn, instance_id)
        row = self._conn.execute(_INSTANCE, {"instance_id": instance_id}).first()
        if row is None:
            return None
        instance = ServiceInstance(
            id=row.own_id,
            service_id=row.service_id,
            plan_id=row.plan_id,
            organization_guid=row.organization_guid,
            space_guid=row.space_guid,
            parameters=Parameters(self._opened(row.sealed_parameters, "instances.parameters", row.own_id)),
            context=json.loads(row.context),
            release=ReleaseRef(row.namespace, row.release),
            addon_digest=row.addon_digest,
        )
        wanted = None if row.wanted_plan_id is None else self._wanted(instance, row)
        return InstanceRecord(instance, read_row(row), wanted, row.return_to, row.deployed_revision)

    def _wanted(self, instance: ServiceInstance, row: sa.Row[Any]) -> ServiceInstance:
        parameters = self._opened(row.sealed_wanted_parameters, "instances.wanted_parameters", row.own_id)
        return replace(
            instance,
            plan_id=row.wanted_plan_id,
            parameters=Parameters(parameters),
            context=json.loads(row.wanted_context),
            addon_digest=row.wanted_digest,
        )

    def binding(self, instance_id: str, binding_id: str) -> BindingRecord | None:
        row = self._conn.execute(self._bindings().where(*_this(instance_id, binding_id))).first()
        return None if row is None else self._binding(row)

    def bindings(self, instance_id: str) -> list[BindingRecord]:
        rows = self._conn.execute(
            self._bindings().where(bindings.c.instance_id == instance_id).order_by(bindings.c.id)
        )
        return [self._binding(row) for row in rows]

    def due(self, most: int) -> list[tuple[str, str]]:
        late = bindings.c.revoke_at <= now(self._conn)
        query = sa.select(bindings.c.instance_id, bindings.c.id).where(late).order_by(bindings.c.revoke_at)
        return [(row.instance_id, row.id) for row in self._conn.execute(query.limit(most))]

    def postpone(self, instance_id: str, binding_id: str, after_s: float) -> bool:
        late = bindings.update().where(*_this(instance_id, binding_id), bindings.c.revoke_at <= now(self._conn))
        return self._conn.execute(late.values(revoke_at=now(self._conn) + after_s)).rowcount > 0

    def operation(self, operation_id: str) -> Operation | None:
        return self._queue.get(self._conn, operation_id)

    def start(
        self,
        kind: Kind,
        instance_id: str,
        binding_id: str | None,
        *,
        timeout_s: float,
        about: Object = NOTHING,
        detail: Object = NOTHING,
    ) -> Operation:
        params: dict[str, Any] = {**about, "instance_id": instance_id}
        lane = ""  # alone on the instance
        if binding_id is not None:  # beside other bindings, one after the other with its own kind
            params["binding_id"], lane = binding_id, naming.binding_key(instance_id, binding_id)
        operation = self._queue.enqueue(
            self._conn,
            id=kind.new_id(),
            kind=kind,
            subject=instance_id,
            params=params,
            timeout_s=timeout_s,
            lane=lane,
        )
        self.tell(beginning(operation, detail))
        return operation

    def cancel_all(self, instance_id: str) -> None:
        self.tell_stopped(self._queue.cancel(self._conn, instance_id, description=CANCELLED))

    def cancel(self, operation_id: str) -> None:
        self.stop(operation_id, CANCELLED)

    def save_instance(self, instance: ServiceInstance, operation: Operation) -> None:
        values = {
            "id": instance.id,
            "service_id": instance.service_id,
            "plan_id": instance.plan_id,
            "organization_guid": instance.organization_guid,
            "space_guid": instance.space_guid,
            "sealed_parameters": self._sealed(instance.parameters, "instances.parameters", instance.id),
            "context": json.dumps(instance.context),
            "namespace": instance.release.namespace,
            "release": instance.release.name,
            "addon_digest": instance.addon_digest,
            "operation_id": operation.id,
        }
        self._conn.execute(save_instance(self._conn.dialect.name), values)

    def want(self, wanted: ServiceInstance, operation: Operation) -> None:
        self._change_instance(
            wanted.id,
            wanted_plan_id=wanted.plan_id,
            sealed_wanted_parameters=self._sealed(wanted.parameters, "instances.wanted_parameters", wanted.id),
            wanted_context=json.dumps(wanted.context),
            wanted_digest=wanted.addon_digest,
            operation_id=operation.id,
        )

    def begin_change(self, instance_id: str, revision: int) -> None:
        self._change_instance(instance_id, return_to=revision)

    def settle(self, instance: ServiceInstance) -> None:
        self._change_instance(
            instance.id,
            plan_id=instance.plan_id,
            sealed_parameters=self._sealed(instance.parameters, "instances.parameters", instance.id),
            context=json.dumps(instance.context),
            addon_digest=instance.addon_digest,
            **NOTHING_WANTED,
        )

    def save_binding(self, binding: ServiceBinding, operation: Operation) -> None:
        row = (binding.instance_id, binding.id)
        values = {
            "service_id": binding.service_id,
            "plan_id": binding.plan_id,
            "app_guid": binding.app_guid,
            "sealed_parameters": self._sealed(binding.parameters, "bindings.parameters", *row),
            "context": json.dumps(binding.context),
            "namespace": binding.release.namespace,
            "release": binding.release.name,
            "predecessor_id": binding.predecessor_id,
            **_UNDELIVERED,
            "operation_id": operation.id,
        }
        if self._conn.execute(bindings.update().where(*_this(*row)).values(**values)).rowcount == 0:
            self._conn.execute(bindings.insert().values(instance_id=row[0], id=row[1], **values))

    def instance_operation(self, instance_id: str, operation: Operation) -> None:
        self._change_instance(instance_id, operation_id=operation.id)

    def binding_operation(self, instance_id: str, binding_id: str, operation: Operation) -> None:
        self._change_binding(instance_id, binding_id, operation_id=operation.id)

    def deliver(
        self,
        instance_id: str,
        binding_id: str,
        credentials: Credentials,
        endpoints: Sequence[Object] = (),
        lifetime: Lifetime | None = None,
    ) -> None:
        times: dict[str, Any] = {}
        if lifetime is not None:
            end = now(self._conn) + lifetime.seconds
            times = {"expires_at": end, "renew_before": end - lifetime.renewal_s, "revoke_at": end}
        self._change_binding(
            instance_id,
            binding_id,
            sealed_credentials=self._sealed(credentials, "bindings.credentials", instance_id, binding_id),
            endpoints=json.dumps(endpoints),
            **times,
        )

    def deliver_again(self, binding: ServiceBinding) -> None:
        where = binding.instance_id, binding.id
        values: dict[str, Any] = {"endpoints": json.dumps(binding.endpoints), "expires_at": binding.expires_at}
        values |= {"renew_before": binding.renew_before, "revoke_at": binding.expires_at}
        if binding.credentials is not None:
            values["sealed_credentials"] = self._sealed(binding.credentials, "bindings.credentials", *where)
        self._change_binding(*where, **values)

    def forget_instance(self, instance_id: str) -> None:
        self._conn.execute(bindings.delete().where(bindings.c.instance_id == instance_id))
        nothing = self._sealed(Parameters(NOTHING), "instances.parameters", instance_id)
        self._change_instance(
            instance_id, sealed_parameters=nothing, context="{}", deployed_revision=None, **NOTHING_WANTED
        )

    def forget_binding(self, instance_id: str, binding_id: str) -> None:
        nothing = self._sealed(Parameters(NOTHING), "bindings.parameters", instance_id, binding_id)
        self._change_binding(instance_id, binding_id, sealed_parameters=nothing, context="{}", **_UNDELIVERED)

    def drop_binding(self, instance_id: str, binding_id: str) -> None:
        self._conn.execute(bindings.delete().where(*_this(instance_id, binding_id)))

    def _change_instance(self, instance_id: str, **values: Any) -> None:
        self._conn.execute(instances.update().where(instances.c.id == instance_id).values(**values))

    def _change_binding(self, instance_id: str, binding_id: str, **values: Any) -> None:
        self._conn.execute(bindings.update().where(*_this(instance_id, binding_id)).values(**values))

    def _bindings(self) -> sa.Select[Any]:
        expired = sa.case((bindings.c.expires_at <= now(self._conn), True), else_=False)
        return with_operation(bindings, expired.label("expired"))

    def _binding(self, row: sa.Row[Any]) -> BindingRecord:
        where = (row.instance_id, row.own_id)
        sealed = row.sealed_credentials
        binding = ServiceBinding(
            id=row.own_id,
            instance_id=row.instance_id,
            service_id=row.service_id,
            plan_id=row.plan_id,
            app_guid=row.app_guid,
            parameters=Parameters(self._opened(row.sealed_parameters, "bindings.parameters", *where)),
            context=json.loads(row.context),
            release=ReleaseRef(row.namespace, row.release),
            predecessor_id=row.predecessor_id,
            credentials=None
            if sealed is None
            else Credentials(self._opened(sealed, "bindings.credentials", *where)),
            endpoints=json.loads(row.endpoints),
            expires_at=row.expires_at,
            renew_before=row.renew_before,
        )
        return BindingRecord(binding, read_row(row), bool(row.expired), row.deployed_revision)

    def _sealed(self, values: Hidden, column: str, *row: str) -> bytes:
        return self._keys.seal(json.dumps(values.reveal()).encode(), place(column, *row))

    def _opened(self, sealed: bytes, column: str, *row: str) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self._keys.open(sealed, place(column, *row)))
        return values


def _this(instance_id: str, binding_id: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return bindings.c.instance_id == instance_id, bindings.c.id == binding_id
