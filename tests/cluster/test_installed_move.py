"""From the default profile to two of each, by the commands of the page: nothing is lost, and no app notices."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from helmbroker.kubeapi.client import KubeClient
from tests.charts.product import HA
from tests.cluster import installed_database
from tests.cluster.broker import CHECKOUT
from tests.cluster.installed import RELEASE, Installed, forwarded, namespaces
from tests.cluster.installed_shop import make_owner, shop_at
from tests.cluster.inventory import await_nothing
from tests.cluster.reach import eventually, throw_away_namespace
from tests.cluster.rotating_shop import DATABASE, Shop, furnish

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(600)]

PAGE = CHECKOUT / "docs" / "how-to" / "high-availability.md"
_BLOCK = re.compile(r"^ *```console\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# how the page calls what the chart made, and how it is called here
_NAMES = (
    ("--namespace helmbroker", "--namespace {namespace}"),
    ("helm upgrade helmbroker ", f"helm upgrade {RELEASE} "),
    (r"\bhelmbroker-(broker|bridge)-0\b", rf"{RELEASE}-\1-0"),
    (r"(delete service .*)\bhelmbroker-(broker|bridge)$", rf"\1{RELEASE}-\2"),
)


@pytest.fixture
def product(kube: KubeClient) -> Iterator[Installed]:
    with namespaces(kube) as installed:
        yield installed


@pytest.fixture
def app(kube: KubeClient) -> Iterator[str]:
    with throw_away_namespace(kube) as namespace:
        make_owner(kube, namespace)
        yield namespace


def test_what_was_made_over_sqlite_lives_on_over_postgresql(kube: KubeClient, product: Installed, app: str) -> None:
    values = {"rights": {"namespaces": [app]}, "bridge": {"settings": {"ROTATION_GRACE_S": "2"}}}
    product.apply(values)
    with _door(product) as port:
        shop = shop_at(kube, app, port)
        furnish(shop, before_s=1.0, bound=[DATABASE])
        before = _resources(shop)
    installed_database.start_database(kube, product.namespace)
    said = _typed(_commands(product.namespace))
    product.apply(values, HA)
    with _door(product) as port:
        shop = shop_at(kube, app, port)
        assert _resources(shop) == before, said
        _used(shop)
        assert shop.end().errors == []
        for resource in (shop.cache, shop.database):
            resource.unbind()
            assert not resource.follow("binding")["failed"]
            resource.destroy()
        eventually(lambda: True if not _resources(shop) else None, within_s=120)
    product.uninstall()
    await_nothing(product.instances)


def _used(shop: Shop) -> None:
    rotation = shop.rotate(shop.database)
    assert rotation.replaced, rotation
    shop.cache.bind()
    end = shop.cache.follow("binding")
    assert not end["failed"], end


def _resources(shop: Shop) -> Any:
    return shop.bridge.expect("GET", f"/apps/{shop.namespace}/resources/")["results"]


def _door(product: Installed) -> Any:
    return forwarded(product.namespace, f"service/{RELEASE}-bridge", 80)


def _commands(namespace: str) -> str:
    """Those of the page that move what is recorded, without the last upgrade, of which it gives no command."""
    text = PAGE.read_text("utf-8").partition("## From SQLite")[2]
    commands = "".join(re.sub("^ +", "", block, flags=re.MULTILINE) for block in _BLOCK.findall(text))
    for theirs, ours in _NAMES:
        commands = re.sub(theirs, ours, commands, flags=re.MULTILINE)
    return commands.replace("{namespace}", namespace)


def _typed(commands: str) -> str:
    """As an operator types them, one after the other; what they said."""
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=CHECKOUT, text=True, capture_output=True, timeout=200, check=False
    )
    assert not done.returncode, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout
