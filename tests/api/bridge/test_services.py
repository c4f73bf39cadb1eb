"""GET of services and plans: the catalog as `drycc resources` reads it."""

from __future__ import annotations

import pytest

from helmbroker.controller_bridge.broker_port import Unreachable
from helmbroker.controller_bridge.catalog_cache import CachedCatalog
from tests.api.bridge.calls import Calls


@pytest.mark.parametrize(
    "path", ["/v2/resources/services/", "/v2/resources/services", "/v2/resources/services/?limit=1"]
)
def test_services_by_name(call: Calls, path: str) -> None:
    assert call("GET", path).json == {
        "results": [
            {"id": "svc-pg", "name": "postgresql", "updateable": True},
            {"id": "svc-redis", "name": "redis", "updateable": False},
        ],
        "count": 2,
    }


def test_plans_short_names_first(call: Calls) -> None:
    assert call("GET", "/v2/resources/services/postgresql/plans/", who="viewer").json == {
        "results": [
            {"id": "plan-xs", "name": "xs", "description": "a bit of CPU"},
            {"id": "plan-large", "name": "large", "description": "8 CPU"},
            {"id": "plan-small", "name": "small", "description": "1 CPU"},
        ],
        "count": 3,
    }


def test_an_unknown_service_has_no_plans(call: Calls) -> None:
    answer = call("GET", "/v2/resources/services/no%20such/plans/")
    assert (answer.status_code, answer.json) == (200, {"results": [], "count": 0})


def test_the_broker_is_asked_once(call: Calls) -> None:
    for _ in range(3):
        call("GET", "/v2/resources/services/")
    assert call.world.broker.calls == ["catalog"]


def test_a_catalog_gets_old(call: Calls) -> None:
    catalog = CachedCatalog(call.world.broker, ttl_s=0)
    catalog.offerings()
    catalog.offerings()
    assert call.world.broker.calls == ["catalog", "catalog"]


def test_without_a_broker(call: Calls) -> None:
    def silent(_method: str) -> None:
        raise Unreachable("the broker at broker.test does not answer (no connection within 5 s)")

    call.world.broker.before = silent
    answer = call("GET", "/v2/resources/services/")
    assert answer.status_code == 503
    assert answer.json == {"detail": "the broker at broker.test does not answer (no connection within 5 s)"}
