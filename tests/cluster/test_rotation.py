"""Binds that wait, rotation and expiry, with real servers that real clients log in to."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import ADDONS, copies, document, image_of, step
from tests.cluster.broker import OVERRIDES, Broker, broker
from tests.cluster.clients import Client
from tests.cluster.inventory import await_nothing
from tests.cluster.logins import refusal, start_pod
from tests.cluster.osb import Instance
from tests.cluster.reach import eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
LIFETIME_S = 20


@pytest.fixture(scope="module")
def running(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Bindings of redis's plan medium live for some seconds only."""
    folder = tmp_path_factory.mktemp("rotation")
    copies(folder / "addons")
    plan = folder / "addons" / "redis" / "plans" / "medium.yaml"
    plan.write_text(f"binding_lifetime_s: {LIFETIME_S}\n" + plan.read_text())
    with broker(kube, folder, environment={"HELMBROKER_ADDONS_DIR": str(folder / "addons")}) as made:
        yield made


@pytest.fixture(scope="module")
def apps(kube: Kube) -> Iterator[str]:
    """Where the clients live."""
    with throw_away_namespace(kube) as namespace:
        yield namespace


def bind(instance: Instance, **body: Any) -> tuple[str, dict[str, Any]]:
    """A bind that waits: the path of the binding, and all that it delivers."""
    path = f"{instance.path}/service_bindings/{uuid.uuid4()}"
    answer = instance.platform.ask("PUT", path, body or dict(instance.ids))
    assert answer.status_code == 201, answer.text
    return path, answer.json()


def client(kube: Kube, apps: str, addon: str, plan: str, delivered: dict[str, Any]) -> Client:
    name = f"{addon}-{uuid.uuid4().hex[:8]}"
    made = Client.start(kube, apps, name, image_of(addon, plan, OVERRIDES[addon]), delivered["credentials"])
    made.await_ready(kube)
    return made


def run(client_: Client, command: list[str]) -> str:
    said = client_.run(command)
    assert said.status == 0, said.output
    return said.output


def is_refused(client_: Client, addon: str) -> bool:
    said = client_.run(step(addon, "login"))
    refused = str(document(ADDONS / addon / "contract.yaml")["refused"])
    return said.status != 0 and re.search(refused, said.output) is not None


@pytest.mark.osb(99, 104, 106, 108, 109, 115)
@pytest.mark.bug(20, 23)
def test_credentials_are_replaced_side_by_side_or_revoked_by_themselves(
    kube: Kube, running: Broker, apps: str
) -> None:
    """All at the same time: what they do most is wait for servers and Jobs."""
    with ThreadPoolExecutor() as pool:
        rotations = [pool.submit(_rotate, kube, running, apps, addon) for addon in ("postgresql", "redis")]
        for done in [*rotations, pool.submit(_expire, kube, running, apps)]:
            done.result()


def _rotate(kube: Kube, running: Broker, apps: str, addon: str) -> None:
    """Old and new log in; the new one works on what the old one made; then the old one is refused."""
    instance = running.platform.instance(addon, "small")
    assert instance.provision().state == "succeeded"
    old_path, old = bind(instance)
    assert (old["endpoints"][0]["host"], old["endpoints"][0]["ports"]) == (
        old["credentials"]["host"],
        sorted({old["credentials"]["port"], old["credentials"].get("tls_port", old["credentials"]["port"])}),
    )
    old_client = client(kube, apps, addon, "small", old)
    run(old_client, step(addon, "write"))
    old_id = old_path.rpartition("/")[2]
    new_path, new = bind(instance, predecessor_binding_id=old_id)
    assert new["credentials"]["username"] != old["credentials"]["username"]
    new_client = client(kube, apps, addon, "small", new)
    for each in (old_client, new_client):
        run(each, step(addon, "login"))
    run(new_client, step(addon, "read"))
    unbound = instance.platform.ask("DELETE", old_path, None, **instance.ids)
    assert (unbound.status_code, unbound.json()) == (200, {})
    assert instance.platform.ask("DELETE", old_path, None, **instance.ids).status_code == 410
    assert is_refused(old_client, addon)
    run(new_client, step(addon, "login"))
    assert instance.platform.ask("GET", new_path).status_code == 200
    assert instance.delete().state == "succeeded"


def _expire(kube: Kube, running: Broker, apps: str) -> None:
    """A binding whose lifetime is over is refused, and nobody had to ask for it."""
    instance = running.platform.instance("redis", "medium")
    assert instance.provision().state == "succeeded"
    start_pod(kube, apps, "redis")  # before the time begins to run
    path, delivered = bind(instance)
    expires_at = datetime.fromisoformat(delivered["metadata"]["expires_at"])
    assert 0 < (expires_at - datetime.now(UTC)).total_seconds() <= LIFETIME_S
    credentials = delivered["credentials"]
    assert refusal(apps, "redis", credentials) is None
    refused = re.compile(document(ADDONS / "redis" / "contract.yaml")["refused"])
    eventually(lambda: refused.search(refusal(apps, "redis", credentials) or ""), within_s=LIFETIME_S + 60)
    assert datetime.now(UTC) >= expires_at
    removed = instance.platform.ask("DELETE", path, None, **instance.ids)
    assert removed.status_code in (200, 410), "what goes on already is waited for"
    assert instance.platform.ask("GET", path).status_code == 404
    assert instance.delete().state == "succeeded"


def test_nothing_is_left_at_the_end(running: Broker) -> None:
    await_nothing(running.namespace)
