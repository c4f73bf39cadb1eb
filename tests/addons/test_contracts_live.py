"""Every addon on a real cluster keeps its contract, as `helmbroker addon test` tries it; every plan works."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.broker.author import stage, tried
from helmbroker.broker.author.trial import Check
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.settings import Settings
from helmbroker.catalog import contract, formats
from helmbroker.catalog.contract import Contract
from helmbroker.catalog.model import Addon, Plan
from helmbroker.kubeapi import room
from helmbroker.kubeapi.port import Kube
from tests.addons.tree import ADDONS, NAMES, PLANS, hours, instance_values

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
WHOLE = "small"


def offered(name: str, plan_name: str) -> tuple[Addon, Contract, Plan]:
    """An addon of ours, its contract and a plan."""
    addon, agreed = formats.load(ADDONS / name), contract.load(ADDONS / name)
    assert agreed is not None
    (plan,) = (plan for plan in addon.plans if plan.name == plan_name)
    return addon, agreed, plan


def restarting(addon: Addon, folder: Path) -> Addon:
    """The next version of an addon: other labels on every object, and pods that are other ones."""
    later = stage.newer(addon, folder)
    pods = later.chart / "templates" / "statefulset.yaml"
    old = "      annotations:\n"
    assert old in pods.read_text()
    pods.write_text(pods.read_text().replace(old, f'{old}        version: "99"\n'))
    return formats.load(folder)


def promised(addon: Addon, agreed: Contract, plan: Plan) -> list[str]:
    """What is tried, so that nothing is left out unseen."""
    others = addon.updates_to(plan)
    return [
        "it becomes ready",
        "a client of binding one logs in",
        "a client of binding two logs in",
        "each binding has a user of its own",
        "a client writes",
        "the other one reads",
        "data survive: the pods are deleted",
        "data survive: an update",
        *([f"data survive: a change to plan {others[0].name}"] if others else []),
        "data survive: an upgrade of the chart",
        "after the unbind its credentials are refused",
        "nothing is left of the binding",
        "the other binding still logs in",
        "what the unbound client wrote lives on",
        "nothing is left of it",
    ]


class Seen:
    """What the cluster has when a check has ended that says so of no addon in general."""

    def __init__(self, kube: Kube, addon: Addon, plan: Plan) -> None:
        self._kube, self._addon, self._plan = kube, addon, plan
        self.volumes: list[str] = []
        self.annotations: list[str | None] = []

    def told(self, check: Check, ref: ReleaseRef) -> None:
        mine = {"app.kubernetes.io/instance": ref.name}
        if "a change to plan" in check.name:
            claims = self._kube.list("PersistentVolumeClaim", ref.namespace, labels=mine)
            self.volumes = [claim["status"]["capacity"]["storage"] for claim in claims]
        if "an upgrade of the chart" in check.name:
            pods = self._kube.list("Pod", ref.namespace, labels=mine)
            self.annotations = [pod["metadata"]["annotations"].get("version") for pod in pods]

    def sizes(self) -> list[str]:
        """What the volume has to have after a change of plan: it grows, and never shrinks."""
        asked = [
            instance_values(self._addon.name, plan.name)["storage"]["size"]
            for plan in (self._plan, *self._addon.updates_to(self._plan)[:1])
        ]
        return [max(asked, key=room.quantity)]


@pytest.mark.osb(66, 115)
@pytest.mark.bug(20, 23, 41)
@pytest.mark.parametrize("name", [pytest.param(name, marks=hours(name)) for name in NAMES])
def test_a_contract(name: str, kube: Kube, alone: Settings, tmp_path: Path) -> None:
    """With the plan that all have, and a change to the next larger one."""
    addon, agreed, plan = offered(name, WHOLE)
    seen = Seen(kube, addon, plan)
    later = restarting(addon, tmp_path / "newer")

    def told(check: Check) -> None:
        seen.told(check, trial.stage.release(f"{name}-{WHOLE}"))

    with tried.on_the_cluster(alone, addon, agreed, later, tell=print, told=told) as trial:
        trial.run(plan)
    assert [check for check in trial.checks if check.failure] == []
    assert [check.name for check in trial.checks] == [
        f"plan {WHOLE}: {each}" for each in promised(addon, agreed, plan)
    ]
    assert seen.annotations == ["99"]
    if addon.updates_to(plan):
        assert seen.volumes == seen.sizes()


@pytest.mark.night
@pytest.mark.parametrize(("name", "plan_name"), [each for each in PLANS if each[1] != WHOLE])
def test_another_plan_becomes_ready_and_lets_a_client_in(name: str, plan_name: str, alone: Settings) -> None:
    addon, agreed, plan = offered(name, plan_name)
    with tried.on_the_cluster(alone, addon, agreed, addon, tell=print) as trial:
        trial.stage.provision("first", plan)
        trial.clients.run(agreed, trial.image(plan), "login", trial.stage.bind("first", "one"))
        trial.stage.deprovision("first")
