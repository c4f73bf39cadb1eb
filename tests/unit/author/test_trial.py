"""The course of a trial: what is tried, and that every way of breaking a contract is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.author import skeleton
from helmbroker.broker.author.clients import Clients, Refused
from helmbroker.broker.author.stage import CheckFailed, newer
from helmbroker.broker.author.trial import Check, Trial
from helmbroker.broker.domain.cluster import Readiness, Ready
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog import contract
from helmbroker.catalog.contract import Contract
from helmbroker.catalog.formats import native
from helmbroker.catalog.model import NOTHING, Addon, DataPolicy, Object, Plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.kube import FakeKube

NAMESPACE = "trial"
LABEL = "app.kubernetes.io/instance"
CLAIM = "PersistentVolumeClaim"


@dataclass
class Play:
    """An addon played by hand: users, notes and objects. `faults`: what is wrong with it."""

    faults: set[str]
    kube: FakeKube = field(default_factory=lambda: FakeKube(NAMESPACE))
    users: dict[str, set[str]] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    instance: str = ""
    retained: bool = False

    def provision(self, instance: str, plan: Plan) -> None:
        if f"plan {plan.name}" in self.faults:
            raise CheckFailed("the quota is used up")
        self.instance, self.retained = instance, plan.data is DataPolicy.RETAIN
        self.users[instance] = set()
        self._pod()
        self._volume(asked="1Gi", has="1Gi")

    def update(self, instance: str, *, plan: Plan | None = None, parameters: Object = NOTHING) -> None:
        self._happens("update" if plan is None else "plan change")
        if plan is not None:
            self._volume(asked="2Gi", has="1Gi" if "volume" in self.faults else "2Gi")

    def upgrade(self, instance: str) -> None:
        self._happens("upgrade")

    def bind(self, instance: str, binding: str) -> dict[str, str]:
        user = "everybody" if "one user" in self.faults else binding
        self.users[instance].add(user)
        self._put("Secret", f"{instance}-b{binding}", f"{instance}-b{binding}")
        found = {"host": "h", "port": "1", "username": user, "password": "secret-of-the-binding"}
        return {**found, "more": "x"} if "delivers more" in self.faults else found

    def unbind(self, instance: str, binding: str) -> None:
        if "unbind" not in self.faults:
            self.users[instance].discard(binding)
        if "shared" in self.faults:
            self.users[instance].clear()
        if "flushes" in self.faults:
            self.notes.clear()
        if "keeps the Secret" not in self.faults:
            self.kube.delete("Secret", NAMESPACE, f"{instance}-b{binding}")

    def deprovision(self, instance: str) -> None:
        self.notes.discard(instance)
        for binding in ("one", "two"):
            self.kube.delete("Secret", NAMESPACE, f"{instance}-b{binding}")
        if not self.retained or "loses volumes" in self.faults:
            self.kube.delete(CLAIM, NAMESPACE, f"data-{instance}-0")
        if "leaves" not in self.faults:
            self.kube.delete("Pod", NAMESPACE, f"{instance}-0")

    def release(self, instance: str) -> ReleaseRef:
        return ReleaseRef(NAMESPACE, instance)

    def binding_release(self, instance: str, binding: str) -> ReleaseRef:
        return ReleaseRef(NAMESPACE, f"{instance}-b{binding}")

    def run(self, _contract: Contract, _image: str, step: str, credentials: Mapping[str, str]) -> None:
        if credentials["username"] not in self.users[self.instance]:
            raise Refused("gone" if "refuses otherwise" in self.faults else "HTTP Error 401 secret-of-the-binding")
        if step == "write":
            self.notes.add(self.instance)
        if step == "read" and self.instance not in self.notes:
            raise Refused("nothing for secret-of-the-binding")

    def controller(self, _seconds: float) -> None:
        """What a StatefulSet does while somebody waits."""
        if "pod" not in self.faults and self.kube.get("Pod", NAMESPACE, f"{self.instance}-0") is None:
            self._pod()
            if "memory" in self.faults:
                self.notes.clear()

    def _pod(self) -> None:
        self._put("Pod", f"{self.instance}-0", self.instance, spec={})

    def _put(self, kind: str, name: str, release: str, **more: Any) -> None:
        metadata = {"name": name, "namespace": NAMESPACE, "labels": {LABEL: release}}
        self.kube.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **more})

    def _volume(self, *, asked: str, has: str) -> None:
        name = f"data-{self.instance}-0"
        self.kube.delete(CLAIM, NAMESPACE, name)
        resources = {"requests": {"storage": asked}}
        self._put(CLAIM, name, self.instance, spec={"accessModes": ["ReadWriteOnce"], "resources": resources})
        self.kube.set_status(CLAIM, NAMESPACE, name, {"capacity": {"storage": has}})

    def _happens(self, event: str) -> None:
        if event in self.faults:
            self.notes.clear()


class PlayedClients(Clients):
    def __init__(self, play: Play) -> None:
        super().__init__(play.kube, NAMESPACE)
        self._play = play

    def run(self, contract: Contract, image: str, step: str, credentials: Mapping[str, str]) -> None:
        self._play.run(contract, image, step, credentials)


@pytest.fixture(scope="module")
def addon(tmp_path_factory: pytest.TempPathFactory) -> Addon:
    folder = tmp_path_factory.mktemp("addons") / "notes"
    skeleton.begin("notes", folder)
    return native.load(folder)


def tried(addon: Addon, *faults: str, agreed: Contract | None = None) -> list[Check]:
    play = Play(set(faults))
    known = agreed or contract.load(addon.folder)
    assert known is not None
    told: list[Check] = []
    trial = Trial(
        addon, known, play, PlayedClients(play), _Ready(), play.kube, lambda _: "x:1", told.append, play.controller
    )
    for plan in addon.plans:
        trial.run(plan)
    assert trial.checks == told
    return told


class _Ready(FakeCluster):
    """Pods that are there are ready."""

    def __init__(self) -> None:
        super().__init__(NAMESPACE)

    def readiness(self, ref: ReleaseRef) -> Readiness:
        return Ready()


def failures(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.failure for check in checks if check.failure}


def test_what_is_tried(addon: Addon) -> None:
    assert [check.name for check in tried(addon) if check.name.startswith("plan medium: ")] == [
        "plan medium: it becomes ready",
        "plan medium: a client of binding one logs in",
        "plan medium: a client of binding two logs in",
        "plan medium: each binding has a user of its own",
        "plan medium: a client writes",
        "plan medium: the other one reads",
        "plan medium: data survive: the pods are deleted",
        "plan medium: data survive: an update",
        "plan medium: data survive: a change to plan small",
        "plan medium: data survive: an upgrade of the chart",
        "plan medium: after the unbind its credentials are refused",
        "plan medium: nothing is left of the binding",
        "plan medium: the other binding still logs in",
        "plan medium: what the unbound client wrote lives on",
        "plan medium: nothing is left of it",
    ]
    assert len(tried(addon)) == 2 * 15
    assert failures(tried(addon)) == {}


@pytest.mark.bug(20, 23)
@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        ("plan small", "it becomes ready", "the quota is used up"),
        ("delivers more", "a client of binding one logs in", "delivers host, more, password"),
        ("one user", "each binding has a user of its own", "log in as the same user"),
        ("memory", "data survive: the pods are deleted", "the step read failed 5 times: nothing for <hidden>"),
        ("update", "data survive: an update", "the step read failed"),
        ("plan change", "data survive: a change to plan medium", "the step read failed"),
        ("volume", "data survive: a change to plan medium", "has 1Gi of the 2Gi that it asks for, after 300 s"),
        ("upgrade", "data survive: an upgrade of the chart", "the step read failed"),
        ("pod", "data survive: the pods are deleted", "the pods are not there again, after 300 s"),
        ("unbind", "after the unbind its credentials are refused", "the login is not refused"),
        ("refuses otherwise", "after the unbind its credentials are refused", "not as the contract says"),
        ("keeps the Secret", "nothing is left of the binding", "left behind: Secret notes-small-bone, after 300 s"),
        ("shared", "the other binding still logs in", "the step login failed 5 times: HTTP Error 401 <hidden>"),
        ("flushes", "what the unbound client wrote lives on", "the step read failed"),
        ("leaves", "nothing is left of it", "left behind: Pod notes-small-0, after 300 s"),
    ],
)
def test_every_breach_of_the_contract_is_found(addon: Addon, fault: str, check: str, said: str) -> None:
    assert said in failures(tried(addon, fault))[f"plan small: {check}"]


def test_a_cache_forgets(addon: Addon) -> None:
    """Whenever its pods are others; as the contract says, its users may rely on that."""
    known = contract.load(addon.folder)
    assert known is not None
    forgetful = replace(known, durable=False)
    assert failures(tried(addon, "memory", "upgrade", agreed=forgetful)) == {}
    keeps = failures(tried(addon, agreed=forgetful))["plan small: data survive: the pods are deleted"]
    assert keeps == "durable: false says that a restart empties it, and it does not"


@pytest.mark.parametrize(
    ("fault", "said"), [("", None), ("loses volumes", "these volume claims are gone: data-notes-small-0")]
)
def test_volumes_that_are_retained_are_there(addon: Addon, fault: str, said: str | None) -> None:
    retaining = replace(addon, plans=tuple(replace(plan, data=DataPolicy.RETAIN) for plan in addon.plans))
    found = failures(tried(retaining, fault)).get("plan small: nothing is left of it")
    assert (found is None) == (said is None)
    assert said is None or said in str(found)


def test_a_newer_version_is_the_same_addon(addon: Addon, tmp_path: Path) -> None:
    later = newer(addon, tmp_path / "newer")
    assert (later.id, later.version) == (addon.id, "99.0.0")
    assert "version: 99.0.0" in (later.chart / "Chart.yaml").read_text()
    assert later.digest != addon.digest
