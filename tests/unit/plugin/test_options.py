"""What is given with a command: pairs, and files of values."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.unit.plugin.answers import (
    CREATE,
    ONE,
    Drycc,
    resource,
)
from tests.unit.plugin.service import Answer, Ended, Service


def test_pairs_become_options(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    words = [
        "create",
        "myredis",
        "redis",
        "small",
        "a.b=1=2",
        "-a",
        "other",
        "x=",
        "my-key=line\nbreak",
        "--no-wait",
    ]
    service.answer("POST /v2/apps/other/resources/", Answer({}, 201))
    assert drycc(words).status == 0
    assert service.asked[0].body == {
        "name": "myredis",
        "plan": "redis:small",
        "options": {"a.b": "1=2", "x": "", "my-key": "line\nbreak"},
    }


@pytest.mark.parametrize("pair", ["novalue", "1a=b", "=x", "a b=c", "ä=1"])
def test_a_bad_pair_is_refused_before_anything_is_shown(service: Service, drycc: Drycc, pair: str) -> None:
    ended = drycc(["create", "myredis", "redis", "small", pair])
    assert ended == Ended(1, "", f"Error: '{pair}' does not match the pattern 'key=var', ex: MODE=test\n")
    assert service.asked == []


def test_a_values_file_is_sent_whole(service: Service, drycc: Drycc, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("storage: {size: 2Gi} # yes\n")
    service.answer(f"PUT {ONE}", resource())
    assert drycc(f"update myredis redis small dropped=1 -f {values} --no-wait").status == 0
    sent = service.asked[0].body
    assert isinstance(sent, dict)
    assert base64.b64decode(sent["options"]["rawValues"]) == values.read_bytes()
    assert list(sent["options"]) == ["rawValues"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot read the values file {path}: No such file or directory"),
        ("", "the values file {path} has to hold a YAML mapping, such as 'storage: {{size: 2Gi}}'"),
        ("- a", "the values file {path} has to hold a YAML mapping, such as 'storage: {{size: 2Gi}}'"),
        ("a: b\n: [", "the values file {path}, line 2 is not YAML"),
    ],
)
def test_a_bad_values_file(
    service: Service, drycc: Drycc, tmp_path: Path, content: str | None, sentence: str
) -> None:
    path = tmp_path / "values.yaml"
    if content is not None:
        path.write_text(content)
    ended = drycc(f"create myredis redis small -f {path}")
    assert ended == Ended(1, "", f"Error: {sentence.format(path=path)}\n")
    assert service.asked == []
