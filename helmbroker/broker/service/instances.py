"""The use cases of service instances."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from helmbroker.audit import Outcome
from helmbroker.broker.domain import audit, decisions, naming
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import AsyncRequired, BadRequest, NotFound
from helmbroker.broker.domain.instance import InstanceRecord, ServiceInstance
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.requests import DeprovisionRequest, ProvisionRequest, UpdateRequest
from helmbroker.broker.domain.store_ports import Transaction
from helmbroker.broker.service import targets
from helmbroker.broker.service.answers import Accepted, InstanceView, Unchanged
from helmbroker.broker.service.base import UseCases, check_parameters, polled, written_out
from helmbroker.catalog import parameters
from helmbroker.catalog.model import NOTHING, Addon, Object, Plan
from helmbroker.durable import Operation


class InstanceUseCases(UseCases):
    """PUT, GET, PATCH, DELETE and polling of an instance."""

    def provision(self, request: ProvisionRequest) -> Accepted | Unchanged:
        """OSB items 41-56."""
        with self._store.transaction() as tx:
            record = decisions.living(tx.instance(request.instance_id))
            request = self._written_out(request, record)
            asked = None if decisions.repeats(record, request) else self._asked(request, record)
            if not request.accepts_incomplete:
                raise AsyncRequired
            match decisions.provision(record, request):
                case decisions.Same(operation):
                    return Accepted(operation.id)
                case decisions.Exists():
                    return Unchanged()
            addon, plan = asked or self._asked(request, record)
            targets.check_version(request.maintenance_version, self._catalog.addon(addon.id), plan.id)
            return self._begin(tx, request, addon, plan)

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
        detail = {"plan": plan.id, "parameters": audit.names(instance.parameters)}
        operation = tx.start(Kind.PROVISION, instance.id, None, timeout_s=plan.timeout_s, detail=detail)
        tx.save_instance(instance, operation)
        return Accepted(operation.id)

    def update(self, request: UpdateRequest) -> Accepted | Unchanged:
        """OSB items 65-78. A change of the context alone is recorded at once."""
        with self._store.transaction() as tx:
            return self.update_in(tx, request)

    def update_in(self, tx: Transaction, request: UpdateRequest, about: Object = NOTHING) -> Accepted | Unchanged:
        """The same, in a transaction that has more to say. about: more of the operation's parameters, public."""
        record = decisions.living(tx.instance(request.instance_id))
        if record is None:
            self._refuse_unknown(request)
        pinned = self._revisions.addon(record.instance.addon_digest)
        target = targets.target(request, record.instance, pinned, self._catalog.addon(pinned.id))
        _require_async(request)
        known = decisions.updatable(record)
        targets.check_version(request.maintenance_version, target.offered, target.instance.plan_id)
        decision = decisions.update(known, target.instance)
        if isinstance(decision, decisions.Same):
            return Accepted(decision.operation.id)
        plan = targets.supported_plan(target, request.maintenance_version)
        if isinstance(decision, decisions.Note):
            tx.save_instance(target.instance, known.operation)
            detail = {"changed": ["context"]}
            tx.tell(audit.Event("update", Outcome.DONE, known.instance.id, detail=detail))
        if not isinstance(decision, decisions.Start):
            return Unchanged()
        operation = tx.start(
            Kind.UPDATE,
            known.instance.id,
            None,
            timeout_s=plan.timeout_s,
            about=about,
            detail={**about, **_changes(known.instance, target.instance)},
        )
        tx.want(target.instance, operation)
        return Accepted(operation.id)

    def _refuse_unknown(self, request: UpdateRequest) -> NoReturn:
        """Without an instance: what is wrong with the request is told first, as with one (OSB 1.12)."""
        addon = self._catalog.addon(request.service_id)
        if addon is None:
            raise BadRequest("service_id is not in the catalog. Fetch the catalog again.")
        if request.plan_id is not None:
            self._offered(request.service_id, request.plan_id)
        _require_async(request)
        raise NotFound("There is no such service instance.")

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
        addon = self._revisions.addon(instance.addon_digest)
        parameters_shown = parameters.shown(addon.parameters(instance.plan_id).create, instance.parameters.reveal())
        return InstanceView(instance.service_id, instance.plan_id, parameters_shown, addon.version)

    def instance_operation(self, instance_id: str, operation_id: str | None) -> Operation:
        """OSB items 88-97: the named operation, or the latest when it is not one of ours."""
        return polled(self._store, instance_id, None, operation_id)

    def _written_out(self, request: ProvisionRequest, record: InstanceRecord | None) -> ProvisionRequest:
        """With parameters as they are recorded: addons of Drycc's format let users write them in another way."""
        addon = self._catalog.addon(request.service_id)
        if addon is None and record is not None and record.instance.service_id == request.service_id:
            addon = self._revisions.addon(record.instance.addon_digest)
        given = request.parameters.reveal()
        return request if addon is None else replace(request, parameters=Parameters(written_out(addon, given)))

    def _asked(self, request: ProvisionRequest, record: InstanceRecord | None) -> tuple[Addon, Plan]:
        """What the catalog has under these ids, the parameters checked (OSB items 42, 43).

        An instance knows its plan also when that is not offered any more (OSB item 28).
        """
        known = record.instance if record is not None else None
        ours = known is not None and (known.service_id, known.plan_id) == (request.service_id, request.plan_id)
        pinned = self._revisions.addon(known.addon_digest) if known is not None and ours else None
        addon, plan = self._offered(request.service_id, request.plan_id, pinned)
        check_parameters(plan.parameters.create, request.parameters)
        return addon, plan


def _changes(before: ServiceInstance, after: ServiceInstance) -> Object:
    """What the audit tells of an update: what will be different, but never the values of parameters."""
    fields = ("plan_id", "addon_digest", "context")
    changed = [name for name in fields if getattr(before, name) != getattr(after, name)]
    found = {"changed": changed, "parameters": audit.changed_names(before.parameters, after.parameters)}
    return found | ({"plan": after.plan_id} if before.plan_id != after.plan_id else {})


def _require_async(request: UpdateRequest) -> None:
    """OSB items 68, 73: before it is known whether anything is to be done, but never for the context alone."""
    if not (request.accepts_incomplete or request.only_context):
        raise AsyncRequired
