"""YAML of addons: typed as Helm types it, lines known, and no text that can hurt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.catalog.documents import MAX_FILE_BYTES, Unreadable, parse, read
from helmbroker.catalog.yaml_types import TextLoader, plain

# What helm 4.2.4 makes of these: `helm template` with `kindOf` and `toJson` over a values file.
AS_HELM_READS = {
    "yes": True,
    "No": False,
    "on": True,
    "OFF": False,
    "y": True,
    "n": False,
    "True": True,
    "yEs": "yEs",
    "nO": "nO",
    "~": None,
    "Null": None,
    "nuLL": "nuLL",
    "012": 10,
    "-012": -10,
    "08": 8,
    "0o12": 10,
    "0o8": "0o8",
    "0x1F": 31,
    "0b11": 3,
    "1_000": 1000,
    "_1": "_1",
    "+1": 1,
    "3.10": 3.1,
    "1e3": 1000,
    "1.": 1,
    ".5": 0.5,
    "1e400": "1e400",
    "18446744073709551615": 18446744073709551615,
    "18446744073709551616": 18446744073709551616.0,
    "1:30": "1:30",
    "2020-01-01": "2020-01-01",
    "1.2.3": "1.2.3",
    "1Gi": "1Gi",
    "=": "=",
}


@pytest.mark.parametrize(("text", "value"), AS_HELM_READS.items(), ids=AS_HELM_READS)
def test_plain_scalars_have_the_type_that_helm_gives_them(text: str, value: object) -> None:
    read_value = parse(f"a: {text}", "f.yaml").data
    assert read_value == {"a": value}
    assert isinstance(read_value["a"], bool) == isinstance(value, bool)


@pytest.mark.parametrize("text", AS_HELM_READS)
def test_quoted_scalars_are_text(text: str) -> None:
    assert parse(f"a: '{text}'", "f.yaml").data == {"a": text}


@pytest.mark.bug(38)
@pytest.mark.parametrize("text", [text for text in AS_HELM_READS if AS_HELM_READS[text] is not None])
def test_where_text_is_wanted_the_spelling_stays(text: str) -> None:
    assert parse(f"a: {text}", "f.yaml", TextLoader).data == {"a": text}


@settings(max_examples=40, deadline=None)
@given(st.integers(-(2**63), 2**64 - 1))
def test_every_64_bit_integer_is_read_as_it_is(number: int) -> None:
    assert plain(str(number)) == number


def test_merge_keys_are_merged() -> None:
    text = "base: &base {a: 1, b: 1}\nmore:\n  <<: *base\n  b: 2\n"
    assert parse(text, "f.yaml").data == {"base": {"a": 1, "b": 1}, "more": {"a": 1, "b": 2}}


def bomb(levels: int) -> str:
    """Each line holds nine times the line before."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(["a0: &a0 [x]", *lines])


def merge_bomb(levels: int) -> str:
    lines = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(["a0: &a0 {x: 1}", *lines])


REFUSED: dict[str, tuple[str, int, str]] = {
    "B9 python object": ("a: 1\nb: !!python/object/apply:os.system [x]", 2, "python/object/apply:os.system"),
    "B9 python name": ("a: !!python/name:os.system x", 1, "python/name:os.system"),
    "a date is not JSON": ("a: !!timestamp 2020-01-01", 1, "timestamp"),
    "bytes are not JSON": ("a: !!binary aGk=", 1, "binary"),
    "a set is not JSON": ("a: !!set {b}", 1, "set"),
    "infinite": ("a: .inf", 1, "'.inf' is no float that JSON knows; write it in quotes if it is text"),
    "a tag that lies": ("a: 1\nb: !!int x", 2, "'x' is no int"),
    "a key twice": ("a: 1\nb:\n  c: 1\n  c: 2", 4, "key 'c' twice"),
    "a number as key": ("a: 1\n3: b", 2, "key 3 is not text; write it in quotes"),
    "a truth as key": ("on: b", 1, "key on is not text"),
    "a list as key": ("? [a]\n: b", 1, "a key must be text"),
    "no YAML": ("a: 1\nb: [", 3, "did not find expected node content"),
    "two documents": ("a: 1\n---\nb: 1", 2, "another document"),
    "control characters": ("a: \x00", 0, "is not valid YAML"),
    "a lone surrogate": ('a: "\\ud800"', 1, "invalid Unicode"),
    "deep": ("[" * 500_000, 1, "nested more than 64 deep"),
    "itself": ("&a [*a]", 1, "nested more than 64 deep, or contains itself"),
    "alias bomb": (bomb(9), 6, "too large when its aliases are written out"),
    "merge bomb": (merge_bomb(9), 6, "too large when its aliases are written out"),
    "long texts repeated": (f"a: &a {'x' * 400_000}\nb: [{'*a,' * 50}]", 2, "too large when its aliases"),
}


@pytest.mark.bug(9)
@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_plain_data_is_refused_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        parse(text, "f.yaml")
    fault = refusal.value.fault
    assert (fault.file, fault.line) == ("f.yaml", line)
    assert message in fault.message


def test_a_fault_stands_at_its_line_or_at_the_nearest_one_above() -> None:
    document = parse("a:\n  b:\n  - c: 1\n", "f.yaml")
    places: list[tuple[tuple[str | int, ...], str]] = [
        (("a", "b", 0, "c"), "f.yaml:3: a.b.0.c: is wrong"),
        (("a", "missing", "deeper"), "f.yaml:1: a.missing.deeper: is wrong"),
        ((), "f.yaml:1: is wrong"),
    ]
    assert [str(document.fault(where, "is wrong")) for where, _ in places] == [text for _, text in places]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        (b"a: \xff", "is not UTF-8 text; save it as UTF-8"),
        (b"#" * (MAX_FILE_BYTES + 1), f"is larger than {MAX_FILE_BYTES} bytes"),
    ],
    ids=["missing", "not UTF-8", "too large"],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "f.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unreadable, match=f"^f.yaml: {message}$"):
        read(path, "f.yaml")


def test_an_empty_file_is_nothing() -> None:
    assert parse("# only a comment\n", "f.yaml").data is None


INTEGERS = st.integers(-(2**63), 2**64 - 1)


@settings(max_examples=30, deadline=None)
@given(st.recursive(st.none() | st.booleans() | INTEGERS | st.text("aé \"\\:#-{}[]\n\t'"), st.lists, max_leaves=9))
def test_json_is_read_as_what_it_is(value: Any) -> None:
    assert parse(json.dumps(value, ensure_ascii=False), "f.json").data == value
