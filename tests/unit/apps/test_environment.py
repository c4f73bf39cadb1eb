"""Config groups and the environment they make."""

from __future__ import annotations

import pytest

from helmbroker.controller_bridge.apps.environment import (
    MAX_BYTES,
    attached,
    blotted,
    changed,
    check_not_hidden,
    environment,
    environment_of,
)
from helmbroker.controller_bridge.apps.port import CannotRelease, ConfigChange

DB = {"DATABASE_URL": "postgres://shop:p%40ssw0rd@db:5432/shop", "DATABASE_PASSWORD": "p@ssw0rd"}


def test_a_change_leaves_the_old_config_alone() -> None:
    before = {"addon_db": {"A": "1"}, "addon_cache": {"B": "2"}}
    after = changed(before, ConfigChange({"addon_db": {"C": "3"}, "addon_cache": None, "addon_none": None}))
    assert after == {"addon_db": {"C": "3"}}
    assert before == {"addon_db": {"A": "1"}, "addon_cache": {"B": "2"}}


def test_groups_make_one_environment() -> None:
    assert environment({"b": {"Y": "2"}, "a": {"X": "1"}, "c": {}}) == {"X": "1", "Y": "2"}


def test_a_collision_names_both_groups() -> None:
    with pytest.raises(CannotRelease, match="config groups addon_a and addon_b both set HOST: rename one of them"):
        changed({"addon_b": {"HOST": "1"}}, ConfigChange({"addon_a": {"HOST": "2"}}))


def test_a_group_may_replace_its_own_variables() -> None:
    assert changed({"a": {"HOST": "1"}}, ConfigChange({"a": {"HOST": "2"}})) == {"a": {"HOST": "2"}}


def test_the_size_has_a_bound() -> None:
    fits = {"a": {"X": "x" * (MAX_BYTES - 1)}}
    assert changed({}, ConfigChange(fits)) == fits
    with pytest.raises(CannotRelease, match=f"{MAX_BYTES + 1} bytes; an app can have {MAX_BYTES}"):
        changed({}, ConfigChange({"a": {"X": "x" * MAX_BYTES}}))


def test_a_variable_the_app_sets_itself_is_not_hidden_silently() -> None:
    change = ConfigChange({"addon_db": {"HOST": "1"}, "addon_gone": None})
    check_not_hidden("web", ["PORT", "HOST_NAME"], change)
    with pytest.raises(CannotRelease, match=r"process type web sets HOST itself, .* addon_db: remove it"):
        check_not_hidden("web", ["PORT", "HOST"], change)


def test_values_become_the_names_of_their_variables() -> None:
    said = "cannot reach postgres://shop:p%40ssw0rd@db:5432/shop: p@ssw0rd or p%40ssw0rd refused by db"
    assert blotted(said, {"addon_db": DB}) == (
        "cannot reach $DATABASE_URL: $DATABASE_PASSWORD or $DATABASE_URL refused by db"
    )


def test_short_values_and_odd_urls_do_not_spoil_the_sentence() -> None:
    config = {"a": {"DEBUG": "1", "ODD": "http://[::1"}}
    assert blotted("exit code 1 of http://[::1 it", config) == "exit code 1 of $ODD it"


def test_a_change_shows_names_only() -> None:
    assert repr(ConfigChange({"addon_db": DB, "addon_cache": None})) == "ConfigChange(addon_cache, addon_db)"


def test_who_gets_a_group_stays_until_somebody_says_otherwise() -> None:
    before = {"queue": ["worker"], "ptype:web": ["web"]}
    assert attached(before, ConfigChange({"queue": {"A": "1"}, "mail": {"B": "2"}})) == before
    change = ConfigChange(
        {"queue": None, "ptype:clock": {"A": "1"}}, {"mail": ["web", "clock", "web"], "all": None}
    )
    after = {"ptype:web": ["web"], "ptype:clock": ["clock"], "mail": ["clock", "web"]}
    assert attached({**before, "all": ["web"]}, change) == after
    assert attached({}, ConfigChange({}, {"global": ["web"]})) == {}


def test_a_group_attached_to_nobody_is_kept_for_later() -> None:
    config, whose = {"a": {"X": "1"}, "b": {"X": "2"}}, {"b": list[str]()}
    assert environment_of("web", config, whose) == {"X": "1"}
    assert changed(config, ConfigChange({"a": {"X": "3"}}), whose) == {"a": {"X": "3"}, "b": {"X": "2"}}


@pytest.mark.parametrize(
    ("groups", "whose"),
    [
        ({"a": {"X": "1"}, "b": {"x-y": "2", "X": "2"}}, {}),
        ({"a": {"X": "1"}, "b": {"X": "2"}}, {"a": ["web"]}),
        ({"a": {"X": "1"}, "b": {"X": "2"}}, {"a": ["web"], "b": ["web", "worker"]}),
        ({"addon_a": {"X": "1"}, "global": {"X": "2"}}, {"addon_a": ["web"]}),
        ({"addon_a": {"X": "1"}, "ptype:web": {"X": "2"}}, {"ptype:web": ["web"]}),
    ],
)
def test_two_groups_for_one_process_type_collide(
    groups: dict[str, dict[str, str]], whose: dict[str, list[str]]
) -> None:
    with pytest.raises(CannotRelease, match="both set X: rename one of them"):
        changed(groups, ConfigChange({"a": groups.get("a")} if "a" in groups else {}), whose)


@pytest.mark.parametrize(
    ("groups", "whose"),
    [
        ({"a": {"X": "1"}, "b": {"X": "2"}}, {"a": ["web"], "b": ["worker"]}),
        ({"a": {"X": "1"}, "global": {"X": "2"}}, {}),
        ({"a": {"X": "1"}, "ptype:web": {"X": "2"}}, {"ptype:web": ["web"]}),
        ({"addon_a": {"X": "1"}, "ptype:web": {"X": "2"}}, {"ptype:web": ["web"], "addon_a": ["worker"]}),
    ],
)
def test_groups_that_do_not_meet_or_override_on_purpose(
    groups: dict[str, dict[str, str]], whose: dict[str, list[str]]
) -> None:
    assert changed(groups, ConfigChange({}), whose) == groups


def test_values_that_are_overridden_are_blotted_too() -> None:
    config = {"global": {"KEY": "general"}, "ptype:web": {"KEY": "special"}}
    assert environment(config) == {"KEY": "special"}
    assert blotted("general and special", config) == "$KEY and $KEY"


def test_what_a_process_type_does_not_get_is_not_hidden() -> None:
    change = ConfigChange({"queue": {"HOST": "1"}})
    check_not_hidden("web", ["HOST"], change, {"queue": ["worker"]})
    with pytest.raises(CannotRelease, match="process type worker sets HOST itself"):
        check_not_hidden("worker", ["HOST"], change, {"queue": ["worker"]})
