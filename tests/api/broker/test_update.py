"""PATCH of an instance as a platform sees it (OSB 1.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from helmbroker.broker.domain.operation import Phase
from tests.api.broker.conftest import PLAIN_ID, PLAIN_PLAN_ID
from tests.api.broker.desk import ASYNC, BINDING, INSTANCE, PROVISION, Desk, recorded, refusal
from tests.unit.catalog.folders import ADDON_ID, LARGE_ID, SMALL_ID

IDS = {"service_id": ADDON_ID}
NEW: dict[str, Any] = {"maintenance_info": {"version": "2.0.0"}}
OLD: dict[str, Any] = {"maintenance_info": {"version": "1.2.3"}}


@pytest.mark.osb(66, 68, 69, 75, 78)
@pytest.mark.bug(14, 40, 43)
def test_an_update_of_plan_and_parameters(ready: Desk) -> None:
    """Recorded under its own names, without a context, and only when it has succeeded."""
    answer = ready.patch(plan_id=LARGE_ID, parameters={"replicas": 2})
    assert answer.status_code == 202
    assert set(answer.get_json()) == {"operation"}
    assert answer.get_json()["operation"].startswith("update:")
    assert recorded(ready).instance.plan_id == SMALL_ID
    assert ready.patch(plan_id=LARGE_ID, parameters={"replicas": 2}).get_json() == answer.get_json()
    assert refusal(ready.patch(plan_id=LARGE_ID)) == (422, "ConcurrencyError")
    ready.work()
    assert not ready.hand.turn()
    told = ready.get(f"{INSTANCE}/last_operation").get_json()
    assert told == {"state": "succeeded", "description": "done"}
    assert ready.get(INSTANCE).get_json() == {
        "service_id": ADDON_ID,
        "plan_id": LARGE_ID,
        "parameters": {"size": "1Gi", "replicas": 2, "admin": {"password": "<hidden>"}},
        "maintenance_info": {"version": "1.2.3"},
    }
    assert recorded(ready).instance.context == PROVISION["context"]
    assert recorded(ready).wanted is None


@pytest.mark.osb(14, 76, 77)
@pytest.mark.bug(42)
def test_a_failed_update_leaves_the_record_as_it_was(ready: Desk) -> None:
    before = ready.get(INSTANCE).get_json()
    ready.patch(plan_id=LARGE_ID, parameters={"replicas": 2}, context={"instance_name": "x"})
    ready.work("the chart said no")
    assert ready.get(f"{INSTANCE}/last_operation").get_json() == {
        "state": "failed",
        "description": "the chart said no",
        "instance_usable": True,
        "update_repeatable": True,
    }
    assert ready.get(INSTANCE).get_json() == before
    assert recorded(ready).instance.context == PROVISION["context"]
    assert ready.put().status_code == 200
    assert refusal(ready.put(plan_id=LARGE_ID)) == (409, "Conflict")
    assert ready.put(BINDING).status_code == 202
    assert ready.patch(parameters={"replicas": 3}).status_code == 202


@pytest.mark.osb(49)
def test_a_repeated_provision_is_compared_with_what_was_updated(ready: Desk) -> None:
    ready.patch(parameters={"replicas": 3})
    ready.work()
    assert refusal(ready.put()) == (409, "Conflict")
    assert ready.put(parameters={**PROVISION["parameters"], "replicas": 3.0}).status_code == 200


@pytest.mark.osb(61)
def test_while_it_is_updated_it_is_busy_but_for_binds_and_its_deletion(broker: Desk) -> None:
    """OSB 1.13, row updating; a bind waits its turn, as on any busy instance."""
    broker.begin((INSTANCE, Phase.UPDATING))
    assert refusal(broker.get(INSTANCE)) == (422, "ConcurrencyError")
    assert refusal(broker.put()) == (422, "ConcurrencyError")
    assert refusal(broker.put(parameters={})) == (409, "Conflict")
    assert broker.put(BINDING).status_code == 202
    update = broker.get(f"{INSTANCE}/last_operation").get_json()
    assert update["state"] == "in progress"
    operation = recorded(broker).operation.id
    assert broker.delete().status_code == 202
    told = broker.get(f"{INSTANCE}/last_operation?operation={operation}").get_json()
    assert (told["state"], told["instance_usable"], told["update_repeatable"]) == ("failed", False, False)


@pytest.mark.osb(78)
@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (None, (404, "NotFound")),
        (Phase.MAKING, (422, "ConcurrencyError")),
        (Phase.MAKE_FAILED, (422, "InstanceNotUsable")),
        (Phase.REMOVING, (422, "ConcurrencyError")),
        (Phase.REMOVE_FAILED, (422, "InstanceNotUsable")),
        (Phase.GONE, (404, "NotFound")),
    ],
)
def test_what_cannot_be_updated_now(broker: Desk, phase: Phase | None, expected: tuple[int, str]) -> None:
    broker.begin((INSTANCE, phase))
    assert refusal(broker.patch(parameters={"replicas": 2})) == expected


@pytest.mark.osb(67, 68)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"parameters": None},
        {"parameters": {}},
        {"plan_id": SMALL_ID},
        {"parameters": PROVISION["parameters"], "plan_id": SMALL_ID, "context": PROVISION["context"]},
        {"maintenance_info": {"version": "1.2.3"}},
        {"previous_values": {"plan_id": "x", "maintenance_info": {"version": "0"}}},
        {"parameters": {"replicas": None}},
    ],
    ids=str,
)
def test_what_changes_nothing_is_done_at_once_but_asks_for_the_flag_first(
    ready: Desk, change: dict[str, Any]
) -> None:
    assert refusal(ready.call("PATCH", INSTANCE, {**IDS, **change})) == (422, "AsyncRequired")
    answer = ready.patch(**change)
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert not ready.hand.turn()


@pytest.mark.osb(31, 57, 73)
@pytest.mark.bug(40)
@pytest.mark.parametrize("flag", ["", ASYNC])
def test_names_in_the_context_are_recorded_at_once(ready: Desk, flag: str) -> None:
    """B40: no name of ours depends on the context, so a renamed instance is the same Helm release."""
    context = {"platform": "kubernetes", "namespace": "apps", "instance_name": "renamed"}
    before = recorded(ready)
    answer = ready.call("PATCH", f"{INSTANCE}{flag}", {**IDS, "context": context})
    assert (answer.status_code, answer.get_json()) == (200, {})
    assert not ready.hand.turn()
    assert recorded(ready) == replace(before, instance=replace(before.instance, context=context))


@pytest.mark.osb(6, 8, 20, 65, 74)
@pytest.mark.parametrize(
    "change",
    [
        {"service_id": None},
        {"service_id": ""},
        {"service_id": "x"},
        {"service_id": PLAIN_ID},
        {"plan_id": ""},
        {"plan_id": 1},
        {"plan_id": "x"},
        {"plan_id": PLAIN_PLAN_ID},
        {"parameters": []},
        {"parameters": "x"},
        {"context": "x"},
        {"maintenance_info": []},
        {"maintenance_info": {}},
        {"maintenance_info": {"version": 1}},
        {"previous_values": []},
        {"previous_values": {"plan_id": 1}},
        {"previous_values": {"maintenance_info": "x"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("phase", [None, Phase.READY])
def test_what_is_malformed_or_not_offered(broker: Desk, phase: Phase | None, change: dict[str, Any]) -> None:
    broker.begin((INSTANCE, phase))
    if change == {"service_id": PLAIN_ID} and phase is None:
        change = {"service_id": PLAIN_ID, "plan_id": SMALL_ID}
    assert refusal(broker.patch(**change)) == (400, "BadRequest")
    assert not broker.hand.turn()


@pytest.mark.osb(14, 66, 76)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"size": "2Gi"}, "size: cannot be changed after creation; an update may change: admin, replicas"),
        ({"size": None}, "size: cannot be changed after creation"),
        ({"replicas": 9}, "replicas: is too large: maximum is 3"),
        ({"replicas": 2, "image": "canary"}, "image: cannot be changed"),
    ],
    ids=str,
)
def test_parameters_that_are_not_allowed(ready: Desk, parameters: dict[str, Any], message: str) -> None:
    answer = ready.patch(parameters=parameters)
    assert refusal(answer) == (400, "InvalidParameters")
    assert answer.get_json()["description"].startswith(message)
    assert not ready.hand.turn()
    assert recorded(ready).wanted is None


@pytest.mark.osb(66)
@pytest.mark.bug(44)
def test_null_takes_a_parameter_away(ready: Desk) -> None:
    ready.patch(parameters={"admin": {"password": None}})
    ready.work()
    assert recorded(ready).instance.parameters.reveal() == {"size": "1Gi", "admin": {}}


@pytest.mark.osb(31, 32, 35, 37)
def test_the_catalog_promises_updates(broker: Desk) -> None:
    demo, plain = broker.get("/v2/catalog").get_json()["services"]
    assert (demo["plan_updateable"], demo["allow_context_updates"]) == (True, True)
    assert (plain["plan_updateable"], plain["allow_context_updates"]) == (False, True)
    assert set(demo["plans"][0]["schemas"]["service_instance"]) == {"create", "update"}
    assert [plan["maintenance_info"] for plan in demo["plans"]] == [{"version": "1.2.3"}] * 2


@pytest.mark.osb(68, 72, 78)
@pytest.mark.bug(74)
def test_the_order_of_checks_of_an_update(desk: Desk) -> None:
    """OSB 1.12. Each step mends the first thing that is wrong: the next one is told."""
    body: dict[str, Any] = {"plan_id": "x", "parameters": {"x": 1}, **NEW}

    def told(query: str = ASYNC) -> tuple[int, str]:
        return refusal(desk.call("PATCH", f"{INSTANCE}{query}", body))

    assert told("") == (400, "BadRequest")
    body["service_id"] = ADDON_ID
    assert told("") == (400, "BadRequest")
    body["plan_id"] = LARGE_ID
    assert told("") == (422, "AsyncRequired")
    assert told() == (404, "NotFound")
    desk.put()
    assert told("") == (400, "InvalidParameters")
    body["parameters"] = {"replicas": 2}
    assert told("") == (422, "AsyncRequired")
    assert told() == (422, "ConcurrencyError")
    desk.work()
    assert told() == (422, "MaintenanceInfoConflict")
    body |= OLD
    assert desk.call("PATCH", f"{INSTANCE}{ASYNC}", body).status_code == 202
