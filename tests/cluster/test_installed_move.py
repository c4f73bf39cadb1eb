"""From the default profile to two of each, by the commands of the page: nothing is lost, and no app notices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from helmbroker.kubeapi.client import KubeClient
from tests.charts.product import HA
from tests.cluster import installed_database
from tests.cluster.installed import RELEASE, Installed, forwarded, namespaces
from tests.cluster.installed_shop import make_owner, shop_at
from tests.cluster.inventory import await_nothing
from tests.cluster.pages import commands, typed
from tests.cluster.reach import eventually, throw_away_namespace
from tests.cluster.rotating_shop import DATABASE, Shop, furnish

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]


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
    # all but the last upgrade, of which the page gives no command
    said = typed(chain(*commands("high-availability.md", "From SQLite", product.namespace)))
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
