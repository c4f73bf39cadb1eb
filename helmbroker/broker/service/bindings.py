"""The use cases of service bindings."""

from __future__ import annotations

from helmbroker.broker.domain import binding_decisions, decisions, naming
from helmbroker.broker.domain.errors import AsyncRequired, BadRequest, NotFound
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.requests import BindRequest, UnbindRequest
from helmbroker.broker.service.answers import Accepted, BindingView
from helmbroker.broker.service.base import UseCases, check_parameters, polled
from helmbroker.catalog import parameters
from helmbroker.catalog.model import Addon
from helmbroker.durable import Operation


class BindingUseCases(UseCases):
    """PUT, GET, DELETE and polling of a binding."""

    def bind(self, request: BindRequest) -> Accepted | BindingView:
        """OSB items 98-107. On an instance that is being worked on, the bind waits its turn."""
        with self._store.transaction() as tx:
            record = tx.instance(request.instance_id)
            addon = self._bound_addon(decisions.living(record), request)
            if not request.accepts_incomplete:
                raise AsyncRequired
            instance = binding_decisions.bindable(record).instance
            existing = tx.binding(request.instance_id, request.binding_id)
            match binding_decisions.bind(existing, request):
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
            binding_decisions.existing_binding(
                records.instance(instance_id), records.binding(instance_id, binding_id)
            )

    def unbind(self, request: UnbindRequest) -> Accepted:
        """OSB items 112-116. A bind that still runs is stopped and undone."""
        if not request.accepts_incomplete:
            raise AsyncRequired
        with self._store.transaction() as tx:
            found = tx.instance(request.instance_id), tx.binding(request.instance_id, request.binding_id)
            instance, record = binding_decisions.existing_binding(*found)
            match binding_decisions.unbind(instance, record):
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
            instance, record = binding_decisions.fetch_binding(*found)
            return _binding_view(self._revisions.addon(instance.instance.addon_digest), record)

    def binding_operation(self, instance_id: str, binding_id: str, operation_id: str | None) -> Operation:
        """OSB items 88-97, for bindings."""
        with self._store.read() as records:
            record = records.binding(instance_id, binding_id)
            return polled(records, record, operation_id, (instance_id, binding_id))

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
        check_parameters(addon.parameters.bind, request.parameters)
        return addon


def _binding_view(addon: Addon, record: BindingRecord) -> BindingView:
    credentials = record.binding.credentials
    if credentials is None:  # being removed
        raise NotFound("There is no such service binding, or it is not ready yet.")
    shown = parameters.shown(addon.parameters.bind, record.binding.parameters.reveal())
    return BindingView(credentials.reveal(), shown)
