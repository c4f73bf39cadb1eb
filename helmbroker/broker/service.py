"""What the API may ask. Stores intent and operation in one transaction; never touches helm or the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
from helmbroker.broker.domain.ports import AddonRevisions, Records, Store, Transaction
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
    parameters: Mapping[str, JSON] = field(repr=False)


@dataclass(frozen=True)
class BindingView:
    """GET binding, or the 200 of a repeated bind."""

    credentials: Object = field(repr=False)
    parameters: Mapping[str, JSON] = field(repr=False)


class Service:
    """The broker's use cases. `namespace`: where instances live."""

    def __init__(self, store: Store, catalog: Catalog, revisions: AddonRevisions, namespace: str) -> None:
        self._store = store
        self._catalog = catalog
        self._revisions = revisions
        self._namespace = namespace

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
            return _polled(records, records.instance(instance_id), operation_id, (instance_id, None))

    def bind(self, request: BindRequest) -> Accepted | BindingView:
        """OSB items 98-107. On an instance that is being worked on, the bind waits its turn."""
        with self._store.transaction() as tx:
            record = tx.instance(request.instance_id)
            addon = self._bound_addon(decisions.living(record), request)
            if not request.accepts_incomplete:
                raise AsyncRequired
            instance = decisions.bindable(record).instance
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
                release=naming.binding_release(instance.release, request.instance_id, request.binding_id),
            )
            timeout_s = self._timeout_s(instance)
            operation = tx.start(Kind.BIND, binding.instance_id, binding.id, timeout_s=timeout_s)
            tx.save_binding(binding, operation)
            return Accepted(operation.id)

    def check_binding(self, instance_id: str, binding_id: str) -> None:
        """OSB item 114: for bindings, existence is tested before anything else. Raises Gone."""
        with self._store.read() as records:
            decisions.existing_binding(records.instance(instance_id), records.binding(instance_id, binding_id))

    def unbind(self, request: UnbindRequest) -> Accepted:
        """OSB items 112-116. A bind that still runs is stopped and undone."""
        if not request.accepts_incomplete:
            raise AsyncRequired
        with self._store.transaction() as tx:
            found = tx.instance(request.instance_id), tx.binding(request.instance_id, request.binding_id)
            instance, record = decisions.existing_binding(*found)
            match decisions.unbind(instance, record):
                case decisions.Same(operation):
                    return Accepted(operation.id)
            binding = record.binding
            tx.cancel(record.operation.id)
            timeout_s = self._timeout_s(instance.instance)
            operation = tx.start(Kind.UNBIND, binding.instance_id, binding.id, timeout_s=timeout_s)
            tx.binding_operation(binding.instance_id, binding.id, operation)
            return Accepted(operation.id)

    def binding(self, instance_id: str, binding_id: str) -> BindingView:
        """OSB items 110, 111."""
        with self._store.read() as records:
            found = records.instance(instance_id), records.binding(instance_id, binding_id)
            instance, record = decisions.fetch_binding(*found)
            return _binding_view(self._revisions.addon(instance.instance.addon_digest), record)

    def binding_operation(self, instance_id: str, binding_id: str, operation_id: str | None) -> Operation:
        """OSB items 88-97, for bindings."""
        with self._store.read() as records:
            record = records.binding(instance_id, binding_id)
            return _polled(records, record, operation_id, (instance_id, binding_id))

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
        _check(addon.parameters.create, request.parameters)
        return addon, plan

    def _offered(self, service_id: str, plan_id: str, pinned: Addon | None = None) -> tuple[Addon, Plan]:
        """OSB item 42: a plan of that very offering, in the catalog or else in the pinned revision."""
        found = [addon for addon in (self._catalog.addon(service_id), pinned) if addon is not None]
        if not found:
            raise BadRequest("service_id is not in the catalog. Fetch the catalog again.")
        for addon in found:
            plan = addon.plan(plan_id)
            if plan is not None:
                return addon, plan
        raise BadRequest(f"plan_id is not a plan of {found[0].name}. Fetch the catalog again.")

    def _bound_addon(self, record: InstanceRecord | None, request: BindRequest) -> Addon:
        """The revision that the instance has pinned, the request checked against it (OSB items 98, 107).

        Without an instance: the offering of the catalog, so that what is wrong with the request is told first.
        """
        pinned = None if record is None else self._revisions.addon(record.instance.addon_digest)
        if pinned is not None and request.service_id != pinned.id:
            raise BadRequest(f"service_id is not that of the service instance, which is {pinned.id}.")
        # a plan that the offering got since then, or has lost, will do: the instance's own is what counts
        addon = pinned or self._offered(request.service_id, request.plan_id)[0]
        self._offered(request.service_id, request.plan_id, addon)
        if not addon.bindable:
            raise BadRequest(f"{addon.name} cannot be bound; the catalog says so (bindable).")
        _check(addon.parameters.bind, request.parameters)
        return addon

    def _timeout_s(self, instance: ServiceInstance) -> float:
        plan = self._revisions.addon(instance.addon_digest).plan(instance.plan_id)
        if plan is None:
            raise LookupError("a pinned revision holds the plans of its instances")
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
    owner: tuple[str, str | None],  # ids of the instance and, for a binding's operation, of the binding
) -> Operation:
    """OSB items 90-93."""
    if record is None:
        if operation_id is not None and deletes(operation_id):
            raise Gone("It has been deleted.")
        raise NotFound("There is no such service instance or binding to poll.")
    named = records.operation(operation_id) if operation_id is not None else None
    if named is not None and (named.params.get("instance_id"), named.params.get("binding_id")) == owner:
        return named
    return record.operation
