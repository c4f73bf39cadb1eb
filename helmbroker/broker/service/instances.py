"""The use cases of service instances."""

from __future__ import annotations

from helmbroker.broker.domain import decisions, naming
from helmbroker.broker.domain.errors import AsyncRequired, MaintenanceInfoConflict
from helmbroker.broker.domain.instance import InstanceRecord, ServiceInstance
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.ports import Transaction
from helmbroker.broker.domain.requests import DeprovisionRequest, ProvisionRequest
from helmbroker.broker.service.answers import Accepted, InstanceView, Unchanged
from helmbroker.broker.service.base import UseCases, check_parameters, polled
from helmbroker.catalog import parameters
from helmbroker.catalog.model import Addon, Plan
from helmbroker.durable import Operation


class InstanceUseCases(UseCases):
    """PUT, GET, DELETE and polling of an instance."""

    def provision(self, request: ProvisionRequest) -> Accepted | Unchanged:
        """OSB items 41-56."""
        with self._store.transaction() as tx:
            record = decisions.living(tx.instance(request.instance_id))
            asked = None if decisions.repeats(record, request) else self._asked(request, record)
            if not request.accepts_incomplete:
                raise AsyncRequired
            match decisions.provision(record, request):
                case decisions.Same(operation):
                    return Accepted(operation.id)
                case decisions.Exists():
                    return Unchanged()
            if request.maintenance_version is not None:
                raise MaintenanceInfoConflict("This plan has no maintenance_info; leave it out.")
            return self._begin(tx, request, *(asked or self._asked(request, record)))

    def _begin(self, tx: Transaction, request: ProvisionRequest, addon: Addon, plan: Plan) -> Accepted:
        instance = ServiceInstance(
            id=request.instance_id,
            service_id=addon.id,
            plan_id=plan.id,
            organization_guid=request.organization_guid,
            space_guid=request.space_guid,
            parameters=request.parameters,
            context=request.context,
            release=naming.instance_release(self._namespace, self._store.broker_id, request.instance_id),
            addon_digest=addon.digest,
        )
        operation = tx.start(Kind.PROVISION, instance.id, None, timeout_s=plan.timeout_s)
        tx.save_instance(instance, operation)
        return Accepted(operation.id)

    def deprovision(self, request: DeprovisionRequest) -> Accepted:
        """OSB items 79-87. Whatever runs on the instance is stopped; its bindings go with it."""
        if not request.accepts_incomplete:
            raise AsyncRequired
        with self._store.transaction() as tx:
            record = decisions.existing_instance(tx.instance(request.instance_id))
            match decisions.deprovision(record):
                case decisions.Same(operation):
                    return Accepted(operation.id)
            instance = record.instance
            tx.cancel_all(instance.id)
            timeout_s = self._timeout_s(instance)
            operation = tx.start(Kind.DEPROVISION, instance.id, None, timeout_s=timeout_s)
            tx.instance_operation(instance.id, operation)
            return Accepted(operation.id)

    def instance(self, instance_id: str) -> InstanceView:
        """OSB items 59-64."""
        with self._store.read() as records:
            instance = decisions.fetch_instance(records.instance(instance_id)).instance
            schema = self._revisions.addon(instance.addon_digest).parameters.create
        parameters_shown = parameters.shown(schema, instance.parameters.reveal())
        return InstanceView(instance.service_id, instance.plan_id, parameters_shown)

    def instance_operation(self, instance_id: str, operation_id: str | None) -> Operation:
        """OSB items 88-97: the named operation, or the latest when it is not one of ours."""
        with self._store.read() as records:
            return polled(records, records.instance(instance_id), operation_id, (instance_id, None))

    def _asked(self, request: ProvisionRequest, record: InstanceRecord | None) -> tuple[Addon, Plan]:
        """What the catalog has under these ids, the parameters checked (OSB items 42, 43).

        An instance knows its plan also when that is not offered any more (OSB item 28).
        """
        known = record.instance if record is not None else None
        if known is not None and (known.service_id, known.plan_id) == (request.service_id, request.plan_id):
            pinned = self._revisions.addon(known.addon_digest)
        else:
            pinned = None
        addon, plan = self._offered(request.service_id, request.plan_id, pinned)
        check_parameters(addon.parameters.create, request.parameters)
        return addon, plan
