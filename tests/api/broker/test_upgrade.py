"""Revisions and plans: what an instance may be moved to (OSB items 71, 72)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog.load import load
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import ASYNC, INSTANCE, Desk, recorded, refusal
from tests.unit.catalog.folders import ADDON_ID, FILES, LARGE_ID, SMALL_ID, write

EXTRA_ID = "aaaaaaaa-0000-4000-8000-000000000004"
NEW: dict[str, Any] = {"maintenance_info": {"version": "2.0.0"}}
OLD: dict[str, Any] = {"maintenance_info": {"version": "1.2.3"}}


@contextmanager
def offering(desk: Desk, newer: Path, version: str, change: dict[str, str | None] | None = None) -> Iterator[Desk]:
    """The same broker after a restart with another revision of the addon in its catalog."""
    text = FILES["addon.yaml"].replace('version: "1.2.3"', f'version: "{version}"')
    extra = FILES["plans/small.yaml"].replace(SMALL_ID, EXTRA_ID).replace("name: small", "name: extra")
    write(newer, {"addon.yaml": text, "plans/extra.yaml": extra, **(change or {})})
    catalog = load([newer.parent])
    assert catalog.quarantined == {}
    restarted = Desk(desk.folder, catalog, url=desk.url)
    restarted.store.keep(catalog)
    try:
        yield restarted
    finally:
        restarted.store.close()


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return tmp_path / "newer" / "demo"


def unsupported(desk: Desk, **change: Any) -> tuple[int, str, str]:
    """A refusal that says that the same can never be repeated with hope."""
    answer = desk.patch(**change)
    body = answer.get_json()
    assert set(body) == {"error", "description", "update_repeatable"}
    assert body["update_repeatable"] is False
    assert not desk.hand.turn()
    return answer.status_code, body["error"], body["description"]


@pytest.mark.osb(13, 32, 71)
@pytest.mark.bug(71)
def test_a_plan_change_that_the_addon_does_not_allow(ready: Desk, newer: Path) -> None:
    """Parameters can be changed all the same."""
    with offering(
        ready, newer, "1.2.3", {"plans/small.yaml": FILES["plans/small.yaml"] + "updates_to: []\n"}
    ) as desk:
        assert desk.call("DELETE", f"{INSTANCE}{ASYNC}&service_id=x&plan_id=y").status_code == 202
        desk.work()
        desk.put()
        desk.work()
        assert unsupported(desk, plan_id=LARGE_ID) == (
            422,
            "PlanChangeNotSupported",
            "demo cannot change from plan small to plan large; possible from there: no other plan.",
        )
        plans = desk.get("/v2/catalog").get_json()["services"][0]["plans"]
        assert {plan["name"]: plan["plan_updateable"] for plan in plans} == {
            "extra": True,
            "large": True,
            "small": False,
        }
        assert desk.patch(parameters={"replicas": 2}).status_code == 202
        desk.work()
        assert desk.patch(plan_id=SMALL_ID, parameters={"replicas": 3}).status_code == 202


@pytest.mark.osb(35, 63, 72)
@pytest.mark.bug(41)
def test_an_upgrade_by_maintenance_info_alone(ready: Desk, newer: Path) -> None:
    """The instance runs what it has pinned until it is upgraded, and says so."""
    pinned = recorded(ready).instance.addon_digest
    with offering(ready, newer, "2.0.0") as desk:
        plans = desk.get("/v2/catalog").get_json()["services"][0]["plans"]
        assert all(plan["maintenance_info"] == {"version": "2.0.0"} for plan in plans)
        assert desk.get(INSTANCE).get_json()["maintenance_info"] == {"version": "1.2.3"}
        assert desk.patch(parameters={"replicas": 2}).status_code == 202
        desk.work()
        assert recorded(desk).instance.addon_digest == pinned
        operation = desk.patch(**NEW).get_json()["operation"]
        assert desk.patch(**NEW).get_json()["operation"] == operation
        assert refusal(desk.patch()) == (422, "ConcurrencyError")
        desk.work()
        assert desk.get(INSTANCE).get_json()["maintenance_info"] == {"version": "2.0.0"}
        assert recorded(desk).instance.addon_digest != pinned
        assert desk.patch(**NEW).status_code == 200


@pytest.mark.osb(50, 72)
@pytest.mark.parametrize("change", [{}, {"plan_id": LARGE_ID}, {"parameters": {"replicas": 2}}], ids=str)
@pytest.mark.parametrize("version", ["1.2.4", "1.2", "1.2.3+build"])
def test_another_version_than_that_of_the_catalog_is_a_conflict(
    ready: Desk, version: str, change: dict[str, Any]
) -> None:
    info: dict[str, Any] = {"maintenance_info": {"version": version}}
    assert refusal(ready.patch(**info, **change)) == (422, "MaintenanceInfoConflict")
    assert refusal(ready.put("/v2/service_instances/new", **info)) == (422, "MaintenanceInfoConflict")
    assert not ready.hand.turn()


@pytest.mark.osb(50)
def test_a_provision_with_the_version_of_the_catalog(desk: Desk) -> None:
    assert desk.put(**OLD).status_code == 202


@pytest.mark.osb(71, 72)
def test_nothing_goes_back_to_an_older_version(ready: Desk, newer: Path) -> None:
    with offering(ready, newer, "1.2.2") as desk:
        status, word, text = unsupported(desk, maintenance_info={"version": "1.2.2"})
        assert (status, word) == (422, "UpdateNotSupported")
        assert text == (
            "The service instance runs version 1.2.3, which is newer than 1.2.2 of the catalog; it cannot go back. "
            "Leave maintenance_info out."
        )
        assert desk.patch(parameters={"replicas": 2}).status_code == 202


@pytest.mark.osb(71, 72)
def test_a_plan_of_a_newer_version_comes_with_the_upgrade(ready: Desk, newer: Path) -> None:
    with offering(ready, newer, "2.0.0") as desk:
        status, word, text = unsupported(desk, plan_id=EXTRA_ID)
        assert (status, word) == (422, "UpdateNotSupported")
        assert text.startswith(
            "This plan is not part of version 1.2.3, which the service instance runs. Upgrade it"
        )
        assert desk.patch(plan_id=EXTRA_ID, **NEW).status_code == 202
        desk.work()
        assert desk.get(INSTANCE).get_json()["plan_id"] == EXTRA_ID


@pytest.mark.osb(28, 72)
@pytest.mark.bug(68)
def test_an_instance_of_a_retired_plan_or_offering_can_be_updated(ready: Desk, newer: Path) -> None:
    with offering(ready, newer, "2.0.0", {"plans/small.yaml": None}) as desk:
        assert refusal(desk.patch(**NEW)) == (422, "MaintenanceInfoConflict")
        assert desk.patch(parameters={"replicas": 2}).status_code == 202
        desk.work()
        assert desk.patch(plan_id=LARGE_ID, **NEW).status_code == 202
        desk.work()
        assert desk.get(INSTANCE).get_json()["plan_id"] == LARGE_ID
    empty = Desk(ready.folder, Catalog(), url=ready.url)
    assert empty.patch(parameters={"replicas": 3}).status_code == 202
    empty.store.close()


@pytest.mark.osb(43, 72)
def test_an_upgrade_is_refused_while_a_parameter_does_not_fit(ready: Desk, newer: Path) -> None:
    """What was valid once is looked at again: the new chart would get it."""
    text = FILES["addon.yaml"].replace('version: "1.2.3"', 'version: "2.0.0"')
    with offering(ready, newer, "2.0.0", {"addon.yaml": text.replace("^[1-9]Gi$", "^[2-9]Gi$")}) as desk:
        answer = desk.patch(**NEW)
        assert refusal(answer) == (400, "InvalidParameters")
        assert answer.get_json()["description"].startswith("size: ")
        assert not desk.hand.turn()


@pytest.mark.osb(13)
@pytest.mark.parametrize(("version", "told"), [("2.15", False), ("2.16", True)])
def test_older_callers_get_an_error_without_the_fields_of_later_versions(
    ready: Desk, newer: Path, version: str, told: bool
) -> None:
    with offering(ready, newer, "1.2.2") as desk:
        body = {"service_id": ADDON_ID, "maintenance_info": {"version": "1.2.2"}}
        answer = desk.call("PATCH", f"{INSTANCE}{ASYNC}", body, {"X-Broker-API-Version": version})
        assert answer.status_code == 422
        assert ("update_repeatable" in answer.get_json()) is told
