"""What the API may ask. Stores intent and operation in one transaction; never touches helm or the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helmbroker.broker.domain import decisions, naming
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import (
    AsyncRequired,
    BadRequest,
    Gone,
    InvalidParameters,
    MaintenanceInfoConflict,
    NotFound,
)
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding, ServiceInstance
from helmbroker.broker.domain.operation import Kind, deletes
from helmbroker.broker.domain.ports import AddonRevisions, Records, Store
from helmbroker.broker.domain.requests import BindRequest, DeprovisionRequest, ProvisionRequest, UnbindRequest
from helmbroker.catalog import parameters
from helmbroker.catalog.model import JSON, Addon, Catalog, Object, Plan
from helmbroker.durable import Operation


@dataclass(frozen=True)
class Accepted:
    """The work goes on in the background (202)."""

    operation_id: str


@dataclass(frozen=True)
class Unchanged:
    """What was asked for is there already (200)."""


@dataclass(frozen=True)
class InstanceView:
    """GET instance: parameters without secrets."""

    service_id: str
    plan_id: str
    parameters: Mapping[str, JSON]


@dataclass(frozen=True)
class BindingView:
    """GET binding, or the 200 of a repeated bind."""

    credentials: Object
    parameters: Mapping[str, JSON]

    def __repr__(self) -> str:
        return "BindingView()"


class Service:
    """The broker's use cases. `namespace`: where instances live."""

    def __init__(self, store: Store, catalog: Catalog, revisions: AddonRevisions, namespace: str) -> None:
        self._store = store
        self._catalog = catalog
        self._revisions = revisions
        self._namespace = namespace

    def provision(self, request: ProvisionRequest) -> Accepted | Unchanged:
        """OSB items 41-56."""
        addon, plan = self._offered(request.service_id, request.plan_id)
        _check(addon.parameters.create, request.parameters)
        if not request.accepts_incomplete:
            raise AsyncRequired
        with self._store.transaction() as tx:
            record = tx.instance(request.instance_id)
            match decisions.provision(record, request):
                case decisions.Same(operation):
                    return Accepted(operation.id)
                case decisions.Exists():
                    return Unchanged()
            if request.maintenance_version is not None:
                raise MaintenanceInfoConflict("This plan has no maintenance_info; leave it out.")
            instance = ServiceInstance(
                id=request.instance_id,
                service_id=addon.id,
                plan_id=plan.id,
                organization_guid=request.organization_guid,
                space_guid=request.space_guid,
                parameters=request.parameters,
                context=request.context,
                release=naming.instance_release(self._namespace, request.instance_id),
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
            record = tx.instance(request.instance_id)
            match decisions.deprovision(record):
                case decisions.Same(operation):
                    return Accepted(operation.id)
            assert record is not None  # noqa: S101  # decisions.deprovision raised Gone otherwise
            tx.cancel_all(record.instance.id)
            operation = tx.start(
                Kind.DEPROVISION, record.instance.id, None, timeout_s=self._timeout_s(record.instance)
            )
            tx.instance_operation(record.instance.id, operation)
            return Accepted(operation.id)

    def instance(self, instance_id: str) -> InstanceView:
        """OSB items 59-64."""
        with self._store.read() as records:
            record = decisions.fetch_instance(records.instance(instance_id))
        instance = record.instance
        schema = self._revisions.addon(instance.addon_digest).parameters.create
        return InstanceView(
            instance.service_id, instance.plan_id, parameters.shown(schema, instance.parameters.reveal())
        )

    def instance_operation(self, instance_id: str, operation_id: str | None) -> Operation:
        """OSB items 88-97: the named operation, or the latest when it is not one of ours."""
        with self._store.read() as records:
            record = records.instance(instance_id)
            return _polled(records, record, operation_id, {"instance_id": instance_id})

    def bind(self, request: BindRequest) -> Accepted | BindingView:
        """OSB items 98-107. On an instance that is being worked on, the bind waits its turn."""
        with self._store.transaction() as tx:
            record = decisions.bindable(tx.instance(request.instance_id))
            addon = self._bound_addon(record, request)
            if not request.accepts_incomplete:
                raise AsyncRequired
            existing = tx.binding(request.instance_id, request.binding_id)
            match decisions.bind(existing, request):
                case decisions.Same(operation):
                    return Accepted(operation.id)
                case decisions.Exists() if existing is not None:
                    return _binding_view(addon, existing)
            binding = ServiceBinding(
                id=request.binding_id,
                instance_id=request.instance_id,
                service_id=request.service_id,
                plan_id=request.plan_id,
                app_guid=request.app_guid,
                parameters=request.parameters,
                context=request.context,
                release=naming.binding_release(record.instance.release, request.instance_id, request.binding_id),
            )
            timeout_s = self._timeout_s(record.instance)
            operation = tx.start(Kind.BIND, binding.instance_id, binding.id, timeout_s=timeout_s)
            tx.save_binding(binding, operation)
            return Accepted(operation.id)

    def check_binding(self, instance_id: str, binding_id: str) -> None:
        """OSB item 114: for bindings, existence is tested before anything else. Raises Gone, ConcurrencyError."""
        with self._store.read() as records:
            decisions.unbind(records.instance(instance_id), records.binding(instance_id, binding_id))

    def unbind(self, request: UnbindRequest) -> Accepted:
        """OSB items 112-116. A bind that still runs is stopped and undone."""
        with self._store.transaction() as tx:
            instance = tx.instance(request.instance_id)
            record = tx.binding(request.instance_id, request.binding_id)
            decision = decisions.unbind(instance, record)
            if not request.accepts_incomplete:
                raise AsyncRequired
            match decision:
                case decisions.Same(operation):
                    return Accepted(operation.id)
            assert instance is not None  # noqa: S101  # decisions.unbind raised Gone otherwise
            assert record is not None  # noqa: S101
            tx.cancel(record.operation.id)
            timeout_s = self._timeout_s(instance.instance)
            operation = tx.start(Kind.UNBIND, record.binding.instance_id, record.binding.id, timeout_s=timeout_s)
            tx.binding_operation(record.binding.instance_id, record.binding.id, operation)
            return Accepted(operation.id)

    def binding(self, instance_id: str, binding_id: str) -> BindingView:
        """OSB items 110, 111."""
        with self._store.read() as records:
            instance = records.instance(instance_id)
            record = decisions.fetch_binding(instance, records.binding(instance_id, binding_id))
        assert instance is not None  # noqa: S101  # decisions.fetch_binding raised NotFound otherwise
        return _binding_view(self._revisions.addon(instance.instance.addon_digest), record)

    def binding_operation(self, instance_id: str, binding_id: str, operation_id: str | None) -> Operation:
        """OSB items 88-97, for bindings."""
        owner = {"instance_id": instance_id, "binding_id": binding_id}
        with self._store.read() as records:
            return _polled(records, records.binding(instance_id, binding_id), operation_id, owner)

    def _offered(self, service_id: str, plan_id: str) -> tuple[Addon, Plan]:
        """OSB item 42: a plan of that very offering."""
        addon = self._catalog.addon(service_id)
        if addon is None:
            raise BadRequest("service_id is not in the catalog. Fetch the catalog again.")
        plan = addon.plan(plan_id)
        if plan is None:
            raise BadRequest(f"plan_id is not a plan of {addon.name}. Fetch the catalog again.")
        return addon, plan

    def _bound_addon(self, record: InstanceRecord, request: BindRequest) -> Addon:
        """The revision that the instance has pinned, the request checked against it (OSB items 98, 107)."""
        instance = record.instance
        addon = self._revisions.addon(instance.addon_digest)
        if request.service_id != instance.service_id:
            raise BadRequest("service_id is not that of the service instance.")
        current = self._catalog.addon(request.service_id)
        if addon.plan(request.plan_id) is None and (current is None or current.plan(request.plan_id) is None):
            raise BadRequest(f"plan_id is not a plan of {addon.name}.")
        if not addon.bindable:
            raise BadRequest(f"{addon.name} cannot be bound.")
        _check(addon.parameters.bind, request.parameters)
        return addon

    def _timeout_s(self, instance: ServiceInstance) -> float:
        plan = self._revisions.addon(instance.addon_digest).plan(instance.plan_id)
        assert plan is not None  # noqa: S101  # a revision holds the plans of the instances that pinned it
        return plan.timeout_s


def _check(schema: Object | None, given: Parameters) -> None:
    found = parameters.problems(schema, given.reveal())
    if found:
        raise InvalidParameters("; ".join(found))


def _binding_view(addon: Addon, record: BindingRecord) -> BindingView:
    credentials = record.binding.credentials
    if credentials is None:  # being removed
        raise NotFound("There is no such service binding, or it is not ready yet.")
    shown = parameters.shown(addon.parameters.bind, record.binding.parameters.reveal())
    return BindingView(credentials.reveal(), shown)


def _polled(
    records: Records,
    record: InstanceRecord | BindingRecord | None,
    operation_id: str | None,
    owner: dict[str, Any],
) -> Operation:
    """OSB items 90-93."""
    if record is None:
        if operation_id is not None and deletes(operation_id):
            raise Gone("It has been deleted.")
        raise NotFound("There is no such thing to poll.")
    named = records.operation(operation_id) if operation_id is not None else None
    if named is not None and owner.items() <= named.params.items():
        return named
    return record.operation
