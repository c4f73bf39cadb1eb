"""What the commands of operators read and write, beside the platform's business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

import sqlalchemy as sa

from helmbroker.audit import Outcome
from helmbroker.broker.domain.audit import Event
from helmbroker.broker.domain.drift import Finding, Seen
from helmbroker.broker.domain.fleet import Member, Running
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import DELETIONS, Kind
from helmbroker.broker.domain.sources import Retired
from helmbroker.broker.store import catalog, findings, fleet
from helmbroker.broker.store.schema import bindings, instances, operations
from helmbroker.catalog.model import NOTHING, Object
from helmbroker.database import now
from helmbroker.durable import Operation, Queue, State
from helmbroker.durable.queue import read_row

Tell: TypeAlias = Callable[[Event], None]
_OUTCOMES = {State.SUCCEEDED: Outcome.DONE, State.FAILED: Outcome.FAILED, State.CANCELLED: Outcome.CANCELLED}


class OperatorRecords:
    """That part of the ports Records and Transaction."""

    def __init__(self, conn: sa.Connection, queue: Queue, tell: Tell) -> None:
        self._conn, self._queue, self.tell = conn, queue, tell

    def busy(self) -> frozenset[str]:
        running = operations.c.state.in_([State.QUEUED, State.RUNNING])
        return frozenset(self._conn.scalars(sa.select(operations.c.subject).where(running).distinct()))

    def findings(self) -> list[Seen]:
        return findings.read(self._conn)

    def replace_findings(self, found: Sequence[Finding]) -> None:
        findings.replace(self._conn, found)

    def retire(self, which: Retired, *, undo: bool) -> None:
        catalog.retire(self._conn, which, undo=undo)
        detail: Object = {"service_id": which.service_id, "plan_id": which.plan_id}
        self.tell(Event("offer again" if undo else "retire", Outcome.DONE, detail=detail))

    def running(self, service_id: str) -> list[Running]:
        return fleet.running(self._conn, service_id)

    def runs(self, most: int) -> list[Operation]:
        return fleet.runs(self._conn, most)

    def members(self, run_id: str) -> list[Member]:
        return fleet.members(self._conn, run_id)

    def note_member(self, run_id: str, member: Member) -> None:
        fleet.note(self._conn, run_id, member)

    def move_members(self, run_id: str, to: str) -> None:
        fleet.move(self._conn, run_id, to)

    def start_run(
        self, subject: str, params: Object, instance_ids: Sequence[str], *, timeout_s: float
    ) -> Operation:
        kind = Kind.FLEET
        operation = self._queue.enqueue(
            self._conn, id=kind.new_id(), kind=kind, subject=subject, params=params, timeout_s=timeout_s
        )
        fleet.add(self._conn, operation.id, instance_ids)
        self.tell(beginning(operation, {**params, "instances": len(instance_ids)}))
        return operation

    def stop(self, operation_id: str, why: str) -> bool:
        operation = self._queue.get(self._conn, operation_id)
        if operation is None:
            return False
        stopped = self._queue.cancel(self._conn, operation.subject, description=why, only=operation_id)
        self.tell_stopped(stopped)
        return bool(stopped)

    def tell_stopped(self, operation_ids: Sequence[str]) -> None:
        """What had not begun has ended by this; of the others their workers tell."""
        ended = operations.c.id.in_(operation_ids), operations.c.state == State.CANCELLED
        for row in self._conn.execute(sa.select(operations).where(*ended).order_by(operations.c.seq)):
            self.tell(ending(read_row(row)))

    def has_record(self, ref: ReleaseRef) -> bool:
        """Whether an instance or a binding that is not deleted has this Helm release."""
        gone = sa.and_(operations.c.kind.in_(sorted(DELETIONS)), operations.c.state == State.SUCCEEDED)
        for table in (instances, bindings):
            rows = sa.select(table.c.id).join(operations, operations.c.id == table.c.operation_id)
            named = rows.where(table.c.namespace == ref.namespace, table.c.release == ref.name, ~gone)
            if self._conn.execute(named.limit(1)).first() is not None:
                return True
        return False

    def start_purge(self, ref: ReleaseRef, *, with_data: bool, timeout_s: float) -> Operation:
        params: dict[str, Any] = {"namespace": ref.namespace, "release": ref.name, "with_data": with_data}
        subject = f"{ref.namespace}/{ref.name}"
        kind = Kind.PURGE
        operation = self._queue.enqueue(
            self._conn, id=kind.new_id(), kind=kind, subject=subject, params=params, timeout_s=timeout_s
        )
        self.tell(beginning(operation, params))
        return operation

    def start_refresh(self, *, timeout_s: float) -> Operation:
        kind = Kind.REFRESH
        operation = self._queue.enqueue(
            self._conn, id=kind.new_id(), kind=kind, subject="catalog", params={}, timeout_s=timeout_s
        )
        self.tell(beginning(operation))
        return operation

    def ended(
        self, kind: Kind, instance_id: str, binding_id: str | None, *, succeeded: bool, description: str
    ) -> Operation:
        params = {"instance_id": instance_id} | ({} if binding_id is None else {"binding_id": binding_id})
        operation = self._queue.enqueue(
            self._conn, id=kind.new_id(), kind=kind, subject=instance_id, params=params, timeout_s=0.0
        )
        state = State.SUCCEEDED if succeeded else State.FAILED
        values = {"state": state, "description": description, "finished_at": now(self._conn)}
        self._conn.execute(operations.update().where(operations.c.id == operation.id).values(**values))
        self.tell(Event("restore", Outcome.DONE, instance_id, binding_id, operation.id, {"as": str(kind)}))
        return operation

    def deployed(self, instance_id: str, binding_id: str | None, revision: int | None) -> None:
        changed: sa.Update = instances.update().where(instances.c.id == instance_id)
        if binding_id is not None:
            changed = bindings.update().where(bindings.c.instance_id == instance_id, bindings.c.id == binding_id)
        self._conn.execute(changed.values(deployed_revision=revision))


def untold(event: Event) -> NoReturn:
    """Of records that are only read."""
    raise RuntimeError(f"{event.action} belongs into a transaction")


def beginning(operation: Operation, detail: Object = NOTHING) -> Event:
    """An operation has begun."""
    return _event(operation, Outcome.ACCEPTED, detail)


def ending(operation: Operation) -> Event:
    """An operation has ended, in its state; why it failed stands in its description, which is public."""
    detail = {"reason": operation.description} if operation.state is State.FAILED else NOTHING
    return _event(operation, _OUTCOMES[operation.state], detail)


def _event(operation: Operation, outcome: Outcome, detail: Object) -> Event:
    ids = (operation.params.get(name) for name in ("instance_id", "binding_id"))
    instance_id, binding_id = (None if each is None else str(each) for each in ids)
    return Event(operation.kind, outcome, instance_id, binding_id, operation.id, detail)
