"""Helm values: how layers become one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.catalog.values import coalesce, merge

LEAVES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.text("ab", max_size=2)
VALUES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        LEAVES | st.lists(LEAVES, max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    ),
    max_size=3,
)
few = settings(max_examples=30, deadline=None)


def leaves(values: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(values, dict):
        return {path: values}
    return {where: leaf for key, sub in values.items() for where, leaf in leaves(sub, (*path, key)).items()}


@pytest.mark.bug(81)
def test_later_layers_win_and_maps_are_merged() -> None:
    """The order is chart, plan, user, operator."""
    plan: dict[str, Any] = {"size": "1Gi", "auth": {"user": "app", "hosts": [1, 2]}}
    user: dict[str, Any] = {"size": "2Gi", "auth": {"hosts": [3]}}
    operator: dict[str, Any] = {"size": "3Gi", "image": {"tag": "17"}}
    assert merge(plan, user, operator) == {
        "size": "3Gi",
        "auth": {"user": "app", "hosts": [3]},
        "image": {"tag": "17"},
    }


@pytest.mark.bug(44)
def test_a_null_is_kept_for_helm_and_takes_away_what_templates_see() -> None:
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"b": None, "c": 2}}
    assert coalesce({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None}, "d": None}) == {"a": {"c": 2}}


@few
@given(VALUES, VALUES)
def test_every_leaf_of_the_last_layer_is_in_the_result(below: dict[str, Any], above: dict[str, Any]) -> None:
    found = leaves(merge(below, above))
    assert {path: found[path] for path in leaves(above)} == leaves(above)


@few
@given(VALUES, VALUES, VALUES)
def test_merging_step_by_step_is_merging_at_once(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    assert merge(merge(a, b), c) == merge(a, b, c)


def test_no_layer_is_changed_by_merging_or_by_what_is_done_to_the_result() -> None:
    below: dict[str, Any] = {"a": {"b": 1}}
    above: dict[str, Any] = {"c": {"d": 2}}
    merged: Any = merge(below, above)
    merged["a"]["new"] = merged["c"]["new"] = 1
    assert (below, above) == ({"a": {"b": 1}}, {"c": {"d": 2}})
