"""Databases of the product in the cluster are lost, and come back by the commands of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.kubeapi.client import KubeClient
from tests.cluster.installed import RELEASE, Installed, namespaces
from tests.cluster.inventory import await_nothing
from tests.cluster.osb import Binding, Instance
from tests.cluster.pages import commands, typed

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]

PAGE = "restore-the-database.md"
FILES = {"key-rings.yaml", "values.yaml", "bridge.backup"}  # that the page writes, into the working folder


@pytest.fixture
def product(kube: KubeClient) -> Iterator[Installed]:
    with namespaces(kube) as installed:
        yield installed


def test_what_was_lost_comes_back(product: Installed, tmp_path: Path) -> None:
    """From the cluster, and from a backup; what the page says of the bridge is done with the broker here."""
    product.apply({})
    with product.platform() as platform:
        instance = platform.instance("redis", "small")
        assert instance.provision().state == "succeeded"
        binding = instance.binding()
        assert binding.bind().state == "succeeded"
        delivered = binding.credentials()
    (alone, copy, _), back_up = commands(PAGE, "What to back up", product.namespace)
    stop, rebuild, start = commands(PAGE, "Under the chart", product.namespace)[:3]
    _, put_back = commands(PAGE, "A backup is put back", product.namespace)
    here = re.compile(rf"([<>])({'|'.join(FILES)})$")

    typed(here.sub(rf"\1{tmp_path}/\2", _of_the_broker(line)) for line in (alone, copy, *back_up))
    assert {each.name for each in tmp_path.iterdir()} == FILES
    said = typed([*stop, *rebuild, *start])
    assert (said.count("restored "), said.count("records and cluster agree")) == (2, 1), said
    _agrees(product, binding, delivered)
    typed([*stop, *(here.sub(rf"\1{tmp_path}/\2", _of_the_broker(line)) for line in put_back), *start])
    _agrees(product, binding, delivered)
    with product.platform() as platform:
        assert Instance(platform, instance.id, instance.ids).delete().state == "succeeded"
    product.uninstall()
    await_nothing(product.instances)


def _of_the_broker(line: str) -> str:
    return line.replace(f"{RELEASE}-bridge-0", f"{RELEASE}-broker-0").replace("bridge.db", "helmbroker.db")


def _agrees(product: Installed, binding: Binding, delivered: dict[str, str]) -> None:
    product.await_ready()
    with product.platform() as platform:
        same = Binding(Instance(platform, binding.instance.id, binding.instance.ids), binding.id)
        assert same.credentials() == delivered
