"""The controller for tests follows what is known of the real one: config (reference: Drycc, section 3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.drycc.conftest import Seat, var


def test_the_keys_of_a_config(seat: Seat) -> None:
    """There is no version of a release among them."""
    assert set(seat.config()) == {
        "uuid",
        "app",
        "values",
        "values_refs",
        "limits",
        "lifecycle",
        "tags",
        "registry",
        "healthcheck",
        "termination_grace_period",
        "created",
        "updated",
    }


def test_a_post_is_a_release_with_the_config(seat: Seat) -> None:
    answer = seat.set(var("A", "1"), refs={"web": ["addon_db"]})
    assert answer.status_code == 201
    newest = seat("GET", "/v2/apps/shop/releases/?limit=1").json()["results"][0]
    assert (newest["version"], newest["config"], newest["state"]) == (3, answer.json()["uuid"], "created")


def test_of_the_newest_release_that_has_not_failed_or_of_one(seat: Seat) -> None:
    seat.set(var("BREAK", "it"), refs={"web": ["addon_db"]})
    seat.rules.work("shop")
    assert seat.states()[0] == (3, "crashed")
    assert seat.config()["values"] == []
    assert seat.config(version="v3")["values"] == [var("BREAK", "it")]


@pytest.mark.parametrize(
    "item",
    [
        {"name": "A", "value": 1, "group": "g"},
        {"name": "A", "value": True, "group": "g"},
        {"name": "A", "value": "s3cr3t"},
        {"name": "A", "value": "s3cr3t", "group": "g", "ptype": "web"},
        {"name": "A", "value": "s3cr3t", "group": "g", "more": 1},
        {"name": "A B", "value": "s3cr3t", "group": "g"},
        {"name": "A", "value": "s3cr3t", "group": "g/h"},
    ],
)
def test_items_that_cannot_be_come_back_with_their_values(seat: Seat, item: dict[str, Any]) -> None:
    answer = seat.set(item)
    assert answer.status_code == 400
    assert str(item["value"]) in answer.text
    assert seat.states()[0][0] == 2


@pytest.mark.parametrize("name", ["lower", "1ST", "WITH-HYPHEN", "WITH.DOT"])
def test_names_that_pass(seat: Seat, name: str) -> None:
    assert seat.set(var(name, "1")).status_code == 201


def test_global_then_groups_then_the_process_type(seat: Seat) -> None:
    seat.set(
        var("A", "global", "global"),
        var("B", "global", "global"),
        var("B", "group"),
        var("C", "group"),
        {"name": "C", "value": "own", "ptype": "web"},
        refs={"web": ["addon_db"]},
    )
    seat.rules.work("shop")
    app = seat.rules.apps["shop"]
    assert app.environment("web") == {"A": "global", "B": "group", "C": "own"}
    assert app.environment("worker") == {"A": "global", "B": "global"}


def test_a_group_without_a_reference_reaches_nobody(seat: Seat) -> None:
    seat.set(var("A", "1"))
    seat.rules.work("shop")
    assert seat.rules.apps["shop"].environment("web") == {}


def test_new_replaces_and_null_removes(seat: Seat) -> None:
    seat.set(var("A", "1"), var("B", "1"), var("A", "1", "other"))
    seat.rules.work("shop")
    assert seat.set(var("A", "2"), var("B", None), var("NEVER", None)).status_code == 201
    assert sorted(seat.config()["values"], key=str) == [var("A", "1", "other"), var("A", "2")]


def test_an_empty_text_removes_what_is_there_and_is_stored_where_nothing_is(seat: Seat) -> None:
    seat.set(var("A", "1"), var("B", ""))
    assert seat.config()["values"] == [var("A", "1"), var("B", "")]
    seat.rules.work("shop")
    seat.set(var("A", ""), var("B", ""))
    assert seat.config()["values"] == []


def test_references_are_appended_and_an_empty_list_removes_all(seat: Seat) -> None:
    seat.set(refs={"web": ["a"]})
    seat.rules.work("shop")
    seat.set(refs={"web": ["b", "a"], "worker": ["c"]})
    assert seat.config()["values_refs"] == {"web": ["a", "b"], "worker": ["c"]}
    seat.rules.work("shop")
    seat.set(refs={"web": []})
    assert seat.config()["values_refs"] == {"web": [], "worker": ["c"]}
    seat.rules.work("shop")
    assert seat.set(refs={"web": []}).status_code == 422


def test_without_merge_whole_groups_are_replaced_also_on_a_row_that_was_rolled_back(seat: Seat) -> None:
    seat.set(var("A", "1"), var("B", "1"), var("C", "1", "other"))
    seat.rules.work("shop")
    seat.rules.roll_back("shop", 2, "ann")
    seat.rules.work("shop")
    body = {"values": [var("A", "2")]}
    assert seat("POST", "/v2/apps/shop/config/?merge=false", body).status_code == 201
    assert seat.config()["values"] == [var("C", "1", "other"), var("A", "2")]


def test_delete_detaches_and_keeps_the_others(seat: Seat) -> None:
    seat.set(var("A", "1"), refs={"web": ["a", "b"], "worker": ["a"]})
    seat.rules.work("shop")
    answer = seat("DELETE", "/v2/apps/shop/config/", {"values_refs": {"web": ["a"]}})
    assert answer.status_code == 200
    assert seat.config()["values_refs"] == {"web": ["b"], "worker": ["a"]}
    assert seat.config()["values"] == [var("A", "1")]


def test_delete_of_v1_13_1_wipes_who_is_not_named(seat: Seat) -> None:
    seat.rules.wipes_refs = True
    seat.set(refs={"web": ["a", "b"], "worker": ["a"], "cron": ["a"]})
    seat.rules.work("shop")
    seat("DELETE", "/v2/apps/shop/config/", {"values_refs": {"web": ["a"], "worker": []}})
    assert seat.config()["values_refs"] == {"web": ["b"], "worker": ["a"]}


def test_what_changes_nothing_is_a_conflict(seat: Seat) -> None:
    seat.set(var("A", "1"))
    seat.rules.work("shop")
    answer = seat.set(var("A", "1"))
    assert (answer.status_code, answer.json()) == (409, {"detail": "myteam changed nothing - release stopped"})
    assert seat.states()[0][0] == 3


def test_the_next_change_does_not_start_from_a_failed_release(seat: Seat) -> None:
    """So the credentials of a crashed release are lost."""
    seat.set(var("A", "1"), var("BREAK", "it"), refs={"web": ["addon_db"]})
    seat.rules.work("shop")
    seat.rules.push("shop", {"web": "shop:2", "worker": "shop:2"})
    seat.rules.work("shop")
    assert seat.states()[:2] == [(4, "succeed"), (3, "crashed")]
    assert seat.config()["values"] == []


def test_names_that_differ_in_letters_and_hyphens_share_a_value(seat: Seat) -> None:
    seat.set(var("DB_HOST", "1"), var("db_host", "2"), var("DB-HOST", "3"), refs={"web": ["addon_db"]})
    seat.rules.work("shop")
    environment = seat.rules.apps["shop"].environment("web")
    assert (set(environment), len(set(environment.values()))) == ({"DB_HOST", "db_host", "DB-HOST"}, 1)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_other_methods(seat: Seat, method: str) -> None:
    assert seat(method, "/v2/apps/shop/config/", {}).status_code == 405
