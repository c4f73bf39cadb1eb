"""What the use cases need from the database. The store is tested as it is: SQLite stands for a fake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from helmbroker.broker.domain.audit import Entry
from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding, ServiceInstance
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.operator_ports import OperatorReads, OperatorWrites
from helmbroker.broker.domain.overview import Numbers, Pinned, Tracked, Wanted
from helmbroker.catalog.model import NOTHING, Lifetime, Object
from helmbroker.durable import Operation
from helmbroker.status.workers import WorkerSeen


class Records(OperatorReads, Protocol):
    """What is recorded, read in one consistent view."""

    def instance_ids(self) -> list[str]:
        """Of all that is recorded, tombstones too, in their order."""
        ...

    def instance(self, instance_id: str) -> InstanceRecord | None: ...
    def binding(self, instance_id: str, binding_id: str) -> BindingRecord | None: ...
    def bindings(self, instance_id: str) -> list[BindingRecord]: ...
    def operation(self, operation_id: str) -> Operation | None: ...

    def due(self, most: int) -> list[tuple[str, str]]:
        """Ids of instance and binding of at most so many bindings that have expired and are due to be revoked."""
        ...


class Transaction(Records, OperatorWrites, Protocol):
    """Reads and writes that happen together or not at all."""

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
        """Queue an operation. It runs alone on its instance, in order of arrival.

        about: more of its parameters. detail: what the audit tells of it, public.
        """
        ...

    def cancel_all(self, instance_id: str) -> None:
        """Stop every operation of the instance and its bindings, queued or running."""
        ...

    def cancel(self, operation_id: str) -> None:
        """Stop one operation."""
        ...

    def save_instance(self, instance: ServiceInstance, operation: Operation) -> None:
        """Record an instance, whole, with its latest operation."""
        ...

    def want(self, wanted: ServiceInstance, operation: Operation) -> None:
        """Record, sealed, what an update is to lead to, beside what is in force; it is the latest operation."""
        ...

    def begin_change(self, instance_id: str, revision: int) -> None:
        """What is in force is run by this revision of the Helm release, which is about to be changed."""
        ...

    def settle(self, instance: ServiceInstance) -> None:
        """This is in force, and nothing else is wanted or to be returned to."""
        ...

    def save_binding(self, binding: ServiceBinding, operation: Operation) -> None:
        """Record a binding, whole, with its latest operation."""
        ...

    def instance_operation(self, instance_id: str, operation: Operation) -> None:
        """The latest operation of an instance is now this one."""
        ...

    def binding_operation(self, instance_id: str, binding_id: str, operation: Operation) -> None:
        """The latest operation of a binding is now this one."""
        ...

    def deliver(
        self,
        instance_id: str,
        binding_id: str,
        credentials: Credentials,
        endpoints: Sequence[Object] = (),
        lifetime: Lifetime | None = None,
    ) -> None:
        """Keep the credentials of a binding, sealed, and where they are good for; its lifetime begins now."""
        ...

    def postpone(self, instance_id: str, binding_id: str, after_s: float) -> bool:
        """If the binding is due to be revoked, let it be due again in `after_s` seconds; whether it was."""
        ...

    def forget_instance(self, instance_id: str) -> None:
        """Leave a tombstone without secrets: the ids and the latest operation. Its bindings go too."""
        ...

    def forget_binding(self, instance_id: str, binding_id: str) -> None:
        """Leave a tombstone of a binding without credentials."""
        ...

    def drop_binding(self, instance_id: str, binding_id: str) -> None:
        """As if the binding had never been asked for."""
        ...


class Watch(Protocol):
    """Looks at operations again and again, on a connection of its own; cheap enough for ten a second."""

    def finished(self, operation_ids: frozenset[str]) -> frozenset[str]:
        """Those of them that have ended. Raises Unavailable."""
        ...


class Store(Protocol):
    """The database."""

    @property
    def broker_id(self) -> str:
        """Hex digits, made once per database: how what the broker makes is told from everything else."""
        ...

    def poll(self, instance_id: str, binding_id: str | None, operation_id: str | None) -> Operation | None:
        """The operation of this id if it is one of the instance (binding_id: None) or of the binding.

        Else the latest one; None: there is no record of the instance or binding.
        Raises Unavailable.
        """
        ...

    def entries(self, *, instance_id: str | None = None, newest: int | None = None) -> Iterable[Entry]:
        """Of the audit, in their order: of one instance, or the newest ones alone. Raises Unavailable."""
        ...

    def read(self) -> AbstractContextManager[Records]: ...
    def transaction(self) -> AbstractContextManager[Transaction]: ...

    def watch(self) -> AbstractContextManager[Watch]:
        """Raises Unavailable."""
        ...


class Overview(Protocol):
    """What operators see of operations and workers, at one moment."""

    def operations(self, wanted: Wanted) -> list[Tracked]:
        """The newest first."""
        ...

    def operation(self, operation_id: str) -> Tracked | None: ...
    def workers(self) -> list[WorkerSeen]: ...
    def numbers(self) -> Numbers: ...

    def pinned(self, instance_id: str) -> Pinned | None:
        """Also of an instance that is gone and only remembered."""
        ...


class Restorable(Store, Protocol):
    """A database into which records can be brought back."""

    def is_empty(self) -> bool:
        """Whether there is no instance in it, not even the tombstone of one."""
        ...

    def become(self, broker_id: str) -> None:
        """The empty database is that of this broker from now on."""
        ...

    def keep_revision(self, digest: str, packed: bytes | None) -> bool:
        """Whether it has this addon revision now; `packed` is believed only if it is that."""
        ...
