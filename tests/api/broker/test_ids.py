"""Ids of platforms: any characters, never a path, a name or a command."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helmbroker.broker.api.ids import is_id
from tests.api.broker.desk import INSTANCE, LOGIN, VERSION, Desk, refusal

ODD = {
    "a slash": "a/b",
    "slashes": "//",
    "the parent": "..",
    "the folder": ".",
    "a way out": "../../etc/passwd",
    "an escape": "a%2Fb",
    "a broken escape": "%zz",
    "a percent": "%",
    "commands": "x;touch${IFS}PWNED2;$(id)`id`|&\"'",
    "beyond ASCII": "größe-名前-🙂",
    "blanks": " a b ",
    "other blanks": "a\u00a0b\u3000c\u200d",
    "a query": "a?b=c#d",
    "a plus": "a+b",
    "an option": "--help",
    "like a route": "last_operation",
    "as long as can be": "x" * 255,
}


def paths(instance_id: str, binding_id: str = "b") -> tuple[str, str]:
    instance = f"/v2/service_instances/{quote(instance_id, safe='')}"
    return instance, f"{instance}/service_bindings/{quote(binding_id, safe='')}"


@pytest.mark.osb(19)
@pytest.mark.bug(2, 88)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_id_lives_a_whole_life(desk: Desk, odd: str) -> None:
    instance, binding = paths(odd, odd)
    for path in (instance, binding):
        assert desk.put(path).status_code == 202
        desk.work()
        assert desk.get(path).status_code == 200
    with desk.store.read() as records:
        assert records.instance(odd) is not None
        assert records.binding(odd, odd) is not None
    for path in (binding, instance):
        assert desk.delete(path).status_code == 202
        desk.work()
        assert desk.get(f"{path}/last_operation").get_json()["state"] == "succeeded"


@pytest.mark.osb(19)
def test_ids_that_look_alike_are_different(desk: Desk) -> None:
    alike = ["a/b", "a%2Fb", "a%252Fb", "a", "A", "a ", "ä", "a\u0308"]
    for number, odd in enumerate(alike):
        desk.put(paths(odd)[0], space_guid=str(number))
        desk.work()
    assert [desk.put(paths(odd)[0], space_guid=str(number)).status_code for number, odd in enumerate(alike)] == [
        200
    ] * len(alike)


@pytest.mark.osb(19)
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_every_text_is_an_id_or_is_told_why_not(desk: Desk, text: str) -> None:
    response = desk.put(paths(text)[0], space_guid="same")
    if is_id(text):
        assert response.status_code == 202
    else:
        assert refusal(response) == (400, "BadRequest")
        assert "none of them a control character" in response.get_json()["description"]


@pytest.mark.osb(19)
@pytest.mark.bug(2)
@pytest.mark.parametrize("segment", ["x" * 256, "a%00b", "%0A", "%7F", "%C2%85", "%FF", "%ED%A0%80"])
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_what_can_be_no_id_is_told_wherever_it_stands(ready: Desk, method: str, segment: str) -> None:
    for path in (
        f"/v2/service_instances/{segment}",
        f"/v2/service_instances/i1/service_bindings/{segment}",
        f"/v2/service_instances/{segment}/service_bindings/b1",
    ):
        response = ready.call(method, path)
        assert refusal(response) == (400, "BadRequest")
        assert "1 to 255 characters" in response.get_json()["description"]


@pytest.mark.osb(19)
def test_bytes_that_are_no_text_are_no_id_even_when_they_are_not_encoded(desk: Desk) -> None:
    """A router would take all of them for the same replacement character."""
    raw = {"RAW_URI": "/v2/service_instances/\xff"}
    answer = desk.client.get(INSTANCE, headers={"Authorization": LOGIN, **VERSION}, environ_overrides=raw)
    assert answer.status_code == 400
