"""Parameters that are a plan's own, and addons of other formats, as platforms meet them."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog.load import load
from tests.api.broker.desk import BIND, BINDING, INSTANCE, Desk, recorded
from tests.unit.catalog import foreign_folders
from tests.unit.catalog.folders import FILES, LARGE_ID, SMALL_ID, write
from tests.unit.catalog.foreign_folders import DRYCC, DRYCC_ID, DRYCC_LARGE_ID, DRYCC_SMALL_ID, edited

MakeDesk = Callable[[], Desk]
NARROW = """\
parameters:
  create:
    $schema: http://json-schema.org/draft-04/schema#
    type: object
    additionalProperties: false
    properties:
      replicas: {type: integer, minimum: 1, maximum: 1}
  bind:
    $schema: http://json-schema.org/draft-04/schema#
    type: object
    additionalProperties: false
"""
GIVEN = {"auth.password": "c4n4ry", "service": {"type": "ClusterIP"}}
RECORDED: dict[str, Any] = {"auth": {"password": "c4n4ry"}, "service": {"type": "ClusterIP"}}
MYSQL = {"service_id": DRYCC_ID, "plan_id": DRYCC_SMALL_ID}


@pytest.fixture
def desk(tmp_path: Path, data: Path) -> Iterator[Desk]:
    """A broker with `demo`, whose small plan has parameters of its own, and `mysql-8.0` of Drycc's format."""
    write(tmp_path / "addons/demo", {"plans/small.yaml": FILES["plans/small.yaml"] + NARROW})
    unbindable = edited(DRYCC, "plans/standard-20/meta.yaml", "bindable: true", "bindable: false")
    foreign_folders.write(tmp_path / "addons/mysql", DRYCC, unbindable)
    catalog = load([tmp_path / "addons"])
    made = Desk(data, catalog)
    made.store.keep(catalog)
    yield made
    made.store.close()


def refused(answer: Any, beginning: str) -> None:
    body = answer.get_json()
    assert (answer.status_code, body["error"]) == (400, "InvalidParameters")
    assert body["description"].startswith(beginning)
    assert "c4n4ry" not in answer.text


@pytest.mark.osb(36, 43)
def test_each_plan_has_its_limits_and_says_them_in_the_catalog(desk: Desk) -> None:
    services = desk.get("/v2/catalog").get_json()["services"]
    published = {plan["name"]: plan["schemas"] for plan in services[0]["plans"]}
    assert set(published["small"]["service_instance"]["create"]["parameters"]["properties"]) == {"replicas"}
    assert "admin" in published["large"]["service_instance"]["create"]["parameters"]["properties"]
    assert set(published["small"]["service_instance"]) == {"create", "update"}, (
        "what it does not say is the addon's"
    )
    refused(desk.put(plan_id=SMALL_ID, parameters={"replicas": 2}), "replicas: is too large: maximum is 1")
    refused(desk.put(plan_id=SMALL_ID, parameters={"size": "2Gi"}), "parameters: unknown 'size'; allowed: replicas")
    assert desk.put(plan_id=LARGE_ID, parameters={"replicas": 2, "size": "2Gi"}).status_code == 202


@pytest.mark.osb(66)
def test_a_plan_change_needs_parameters_that_the_new_plan_takes(desk: Desk) -> None:
    assert desk.put(plan_id=LARGE_ID, parameters={"replicas": 2}).status_code == 202
    desk.work()
    refused(desk.patch(plan_id=SMALL_ID), "replicas: is too large: maximum is 1")
    assert desk.patch(plan_id=SMALL_ID, parameters={"replicas": None}).status_code == 202
    desk.work()
    assert recorded(desk).instance.plan_id == SMALL_ID


def test_a_binding_takes_what_the_instances_own_plan_takes(desk: Desk) -> None:
    assert desk.put(plan_id=SMALL_ID, parameters={}).status_code == 202
    desk.work()
    refused(
        desk.put(BINDING, {**BIND, "parameters": {"access": "read"}}),
        "parameters: unknown 'access'; allowed: nothing",
    )
    assert desk.put(BINDING, {**BIND, "plan_id": LARGE_ID, "parameters": {}}).status_code == 202


@pytest.mark.osb(44, 49)
@pytest.mark.bug(46, 47, 48, 49, 58)
def test_keys_with_dots_are_what_they_mean(desk: Desk) -> None:
    assert desk.put(**MYSQL, parameters=GIVEN).status_code == 202
    assert recorded(desk).instance.parameters.reveal() == RECORDED
    again = desk.put(**MYSQL, parameters=RECORDED)
    assert again.status_code == 202, "the same, written in another way"
    desk.work()
    raw = base64.b64encode(b"service: {type: NodePort}\n").decode()
    assert (
        desk.patch(service_id=DRYCC_ID, parameters={"rawValues": raw, "auth.password": "other"}).status_code == 202
    )
    desk.work()
    assert recorded(desk).instance.parameters.reveal() == {
        "auth": {"password": "other"},
        "service": {"type": "NodePort"},
    }


REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "two ways": (
        {"auth.password": "c4n4ry", "auth": "c4n4ry"},
        "auth.password: is given twice",
        "auth.password: is given twice",
    ),
    "another key": (
        {"auth.password": "c4n4ry", "image": "c4n4ry"},
        "parameters: unknown 'image'; allowed: auth, primary, service",
        "image: cannot be changed after creation",
    ),
    "B48 a comma": (
        {"auth.password": "c4n4ry", "auth.password,global.evil": "1"},
        "auth: unknown 'password,global'",
        "auth.password,global: cannot be changed after creation",
    ),
    "B49 an empty map": (
        {"auth.password": "c4n4ry", "securityContext": {}},
        "parameters: unknown 'securityContext'",
        "securityContext: cannot be changed after creation",
    ),
    "B58 no base64": (
        {"auth.password": "c4n4ry", "rawValues": "c4n4ry!"},
        "rawValues: is no base64",
        "rawValues: is no base64",
    ),
    "B46 something required": ({"service.type": "c4n4ry"}, "parameters: missing: auth", None),
    "B46 nothing at all": ({}, "parameters: missing: auth", None),
}


@pytest.mark.bug(46, 48, 49, 58)
@pytest.mark.parametrize(("given", "at_first", "later"), REFUSED.values(), ids=REFUSED)
def test_what_the_allow_list_does_not_name_is_refused(
    desk: Desk, given: dict[str, Any], at_first: str, later: str | None
) -> None:
    """What is required, only at first."""
    refused(desk.put(**MYSQL, parameters=given), at_first)
    assert desk.put(**MYSQL, parameters=GIVEN).status_code == 202
    desk.work()
    answer = desk.patch(service_id=DRYCC_ID, parameters=given)
    if later is None:
        assert answer.status_code in (200, 202)
    else:
        refused(answer, later)


@pytest.mark.osb(63)
def test_parameters_that_may_be_secret_are_not_shown(desk: Desk) -> None:
    desk.put(**MYSQL, parameters=GIVEN)
    desk.work()
    shown = desk.get(INSTANCE).get_json()["parameters"]
    assert shown == {"auth": {"password": "<hidden>"}, "service": {"type": "<hidden>"}}


@pytest.mark.bug(71)
def test_a_plan_that_cannot_be_bound_is_not(desk: Desk) -> None:
    desk.put(**{**MYSQL, "plan_id": DRYCC_LARGE_ID}, parameters=GIVEN)
    desk.work()
    answer = desk.put(BINDING, {**BIND, **MYSQL})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "BadRequest")


@pytest.mark.osb(28)
@pytest.mark.bug(68)
def test_an_addon_that_is_archived_takes_no_new_instances_and_keeps_the_old_ones(
    desk: Desk, tmp_path: Path
) -> None:
    assert desk.put(**MYSQL, parameters=GIVEN).status_code == 202
    desk.work()
    shutil.rmtree(tmp_path / "addons/mysql")
    archived = edited(DRYCC, "meta.yaml", "bindable: true", "bindable: true\narchive: true")
    foreign_folders.write(tmp_path / "addons/mysql", DRYCC, archived)
    later = Desk(desk.folder, load([tmp_path / "addons"]))
    assert [service["name"] for service in later.get("/v2/catalog").get_json()["services"]] == ["demo"]
    assert later.put(INSTANCE.replace("i1", "i2"), None, **MYSQL, parameters=GIVEN).status_code == 400
    assert later.put(**MYSQL, parameters=GIVEN).status_code == 200
    assert later.patch(service_id=DRYCC_ID, parameters={"service.type": "NodePort"}).status_code == 202
    later.work()
    assert later.delete().status_code == 202
    later.store.close()
