"""What is sent to the controller for a change of config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from helmbroker.controller_bridge.apps.drycc.config import Detach, Post, edit, going_back, leftovers, taking_back
from helmbroker.controller_bridge.apps.drycc.wire import HeldConfig
from helmbroker.controller_bridge.apps.port import CannotRelease, ConfigChange
from tests.unit.drycc.conftest import var

PTYPES = ["web", "worker"]
BOTH = {"web": ["addon_db"], "worker": ["addon_db"]}


def held(*values: dict[str, Any], **refs: Sequence[str]) -> HeldConfig:
    return HeldConfig.model_validate({"uuid": "u", "values": values, "values_refs": refs})


def test_all_of_a_binding_in_one_post_for_all_process_types() -> None:
    sent = edit(held(), ConfigChange({"addon_db": {"DB_URI": "x", "DB_PORT": "1"}}), PTYPES)
    assert sent == Post([var("DB_PORT", "1"), var("DB_URI", "x")], BOTH)


def test_only_what_differs_is_sent() -> None:
    there = held(var("DB_URI", "x"), var("OLD", "1"), web=["addon_db", "own"])
    change = ConfigChange({"addon_db": {"DB_URI": "x", "DB_PORT": "1"}})
    assert edit(there, change, PTYPES) == Post([var("OLD", None), var("DB_PORT", "1")], {"worker": ["addon_db"]})
    same = held(var("DB_URI", "x"), **BOTH)
    assert edit(same, ConfigChange({"addon_db": {"DB_URI": "x"}}), PTYPES) is None


def test_a_process_type_that_came_later_gets_the_group() -> None:
    there = held(var("DB_URI", "x"), **BOTH)
    sent = edit(there, ConfigChange({"addon_db": {"DB_URI": "x"}}), [*PTYPES, "cron"])
    assert sent == Post([], {"cron": ["addon_db"]})


def test_empty_texts_are_left_out() -> None:
    """The controller removes a variable that is there when it gets one."""
    assert edit(held(), ConfigChange({"addon_db": {"A": "", "B": "1"}}), []) == Post([var("B", "1")], {})
    there = held(var("A", "1"), var("B", "1"))
    assert edit(there, ConfigChange({"addon_db": {"A": "", "B": "1"}}), []) == Post([var("A", None)], {})


def test_references_go_first_and_every_process_type_is_named() -> None:
    there = held(var("A", "1"), var("B", "1", "own"), web=["addon_db", "own"], worker=["addon_db"], cron=["own"])
    gone = ConfigChange({"addon_db": None})
    assert edit(there, gone, PTYPES) == Detach({"web": ["addon_db"], "worker": ["addon_db"], "cron": []})
    after = held(var("A", "1"), var("B", "1", "own"), web=["own"], worker=[], cron=["own"])
    assert leftovers(after, ["addon_db"]) == Post([var("A", None)], {})
    assert leftovers(held(var("B", "1", "own"), web=["own"]), ["addon_db"]) is None


def test_set_and_removed_together_is_one_post_and_its_references_go_later() -> None:
    there = held(var("A", "1"), var("C", "1", "addon_old"), web=["addon_db", "addon_old"])
    change = ConfigChange({"addon_db": {"A": "2"}, "addon_old": None, "addon_never": None})
    assert edit(there, change, ["web"]) == Post([var("A", "2"), var("C", None, "addon_old")], {})
    after = held(var("A", "2"), web=["addon_db", "addon_old"], cron=["x"])
    assert leftovers(after, ["addon_never", "addon_old"]) == Detach({"web": ["addon_old"], "cron": []})


@pytest.mark.parametrize("name", ["DB_URI", "db_uri", "Db-Uri"])
@pytest.mark.parametrize("place", [{"group": "global"}, {"group": "own"}, {"ptype": "web"}])
def test_names_that_others_have_are_refused(name: str, place: dict[str, str]) -> None:
    there = held({"name": name, "value": "secret", **place})
    with pytest.raises(CannotRelease, match=f"addon_db and .*{next(iter(place.values()))}.* both set") as caught:
        edit(there, ConfigChange({"addon_db": {"DB_URI": "secret"}}), PTYPES)
    assert "secret" not in str(caught.value)


def test_a_group_of_ours_collides_also_when_it_was_there_first() -> None:
    there = held(var("DB_URI", "1"), var("DB_URI", "2", "global"), web=["addon_db"])
    with pytest.raises(CannotRelease, match="addon_db and global both set DB_URI"):
        edit(there, ConfigChange({"addon_db": {"DB_URI": "3"}}), PTYPES)


def test_what_others_have_among_them_is_theirs() -> None:
    there = held(var("A", "1", "global"), {"name": "A", "value": "2", "ptype": "web"}, var("a", "3", "own"))
    assert edit(there, ConfigChange({"addon_db": {"B": "1"}}), []) == Post([var("B", "1")], {})


def test_back_to_a_config_of_then_with_the_credentials_of_now() -> None:
    now = held(var("A", "new"), var("G", "now", "own"), var("N", "1", "addon_late"), web=["addon_db", "addon_late"])
    then = held(
        var("A", "old"),
        var("G", "then", "own"),
        {"name": "P", "value": "1", "ptype": "web"},
        web=["addon_db", "own"],
    )
    back = going_back(now, then)
    assert back is not None
    assert list(back.values) == [
        var("N", None, "addon_late"),
        var("G", "then", "own"),
        {"name": "P", "value": "1", "ptype": "web"},
    ]
    assert back.refs == {"web": ["own"]}


def test_credentials_of_bindings_that_are_gone_do_not_come_back() -> None:
    assert going_back(held(), held(var("A", "revoked"), web=["addon_db"])) is None


def test_a_reference_that_would_have_to_go_needs_a_rollback() -> None:
    now, then = held(var("G", "1", "own"), web=["own"]), held(var("G", "2", "own"))
    assert going_back(now, then) is None


def test_what_a_change_has_brought_is_taken_away_in_two_requests_and_nothing_else() -> None:
    had, new = var("A", "1"), var("B", "2", "addon_new")
    theirs = {"name": "LEVEL", "value": "debug", "ptype": "web"}
    before = held(had, web=["addon_db"], worker=["addon_db"])
    made = held(had, new, web=["addon_db", "addon_new"], worker=["addon_db"])
    now = held(had, new, theirs, web=["addon_db", "addon_new"], worker=["addon_db"])
    assert taking_back(now, made, before) == Detach({"web": ["addon_new"], "worker": []})
    detached = held(had, new, theirs, web=["addon_db"], worker=["addon_db"])
    assert taking_back(detached, made, before) == Post([var("B", None, "addon_new")], {})
    assert taking_back(held(had, theirs, web=["addon_db"], worker=["addon_db"]), made, before) is None


def test_what_a_change_has_taken_or_replaced_comes_again() -> None:
    before = held(var("A", "1"), var("G", "1", "own"), web=["own", "addon_db"])
    made = held(var("A", "2"), var("G", "1", "own"), web=["own"])
    assert taking_back(made, made, before) == Post([var("A", "1")], {"web": ["addon_db"]})


def test_values_show_nowhere() -> None:
    there = held(var("A", "canary"))
    sent = edit(there, ConfigChange({"addon_db": {"B": "canary"}}), [])
    assert "canary" not in repr(there) + repr(sent)
