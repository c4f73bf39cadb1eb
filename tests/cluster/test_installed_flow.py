"""The whole product in the cluster, two of each, and what operators do to it while an app uses it.

The bridge of the chart gives a database and a cache to an app that writes fifty times a second. Meanwhile the chart
is upgraded, all its pods are evicted as when their node is drained, and the database under it is restarted.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
import requests

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.port import Kube
from tests.addons.programs import program
from tests.charts.product import HA
from tests.cluster import installed_database
from tests.cluster.bridge import Resource
from tests.cluster.installed import READY_S, RELEASE, Installed, forwarded, namespaces, start_pod
from tests.cluster.installed_shop import make_owner, shop_at
from tests.cluster.inventory import await_nothing
from tests.cluster.osb import END_S, Platform
from tests.cluster.reach import eventually, throw_away_namespace
from tests.cluster.rotating_shop import DATABASE, REFUSED, Shop, furnish

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

PODS = 6  # two each of API, worker and bridge
# Takes connections on ports and has the named Services answer them: a port-forward to a Service ends with its pod.
RELAY = """
import asyncio, sys
async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
def to(host):
    async def serve(reader, writer):
        try:
            others = await asyncio.open_connection(host, 80)
        except OSError:
            writer.close()  # no pod of the Service is ready: who asks is to see that at once
            return
        await asyncio.gather(pipe(reader, others[1]), pipe(others[0], writer), return_exceptions=True)
    return serve
async def main():
    for port, host in enumerate(sys.argv[1:], 8000):
        await asyncio.start_server(to(host), "", port)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def product(kube: KubeClient) -> Iterator[Installed]:
    with namespaces(kube) as installed:
        installed_database.start_database(kube, installed.namespace)
        yield installed


@pytest.fixture(scope="module")
def shop(kube: KubeClient, product: Installed) -> Iterator[Shop]:
    """Its database is bound; a cache is there."""
    with throw_away_namespace(kube) as app:
        make_owner(kube, app)
        _apply(product, app, "1")
        _relay(kube, product.namespace)
        with forwarded(product.namespace, "pod/relay", 8001) as port:
            made = shop_at(kube, app, port)
            # the node may not know the new Service yet: it refuses
            eventually(
                lambda: _answers(partial(made.bridge.ask, "GET", "/resources/services/")) or None, within_s=120
            )
            furnish(made, before_s=1.0, bound=[DATABASE])
            yield made


def test_the_chart_is_upgraded_while_a_cache_is_bound(product: Installed, shop: Shop) -> None:
    before = _uids(product)
    with ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(_apply, product, shop.namespace, "2")
        shop.cache.bind()
        _ended_well(shop.cache)
        shop.database.update("postgresql:small", {"storage.size": "2Gi"})
        _ended_well(shop.database, of="status")
        upgrade.result()
    assert not before & _uids(product)
    assert shop.asked().errors == []


def test_the_node_is_drained_while_credentials_rotate(product: Installed, shop: Shop) -> None:
    """Each pod in turn, as `kubectl drain` does: by evictions that wait for the budgets."""
    before = _uids(product)
    with ThreadPoolExecutor(1) as pool:
        drained = pool.submit(_drain, product)
        rotation = shop.rotate(shop.database)
        drained.result()
    assert rotation.replaced, rotation
    assert not before & _uids(product)
    assert shop.asked().errors == []


def test_the_database_of_the_product_is_restarted(product: Installed, shop: Shop) -> None:
    """Who asks meanwhile is told to come again; the rotation that had begun goes on; the app notices nothing."""
    old = shop.uri(shop.cache)
    shop.cache.rotate()
    with _broker(product) as platform:
        path = "/v2/service_instances/none/last_operation"
        installed_database.stop(product.namespace)
        with _pod_of_the_api(product, platform) as pod:
            answer = pod.ask("GET", path)
        assert (answer.status_code, answer.json()["error"]) == (503, "Unavailable"), answer.text
        installed_database.start(product.namespace)
        eventually(lambda: _answers(partial(platform.ask, "GET", path)) or None, within_s=120)
    eventually(lambda: _answers(partial(shop.bridge.ask, "GET", "/resources/services/")) or None, within_s=120)
    _ended_well(shop.cache, outage=True)
    assert shop.uri(shop.cache) != old
    assert REFUSED.search(shop.login(old))
    assert shop.asked().errors == []


def test_all_of_it_goes_again(product: Installed, shop: Shop) -> None:
    """No request has failed, no write is lost or doubled, and nothing is left where the instances were."""
    asked, written = shop.end(), shop.written()
    assert asked.errors == []
    assert set(written[:2]) == {asked.sent}
    for resource in (shop.cache, shop.database):
        resource.unbind()
        _ended_well(resource)
        resource.destroy()
    eventually(lambda: True if not shop.bridge.expect("GET", _resources(shop))["results"] else None, within_s=END_S)
    product.uninstall()
    await_nothing(product.instances)


def _relay(kube: Kube, namespace: str) -> None:
    services = [kube.get("Service", namespace, f"{RELEASE}-{each}") or {} for each in ("broker", "bridge")]
    addresses = [each["spec"]["clusterIP"] for each in services]
    container = {"image": "sandbox.local/demo-app:1", "command": ["python3", "-c", RELAY, *addresses]}
    probe = {"tcpSocket": {"port": 8001}, "periodSeconds": 1}
    start_pod(kube, namespace, "relay", {**container, "readinessProbe": probe})


def _apply(product: Installed, app: str, number: str) -> None:
    """Install it, or upgrade it so that all pods are others; returns when they are ready."""
    values = {
        "rights": {"namespaces": [app]},
        "bridge": {"settings": {"ROTATION_GRACE_S": "2"}},
        "podAnnotations": {"number": number},
    }
    product.apply(values, HA)
    _all_are_there(product)


def _all_are_there(product: Installed) -> None:
    # the scaler makes the second API
    eventually(lambda: len(product.living()) == PODS or None, within_s=READY_S)
    product.await_ready()


def _uids(product: Installed) -> set[str]:
    return {pod["metadata"]["uid"] for pod in product.living()}


def _drain(product: Installed) -> None:
    for pod in product.living():
        eventually(partial(_evicted, product.namespace, pod["metadata"]["name"]), within_s=READY_S)
    _all_are_there(product)


def _evicted(namespace: str, pod: str) -> bool | None:
    """None: a budget does not allow it now."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    argv = [program("kubectl"), "create", "--raw", path, "-f", "-"]
    done = subprocess.run(argv, input=json.dumps(eviction), text=True, capture_output=True, timeout=60, check=False)
    if done.returncode and "disruption budget" in done.stderr:
        return None
    assert not done.returncode, done.stderr
    return True


def _ended_well(resource: Resource, of: str = "binding", *, outage: bool = False) -> None:
    end = resource.follow(of, outage=outage)
    assert not end["failed"], end["message"]


def _resources(shop: Shop) -> str:
    return f"/apps/{shop.namespace}/resources/"


def _answers(ask: Callable[[], requests.Response]) -> bool:
    """Not while no pod is ready, as without a database, and not while one says that the database is away."""
    try:
        return ask().status_code != 503
    except requests.ConnectionError:
        return False


@contextmanager
def _pod_of_the_api(product: Installed, platform: Platform) -> Iterator[Platform]:
    """One of its pods, which serves on when the Service has none that is ready."""
    with forwarded(product.namespace, f"deployment/{RELEASE}-api", 8080) as port:
        yield Platform(f"http://127.0.0.1:{port}", platform.user, platform.password)


@contextmanager
def _broker(product: Installed) -> Iterator[Platform]:
    login = product.secret("platform")
    with forwarded(product.namespace, "pod/relay", 8000) as port:
        yield Platform(f"http://127.0.0.1:{port}", login["username"], login["password"])
