"""What is read of instance.json and binding.json; whatever is in them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.migration import told
from helmbroker.broker.migration.told import State, Unclear
from tests.fakes.drycc_directory import CREDENTIALS, SMALL_ID, OldInstance, bound, last

OLD, OLD_RELEASE = OldInstance("i", "mydb"), ReleaseRef("shop", "mydb")


def raw(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_everything_is_read() -> None:
    old = OldInstance("i", "mydb", parameters={"auth.password": "c4n4ry"}, binding=bound())
    found = told.instance("i", old.described(), old.binding, None)
    assert (found.release, found.plan_id, found.state, found.removing) == (
        ReleaseRef("shop", "mydb"),
        SMALL_ID,
        State.SUCCEEDED,
        False,
    )
    assert found.parameters.reveal() == {"auth": {"password": "c4n4ry"}}
    assert found.context["clusterid"] == "c"
    assert found.binding is not None
    assert (found.binding.id, found.binding.credentials.reveal()) == ("b1", CREDENTIALS)
    assert "c4n4ry" not in repr(found)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("False", False), ("3", 3), ("0", 0), ("007", "007"), ("1.5", "1.5"), ("-4", -4), ("x", "x")],
)
def test_texts_are_what_helm_took_them_for(text: str, value: object) -> None:
    """`"false"` would be true in a template."""
    assert told.parameters({"a.b": text}, None) == {"a": {"b": value}}


def test_parameters_win_over_raw_values_and_nulls_are_none() -> None:
    sent = {"a.b": "x", "c": None, "d": True, "rawValues": raw("a: {b: y, z: 1}\n")}
    assert told.parameters(sent, None) == {"a": {"b": "x", "z": 1}, "d": True}
    assert told.parameters(sent, {"a": {"file": "2"}}) == {"a": {"b": "x", "file": "2"}, "d": True}, (
        "as helm got it"
    )


@pytest.mark.parametrize(
    "sent", [{"a": 1, "a.b": 2}, {"..": "c4n4ry"}, {"rawValues": "c4n4ry"}, {"rawValues": raw("- c4n4ry\n")}]
)
def test_parameters_without_a_meaning_are_told_without_values(sent: dict[str, Any]) -> None:
    with pytest.raises(Unclear, match=r"parameters: .*; correct them there") as caught:
        told.parameters(sent, None)
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(
    "binding",
    [
        None,
        bound(description="unbind succeeded at 1.5"),
        bound(description=" Unbind"),
        bound(state="failed"),
        bound(state="in progress"),
        bound("\n"),
    ],
)
def test_bindings_that_are_none(binding: Any) -> None:
    assert told.instance("i", OLD.described(), binding, None).binding is None


@pytest.mark.parametrize(
    ("operation", "state", "removing"),
    [
        (last("in progress", "deprovision"), State.IN_PROGRESS, True),
        (last("failed", None), State.FAILED, False),
        (None, State.IN_PROGRESS, False),
        ({}, State.IN_PROGRESS, False),
    ],
)
def test_states(operation: Any, state: State, removing: bool) -> None:
    found = told.instance("i", {**OLD.described(), "last_operation": operation}, None, None)
    assert (found.state, found.removing) == (state, removing)


def _with_context(**changed: Any) -> dict[str, Any]:
    written = OLD.described()
    written["details"]["context"] |= changed
    return written


@pytest.mark.bug(3)
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ([], "must be of type object"),
        ({}, "missing: details"),
        ({"details": {"service_id": "c4n4ry", "plan_id": 7, "context": {}}}, "plan_id: must be of type string"),
        (_with_context(instance_name="../c4n4ry"), "context.instance_name: must match"),
        (_with_context(namespace="$(c4n4ry)"), "context.namespace: must match"),
        (_with_context(instance_name="x" * 54), "context.instance_name: must match"),
        (_with_context(instance_name="hb-0123"), "names that begin so are this broker's"),
        ({**OLD.described(), "id": "c4n4ry"}, "is of another instance"),
        ({**OLD.described(), "last_operation": {"state": "c4n4ry"}}, "last_operation.state: must be one of"),
    ],
)
def test_what_cannot_be_used_says_where_and_shows_no_value(written: Any, why: str) -> None:
    with pytest.raises(Unclear, match=why) as caught:
        told.instance("i", written, None, None)
    assert "c4n4ry" not in str(caught.value)


def test_ids_that_no_platform_can_ask_for() -> None:
    for id_ in ("a\nb", "", "x" * 256):
        with pytest.raises(Unclear, match="its id"):
            told.instance(id_, OLD.described(), None, None)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["details", "last_operation", "id", "parameters", "context"]), _json, _json)
def test_whatever_is_there_it_is_read_or_refused(key: str, value: Any, binding: Any) -> None:
    written = OLD.described()
    (written if key in written else written["details"])[key] = value
    try:
        found = told.instance("i", written, binding, None).release
    except Unclear:
        found = OLD_RELEASE
    assert found == OLD_RELEASE
