"""Service instances of two addons, and clients that log in with what their bindings have delivered."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import image_of, step
from tests.cluster.broker import OVERRIDES, Broker, broker
from tests.cluster.clients import Client
from tests.cluster.osb import Binding, Instance
from tests.cluster.reach import throw_away_namespace


@dataclass(frozen=True)
class Customers:
    """An instance of each of two addons; three bindings, and a client for each."""

    postgresql: Instance
    redis: Instance
    bindings: list[Binding]
    clients: list[Client]

    def log_in(self, number: int) -> int:
        """With what binding `number` delivered: 0 when the server lets it in."""
        addon = "postgresql" if number < 2 else "redis"
        said = self.clients[number].run_when_served(step(addon, "login"))
        return said.status


def customers(kube: Kube, running: Broker, apps: str) -> Customers:
    """Make them, in the namespace `apps`."""
    instances = [running.platform.instance(addon, "small") for addon in ("postgresql", "redis")]
    with ThreadPoolExecutor(2) as pool:
        assert [end.state for end in pool.map(Instance.provision, instances)] == ["succeeded"] * 2
    bindings = [instances[0].binding(), instances[0].binding(), instances[1].binding()]
    clients = []
    for binding in bindings:
        assert binding.bind().state == "succeeded"
        addon = "redis" if binding.instance is instances[1] else "postgresql"
        image = image_of(addon, "small", OVERRIDES[addon])
        clients.append(Client.start(kube, apps, f"c-{binding.id[:8]}", image, binding.credentials()))
    made = Customers(instances[0], instances[1], bindings, clients)
    for number, client in enumerate(clients):
        client.await_ready(kube)
        assert made.log_in(number) == 0
    return made


@pytest.fixture
def running(kube: Kube, tmp_path: Path) -> Iterator[Broker]:
    with broker(kube, tmp_path) as made:
        yield made


@pytest.fixture
def apps(kube: Kube) -> Iterator[str]:
    with throw_away_namespace(kube) as namespace:
        yield namespace
