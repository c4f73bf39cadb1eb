"""What operators do to single operations and instances: cancel one, and begin again what has failed."""

from __future__ import annotations

import re

from helmbroker.broker.domain import decisions
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import BadRequest, Conflict, NotFound
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind, Phase
from helmbroker.broker.domain.requests import (
    BindRequest,
    DeprovisionRequest,
    ProvisionRequest,
    UnbindRequest,
    UpdateRequest,
)
from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.service import Accepted, Service
from helmbroker.broker.service.purge import TIMEOUT_S

CANCELLED = "stopped by an operator"
_NAMESPACE = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_RELEASE = re.compile(r"(?=.{1,70}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")  # ReleaseRef
_CANCELLABLE = frozenset({Kind.PROVISION, Kind.BIND, Kind.REPAIR, Kind.PURGE, Kind.REFRESH, Kind.FLEET})
_WHY_NOT = {
    Kind.UPDATE: "it goes back by itself when it fails, and a deletion of the instance stops it",
    Kind.DEPROVISION: "a deletion cannot be taken back",
    Kind.UNBIND: "a deletion cannot be taken back",
}


class Operate:
    """`service`: what platforms ask; what is begun again is asked for as they do."""

    def __init__(self, store: Store, service: Service) -> None:
        self._store, self._service = store, service

    def cancel(self, operation_id: str) -> None:
        """Stop what waits or runs. Raises NotFound, Conflict, Unavailable."""
        with self._store.transaction() as tx:
            found = tx.operation(operation_id)
            if found is None:
                raise NotFound("There is no such operation; those that ended long ago are forgotten.")
            if found.state.finished:
                raise Conflict(f"The operation has ended already ({found.state}).")
            if found.kind not in _CANCELLABLE:
                why = _WHY_NOT.get(Kind(found.kind), "") if found.kind in set(Kind) else "it is a schedule"
                raise Conflict(f"An operation of the kind {found.kind} cannot be cancelled: {why}.")
            tx.stop(operation_id, CANCELLED)

    def purge(self, ref: ReleaseRef, *, with_data: bool) -> str:
        """Have a Helm release removed that is ours and has no record: the workers look whose it is before they do.

        The id of the operation. Raises BadRequest, Conflict, Unavailable.
        """
        if not (_NAMESPACE.fullmatch(ref.namespace) and _RELEASE.fullmatch(ref.name)):
            raise BadRequest("release must be the name of a Helm release of this broker; namespace, its own.")
        with self._store.transaction() as tx:
            if tx.has_record(ref):
                raise Conflict(f"{ref.name} has a record; delete the service instance or binding instead.")
            return tx.start_purge(ref, with_data=with_data, timeout_s=TIMEOUT_S).id

    def retry(self, instance_id: str, binding_id: str | None = None) -> str:
        """Begin again what has failed; the id of the operation. Raises OsbError."""
        with self._store.read() as records:
            instance = records.instance(instance_id)
            binding = None if binding_id is None else records.binding(instance_id, binding_id)
        if instance is None or (binding_id is not None and binding is None):
            raise NotFound("There is no record of it.")
        answer = self._instance(instance) if binding is None else self._binding(binding)
        if not isinstance(answer, Accepted):
            raise Conflict("Nothing is left to do.")
        return answer.operation_id

    def _instance(self, record: InstanceRecord) -> object:
        had = record.instance
        match record.phase:
            case Phase.MAKE_FAILED:
                ids = had.id, had.service_id, had.plan_id, had.organization_guid, had.space_guid
                return self._service.provision(
                    ProvisionRequest(*ids, had.parameters, had.context, None, accepts_incomplete=True)
                )
            case Phase.REMOVE_FAILED:
                return self._service.deprovision(DeprovisionRequest(had.id, accepts_incomplete=True))
            case Phase.UPDATE_FAILED if not decisions.usable(record):
                nothing = UpdateRequest(had.id, had.service_id, None, Parameters({}), None, None, True)
                return self._service.update(nothing)
            case Phase.UPDATE_FAILED:
                raise Conflict("It runs what it ran before the update; whoever asked for that may do so again.")
        raise Conflict(f"Nothing of it has failed: it is {record.phase}.")

    def _binding(self, record: BindingRecord) -> object:
        had = record.binding
        match record.phase:
            case Phase.MAKE_FAILED:
                ids = had.instance_id, had.id, had.service_id, had.plan_id, had.app_guid
                again = BindRequest(*ids, had.parameters, had.context, True, had.predecessor_id)
                return self._service.bind(again)
            case Phase.REMOVE_FAILED:
                return self._service.unbind(UnbindRequest(had.instance_id, had.id, accepts_incomplete=True))
        raise Conflict(f"Nothing of it has failed: it is {record.phase}.")
