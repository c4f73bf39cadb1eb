"""The use cases of service bindings."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from helmbroker.broker.domain import audit, binding_decisions, decisions, naming
from helmbroker.broker.domain.errors import BadRequest, NotFound
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.requests import BindRequest, RotateRequest, UnbindRequest
from helmbroker.broker.domain.store_ports import Transaction
from helmbroker.broker.service.answers import Accepted, BindingView, Unbound
from helmbroker.broker.service.base import check_parameters, pinned_plan, polled
from helmbroker.broker.service.waited import WaitedBindings, binding_view
from helmbroker.broker.service.waiting import Undo
from helmbroker.durable import Operation


@dataclass(frozen=True)
class _Begun:
    """A bind that is worked on. `undo`: what stops it, if this request has begun it."""

    operation: Operation
    undo: Undo | None = None


class BindingUseCases(WaitedBindings):
    """PUT, GET, DELETE and polling of a binding."""

    def bind(self, request: BindRequest | RotateRequest) -> Accepted | BindingView:
        """OSB items 98-109. On an instance that is being worked on, the bind waits its turn.

        Without `accepts_incomplete` the request waits until the credentials are there.
        """
        with ExitStack() as held:
            with self._store.transaction() as tx:
                found = self._begin_bind(tx, request)
                if isinstance(found, BindingView):
                    return found
                if request.accepts_incomplete:
                    return Accepted(found.operation.id)
                held.enter_context(self._room.place())  # or nothing is recorded
            return self._wait_for_bind(found.operation, found.undo)

    def _begin_bind(self, tx: Transaction, asked: BindRequest | RotateRequest) -> _Begun | BindingView:
        record = tx.instance(asked.instance_id)
        existing = tx.binding(asked.instance_id, asked.binding_id)
        owner = decisions.living(record)
        if isinstance(asked, RotateRequest):
            old = tx.binding(asked.instance_id, asked.predecessor_id)
            request = self._rotation(asked, owner, existing, old)
        else:
            self._check(owner, asked)
            request = asked
        instance = binding_decisions.bindable(record).instance
        match binding_decisions.bind(existing, request):
            case decisions.Same(operation):
                return _Begun(operation)
            case decisions.Exists() if existing is not None:
                return binding_view(self._revisions.addon(instance.addon_digest), existing)
        binding = ServiceBinding(
            id=request.binding_id,
            instance_id=request.instance_id,
            service_id=request.service_id,
            plan_id=request.plan_id,
            app_guid=request.app_guid,
            parameters=request.parameters,
            context=request.context,
            release=naming.binding_release(instance.release, request.instance_id, request.binding_id),
            predecessor_id=request.predecessor_id,
        )
        detail = {"parameters": audit.names(binding.parameters), "app": binding.app_guid}
        detail |= {} if binding.predecessor_id is None else {"rotates": binding.predecessor_id}
        limit_s = self._timeout_s(instance)
        operation = tx.start(Kind.BIND, binding.instance_id, binding.id, timeout_s=limit_s, detail=detail)
        tx.save_binding(binding, operation)
        return _Begun(operation, self._undoing(operation, existing))

    def check_binding(self, instance_id: str, binding_id: str) -> None:
        """OSB item 114: for bindings, existence is tested before anything else. Raises Gone."""
        with self._store.read() as records:
            binding_decisions.existing_binding(
                records.instance(instance_id), records.binding(instance_id, binding_id)
            )

    def unbind(self, request: UnbindRequest) -> Accepted | Unbound:
        """OSB items 112-116. A bind that still runs is stopped and undone.

        Without `accepts_incomplete` the request waits until the credentials are revoked: a platform that binds
        so could never unbind otherwise.
        """
        with ExitStack() as held:
            with self._store.transaction() as tx:
                found = tx.instance(request.instance_id), tx.binding(request.instance_id, request.binding_id)
                instance, record = binding_decisions.existing_binding(*found)
                match binding_decisions.unbind(instance, record):
                    case decisions.Same(operation):
                        pass
                    case _:
                        operation = self._begin_unbind(tx, instance, record)
                if request.accepts_incomplete:
                    return Accepted(operation.id)
                held.enter_context(self._room.place())
            return self._wait_for_unbind(operation)

    def binding(self, instance_id: str, binding_id: str) -> BindingView:
        """OSB items 110, 111."""
        with self._store.read() as records:
            found = records.instance(instance_id), records.binding(instance_id, binding_id)
            instance, record = binding_decisions.fetch_binding(*found)
            return binding_view(self._revisions.addon(instance.instance.addon_digest), record)

    def binding_operation(self, instance_id: str, binding_id: str, operation_id: str | None) -> Operation:
        """OSB items 88-97, for bindings."""
        return polled(self._store, instance_id, binding_id, operation_id)

    def _check(self, owner: InstanceRecord | None, request: BindRequest) -> None:
        """The ids and parameters, against the revision that the instance has pinned (OSB items 98, 107).

        Without an instance: the offering of the catalog, so that what is wrong with the request is told first.
        """
        pinned = None if owner is None else self._revisions.addon(owner.instance.addon_digest)
        if pinned is not None and request.service_id != pinned.id:
            raise BadRequest(f"service_id is not that of the service instance, which is {pinned.id}.")
        # a plan that the offering got since then, or has lost, will do: the instance's own is what counts
        addon, plan = self._offered(request.service_id, request.plan_id, pinned)
        if owner is not None:
            plan = pinned_plan(self._revisions, owner.instance)
        if not plan.bindable:
            raise BadRequest(f"{addon.name} cannot be bound; the catalog says so (bindable).")
        check_parameters(plan.parameters.bind, request.parameters)

    def _rotation(
        self,
        asked: RotateRequest,
        owner: InstanceRecord | None,
        existing: BindingRecord | None,
        old: BindingRecord | None,
    ) -> BindRequest:
        """OSB item 108. Raises BadRequest, NotFound."""
        if owner is None:
            raise NotFound("There is no such service instance.")
        addon = self._revisions.addon(owner.instance.addon_digest)
        if not addon.binding_rotatable:
            raise BadRequest(f"Bindings of {addon.name} cannot be rotated (binding_rotatable); bind anew instead.")
        if asked.parameters is not None:
            check_parameters(pinned_plan(self._revisions, owner.instance).parameters.bind, asked.parameters)
        return binding_decisions.rotate(asked, binding_decisions.predecessor(asked, existing, old), owner)
