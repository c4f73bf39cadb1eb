"""The contract of an addon, tried: what must hold for every plan, and what a client has written must outlive."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.broker.author.clients import Clients, Refused
from helmbroker.broker.author.stage import CheckFailed, Stage
from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Cluster
from helmbroker.catalog.contract import Contract
from helmbroker.catalog.model import Addon, DataPolicy, Object, Plan
from helmbroker.kubeapi.kinds import KINDS
from helmbroker.kubeapi.port import Kube

_CLAIM = "PersistentVolumeClaim"
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

    def run(self) -> bool:
        """Whether all holds. Every plan is made and removed; on the first one that can change all else is tried."""
        plans = self.addon.plans
        main = next((plan for plan in plans if self.addon.updates_to(plan)), plans[0])
        for plan in plans:
            self._instance(plan, thoroughly=plan is main)
        return all(check.failure is None for check in self.checks)

    def _instance(self, plan: Plan, *, thoroughly: bool) -> None:
        name = f"{self.addon.name}-{plan.name}"
        ready = self._try(f"plan {plan.name} becomes ready", lambda: self.stage.provision(name, plan))
        if ready and self.addon.bindable:
            one = self._bound(name, plan, "one")
            if one is not None and thoroughly:
                self._thoroughly(name, plan, one)
        self._try(f"plan {plan.name} leaves nothing", lambda: self._gone(name, plan))

    def _bound(self, name: str, plan: Plan, binding: str) -> dict[str, str] | None:
        """The credentials, when a client gets in with them."""
        found: dict[str, str] = {}

        def bind() -> None:
            found.update(self.stage.bind(name, binding))
            if set(found) != set(self.contract.credentials):
                raise CheckFailed(f"delivers {_listed(found)}, and promises {_listed(self.contract.credentials)}")
            for step in ("login", "tls"):
                if step in self.contract.steps:
                    self._step(plan, step, found)

        return found if self._try(f"plan {plan.name}: a client of binding {binding} logs in", bind) else None

    def _thoroughly(self, name: str, plan: Plan, one: dict[str, str]) -> None:
        two = self._bound(name, plan, "two")
        if two is None:
            return
        if {"write", "read"} <= set(self.contract.steps):
            self._outlives(name, plan, one, two)

        def unbind() -> None:
            self.stage.unbind(name, "one")
            self._refused(plan, one)

        self._try("after the unbind its credentials are refused", unbind)
        self._try("the other binding still logs in", lambda: self._step(plan, "login", two))
        if "read" in self.contract.steps and self.contract.durable:
            self._try("what the unbound client wrote lives on", lambda: self._step(plan, "read", two))

    def _outlives(self, name: str, plan: Plan, one: dict[str, str], two: dict[str, str]) -> None:
        """Written with one binding, read with the other, whatever happens between."""
        self._try("a client writes", lambda: self._step(plan, "write", one))
        self._try("the other one reads", lambda: self._step(plan, "read", two))
        others = self.addon.updates_to(plan)
        events: list[tuple[str, Work]] = [("the pods are deleted", lambda: self._without_pods(name))]
        if self.contract.update:
            parameters: Object = self.contract.update
            events.append(("an update", lambda: self.stage.update(name, parameters=parameters)))
        if others:
            events.append((f"a change to plan {others[0].name}", lambda: self.stage.update(name, plan=others[0])))
        events.append(("an upgrade of the chart", lambda: self.stage.upgrade(name)))
        for event, work in events:
            self._try(f"data survive: {event}", lambda work=work: self._survives(plan, work, one, two))  # type: ignore[misc]

    def _survives(self, plan: Plan, work: Work, one: dict[str, str], two: dict[str, str]) -> None:
        work()
        if not self.contract.durable:
            self._step(plan, "write", one)
        self._step(plan, "read", two)

    def _step(self, plan: Plan, step: str, credentials: dict[str, str]) -> None:
        try:
            self.clients.run(self.contract, self.image(plan), step, credentials)
        except Refused as error:
            raise CheckFailed(f"the step {step} failed: {_hidden(str(error), credentials)}") from None

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
        pods = self.kube.list("Pod", ref.namespace, labels={"app.kubernetes.io/instance": ref.name})
        if not pods:
            raise CheckFailed("no pod has the label app.kubernetes.io/instance with the Helm release")
        gone = {pod["metadata"]["uid"] for pod in pods}
        for pod in pods:
            self.kube.delete("Pod", ref.namespace, pod["metadata"]["name"], uid=pod["metadata"]["uid"])
        self._until(lambda: self._not_ready(ref, gone))

    def _not_ready(self, ref: ReleaseRef, gone: set[str]) -> str | None:
        pods = self.kube.list("Pod", ref.namespace, labels={"app.kubernetes.io/instance": ref.name})
        if not pods or {pod["metadata"]["uid"] for pod in pods} & gone:
            return "the pods are not there again"
        state = self.cluster.readiness(ref)
        return state.reason if isinstance(state, NotReady) else None

    def _gone(self, name: str, plan: Plan) -> None:
        self.stage.deprovision(name)
        kept = (_CLAIM,) if plan.data is DataPolicy.RETAIN else ()
        self._until(lambda: self._left(self.stage.release(name), kept))

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

    def _try(self, name: str, work: Work) -> bool:
        began = time.monotonic()
        failure = None
        try:
            work()
        except CheckFailed as error:
            failure = str(error)
        check = Check(name, time.monotonic() - began, failure)
        self.checks.append(check)
        self.told(check)
        return failure is None


def _is_of(metadata: dict[str, Any], release: str) -> bool:
    labelled = (metadata.get("labels") or {}).get("app.kubernetes.io/instance") == release
    return labelled or metadata["name"] == release or metadata["name"].startswith(f"{release}-")


def _hidden(said: str, credentials: dict[str, str]) -> str:
    """The last words of a client, without what it was given."""
    for value in sorted(credentials.values(), key=len, reverse=True):
        said = said.replace(value, "<hidden>") if len(value) > 5 else said
    return " ".join(said.split())[-300:]


def _listed(names: Sequence[str] | dict[str, str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
