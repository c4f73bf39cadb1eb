"""FakeBroker: the port Broker in memory, with OSB's rules of repetition, and operations that take looks.

Modelled: idempotent PUT, 409 for another one of the same id, 410 for what is gone, last_operation, credentials per
binding, the time that a plan allows, Retry-After. Not modelled: ConcurrencyError by itself (a test raises it with
`before`), plans that a PUT may not use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from helmbroker.controller_bridge.broker_port import (
    Answer,
    BindingRef,
    BrokerError,
    Caller,
    Credentials,
    InstanceRef,
    Offering,
    Plan,
    Progress,
    Status,
)
from helmbroker.durable import JSON

SCHEMA: Mapping[str, JSON] = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "storage": {"type": "object", "properties": {}}},
}
POSTGRESQL = Offering(
    id="svc-pg",
    name="postgresql",
    description="PostgreSQL",
    updateable=True,
    instances_retrievable=True,
    plans=(
        Plan("plan-small", "small", "1 CPU", True, True, SCHEMA, binding_rotatable=True, admin_rotatable=True),
        Plan("plan-large", "large", "8 CPU", bindable=True, updateable=True),
        Plan("plan-xs", "xs", "a bit of CPU", bindable=True, updateable=True),
    ),
)
REDIS = Offering(
    "svc-redis",
    "redis",
    "Redis",
    False,
    False,
    (Plan("plan-r", "standard-128", "128 MB", True, False, binding_rotatable=True),),
)


@dataclass
class Thing:
    """An instance or a binding: what was asked for, how many looks its operation takes, and how it ends."""

    request: object
    looks: int
    failure: str = ""
    deleting: bool = False
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    updating: tuple[str, Mapping[str, JSON]] | None = None  # to this plan, with these parameters more
    update_failure: str = ""  # how the last update ended, as long as nothing else was asked for

    def updated(self) -> None:
        """The update has succeeded: it is what was asked for now."""
        if self.updating is not None and isinstance(self.request, tuple):
            plan_id, more = self.updating
            self.parameters, self.updating = {**self.parameters, **more}, None
            self.request = (self.request[0], plan_id, self.parameters)


class FakeBroker:
    """A broker in memory. `looks`: how often an operation is in progress before it ends; 0: synchronous answers.

    before: called with the method's name before, after: after each call; both may raise. `fails`: method name ->
    how its operation ends. `credentials_of`: binding id -> credentials. `retry_after_s`: with all that goes on.
    """

    def __init__(self, *, looks: int = 2) -> None:
        self.offerings: tuple[Offering, ...] = (REDIS, POSTGRESQL)
        self.instances: dict[str, Thing] = {}
        self.bindings: dict[str, Thing] = {}  # by instance id, slash, binding id
        self.calls: list[str] = []
        self.callers: list[tuple[str, str | None]] = []
        self.fails: dict[str, str] = {}
        self.renew_before: float | None = None
        self.retry_after_s: float | None = None
        self.looks = looks
        self.before: Callable[[str], None] = lambda _method: None
        self.after: Callable[[str], None] = lambda _method: None
        self.credentials_of: Callable[[str], Mapping[str, JSON]] = lambda binding: {
            "uri": f"postgres://u:{binding}@db:5432/app",
            "port": 5432,
        }

    def retire(self, plan_name: str) -> None:
        """Offer plans of that name no more."""
        self.offerings = tuple(
            replace(one, plans=tuple(plan for plan in one.plans if plan.name != plan_name))
            for one in self.offerings
        )

    def allow(self, longest_s: float) -> None:
        """From now on all plans allow operations to take so long."""
        self.offerings = tuple(
            replace(one, plans=tuple(replace(plan, longest_s=longest_s) for plan in one.plans))
            for one in self.offerings
        )

    def catalog(self) -> tuple[Offering, ...]:
        self._called("catalog")
        return self.offerings

    def provision(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller) -> Answer:
        self._called("provision", caller)
        made = self._put(self.instances, ref.instance_id, (ref.service_id, ref.plan_id, parameters), "provision")
        made.parameters = parameters
        self.after("provision")
        return self._answer(made.looks > 0 or bool(made.failure), "op-provision", ref.plan_id)

    def update(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller, *, plan_id: str) -> Answer:
        self._called("update", caller)
        thing, wanted = self.instances.get(ref.instance_id), (plan_id, parameters)
        if thing is None:
            raise BrokerError(404, "InstanceNotFound", "there is no such instance")
        if thing.looks == 0 and not thing.deleting:
            thing.updating, thing.looks, thing.failure = wanted, self.looks, self.fails.get("update", "")
            thing.update_failure = ""
            if thing.looks == 0 and not thing.failure:
                thing.updated()
        elif thing.updating != wanted:
            raise BrokerError(422, "ConcurrencyError", "something else is being done with the instance")
        answer = self._answer(thing.updating is not None, "op-update", plan_id)
        self.after("update")
        return answer

    def deprovision(self, ref: InstanceRef, caller: Caller) -> Answer:
        self._called("deprovision", caller)
        answer = self._delete(self.instances, ref.instance_id, "deprovision", ref.plan_id)
        if not answer.pending:
            self._drop_bindings(ref.instance_id)
        self.after("deprovision")
        return answer

    def instance_status(self, ref: InstanceRef, operation: str | None) -> Status:
        self._called("instance_status")
        status = self._look(self.instances, ref.instance_id)
        if ref.instance_id not in self.instances:
            self._drop_bindings(ref.instance_id)
        return status

    def instance_parameters(self, ref: InstanceRef) -> Mapping[str, JSON]:
        self._called("instance_parameters")
        return self._there(self.instances, ref.instance_id).parameters

    def bind(
        self, ref: BindingRef, caller: Caller, *, predecessor: str | None = None
    ) -> tuple[Answer, Credentials | None]:
        self._called("bind", caller)
        if ref.instance.instance_id not in self.instances:
            raise BrokerError(404, "InstanceNotFound", "there is no such instance")
        self._check_predecessor(ref, predecessor)
        made = self._put(self.bindings, _key(ref), (ref.instance.service_id, predecessor), "bind")
        self.after("bind")
        if made.looks > 0 or made.failure:
            return self._answer(True, "op-bind", ref.instance.plan_id), None
        return Answer(False), Credentials(self.credentials_of(ref.binding_id), self.renew_before)

    def unbind(self, ref: BindingRef, caller: Caller) -> Answer:
        self._called("unbind", caller)
        answer = self._delete(self.bindings, _key(ref), "unbind", ref.instance.plan_id)
        self.after("unbind")
        return answer

    def binding_status(self, ref: BindingRef, operation: str | None) -> Status:
        self._called("binding_status")
        return self._look(self.bindings, _key(ref))

    def credentials(self, ref: BindingRef) -> Credentials:
        self._called("credentials")
        self._there(self.bindings, _key(ref))
        return Credentials(self.credentials_of(ref.binding_id), self.renew_before)

    def _check_predecessor(self, ref: BindingRef, predecessor: str | None) -> None:
        """A repeated request may name one that is gone by now (decision 0012)."""
        if predecessor is None or _key(ref) in self.bindings:
            return
        if f"{ref.instance.instance_id}/{predecessor}" not in self.bindings:
            raise BrokerError(400, "", "predecessor_binding_id is not that of a binding of this service instance.")

    def _called(self, method: str, caller: Caller | None = None) -> None:
        self.calls.append(method)
        if caller is not None:
            self.callers.append((method, caller.user))
        self.before(method)

    def _drop_bindings(self, instance_id: str) -> None:
        """They go with their instance."""
        for key in [key for key in self.bindings if key.startswith(instance_id)]:
            del self.bindings[key]

    def _put(self, things: dict[str, Thing], key: str, request: object, method: str) -> Thing:
        made = things.get(key)
        if made is None:
            made = things[key] = Thing(request, self.looks, self.fails.get(method, ""))
        if made.request != request:
            raise BrokerError(409, "Conflict", "there is another one of this id")
        return made

    def _answer(self, pending: bool, operation: str, plan_id: str) -> Answer:
        if not pending:
            return Answer(False, operation)
        plans = {plan.id: plan for one in self.offerings for plan in one.plans}
        longest_s = plans[plan_id].longest_s if plan_id in plans else None
        return Answer(True, operation, longest_s, self.retry_after_s)

    def _delete(self, things: dict[str, Thing], key: str, method: str, plan_id: str) -> Answer:
        thing = things.get(key)
        if thing is None:
            return Answer(False)
        if not thing.deleting:
            thing.deleting, thing.looks, thing.failure = True, self.looks, self.fails.get(method, "")
        if thing.looks == 0 and not thing.failure:
            del things[key]
            return Answer(False)
        return self._answer(True, f"op-{method}", plan_id)

    def _look(self, things: dict[str, Thing], key: str) -> Status:
        thing = things.get(key)
        if thing is None:
            return Status(Progress.SUCCEEDED, "it is gone", gone=True)
        if thing.looks > 0:
            thing.looks -= 1
            return Status(Progress.IN_PROGRESS, f"{thing.looks + 1} more looks", self.retry_after_s)
        if thing.failure:
            reason, thing.deleting = thing.failure, False
            if thing.updating is not None:  # what it was before is there still
                thing.updating, thing.failure, thing.update_failure = None, "", reason
            return Status(Progress.FAILED, reason)
        if thing.update_failure and not thing.deleting:
            return Status(Progress.FAILED, thing.update_failure)
        if thing.deleting:
            del things[key]
        thing.updated()
        return Status(Progress.SUCCEEDED, "done")

    def _there(self, things: dict[str, Thing], key: str) -> Thing:
        thing = things.get(key)
        if thing is None or thing.looks > 0 or thing.failure:
            raise BrokerError(404, "NotFound", "there is no such thing")
        return thing


def _key(ref: BindingRef) -> str:
    return f"{ref.instance.instance_id}/{ref.binding_id}"
