"""PUT of instances and bindings: what is taken, what is the same, what conflicts (OSB 1.3, 1.8)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain.operation import Phase
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Catalog
from tests.api.broker.conftest import PLAIN_ID, PLAIN_PLAN_ID
from tests.api.broker.desk import BIND, BINDING, INSTANCE, PROVISION, Desk, refusal
from tests.unit.catalog.folders import ADDON_ID, FILES, SMALL_ID, write

PLAIN = {**PROVISION, "service_id": PLAIN_ID, "plan_id": PLAIN_PLAN_ID, "parameters": {}}
NEW = "/v2/service_instances/new"


@pytest.mark.osb(14, 42, 43)
@pytest.mark.bug(48, 49, 61, 67)
@pytest.mark.parametrize(
    ("change", "expected", "message"),
    [
        ({"service_id": "x"}, "BadRequest", "service_id is not in the catalog"),
        ({"plan_id": "x"}, "BadRequest", "plan_id is not a plan of demo"),
        ({"plan_id": PLAIN_PLAN_ID}, "BadRequest", "plan_id is not a plan of demo"),
        ({"service_id": SMALL_ID}, "BadRequest", "service_id is not in the catalog"),
        ({"parameters": {"image": "x"}}, "InvalidParameters", "parameters: unknown 'image'; allowed: admin, "),
        ({"parameters": {"securityContext": {}}}, "InvalidParameters", "parameters: unknown 'securityContext'"),
        ({"parameters": {"size": "1Gi,global.evil=1"}}, "InvalidParameters", "size: must match ^[1-9]Gi$"),
        ({"parameters": {"size": "1Gi\n"}}, "InvalidParameters", "size: must match ^[1-9]Gi$"),
        (
            {"parameters": {"replicas": 9, "size": 1}},
            "InvalidParameters",
            "replicas: is too large: maximum is 3; size: ",
        ),
        (
            {"parameters": {"a": {"b": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}}},
            "InvalidParameters",
            "nested more than 16 deep",
        ),
    ],
    ids=str,
)
def test_what_is_not_offered_or_not_allowed_is_told_and_leaves_nothing(
    desk: Desk, change: dict[str, Any], expected: str, message: str
) -> None:
    response = desk.put(**change)
    assert refusal(response) == (400, expected)
    assert message in response.get_json()["description"]
    assert not desk.hand.turn()
    assert desk.put().status_code == 202


@pytest.mark.bug(47)
def test_parameters_reach_the_record_with_their_types(desk: Desk) -> None:
    desk.put(parameters={"replicas": 2, "admin": {"password": "01,{x}='"}})
    with desk.store.read() as records:
        record = records.instance("i1")
    assert record is not None
    assert record.instance.parameters.reveal() == {"replicas": 2, "admin": {"password": "01,{x}='"}}


@pytest.mark.osb(46, 47, 52, 100)
@pytest.mark.bug(21, 66)
@pytest.mark.parametrize("path", [INSTANCE, BINDING], ids=["provision", "bind"])
def test_the_same_again_is_the_same_operation_and_then_the_same_result(ready: Desk, path: str) -> None:
    """Context is no attribute."""
    if path == INSTANCE:
        path = NEW
    first = ready.put(path).get_json()
    assert first["operation"]
    assert ready.put(path, context={"instance_name": "renamed"}).get_json() == first
    ready.work()
    assert not ready.hand.turn()  # one operation, however often it was asked for
    again = ready.put(path, context={})
    assert again.status_code == 200
    assert "operation" not in again.get_json()


@pytest.mark.osb(55)
def test_a_failed_provision_can_be_tried_again(desk: Desk) -> None:
    """Never answered with success."""
    first = desk.put().get_json()["operation"]
    desk.work("no luck")
    again = desk.put()
    assert (again.status_code, again.get_json()["operation"] != first) == (202, True)
    desk.work()
    assert desk.get(INSTANCE).status_code == 200


@pytest.mark.osb(50)
@pytest.mark.parametrize("info", [{"version": "1.0.0"}, {"version": "x", "description": "y"}])
def test_maintenance_of_a_plan_that_has_none_is_a_conflict(desk: Desk, info: dict[str, str]) -> None:
    response = desk.put(maintenance_info=info)
    assert refusal(response) == (422, "MaintenanceInfoConflict")
    assert not desk.hand.turn()


@pytest.mark.osb(107)
def test_an_addon_that_cannot_be_bound_is_not(desk: Desk) -> None:
    assert desk.put(body=PLAIN).status_code == 202
    desk.work()
    response = desk.put(BINDING, {"service_id": PLAIN_ID, "plan_id": PLAIN_PLAN_ID})
    assert refusal(response) == (400, "BadRequest")
    assert "plain cannot be bound" in response.get_json()["description"]


@pytest.mark.osb(98, 107)
@pytest.mark.parametrize(
    ("change", "expected", "message"),
    [
        ({"service_id": "x"}, "BadRequest", f"service_id is not that of the service instance, which is {ADDON_ID}"),
        ({"service_id": PLAIN_ID, "plan_id": PLAIN_PLAN_ID}, "BadRequest", "service_id is not that of the service"),
        ({"plan_id": "x"}, "BadRequest", "plan_id is not a plan of demo"),
        ({"parameters": {"role": "admin"}}, "InvalidParameters", "parameters: unknown 'role'"),
        ({"parameters": {"access": "all"}}, "InvalidParameters", "access: must be one of read, write"),
    ],
    ids=str,
)
def test_a_bind_is_checked_against_its_instance(
    ready: Desk, change: dict[str, Any], expected: str, message: str
) -> None:
    response = ready.put(BINDING, **change)
    assert refusal(response) == (400, expected)
    assert message in response.get_json()["description"]
    assert not ready.hand.turn()


def test_a_bind_waits_for_the_instance_that_is_being_provisioned(desk: Desk) -> None:
    """Platforms on Kubernetes take any refused bind as final."""
    desk.put()
    assert desk.put(BINDING).status_code == 202
    desk.work()
    desk.work()
    assert desk.get(BINDING).status_code == 200


@pytest.mark.bug(7)
def test_many_at_once_are_one_operation(desk: Desk) -> None:

    def ask(_: int) -> tuple[int, str]:
        response = desk.put()
        return response.status_code, response.get_json()["operation"]

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(16)))
    assert [status for status, _ in answers] == [202]
    desk.work()
    assert not desk.hand.turn()


@pytest.fixture
def later(data: Path, catalog: Catalog, tmp_path: Path) -> Iterator[Desk]:
    """The broker a year later: an instance and a binding, and a catalog that has moved on under them.

    Plan small is retired, another plan is new, and parameters that were allowed are not any more.
    """
    before = Desk(data, catalog)
    before.bring(INSTANCE, Phase.READY)
    before.bring(BINDING, Phase.READY)
    before.store.close()
    addon = FILES["addon.yaml"].replace("size: {", "volume: {").replace("[read, write]", "[all]")
    plan = FILES["plans/small.yaml"].replace(SMALL_ID, SMALL_ID.replace("aaaa", "cccc")).replace("small", "new")
    write(tmp_path / "shelf/demo", {"addon.yaml": addon, "plans/small.yaml": None, "plans/new.yaml": plan})
    moved_on = load([tmp_path / "shelf"])
    assert moved_on.quarantined == {}
    after = Desk(data, moved_on)
    after.store.keep(moved_on)
    yield after
    after.store.close()


@pytest.mark.osb(28, 98)
@pytest.mark.bug(68)
def test_instances_of_a_retired_plan_stay_manageable(later: Desk) -> None:
    assert later.put().status_code == 200
    assert refusal(later.put(space_guid="x")) == (409, "Conflict")
    assert refusal(later.put(parameters={"volume": "1Gi"})) == (400, "InvalidParameters")
    assert later.get(INSTANCE).get_json()["parameters"] == {"size": "1Gi", "admin": {"password": "<hidden>"}}
    assert later.put(BINDING).status_code == 200
    other = BINDING.replace("b1", "b2")
    assert later.put(other).status_code == 202
    later.work()
    assert later.get(other).status_code == 200
    for path in (other, BINDING, INSTANCE):
        assert later.delete(path).status_code == 202
        later.work()
    assert refusal(later.put()) == (400, "BadRequest")


@pytest.mark.osb(98)
def test_a_plan_that_the_offering_got_later_may_be_named_in_a_bind(later: Desk) -> None:
    """The conflict is told, not the plan."""
    newer = SMALL_ID.replace("aaaa", "cccc")
    assert later.put(BINDING.replace("b1", "b2"), plan_id=newer).status_code == 202
    assert refusal(later.put(BINDING, plan_id=newer)) == (409, "Conflict")


def test_a_bind_is_checked_against_the_revision_that_the_instance_runs(later: Desk) -> None:
    assert refusal(later.put(BINDING, {**BIND, "parameters": {"access": "all"}})) == (400, "InvalidParameters")
