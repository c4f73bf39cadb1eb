"""Every addon's contract on a real cluster: what a client has written outlives what happens to its instance."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog.load import load
from tests.addons.live import Binding, Instance
from tests.addons.programs import Failed
from tests.addons.tree import ADDONS, NAMES, document
from tests.cluster.reach import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
ALL_KINDS = "secret,configmap,service,serviceaccount,statefulset,job,pod,networkpolicy,persistentvolumeclaim"


def bigger(addon: str) -> str:
    """A plan to which a small instance can change."""
    (found,) = (addon_ for addon_ in load([ADDONS]).addons if addon_.name == addon)
    (small,) = (plan for plan in found.plans if plan.name == "small")
    return found.updates_to(small)[0].name


def newer(addon: str, folder: Path) -> Path:
    """The next version of the chart: other labels on every object, and a pod that restarts."""
    chart = folder / "chart"
    shutil.copytree(ADDONS / addon / "chart", chart)
    about = chart / "Chart.yaml"
    about.write_text(re.sub(r"^version: .*$", "version: 99.0.0", about.read_text(), flags=re.MULTILINE))
    pods = chart / "templates" / "statefulset.yaml"
    old = "      annotations:\n"
    assert old in pods.read_text()
    pods.write_text(pods.read_text().replace(old, f'{old}        version: "99"\n'))
    return chart


@pytest.mark.osb(66, 115)
@pytest.mark.bug(20, 23, 41)
@pytest.mark.parametrize("addon", NAMES)
def test_a_contract(addon: str, namespace: str, tmp_path: Path) -> None:
    contract: dict[str, Any] = document(addon, "contract.yaml")
    instance = Instance(addon, "small", namespace, f"hb-{addon}")
    instance.install()
    one, two = instance.bind_all(0x11, 0x12)
    assert sorted(one.credentials) == sorted(contract["credentials"])
    assert one.user != two.user

    def kept() -> None:
        """What `one` has written is there for `two`; a cache is empty, and is written anew."""
        if not contract.get("durable", True):
            with pytest.raises(Failed):
                instance.prove("read", two)
            instance.prove("write", one)
        instance.prove("read", two)

    for binding in (one, two):
        instance.prove("login", binding)
        instance.prove("tls", binding)
    instance.prove("write", one)
    instance.prove("read", two)

    instance.restart()
    kept()
    instance.install(contract["update"])
    kept()
    grown = Instance(addon, bigger(addon), namespace, instance.release)
    grown.install(contract["update"])
    kept()
    wanted = grown.values()["storage"]["size"]
    eventually(lambda: grown.volume_size() == wanted or None, within_s=30)
    grown.apply(contract["update"], chart=newer(addon, tmp_path))
    grown.ready()
    assert grown.get("pod", grown.pod)["metadata"]["annotations"]["version"] == "99"
    kept()

    revoked(grown, one, contract["refused"])
    grown.prove("login", two)
    grown.prove("read", two)
    grown.uninstall()
    left = [name for name in grown.names(ALL_KINDS) if re.search(rf"/{grown.release}(-data)?$", name)]
    assert left == [f"persistentvolumeclaim/{grown.release}-data"]


def revoked(instance: Instance, binding: Binding, refusal: str) -> None:
    """Unbind, and be refused; what the binding has made is gone."""
    instance.unbind(binding)
    with pytest.raises(Failed, match=refusal):
        instance.prove("login", binding)
    assert not [name for name in instance.names("secret,job,pod") if binding.release in name]
