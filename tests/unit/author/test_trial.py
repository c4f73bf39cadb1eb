"""The course of a trial: what is tried, and that every way of breaking a contract is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
from helmbroker.catalog.model import NOTHING, Addon, Object, Plan
from tests.fakes.cluster import FakeCluster
from tests.fakes.kube import FakeKube

NAMESPACE = "trial"
LABEL = "app.kubernetes.io/instance"


@dataclass
class Play:
    """An addon played by hand: users, notes and objects. `faults`: what is wrong with it."""

    faults: set[str]
    kube: FakeKube = field(default_factory=lambda: FakeKube(NAMESPACE))
    users: dict[str, set[str]] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    instance: str = ""

    def provision(self, instance: str, plan: Plan) -> None:
        if f"plan {plan.name}" in self.faults:
            raise CheckFailed("the quota is used up")
        self.instance = instance
        self.users[instance] = set()
        self._pod()

    def update(self, instance: str, *, plan: Plan | None = None, parameters: Object = NOTHING) -> None:
        self._happens("update" if plan is None else "plan change")

    def upgrade(self, instance: str) -> None:
        self._happens("upgrade")

    def bind(self, instance: str, binding: str) -> dict[str, str]:
        self.users[instance].add(binding)
        found = {"host": "h", "port": "1", "username": binding, "password": "secret-of-the-binding"}
        return {**found, "more": "x"} if "delivers more" in self.faults else found

    def unbind(self, instance: str, binding: str) -> None:
        if "unbind" not in self.faults:
            self.users[instance].discard(binding)
        if "shared" in self.faults:
            self.users[instance].clear()

    def deprovision(self, instance: str) -> None:
        self.notes.discard(instance)
        if "leaves" not in self.faults:
            self.kube.delete("Pod", NAMESPACE, f"{instance}-0")

    def release(self, instance: str) -> ReleaseRef:
        return ReleaseRef(NAMESPACE, instance)

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
        metadata = {"name": f"{self.instance}-0", "namespace": NAMESPACE, "labels": {LABEL: self.instance}}
        self.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}})

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
    assert trial.run() == all(check.failure is None for check in told)
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
    assert [check.name for check in tried(addon)] == [
        "plan medium becomes ready",
        "plan medium: a client of binding one logs in",
        "plan medium: a client of binding two logs in",
        "a client writes",
        "the other one reads",
        "data survive: the pods are deleted",
        "data survive: an update",
        "data survive: a change to plan small",
        "data survive: an upgrade of the chart",
        "after the unbind its credentials are refused",
        "the other binding still logs in",
        "what the unbound client wrote lives on",
        "plan medium leaves nothing",
        "plan small becomes ready",
        "plan small: a client of binding one logs in",
        "plan small leaves nothing",
    ]
    assert failures(tried(addon)) == {}


@pytest.mark.bug(20, 23)
@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        ("plan small", "plan small becomes ready", "the quota is used up"),
        ("delivers more", "plan medium: a client of binding one logs in", "delivers host, more, password"),
        ("memory", "data survive: the pods are deleted", "the step read failed: nothing for <hidden>"),
        ("update", "data survive: an update", "the step read failed"),
        ("plan change", "data survive: a change to plan small", "the step read failed"),
        ("upgrade", "data survive: an upgrade of the chart", "the step read failed"),
        ("pod", "data survive: the pods are deleted", "the pods are not there again, after 300 s"),
        ("unbind", "after the unbind its credentials are refused", "the login is not refused"),
        ("refuses otherwise", "after the unbind its credentials are refused", "not as the contract says"),
        ("shared", "the other binding still logs in", "the step login failed: HTTP Error 401 <hidden>"),
        ("leaves", "plan medium leaves nothing", "left behind: Pod notes-medium-0, after 300 s"),
    ],
)
def test_every_breach_of_the_contract_is_found(addon: Addon, fault: str, check: str, said: str) -> None:
    assert said in failures(tried(addon, fault))[check]


def test_a_cache_may_forget(addon: Addon) -> None:
    known = contract.load(addon.folder)
    assert known is not None
    forgetful = Contract(known.credentials, "image", "", known.steps, known.refused, durable=False)
    assert failures(tried(addon, "memory", "upgrade", agreed=forgetful)) == {}


def test_a_newer_version_is_the_same_addon(addon: Addon, tmp_path: Path) -> None:
    later = newer(addon, tmp_path / "newer")
    assert (later.id, later.version) == (addon.id, "99.0.0")
    assert "version: 99.0.0" in (later.chart / "Chart.yaml").read_text()
    assert later.digest != addon.digest
