"""Addons of Kyma: every field, and what differs from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog import formats, parameters
from helmbroker.catalog.model import Addon, AddonFaults, Legacy
from tests.unit.catalog.foreign_folders import DRYCC, KYMA, KYMA_ID, KYMA_MICRO_ID, edited, write

Change = dict[str, str | None]
PLAN = "plans/whatever"
CREATE = f"{PLAN}/create-instance-schema.json"


def meta(old: str, new: str) -> Change:
    return edited(KYMA, "meta.yaml", old, new)


def made(folder: Path, change: Change | None = None, *opened: str) -> Addon:
    return formats.load(write(folder, KYMA, change), Legacy(open_parameters=frozenset(opened)))


def test_a_folder_becomes_an_addon(tmp_path: Path) -> None:
    addon = made(tmp_path)
    assert (addon.id, addon.name, addon.version, addon.tags) == (KYMA_ID, "redis", "0.1.0", ("cache", "kv"))
    assert (addon.bindable, addon.plan_updateable, addon.chart) == (True, True, tmp_path / "chart/anything")
    assert (addon.dotted_parameters, addon.fullname_value) == (False, None)
    assert addon.metadata == {
        "displayName": "Redis",
        "longDescription": "Longer.",
        "providerDisplayName": "Kyma",
        "documentationUrl": "https://example.com/docs",
        "supportUrl": "https://example.com/support",
        "imageUrl": "https://example.com/redis.png",
        "labels": {"team": "data", "local": "true"},
    }
    (plan,) = addon.plans
    assert (plan.id, plan.name, plan.free, plan.bindable) == (KYMA_MICRO_ID, "micro", False, True)
    assert (plan.values, plan.metadata) == ({"persistence": {"enabled": False}}, {"displayName": "Micro"})
    assert plan.credentials_template == f"{PLAN}/bind.yaml"


@pytest.mark.parametrize(
    ("addon", "plan", "expected"),
    [
        ("true", "", True),
        ("true", "bindable: false", False),
        ("false", "bindable: true", True),
        ("false", "", False),
    ],
)
def test_a_plan_can_be_bound_when_it_says_so_or_else_its_addon(
    tmp_path: Path, addon: str, plan: str, expected: bool
) -> None:
    change: Change = {
        **meta("bindable: true", f"bindable: {addon}"),
        f"{PLAN}/meta.yaml": KYMA[f"{PLAN}/meta.yaml"] + plan,
    }
    assert made(tmp_path, change).plans[0].bindable is expected


def test_what_can_be_left_out(tmp_path: Path) -> None:
    """Five keys are required, and what a plan needs."""
    change: Change = {
        "meta.yaml": "".join(f"{line}\n" for line in KYMA["meta.yaml"].splitlines()[:5]),
        "docs/meta.yaml": None,
        f"{PLAN}/bind.yaml": None,
        CREATE: None,
    }
    addon = made(tmp_path, change)
    assert (addon.bindable, addon.plan_updateable, addon.tags) == (False, False, ())
    assert addon.parameters(KYMA_MICRO_ID).create is None
    assert addon.metadata == {"displayName": "Redis", "labels": {"local": "true"}}


@pytest.mark.parametrize(
    ("said", "free"), [("free: true", True), ("free: false", False), ("free:", True), ("", True)]
)
def test_a_plan_is_free_unless_it_says_otherwise(tmp_path: Path, said: str, free: bool) -> None:
    assert made(tmp_path, edited(KYMA, f"{PLAN}/meta.yaml", "free: false", said)).plans[0].free is free


@pytest.mark.bug(33, 49)
def test_schemas_are_closed_and_hide_texts(tmp_path: Path) -> None:
    """There they are open, and nothing in them says what is a secret."""
    schemas = made(tmp_path).parameters(KYMA_MICRO_ID)
    assert parameters.problems(schemas.create, {"mode": "fast", "motd": "x", "limits": {"cpu": 1}}) == []
    assert len(parameters.problems(schemas.create, {"limits": {"memory": 1}, "securityContext": {}})) == 2
    shown = parameters.shown(schemas.create, {"mode": "fast", "motd": "x", "limits": {"cpu": 1}})
    assert shown == {"mode": "fast", "motd": parameters.HIDDEN, "limits": {"cpu": 1}}
    assert parameters.problems(schemas.bind, {"role": "x"}) == []
    assert parameters.problems(schemas.update, {"mode": "safe"}) == ["mode: no parameters are taken here"]


def test_each_request_has_its_schema(tmp_path: Path) -> None:
    """What may be changed need not be what may be set at first."""
    schemas = made(tmp_path, {f"{PLAN}/update-instance-schema.json": KYMA[CREATE]}).parameters(KYMA_MICRO_ID)
    assert parameters.problems(schemas.update, {"mode": "safe"}) == []


def test_the_operator_may_leave_schemas_open(tmp_path: Path) -> None:
    schema = made(tmp_path, None, "redis").parameters(KYMA_MICRO_ID).create
    assert parameters.problems(schema, {"image": "x", "limits": {"memory": 1}}) == []


@pytest.mark.parametrize(
    ("written", "draft"),
    [
        ('"$schema": "http://json-schema.org/draft-07/schema",', "07"),
        ('"$schema": "http://json-schema.org/draft-04/schema",', "04"),
        ("", "04"),
    ],
)
def test_a_draft_that_is_not_quite_named_is_known(tmp_path: Path, written: str, draft: str) -> None:
    change: Change = {CREATE: f'{{{written} "properties": {{"n": {{"type": "integer"}}}}}}'}
    schema: Any = made(tmp_path, change).parameters(KYMA_MICRO_ID).create
    assert (schema["$schema"], schema["type"]) == (f"http://json-schema.org/draft-{draft}/schema#", "object")


FAULTS: dict[str, tuple[Change, str]] = {
    "no version": (
        meta("version: 0.1", "version: newest"),
        "meta.yaml:3: version: is no version; write 1, 1.2 or",
    ),
    "no bind.yaml": ({f"{PLAN}/bind.yaml": None}, f"{PLAN}/bind.yaml: is missing"),
    "no chart": ({"chart/anything/Chart.yaml": None}, "chart: has no chart"),
    "two charts": ({"chart/b/Chart.yaml": "name: b\n"}, "chart: has several charts, anything, b; leave one"),
    "a schema that is no JSON": ({CREATE: "{\n'a'"}, f"{CREATE}:2: is not valid JSON"),
    "a key twice": ({CREATE: '{"a": 1, "a": 2}'}, f"{CREATE}: is not valid JSON: key 'a' twice"),
    "no number": ({CREATE: '{"maximum": NaN}'}, f"{CREATE}: is not valid JSON: NaN is no number"),
    "a schema that is a list": ({CREATE: "[]"}, f"{CREATE}: must be a JSON Schema of an object"),
    "null": ({CREATE: "null"}, f"{CREATE}: is null, or nested more than 64 deep"),
    "deep": ({CREATE: "[" * 500_000}, f"{CREATE}: is null, or nested more than 64 deep"),
    "a schema that is none": ({CREATE: '{"type": "object", "properties": 1}'}, f"{CREATE}: properties: is no JSON"),
    "a schema of a text": ({CREATE: '{"type": "string"}'}, f"{CREATE}: needs `type: object` at the top"),
    "a large schema": (
        {CREATE: f'{{"type": "object", "description": "{"x" * 65536}"}}'},
        f"{CREATE}: is larger than 65536 bytes",
    ),
    "open at the top": (
        {CREATE: '{"type": "object", "anyOf": [{"properties": {}}]}'},
        f"{CREATE}: needs `additionalProperties: false`",
    ),
    "elsewhere": (
        {CREATE: '{"properties": {"a": {"$ref": "https://example.com/a.json"}}}'},
        f"{CREATE}: properties.a: $ref must be # or #/...",
    ),
}


@pytest.mark.osb(36)
@pytest.mark.parametrize(("change", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_used_is_told_with_its_place(tmp_path: Path, change: Change, expected: str) -> None:
    with pytest.raises(AddonFaults) as error:
        made(tmp_path, change)
    found = list(map(str, error.value.faults))
    assert any(fault.startswith(expected) for fault in found), found


@pytest.mark.parametrize(
    ("file", "key"),
    [
        *(("meta.yaml", key) for key in ("id", "name", "version", "description", "displayName")),
        *((f"{PLAN}/meta.yaml", key) for key in ("id", "name", "description", "displayName")),
    ],
)
def test_what_must_not_be_left_out(tmp_path: Path, file: str, key: str) -> None:
    kept = [line for line in KYMA[file].splitlines(keepends=True) if not line.startswith(f"{key}:")]
    with pytest.raises(AddonFaults) as error:
        made(tmp_path, {file: "".join(kept)})
    assert list(map(str, error.value.faults)) == [f"{file}:1: missing: {key}"]


CLOSED = f"{CREATE}: properties.limits: other keys than those it names are refused"
WARNINGS: dict[str, tuple[Change, list[str]]] = {
    "as it is": ({}, [CLOSED]),
    "a value of any type": ({CREATE: '{"properties": {"a": {}}}'}, [f"{CREATE}: properties.a: needs a `type`"]),
    "an unknown key": (
        meta("planUpdatable: true", "planUpdateable: true"),
        ["meta.yaml:13: planUpdateable: unknown key, which is not read; did you mean planUpdatable?", CLOSED],
    ),
    "labels that are reserved": (
        meta("team: data", "local: 'false'"),
        [CLOSED, "meta.yaml:17: labels.local: is reserved; what is written here does not count"],
    ),
    "only once": (
        meta("provisionOnlyOnce: false", "provisionOnlyOnce: true"),
        [CLOSED, "meta.yaml:14: provisionOnlyOnce: is told to platforms, but not enforced"],
    ),
    "requires": (
        meta("provisionOnlyOnce: false", "requires: [syslog_drain]"),
        [CLOSED, "meta.yaml:14: requires: is not offered"],
    ),
    "docs with two entries": (
        {"docs/meta.yaml": "docs: [{}, {}]\n"},
        [CLOSED, "docs/meta.yaml:1: has not exactly one entry in `docs`"],
    ),
    "dependencies of Helm 2": (
        {"chart/anything/requirements.yaml": "dependencies:\n- {name: common}\n"},
        [CLOSED, "chart/anything/Chart.yaml:1: dependencies.0: common is not in chart/anything/charts/"],
    ),
}


@pytest.mark.parametrize(("change", "expected"), WARNINGS.values(), ids=WARNINGS)
def test_what_is_odd_is_told_and_taken(tmp_path: Path, change: Change, expected: list[str]) -> None:
    found = list(map(str, made(tmp_path, change).warnings))
    assert len(found) == len(expected)
    assert all(fault.startswith(start) for fault, start in zip(found, expected, strict=True)), found


def test_labels_that_are_reserved_do_not_count(tmp_path: Path) -> None:
    labels = made(tmp_path, meta("team: data", "local: 'false'")).metadata["labels"]
    assert labels == {"local": "true"}


def test_provision_only_once_is_told_to_platforms(tmp_path: Path) -> None:
    labels = made(tmp_path, meta("provisionOnlyOnce: false", "provisionOnlyOnce: true")).metadata["labels"]
    assert labels == {"team": "data", "local": "true", "provisionOnlyOnce": "true"}


def test_which_format_it_is_the_files_tell(tmp_path: Path) -> None:
    """Both have a meta.yaml; Drycc's has keys that Kyma's has not, or schemas of another name beside it."""
    flat = "".join(f"{line}\n" for line in DRYCC["meta.yaml"].splitlines()[:5]) + "bindable: true\n"
    by_files = write(tmp_path / "a", DRYCC, {"meta.yaml": flat})
    kyma = write(tmp_path / "b", KYMA)
    assert [formats.load(folder).dotted_parameters for folder in (by_files, kyma)] == [True, False]


@pytest.mark.parametrize(
    "mark",
    [
        "allow_parameters: []",
        "instances_retrievable: true",
        "plan_updateable: true",
        "metadata: {}",
        "archive: true",
    ],
)
def test_each_key_of_the_other_format_tells_it(tmp_path: Path, mark: str) -> None:
    flat = "".join(f"{line}\n" for line in KYMA["meta.yaml"].splitlines()[:5])
    assert made(tmp_path, {"meta.yaml": f"{flat}bindable: true\n{mark}\n"}).dotted_parameters


def test_a_meta_yaml_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(AddonFaults, match=r"meta\.yaml:2: is not valid YAML"):
        made(tmp_path, {"meta.yaml": "id: ["})
