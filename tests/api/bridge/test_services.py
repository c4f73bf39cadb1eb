"""GET of services and plans: the catalog as `drycc resources` reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from helmbroker.controller_bridge.broker_port import Broker, Unreachable
from helmbroker.controller_bridge.brokers import Brokers
from helmbroker.controller_bridge.catalog_cache import CachedCatalog
from helmbroker.controller_bridge.external import OFFERING as EXTERNAL
from tests.api.bridge.calls import Calls, served
from tests.fakes.osb_broker import REDIS, FakeBroker

AWAY = "the broker at broker.test does not answer (no connection within 5 s)"


@pytest.mark.parametrize(
    "path", ["/v2/resources/services/", "/v2/resources/services", "/v2/resources/services/?limit=1"]
)
def test_services_by_name(call: Calls, path: str) -> None:
    assert call("GET", path).json == {
        "results": [
            {"id": EXTERNAL.id, "name": "external", "updateable": True},
            {"id": "svc-pg", "name": "postgresql", "updateable": True},
            {"id": "svc-redis", "name": "redis", "updateable": False},
        ],
        "count": 3,
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
    catalog = CachedCatalog(call.world.brokers, ttl_s=0)
    catalog.now()
    catalog.now()
    assert call.world.broker.calls == ["catalog", "catalog"]


def test_without_a_broker(call: Calls) -> None:
    call.world.broker.before = silent
    answer = call("GET", "/v2/resources/services/")
    assert (answer.status_code, names(answer)) == (200, ["external"])
    assert answer.json["unavailable"] == [AWAY]
    for path in ("postgresql", "default/postgresql"):
        answer = call("GET", f"/v2/resources/services/{path}/plans/")
        assert (answer.status_code, answer.json) == (503, {"detail": AWAY})
    assert call("GET", "/v2/resources/services/external/plans/").json["count"] == 2


def test_one_that_is_away_hides_no_other(call: Calls) -> None:
    away, here = FakeBroker(), FakeBroker()
    away.before = silent
    here.offerings = (REDIS,)
    serve(call, {"default": away, "team": here})
    answer = call("GET", "/v2/resources/services/")
    assert (names(answer), answer.json["unavailable"]) == (["redis"], [AWAY])
    assert call("GET", "/v2/resources/services/redis/plans/").json["count"] == 1
    assert call("GET", "/v2/resources/services/team/nothing/plans/").json["count"] == 0


def test_when_none_answers(call: Calls) -> None:
    away = FakeBroker()
    away.before = silent
    serve(call, {"default": away, "team": away})
    answer = call("GET", "/v2/resources/services/")
    assert (answer.status_code, answer.json) == (503, {"detail": f"{AWAY}; {AWAY}"})


def test_a_class_of_two_brokers_has_the_name_of_its_broker(call: Calls) -> None:
    team = FakeBroker()
    team.offerings = (replace(REDIS, id="other", plans=()),)
    serve(call, {"default": call.world.broker, "team": team})
    assert names(call("GET", "/v2/resources/services/")) == ["postgresql", "default/redis", "team/redis"]
    assert call("GET", "/v2/resources/services/default/redis/plans/").json["count"] == 1
    assert call("GET", "/v2/resources/services/team%2Fredis/plans/").json["count"] == 0
    answer = call("GET", "/v2/resources/services/redis/plans/")
    sentence = "more than one broker offers a service 'redis': say default/redis or team/redis"
    assert (answer.status_code, answer.json) == (400, {"service": [sentence]})


def names(answer: Any) -> list[str]:
    return [one["name"] for one in answer.json["results"]]


def silent(_method: str) -> None:
    raise Unreachable(AWAY)


def serve(call: Calls, brokers: dict[str, Broker]) -> None:
    """An API over these brokers and no others."""
    several = Brokers(brokers)
    call.client = served(replace(call.api, broker=several, catalog=CachedCatalog(several))).test_client()
