"""jsonpath: as kubectl has it where that serves, and refused when parsed where it cannot be understood."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helmbroker.catalog import jsonpath
from helmbroker.catalog.jsonpath import BadPath, Missing
from tests.unit.catalog.kubectl import GOLDEN, HARDER, OBJECTS, cases

ANSWERS: list[dict[str, Any]] = json.loads(GOLDEN.read_text())
FAILS_IN_KUBECTL = {("waiting", '{ .spec.ports[?(@.targetPort=="client")].port }'): "80"}


def test_the_golden_file_is_of_these_templates() -> None:
    assert [(each["object"], each["template"]) for each in ANSWERS] == cases()
    assert (len(cases()), len(HARDER)) == (84, 24)


@pytest.mark.bug(32)
@pytest.mark.parametrize("answer", ANSWERS, ids=[each["template"] for each in ANSWERS])
def test_what_kubectl_prints(answer: dict[str, Any]) -> None:
    """Where kubectl fails, as another port has a number for its targetPort, we go on."""
    said = jsonpath.parse(answer["template"]).render(OBJECTS[answer["object"]])
    expected = answer["kubectl"]
    assert said == (FAILS_IN_KUBECTL[(answer["object"], answer["template"])] if expected is None else expected)


FIRST: dict[str, tuple[str, str, Any]] = {
    "the first of several": ("service", "{ .status.loadBalancer.ingress[*].ip }", "192.0.2.1"),
    "without the blank before it": ("service", ' { .spec.ports[?(@.name=="http")].port }\n', 1004),
    "a number stays one": ("odd", "{.number}", 3),
    "among other text it is text": ("odd", " {.number}/{.true} ", "3/true"),
    "a text keeps its own blanks": ("odd", "{.data.blank}", " x "),
    "an empty text is something": ("odd", "{.data.empty}", ""),
    "nothing is lost": ("odd", "{.data.signs}", "<>&\"'\\"),
    "a map": ("odd", "{.people[0].home}", {"town": "Ulm"}),
    "one of two names": ("service", "{.status.loadBalancer.ingress[0]['hostname','ip']}", "192.0.2.1"),
    "a range goes over all": ("odd", '{range .list[*]}{@}{";"}{end}', "5;7;9;"),
    "true is not 1": ("odd", "{.mixed[?(@.v==1)].v}", 1),
    "1 is not true": ("odd", "{.mixed[?(@.v==true)].v}", True),
    "texts and numbers have no order": ("odd", "{.mixed[?(@.v<2)].v}", 1),
    "another type is different": ("odd", '{.mixed[?(@.v!="1")].v}', 1),
    "a bracket in a text": ("odd", '{.people[?(@.name!="]")].name}', "ann"),
}


@pytest.mark.parametrize(("name", "template", "value"), FIRST.values(), ids=FIRST)
def test_what_a_credential_gets(name: str, template: str, value: Any) -> None:
    found = jsonpath.parse(template).first(OBJECTS[name])
    assert (found, type(found)) == (value, type(value))


@pytest.mark.bug(32, 34)
@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("waiting", "{ .status.loadBalancer.ingress[*].ip }"),
        ("waiting", "{ .status.loadBalancer.ingress[0].ip }"),
        ("secret", "{.data.absent}"),
        ("secret", "{.data.password}:{.data.absent}"),
        ("odd", "{.null}"),
        ("odd", "{range .absent[*]}{.x}{end}"),
        ("odd", "{.list[7]}"),
        ("odd", "{.list.x}"),
        ("odd", "{.number.x}"),
    ],
)
def test_what_is_not_there_is_missing_and_no_empty_text(name: str, template: str) -> None:
    with pytest.raises(Missing):
        jsonpath.parse(template).first(OBJECTS[name])


def test_all_results() -> None:
    every = jsonpath.parse("{.status.loadBalancer.ingress[*].ip}")
    assert every.is_path
    assert every.all(OBJECTS["service"]) == ["192.0.2.1", "192.0.2.2"]
    with pytest.raises(Missing):
        every.all(OBJECTS["waiting"])
    assert not jsonpath.parse("{.a}{.b}").is_path


@pytest.mark.parametrize("key", ["password", "ca.crt", "a-b", "ü", "it's", 'say "x"', "a b", "[0]", "\\", "{x}"])
def test_a_key_may_have_any_name(key: str) -> None:
    lead = jsonpath.lead("data", key)
    assert (lead.first({"data": {key: "found"}}), lead.is_path) == ("found", True)
    assert lead == jsonpath.lead("data", key)


BAD = {
    "no braces": (".spec.clusterIP", "has no expression; write it in braces"),
    "nothing": ("", "has no expression"),
    "open brace": ("{.a", "the braces or quotes do not match"),
    "open quote": ('{.a[?(@.b=="x)]}', "do not match"),
    "empty": ("{}", "without anything in it"),
    "a name without a dot": ("{data}", "is not understood from 'data' on"),
    "blank between": ("{.a .b}", "is not understood from ' .b' on"),
    "two dots at the end": ("{.a..}", "a name is missing"),
    "open bracket": ("{.a[0}", "is not closed"),
    "a word in brackets": ("{.a[x]}", "the subscript [x] is not understood"),
    "a step of none": ("{.a[::0]}", "the subscript [::0] is not understood"),
    "and": ('{.a[?(@.b=="x" && @.c=="y")]}', "conditions cannot be joined"),
    "or": ('{.a[?(@.b=="x" || @.c=="y")]}', "conditions cannot be joined"),
    "both exist": ("{.a[?(@.b && @.c)]}", "is not understood"),
    "a pattern": ('{.a[?(@.b=~"x")]}', "is not understood; it may be"),
    "a word": ("{.a[?(@.b==x)]}", "is no text in quotes, number, true or false"),
    "a list": ("{.a[?(@.b==[1])]}", "is no text in quotes"),
    "another object": ("{.a[?(@.b==@.c)]}", "is no text in quotes"),
    "no condition": ("{.a[?()]}", "the filter [?()] is not understood"),
    "a script": ("{.a[(@.length-1)]}", "is not understood"),
    "end alone": ("{.a}{end}", "{end} without {range ...}"),
    "range alone": ("{range .a[*]}{.b}", "{range ...} without {end}"),
    "a function": ("{if .a}{.b}{end}", "is not understood"),
}


@pytest.mark.parametrize(("template", "fault"), BAD.values(), ids=BAD)
def test_what_is_not_understood_is_refused_when_it_is_parsed(template: str, fault: str) -> None:
    with pytest.raises(BadPath) as caught:
        jsonpath.parse(template)
    assert fault in str(caught.value)


@given(st.text(alphabet="{}[]()?@$.*=\"'\\<>!&|:,- ab01\n", max_size=40))
def test_any_text_is_refused_or_can_be_asked(text: str) -> None:
    try:
        template = jsonpath.parse(text)
    except BadPath:
        return
    template.render(OBJECTS["odd"])
    try:
        template.first(OBJECTS["odd"])
    except Missing:
        return
