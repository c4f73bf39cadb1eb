"""The order of checks (OSB 1.12), and what the state matrix does not say."""

from __future__ import annotations

import pytest

from helmbroker.broker.domain.operation import Phase
from tests.api.broker.conftest import PLAIN_ID, PLAIN_PLAN_ID
from tests.api.broker.desk import ASYNC, BINDING, CREDENTIALS, IDS, INSTANCE, PROVISION, Desk, refusal

MAKING, READY = Phase.MAKING, Phase.READY
MAKE_FAILED = Phase.MAKE_FAILED
CONFLICT, NOT_FOUND, GONE_410 = (409, "Conflict"), (404, "NotFound"), (410, "Gone")
BUSY = (422, "ConcurrencyError")

Answer = tuple[int, str]


@pytest.mark.osb(85, 116)
@pytest.mark.parametrize("phase", [None, MAKING, READY, MAKE_FAILED])
def test_bindings_of_an_instance_that_is_gone_are_gone(ready: Desk, phase: Phase | None) -> None:
    ready.bring(BINDING, phase)
    ready.delete()
    ready.work()
    assert [refusal(ready.delete(BINDING)), refusal(ready.get(BINDING))] == [GONE_410, NOT_FOUND]
    assert refusal(ready.get(f"{BINDING}/last_operation")) == NOT_FOUND


@pytest.mark.osb(112)
@pytest.mark.bug(23)
def test_bindings_go_with_their_instance(ready: Desk) -> None:
    """What is being revoked is not handed out."""
    ready.bring(BINDING, READY)
    ready.delete()
    assert [refusal(ready.delete(BINDING)), refusal(ready.get(BINDING))] == [BUSY, NOT_FOUND]


def test_a_binding_can_be_deleted_after_the_instance_could_not(ready: Desk) -> None:
    ready.bring(BINDING, READY)
    ready.delete()
    ready.work("because")
    assert ready.delete(BINDING).status_code == 202


@pytest.mark.bug(74)
def test_the_order_of_checks_of_a_provision(ready: Desk) -> None:
    """Each step mends the first thing that is wrong: the next one is told."""
    body: dict[str, object] = {
        **PROVISION,
        "maintenance_info": {"version": "1.0.0"},
        "service_id": "x",
        "plan_id": "x",
    }
    body["parameters"] = {"x": 1}
    headers: dict[str, str | None] = {
        "Authorization": None,
        "X-Broker-API-Version": None,
        "X-Broker-API-Originating-Identity": "x",
    }

    def told(path: str = INSTANCE, query: str = "") -> Answer:
        return refusal(ready.call("PUT", f"{path}{query}", body or b"[", headers))

    sent, body = body, {}
    assert told() == (401, "Unauthorized")
    del headers["Authorization"]
    headers["X-Broker-API-Version"] = "3.0"
    assert told() == (412, "UnsupportedVersion")
    del headers["X-Broker-API-Version"]
    assert "Originating" in ready.call("PUT", INSTANCE, b"[", headers).get_json()["description"]
    headers.clear()
    assert told() == (400, "BadRequest")
    body = sent
    assert told() == (400, "BadRequest")
    body |= {"service_id": PROVISION["service_id"], "plan_id": PROVISION["plan_id"]}
    assert told() == (400, "InvalidParameters")
    body["parameters"] = {}
    assert told() == (422, "AsyncRequired")
    assert told(query=ASYNC) == CONFLICT
    assert told("/v2/service_instances/new", ASYNC) == (422, "MaintenanceInfoConflict")
    del body["maintenance_info"]
    assert ready.call("PUT", f"/v2/service_instances/new{ASYNC}", body, headers).status_code == 202


def test_the_order_of_checks_of_a_bind(desk: Desk) -> None:
    body: dict[str, object] = {"service_id": "x", "plan_id": "x", "parameters": {"x": 1}}
    assert refusal(desk.call("PUT", BINDING, body)) == (400, "BadRequest")
    body |= {"service_id": PROVISION["service_id"], "plan_id": PROVISION["plan_id"]}
    assert refusal(desk.call("PUT", BINDING, body)) == (400, "InvalidParameters")
    body["parameters"] = {}
    assert refusal(desk.call("PUT", BINDING, body)) == NOT_FOUND
    assert refusal(desk.call("PUT", f"{BINDING}{ASYNC}", body)) == NOT_FOUND


@pytest.mark.osb(98, 107)
def test_a_bind_names_the_offering_of_its_instance_and_one_that_can_be_bound(ready: Desk) -> None:
    plain = {"service_id": PLAIN_ID, "plan_id": PLAIN_PLAN_ID}
    assert refusal(ready.put(BINDING, **plain)) == (400, "BadRequest"), "another offering"
    assert refusal(ready.put(BINDING, plan_id=PLAIN_PLAN_ID)) == (400, "BadRequest"), "a plan of another one"
    assert refusal(ready.put(BINDING, plan_id="x")) == (400, "BadRequest"), "no plan at all"
    other = "/v2/service_instances/i2"
    assert ready.put(other, **plain, parameters={}).status_code == 202
    answer = ready.put(f"{other}/service_bindings/b1", **plain, parameters={})
    assert refusal(answer) == (400, "BadRequest")
    assert answer.get_json()["description"] == "plain cannot be bound; the catalog says so (bindable)."


@pytest.mark.osb(81, 114)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (400, "BadRequest")),
        (IDS, (422, "AsyncRequired")),
        (f"{IDS}&accepts_incomplete=true", GONE_410),
    ],
    ids=["nothing given", "no flag", "all given"],
)
def test_the_order_of_checks_of_a_deprovision(desk: Desk, query: str, expected: Answer) -> None:
    """Ids, then the flag, then existence."""
    assert refusal(desk.call("DELETE", f"{INSTANCE}?{query}")) == expected


@pytest.mark.osb(114)
@pytest.mark.bug(24)
def test_the_order_of_checks_of_an_unbind(ready: Desk) -> None:
    """Existence, then ids, then the flag."""
    assert refusal(ready.call("DELETE", BINDING)) == GONE_410
    ready.bring(BINDING, READY)
    ready.delete()  # the instance is busy, but that is told last
    assert refusal(ready.call("DELETE", BINDING)) == (400, "BadRequest")
    assert refusal(ready.call("DELETE", f"{BINDING}?{IDS}&accepts_incomplete=x")) == (400, "BadRequest")
    assert refusal(ready.call("DELETE", f"{BINDING}?{IDS}")) == BUSY
    assert refusal(ready.call("DELETE", f"{BINDING}{ASYNC}&{IDS}")) == BUSY


@pytest.mark.osb(99, 100, 103, 110, 111)
@pytest.mark.bug(22, 23)
def test_credentials_are_where_they_belong_and_nowhere_else(ready: Desk) -> None:
    assert "credentials" not in ready.put(BINDING).get_json()
    assert "credentials" not in ready.put(BINDING).get_json()  # the same, still in progress
    ready.work()
    poll = ready.get(f"{BINDING}/last_operation").get_json()
    assert poll == {"state": "succeeded", "description": "done"}
    assert ready.put(BINDING).get_json() == {"credentials": CREDENTIALS}
    assert ready.get(BINDING).get_json() == {
        "credentials": CREDENTIALS,
        "parameters": {"access": "read", "passphrase": "<hidden>"},
    }
    assert ready.get(BINDING).headers["Cache-Control"] == "no-store"
    assert "credentials" not in ready.delete(BINDING).get_json()


@pytest.mark.bug(20)
def test_bindings_are_independent(ready: Desk) -> None:
    other = BINDING.replace("b1", "b2")
    ready.bring(BINDING, READY)
    ready.bring(other, READY)
    ready.delete(BINDING)
    ready.work()
    assert ready.get(BINDING).status_code == 404
    assert ready.get(other).get_json()["credentials"] == CREDENTIALS


@pytest.mark.osb(59, 63)
@pytest.mark.bug(69)
def test_an_instance_is_told_without_its_secrets(ready: Desk) -> None:
    assert ready.get(INSTANCE).get_json() == {
        "service_id": PROVISION["service_id"],
        "plan_id": PROVISION["plan_id"],
        "parameters": {"size": "1Gi", "admin": {"password": "<hidden>"}},
        "maintenance_info": {"version": "1.2.3"},
    }


@pytest.mark.osb(51, 53, 103)
def test_what_we_do_not_have_is_never_named(desk: Desk) -> None:
    """No dashboard, no metadata of instances; and a binding has no operation once it is there."""
    told = [desk.put()]
    desk.work()
    told += [desk.put(), desk.get(INSTANCE), desk.put(BINDING)]
    desk.work()
    named = [set(response.get_json()) for response in told]
    assert not any(names & {"dashboard_url", "metadata"} for names in named)
    for response in (desk.put(BINDING), desk.get(BINDING)):
        assert "operation" not in response.get_json()
        assert not response.get_json().keys() & {"syslog_drain_url", "route_service_url", "volume_mounts"}


@pytest.mark.osb(64, 94)
def test_hints_in_the_query_of_a_fetch_change_nothing(ready: Desk) -> None:
    for path in (INSTANCE, f"{INSTANCE}/last_operation"):
        assert ready.get(f"{path}?service_id=x&plan_id=y").get_json() == ready.get(path).get_json()
