"""Rotation: a new binding takes over from an old one (OSB items 33, 108, 109), and bindings that expire (104)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from helmbroker.broker.api.answers import bound
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.service import BindingView, Expiry
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.broker.store.schema import bindings
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import ASYNC, BIND, BINDING, CREDENTIALS, IDS, INSTANCE, PROVISION, Desk, refusal
from tests.unit.catalog.folders import ADDON_ID, LARGE_ID, SMALL_ID, edited, write

NEW = BINDING.replace("b1", "b2")
BAD, BUSY, CONFLICT = (400, "BadRequest"), (422, "ConcurrencyError"), (409, "Conflict")
ENDPOINTS = [{"host": "demo.svc", "ports": ["5432"], "protocol": "tcp"}]


@pytest.fixture(scope="module")
def rotating(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The addon `demo` with bindings that can be rotated, and that expire after a minute on plan small."""
    folder = tmp_path_factory.mktemp("rotating")
    change = edited("addon.yaml", "bindable: true\n", "bindable: true\nbinding_rotatable: true\n")
    change |= edited("plans/small.yaml", "values:", "binding_lifetime_s: 60\nbinding_renewal_s: 20\nvalues:")
    write(folder / "demo", change)
    made = load([folder])
    assert made.quarantined == {}
    return made


@pytest.fixture(scope="module")
def offering(prepared: Path, tmp_path_factory: pytest.TempPathFactory, rotating: Catalog) -> Iterator[Desk]:
    """A broker that offers it: one, as a new engine would compile every statement anew."""
    made = Desk(copytree(prepared, tmp_path_factory.mktemp("offering") / "data"), rotating)
    made.store.keep(rotating)
    made.endpoints = ENDPOINTS
    yield made
    made.store.close()


@pytest.fixture
def desk(offering: Desk) -> Desk:
    """It, with instance i1 and binding b1 ready; made anew, as the binding's time runs."""
    offering.begin()
    for path in (INSTANCE, BINDING):
        offering.bring(path, Phase.READY)
    return offering


def rotate(desk: Desk, path: str = NEW, *, to: str = ASYNC, **change: Any) -> TestResponse:
    return desk.call("PUT", f"{path}{to}", {"predecessor_binding_id": "b1", **change})


def rotated(desk: Desk, **change: Any) -> None:
    answer = rotate(desk, **change)
    assert answer.status_code == 202, answer.get_json()
    desk.work()


def pass_time(desk: Desk, seconds: float) -> None:
    """Let every binding be so much older."""
    with desk.store.engine.begin() as conn:
        moved = {name: bindings.c[name] - seconds for name in ("expires_at", "renew_before", "revoke_at")}
        conn.execute(bindings.update().values(moved))


def expiry(desk: Desk) -> Expiry:
    return Expiry(desk.store, UnpackedRevisions(desk.folder, desk.store.packed))


@pytest.mark.osb(33)
def test_the_catalog_says_what_can_be_rotated(desk: Desk) -> None:
    (service,) = desk.get("/v2/catalog").get_json()["services"]
    assert [plan["binding_rotatable"] for plan in service["plans"]] == [True, True]


@pytest.mark.osb(108, 109)
def test_a_predecessor_is_all_that_a_rotation_needs(desk: Desk) -> None:
    """Old and new are valid side by side."""
    rotated(desk)
    old, new = desk.get(BINDING).get_json(), desk.get(NEW).get_json()
    assert old["credentials"] == new["credentials"] == CREDENTIALS
    assert new["parameters"] == old["parameters"] == {"access": "read", "passphrase": "<hidden>"}
    with desk.store.read() as records:
        before, after = records.binding("i1", "b1"), records.binding("i1", "b2")
    assert before is not None
    assert after is not None
    assert (after.binding.service_id, after.binding.plan_id, after.binding.app_guid) == (ADDON_ID, SMALL_ID, "app")
    assert after.binding.parameters == before.binding.parameters
    assert (after.binding.predecessor_id, before.binding.predecessor_id) == ("b1", None)
    assert after.binding.release != before.binding.release


@pytest.mark.osb(99, 108)
def test_a_rotation_may_wait_for_its_credentials(desk: Desk) -> None:
    desk.room.meanwhile = [desk.work]
    answer = rotate(desk, to="")
    assert (answer.status_code, answer.get_json()["credentials"]) == (201, CREDENTIALS)


@pytest.mark.osb(100, 109)
def test_a_rotation_can_be_repeated_also_when_its_predecessor_is_gone(desk: Desk) -> None:
    first, again = rotate(desk), rotate(desk)
    assert (first.status_code, first.get_json()) == (again.status_code, again.get_json())
    desk.work()
    assert rotate(desk).status_code == 200
    desk.delete(BINDING)
    desk.work()
    assert rotate(desk).status_code == 200
    assert rotate(desk, app_guid="app", parameters=BIND["parameters"]).status_code == 200, "what it came to"


@pytest.mark.osb(100, 109)
def test_a_rotation_that_is_under_way_can_be_repeated_when_its_predecessor_is_gone(desk: Desk) -> None:
    begun = rotate(desk).get_json()
    desk.delete(BINDING)
    bind = desk.hand.claim()  # a worker is busy with it, however long that takes
    assert bind is not None
    with desk.store.transaction() as tx:
        tx.drop_binding("i1", "b1")
    again = rotate(desk)
    assert (again.status_code, again.get_json()) == (202, begun)


@pytest.mark.osb(109)
@pytest.mark.parametrize(
    "change",
    [
        {"app_guid": "another"},
        {"parameters": {}},
        {"predecessor_binding_id": "b3"},
        {"predecessor_binding_id": None},
    ],
    ids=str,
)
def test_each_attribute_alone_makes_it_another_binding(desk: Desk, change: dict[str, Any]) -> None:
    rotated(desk)
    desk.bring(BINDING.replace("b1", "b3"), Phase.READY)
    body: dict[str, Any] = {**BIND, "predecessor_binding_id": "b1", **change}
    assert refusal(desk.call("PUT", f"{NEW}{ASYNC}", body)) == CONFLICT


@pytest.mark.osb(109)
def test_a_rotation_is_no_plain_bind_of_the_same_attributes(desk: Desk) -> None:
    assert refusal(rotate(desk, BINDING)) == CONFLICT, "onto itself"
    desk.bring(NEW, Phase.READY)
    assert refusal(rotate(desk)) == CONFLICT


@pytest.mark.osb(108)
def test_what_is_given_wins_over_the_predecessor(desk: Desk) -> None:
    rotated(desk, parameters={"access": "write"}, bind_resource={"app_guid": "new"}, context={"platform": "x"})
    with desk.store.read() as records:
        record = records.binding("i1", "b2")
    assert record is not None
    assert (record.binding.app_guid, record.binding.parameters.reveal()) == ("new", {"access": "write"})
    assert record.binding.context == {"platform": "x"}


@pytest.mark.osb(98, 108)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"service_id": ADDON_ID, "plan_id": SMALL_ID}, None),
        ({"service_id": None, "plan_id": None, "parameters": None, "context": None}, None),
        ({"service_id": "another"}, BAD),
        ({"plan_id": LARGE_ID}, BAD),
        ({"plan_id": "another"}, BAD),
        ({"service_id": ""}, BAD),
        ({"service_id": ["x"]}, BAD),
        ({"parameters": {"access": "dance"}}, (400, "InvalidParameters")),
        ({"parameters": []}, BAD),
        ({"predecessor_binding_id": ["b1"]}, BAD),
        ({"predecessor_binding_id": "x" * 256}, BAD),
        ({"predecessor_binding_id": "unknown"}, BAD),
        ({"predecessor_binding_id": None}, BAD),
        ({"predecessor_binding_id": ""}, BAD),
    ],
    ids=str,
)
def test_what_is_given_may_not_contradict(
    desk: Desk, change: dict[str, Any], expected: tuple[int, str] | None
) -> None:
    answer = rotate(desk, **change)
    assert (answer.status_code == 202) if expected is None else (refusal(answer) == expected)
    assert desk.hand.turn() is (expected is None)


@pytest.mark.osb(108)
def test_the_plan_may_be_the_one_that_the_instance_has_by_now(desk: Desk) -> None:
    with desk.store.engine.begin() as conn:
        conn.execute(sa.text("UPDATE instances SET plan_id = :plan").bindparams(plan=LARGE_ID))
    assert rotate(desk, plan_id=LARGE_ID).status_code == 202
    assert rotate(desk, BINDING.replace("b1", "b3"), plan_id=SMALL_ID).status_code == 202


@pytest.mark.osb(108)
@pytest.mark.parametrize(
    "phase", [None, Phase.MAKING, Phase.MAKE_FAILED, Phase.REMOVING, Phase.REMOVE_FAILED, Phase.GONE]
)
def test_only_valid_credentials_can_be_rotated(desk: Desk, phase: Phase | None) -> None:
    desk.bring(BINDING.replace("b1", "b3"), phase)
    assert refusal(rotate(desk, predecessor_binding_id="b3")) == BAD


@pytest.mark.osb(108)
def test_a_predecessor_is_of_the_same_instance(desk: Desk) -> None:
    desk.bring("/v2/service_instances/i2", Phase.READY)
    assert refusal(rotate(desk, "/v2/service_instances/i2/service_bindings/b2")) == BAD
    assert refusal(rotate(desk, "/v2/service_instances/i3/service_bindings/b2")) == (404, "NotFound")


@pytest.mark.osb(102, 108)
def test_an_instance_that_is_being_removed_is_busy(desk: Desk) -> None:
    desk.delete(INSTANCE)
    assert refusal(rotate(desk)) == BUSY


@pytest.mark.osb(33, 108)
def test_what_is_not_rotatable_is_told(ready: Desk) -> None:
    ready.bring(BINDING, Phase.READY)
    assert refusal(rotate(ready)) == BAD
    assert "binding_rotatable" in rotate(ready).get_json()["description"]


@pytest.mark.osb(103, 104, 105, 110, 111)
def test_a_binding_says_how_long_it_is_valid_and_where(desk: Desk) -> None:
    body = desk.get(BINDING).get_json()
    assert body["endpoints"] == ENDPOINTS
    times = body["metadata"]
    assert set(times) == {"expires_at", "renew_before"}
    for value in times.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\dZ", value)
    expires_at, renew_before = (datetime.fromisoformat(times[name]) for name in ("expires_at", "renew_before"))
    assert (expires_at - renew_before).total_seconds() == pytest.approx(20, abs=0.2)
    repeated = desk.put(BINDING).get_json()
    assert repeated == {"credentials": CREDENTIALS, "metadata": times, "endpoints": ENDPOINTS}


@pytest.mark.osb(104)
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.0Z"),
        (1767225599.98, "2025-12-31T23:59:59.9Z"),
        (951782400.05, "2000-02-29T00:00:00.0Z"),
    ],
)
def test_times_are_never_later_than_they_are(seconds: float, text: str) -> None:
    assert bound(BindingView({}, {}, expires_at=seconds))["metadata"] == {"expires_at": text}


@pytest.mark.osb(103, 104, 105)
def test_what_never_expires_says_nothing_of_it(ready: Desk) -> None:
    ready.bring(BINDING, Phase.READY)
    assert ready.put(BINDING).get_json() == {"credentials": CREDENTIALS}


@pytest.mark.osb(104, 108)
def test_what_has_expired_is_no_longer_handed_out_nor_rotated(desk: Desk) -> None:
    """Also in the seconds before somebody looks."""
    pass_time(desk, 50)
    assert desk.get(BINDING).status_code == 200
    pass_time(desk, 10)
    assert refusal(desk.get(BINDING)) == (404, "NotFound")
    assert refusal(desk.put(BINDING)) == BUSY
    assert refusal(rotate(desk)) == BAD
    assert "expired" in rotate(desk).get_json()["description"]
    assert desk.get(f"{BINDING}/last_operation").get_json()["state"] == "succeeded"
    assert desk.delete(BINDING).status_code == 202


def test_what_has_expired_is_revoked_once(desk: Desk) -> None:
    """By whichever worker looks first."""
    schedule = expiry(desk)
    assert schedule.revoke_due() == 0
    pass_time(desk, 60)
    assert [schedule.revoke_due(), schedule.revoke_due()] == [1, 0]
    assert refusal(desk.put(BINDING)) == BUSY
    desk.work()
    assert [refusal(desk.delete(BINDING))[0], desk.get(BINDING).status_code] == [410, 404]
    pass_time(desk, 10_000)
    assert schedule.revoke_due() == 0
    assert desk.put(BINDING).status_code == 202, "the id can be used again"


def test_a_revocation_that_fails_is_begun_anew_after_a_while(desk: Desk) -> None:
    schedule = expiry(desk)
    pass_time(desk, 60)
    assert schedule.revoke_due() == 1
    desk.work("the server is away")
    assert schedule.revoke_due() == 0
    pass_time(desk, 600)
    assert schedule.revoke_due() == 1
    desk.work()
    assert refusal(desk.delete(BINDING)) == (410, "Gone")


@pytest.mark.parametrize("path", [BINDING, INSTANCE])
def test_what_is_being_removed_anyway_is_left_alone(desk: Desk, path: str) -> None:
    removal = desk.delete(path).get_json()["operation"]
    pass_time(desk, 60)
    assert expiry(desk).revoke_due() == 0
    assert desk.get(f"{path}/last_operation").get_json()["state"] == "in progress"
    desk.hand.run(removal)
    pass_time(desk, 10_000)
    assert expiry(desk).revoke_due() == 0


def test_each_binding_has_a_lifetime_of_its_own(desk: Desk) -> None:
    pass_time(desk, 30)
    rotated(desk)
    pass_time(desk, 30)
    assert expiry(desk).revoke_due() == 1
    assert (desk.get(BINDING).status_code, desk.get(NEW).status_code) == (404, 200)


def test_the_lifetime_is_the_plan_s(desk: Desk) -> None:
    """Plan large has none."""
    desk.call("PUT", f"/v2/service_instances/i2{ASYNC}", {**PROVISION, "plan_id": LARGE_ID})
    desk.work()
    path = "/v2/service_instances/i2/service_bindings/b1"
    desk.put(path, plan_id=LARGE_ID)
    desk.work()
    assert "metadata" not in desk.get(path).get_json()
    assert desk.call("DELETE", f"{path}?{IDS}&accepts_incomplete=true").status_code == 202


def test_the_audit_tells_which_binding_was_replaced(desk: Desk) -> None:
    rotated(desk)
    event = [each.event for each in desk.store.entries() if each.event.action == "bind"][-1]
    assert event.detail["rotates"] == "b1"
