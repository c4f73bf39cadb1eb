"""What all use cases share: the store, and what the catalog and the pinned revisions offer."""

from __future__ import annotations

from collections.abc import Callable

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import BadRequest, Gone, InvalidParameters, NotFound
from helmbroker.broker.domain.instance import BindingRecord, ServiceInstance
from helmbroker.broker.domain.operation import Kind, deletes
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.domain.store_ports import Store, Transaction
from helmbroker.catalog import dotted, parameters
from helmbroker.catalog.model import Addon, Catalog, Object, Plan
from helmbroker.durable import Operation


class UseCases:
    """`catalog`: says which one is offered now; `namespace`: where instances live."""

    def __init__(
        self, store: Store, catalog: Callable[[], Catalog], revisions: AddonRevisions, namespace: str
    ) -> None:
        self._store = store
        self._now_offered = catalog
        self._revisions = revisions
        self._namespace = namespace

    @property
    def _catalog(self) -> Catalog:
        return self._now_offered()

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

    def _timeout_s(self, instance: ServiceInstance) -> float:
        return timeout_s(self._revisions, instance)


def begin_unbind(tx: Transaction, record: BindingRecord, timeout_s: float) -> Operation:
    """Stop whatever is done with the binding, and have it removed."""
    binding = record.binding
    tx.cancel(record.operation.id)
    operation = tx.start(Kind.UNBIND, binding.instance_id, binding.id, timeout_s=timeout_s)
    tx.binding_operation(binding.instance_id, binding.id, operation)
    return operation


def timeout_s(revisions: AddonRevisions, instance: ServiceInstance) -> float:
    """How long an operation on the instance may take, as its plan says."""
    return pinned_plan(revisions, instance).timeout_s


def pinned_plan(revisions: AddonRevisions, instance: ServiceInstance) -> Plan:
    """The plan that the instance has, in the revision that it runs."""
    plan = revisions.addon(instance.addon_digest).plan(instance.plan_id)
    if plan is None:
        raise LookupError("a pinned revision holds the plans of its instances")
    return plan


def check_parameters(schema: Object | None, given: Parameters) -> None:
    found = parameters.problems(schema, given.reveal())
    if found:
        raise InvalidParameters("; ".join(found))


def written_out(addon: Addon, given: Object) -> Object:
    """Parameters as they are recorded. Raises InvalidParameters."""
    if not addon.dotted_parameters:
        return given
    try:
        return dotted.nested(given)
    except dotted.Unclear as error:
        raise InvalidParameters("; ".join(error.problems)) from None


def polled(store: Store, instance_id: str, binding_id: str | None, operation_id: str | None) -> Operation:
    """OSB items 90-93. Raises Gone, NotFound."""
    found = store.poll(instance_id, binding_id, operation_id)
    if found is None and operation_id is not None and deletes(operation_id):
        raise Gone("It has been deleted.")
    if found is None:
        raise NotFound("There is no such service instance or binding to poll.")
    return found
