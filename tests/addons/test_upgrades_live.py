"""Instances of earlier versions of our addons come to the present one on a real cluster: data and bindings stay.

`earlier/` has those versions as they were offered, packed by `helmbroker addon package`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from helmbroker.broker.author import tried
from helmbroker.broker.author.clients import Refused
from helmbroker.broker.settings import Settings
from helmbroker.catalog import archive, contract, formats
from helmbroker.catalog.contract import Contract
from helmbroker.catalog.model import Addon
from helmbroker.kubeapi.port import Kube
from tests.addons.tree import ADDONS, ROTATING, hours
from tests.cluster.inventory import await_nothing

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
EARLIER = [
    pytest.param(path, marks=hours(path.stem.split("-")[0]), id=path.stem)
    for path in sorted((Path(__file__).parent / "earlier").glob("*.tgz"))
]


def volumes(kube: Kube, namespace: str) -> list[str]:
    """Which they are, not only what they are called."""
    return sorted(claim["metadata"]["uid"] for claim in kube.list("PersistentVolumeClaim", namespace))


def contract_of(before: Addon, agreed: Contract) -> Contract:
    """What a login was then; it knows nothing of what is delivered today besides."""
    told = yaml.safe_load((before.folder / "contract.yaml").read_text())
    if "login" in told:  # version 1.0 wrote its contract so
        return replace(agreed, client="", steps={"login": told["login"]["command"][-1]})
    then = contract.load(before.folder)
    assert then is not None
    return then


def renamed(credentials: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """All that is delivered today, for another binding's user."""
    found = credentials
    for part in ("username", "password"):
        found = {key: value.replace(credentials[part], other[part]) for key, value in found.items()}
    return found


@pytest.mark.osb(66, 72)
@pytest.mark.parametrize("packed", EARLIER)
def test_an_upgrade_from_an_earlier_version(packed: Path, kube: Kube, alone: Settings, tmp_path: Path) -> None:
    archive.unpack(packed.read_bytes(), tmp_path / "earlier")
    before = formats.load(tmp_path / "earlier")
    now, agreed = formats.load(ADDONS / before.name), contract.load(ADDONS / before.name)
    assert agreed is not None
    assert (now.id, now.version == before.version) == (before.id, False)
    (plan,) = (plan for plan in before.plans if plan.name == "small")
    agreed_then = contract_of(before, agreed)
    with tried.on_the_cluster(alone, before, agreed, now, tell=print) as trial:
        stage, clients, image = trial.stage, trial.clients, trial.image(plan)
        stage.provision("shop", plan)
        one = stage.bind("shop", "one")
        trial.step(plan, "login", one, agreed_then)
        clients.run(agreed, image, "write", one)
        had = volumes(kube, alone.instance_namespace)

        stage.upgrade("shop")

        assert volumes(kube, alone.instance_namespace) == had
        trial.step(plan, "login", one, agreed_then)
        clients.run(agreed, image, "read", one)
        if before.name in ROTATING:
            stage.update("shop", parameters={"admin": {"rotation": "1"}})
        two = stage.bind("shop", "two")
        assert set(two) == set(agreed.credentials) >= set(one)
        for step in ("login", "tls", "read", "write"):
            clients.run(agreed, image, step, two)
        clients.run(agreed, image, "read", one)
        stage.unbind("shop", "one")
        with pytest.raises(Refused, match=agreed.refused):
            clients.run(agreed, image, "login", renamed(two, one))
        clients.run(agreed, image, "login", two)
        stage.deprovision("shop")
        await_nothing(alone.instance_namespace, stage.release("shop").name)
