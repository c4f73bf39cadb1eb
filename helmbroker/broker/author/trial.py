"""The contract of an addon, tried: what must hold for every plan, and what a client has written must outlive."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from helmbroker.broker.author.clients import Clients, Refused
from helmbroker.broker.author.stage import CheckFailed, Stage
from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Cluster
from helmbroker.catalog.contract import IN_USE, Contract
from helmbroker.catalog.model import Addon, DataPolicy, Object, Plan
from helmbroker.kubeapi import room
from helmbroker.kubeapi.kinds import KINDS
from helmbroker.kubeapi.port import Kube, Obj

_CLAIM = "PersistentVolumeClaim"
_INSTANCE = "app.kubernetes.io/instance"  # by convention of charts: the Helm release
_KINDS = [
    *(
        "Secret",
        "ConfigMap",
        "Service",
        "ServiceAccount",
        "StatefulSet",
        "Deployment",
        "DaemonSet",
        "Job",
        "CronJob",
    ),
    *("Pod", _CLAIM, "NetworkPolicy", "PodDisruptionBudget", "Role", "RoleBinding"),
]
_LIMIT_S, _LOOK_S = 300.0, 0.25
_CONNECTS = 5
Work = Callable[[], object]


@dataclass(frozen=True)
class Check:
    """One thing that was tried. `failure`: why it does not hold; None: it does. Seconds."""

    name: str
    took_s: float
    failure: str | None = None


@dataclass
class Trial:
    """One addon on one stage. `image`: of a plan; `told`: gets every check when it has ended."""

    addon: Addon
    contract: Contract
    stage: Stage
    clients: Clients
    cluster: Cluster
    kube: Kube
    image: Callable[[Plan], str]
    told: Callable[[Check], None]
    pause: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.checks: list[Check] = []
        self._prefix = ""

    def run(self, plan: Plan) -> None:
        """Try all that the contract promises of a plan, on an instance that is removed afterwards."""
        name = f"{self.addon.name}-{plan.name}"
        self._prefix = f"plan {plan.name}: "
        ready = self._try("it becomes ready", lambda: self.stage.provision(name, plan))
        one = self._bound(name, plan, "one") if ready and self.addon.bindable else None
        two = self._bound(name, plan, "two") if one is not None else None
        if one is not None and two is not None:
            self._try("each binding has a user of its own", lambda: _check_distinct(one, two))
            if self._keeps_notes:
                self._outlives(name, plan, one, two)
            self._ends(name, plan, one, two)
        self._try("nothing is left of it", lambda: self._gone(name, plan))

    @property
    def _keeps_notes(self) -> bool:
        return {"write", "read"} <= set(self.contract.steps)

    def _bound(self, name: str, plan: Plan, binding: str) -> dict[str, str] | None:
        """The credentials, when a client gets in with them."""
        found: dict[str, str] = {}

        def bind() -> None:
            found.update(self.stage.bind(name, binding))
            if set(found) != set(self.contract.credentials):
                raise CheckFailed(f"delivers {_listed(found)}, and promises {_listed(self.contract.credentials)}")
            for step in IN_USE:
                if step in self.contract.steps:
                    self.step(plan, step, found)

        return found if self._try(f"a client of binding {binding} logs in", bind) else None

    def _ends(self, name: str, plan: Plan, one: dict[str, str], two: dict[str, str]) -> None:
        """One of the bindings goes, and the other does not notice."""

        def unbind() -> None:
            self.stage.unbind(name, "one")
            self._refused(plan, one)

        self._try("after the unbind its credentials are refused", unbind)
        self._try("nothing is left of the binding", lambda: self._until(lambda: self._left_of_binding(name, "one")))
        self._try("the other binding still logs in", lambda: self.step(plan, "login", two))
        if self._keeps_notes:
            self._try("what the unbound client wrote lives on", lambda: self.step(plan, "read", two))

    def _outlives(self, name: str, plan: Plan, one: dict[str, str], two: dict[str, str]) -> None:
        """Written with one binding, read with the other, whatever happens between."""
        self._try("a client writes", lambda: self.step(plan, "write", one))
        self._try("the other one reads", lambda: self.step(plan, "read", two))
        others = self.addon.updates_to(plan)
        events: list[tuple[str, Work]] = [("the pods are deleted", lambda: self._without_pods(name))]
        if self.contract.update:
            parameters: Object = self.contract.update
            events.append(("an update", lambda: self.stage.update(name, parameters=parameters)))
        if others:
            events.append((f"a change to plan {others[0].name}", lambda: self._changed(name, others[0])))
        events.append(("an upgrade of the chart", lambda: self.stage.upgrade(name)))
        for event, work in events:
            self._try(f"data survive: {event}", partial(self._survives, name, plan, work, one, two))

    def _survives(self, name: str, plan: Plan, work: Work, one: dict[str, str], two: dict[str, str]) -> None:
        before = self._pods(self.stage.release(name))
        work()
        self.step(plan, "login", two)  # so what is said next is said by the server
        if not self.contract.durable:
            if before.isdisjoint(self._pods(self.stage.release(name))):
                self._check_empty(plan, two)
            self.step(plan, "write", one)
        self.step(plan, "read", two)

    def _check_empty(self, plan: Plan, credentials: dict[str, str]) -> None:
        try:
            self.clients.run(self.contract, self.image(plan), "read", credentials)
        except Refused:
            return
        raise CheckFailed("durable: false says that a restart empties it, and it does not")

    def _changed(self, name: str, plan: Plan) -> None:
        self.stage.update(name, plan=plan)
        self._until(lambda: self._not_grown(self.stage.release(name)))

    def _not_grown(self, ref: ReleaseRef) -> str | None:
        for claim in self._claims(ref):
            asked = claim["spec"]["resources"]["requests"]["storage"]
            has = ((claim.get("status") or {}).get("capacity") or {}).get("storage", "0")
            if room.quantity(has) < room.quantity(asked):
                return f"the volume {claim['metadata']['name']} has {has} of the {asked} that it asks for"
        return None

    def step(self, plan: Plan, step: str, credentials: dict[str, str], contract: Contract | None = None) -> None:
        """Clients connect again: where a pod is new, nodes refuse its address for a moment.

        contract: another one than the addon's. Raises CheckFailed.
        """
        said, agreed = "", contract or self.contract
        for _ in range(_CONNECTS):
            try:
                self.clients.run(agreed, self.image(plan), step, credentials)
            except Refused as error:
                said = _hidden(str(error), credentials)
                self.pause(_LOOK_S)
            else:
                return
        raise CheckFailed(f"the step {step} failed {_CONNECTS} times: {said}")

    def _refused(self, plan: Plan, credentials: dict[str, str]) -> None:
        try:
            self.clients.run(self.contract, self.image(plan), "login", credentials)
        except Refused as error:
            if re.search(self.contract.refused, str(error)):
                return
            said = _hidden(str(error), credentials)
            raise CheckFailed(
                f"the login failed, but not as the contract says ({self.contract.refused}): {said}"
            ) from None
        raise CheckFailed("the login is not refused")

    def _without_pods(self, name: str) -> None:
        ref = self.stage.release(name)
        pods = self.kube.list("Pod", ref.namespace, labels={_INSTANCE: ref.name})
        if not pods:
            raise CheckFailed(f"no pod has the label {_INSTANCE} with the Helm release")
        for pod in pods:
            self.kube.delete("Pod", ref.namespace, pod["metadata"]["name"], uid=pod["metadata"]["uid"])
        gone = {pod["metadata"]["uid"] for pod in pods}
        self._until(lambda: self._not_ready(ref, gone))

    def _not_ready(self, ref: ReleaseRef, gone: set[str]) -> str | None:
        pods = self._pods(ref)
        if not pods or pods & gone:
            return "the pods are not there again"
        state = self.cluster.readiness(ref)
        return state.reason if isinstance(state, NotReady) else None

    def _pods(self, ref: ReleaseRef) -> set[str]:
        """Their uids."""
        return {
            pod["metadata"]["uid"] for pod in self.kube.list("Pod", ref.namespace, labels={_INSTANCE: ref.name})
        }

    def _claims(self, ref: ReleaseRef) -> list[Obj]:
        return self.kube.list(_CLAIM, ref.namespace, labels={_INSTANCE: ref.name})

    def _gone(self, name: str, plan: Plan) -> None:
        ref = self.stage.release(name)
        retained = self._claims(ref) if plan.data is DataPolicy.RETAIN else []
        self.stage.deprovision(name)
        self._until(lambda: self._left(ref, (_CLAIM,) if plan.data is DataPolicy.RETAIN else ()))
        there = {claim["metadata"]["uid"] for claim in self._claims(ref)}
        lost = [claim["metadata"]["name"] for claim in retained if claim["metadata"]["uid"] not in there]
        if lost:
            raise CheckFailed(f"data: retain is promised, and these volume claims are gone: {_listed(lost)}")

    def _left_of_binding(self, name: str, binding: str) -> str | None:
        return self._left(self.stage.binding_release(name, binding), ())

    def _left(self, ref: ReleaseRef, kept: Sequence[str]) -> str | None:
        """What there is of a release that should not be; None: nothing."""
        found = [
            f"{kind} {obj['metadata']['name']}"
            for kind in _KINDS
            if kind in KINDS and kind not in kept
            for obj in self.kube.list(kind, ref.namespace)
            if _is_of(obj["metadata"], ref.name)
        ]
        return f"left behind: {_listed(found)}" if found else None

    def _until(self, lacking: Callable[[], str | None]) -> None:
        """Wait until nothing is lacking any more. Raises CheckFailed."""
        missing = lacking()
        for _ in range(int(_LIMIT_S / _LOOK_S)):
            if missing is None:
                return
            self.pause(_LOOK_S)
            missing = lacking()
        raise CheckFailed(f"{missing}, after {_LIMIT_S:.0f} s")

    def _try(self, what: str, work: Work) -> bool:
        began = time.monotonic()
        failure = None
        try:
            work()
        except CheckFailed as error:
            failure = str(error)
        check = Check(f"{self._prefix}{what}", time.monotonic() - began, failure)
        self.checks.append(check)
        self.told(check)
        return failure is None


def _check_distinct(one: dict[str, str], two: dict[str, str]) -> None:
    """Raises CheckFailed."""
    if one.get("username", one) == two.get("username", two):
        raise CheckFailed("the bindings one and two log in as the same user")


def _is_of(metadata: dict[str, Any], release: str) -> bool:
    labelled = (metadata.get("labels") or {}).get(_INSTANCE) == release
    return labelled or metadata["name"] == release or metadata["name"].startswith(f"{release}-")


def _hidden(said: str, credentials: dict[str, str]) -> str:
    """The last words of a client, without what it was given."""
    for value in sorted(credentials.values(), key=len, reverse=True):
        said = said.replace(value, "<hidden>") if len(value) > 5 else said
    return " ".join(said.split())[-300:]


def _listed(names: Sequence[str] | dict[str, str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
