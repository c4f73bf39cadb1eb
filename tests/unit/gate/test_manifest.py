"""What is checked is what Helm is given: one reading of a manifest, whoever reads it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helmbroker.broker.gate import BadManifest, objects, packed
from helmbroker.catalog.model import JSON

_HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    ("manifest", "breach"),
    [
        ("a: [", "the rendered manifest is not valid YAML"),
        ("[" * 500_000, "the rendered manifest is not valid YAML"),  # the C parser would overflow its stack
        ("!!python/object:os.system {}", "the rendered manifest is not valid YAML"),
        ("just text", "something that is not a Kubernetes object is rendered"),
        ("- 1", "something that is not a Kubernetes object is rendered"),
        ("kind: Secret", "something that is not a Kubernetes object is rendered"),
        (_HEAD + "data: {1: x}", "the rendered manifest is not valid YAML: key 1 is not text; write it in quotes"),
        (_HEAD + _BOMB, "the rendered manifest is not valid YAML: too large when its aliases are written out"),
    ],
)
def test_what_cannot_be_read_is_refused(manifest: str, breach: str) -> None:
    with pytest.raises(BadManifest, match=breach):
        objects(manifest)


def test_documents_without_content_are_left_out() -> None:
    assert objects(f"---\n# Source: a\n---\n{_HEAD}---\n") == [yaml.safe_load(_HEAD)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("0o10", 8),
        ("1e3", 1000),
        ("2026-01-01", "2026-01-01"),
        ("12:30:45", "12:30:45"),
        ('"yes"', "yes"),
        ("~", None),
    ],
)
def test_scalars_are_what_they_are_to_helm(text: str, value: JSON) -> None:
    (found,) = objects(packed(objects(f"{_HEAD}value: {text}")))
    assert (found["value"], type(found["value"])) == (value, type(value))


def test_a_key_that_is_there_twice_has_the_value_that_was_checked() -> None:
    (found,) = objects(f"{_HEAD}value: 1\nvalue: 2")
    assert json.loads(packed([found]).removeprefix("---\n"))["value"] == found["value"] == 2


_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(_TEXT, _JSON, max_size=3), max_size=3))
def test_every_reader_of_yaml_reads_the_same(contents: list[dict[str, Any]]) -> None:
    """Text with every character, also those that YAML would fold or refuse; never a line that splits documents."""
    wanted = [{**content, "kind": "x", "metadata": {}} for content in contents]
    text = packed(wanted)
    assert objects(text) == wanted
    assert list(yaml.load_all(text, Loader=yaml.CSafeLoader)) == wanted
    assert [json.loads(part) for part in text.split("---\n")[1:]] == wanted if "---\n" not in str(wanted) else True
