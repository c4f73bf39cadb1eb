"""Addons of Drycc: every field, and every oddity that its catalogue has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog import archive, credentials, formats, jsonpath, offerings, parameters
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Addon, AddonFaults, DataPolicy
from helmbroker.catalog.references import Ref
from tests.unit.catalog.foreign_folders import (
    BIND,
    DRYCC,
    DRYCC_ID,
    DRYCC_LARGE_ID,
    DRYCC_SMALL_ID,
    STUB,
    edited,
    write,
)
from tests.unit.catalog.kubectl import CORPUS, OBJECTS, cases

Change = dict[str, str | None]
SMALL, LARGE = "plans/standard-10", "plans/standard-20"


def meta(old: str, new: str) -> Change:
    return edited(DRYCC, "meta.yaml", old, new)


def made(folder: Path, change: Change | None = None, *opened: str) -> Addon:
    return formats.load(write(folder, DRYCC, change), opened)


def told(folder: Path, change: Change) -> list[str]:
    """The warnings of an addon that is good otherwise."""
    return list(map(str, made(folder, change).warnings))


def faults(folder: Path, change: Change) -> list[str]:
    with pytest.raises(AddonFaults) as error:
        made(folder, change)
    return list(map(str, error.value.faults))


@pytest.mark.bug(80)
def test_a_folder_becomes_an_addon(tmp_path: Path) -> None:
    """The chart is found by its folder, plans are named by their files: none of these names has to be another."""
    addon = made(tmp_path)
    assert (addon.id, addon.name, addon.description) == (DRYCC_ID, "mysql-8.0", "MySQL server.")
    assert (addon.bindable, addon.plan_updateable, addon.archived) == (True, True, False)
    assert (addon.chart, addon.dotted_parameters) == (tmp_path / "chart/mysql", True)
    small, large = addon.plans
    assert (small.id, small.name, small.timeout_s, small.bindable) == (
        DRYCC_SMALL_ID,
        "standard-1c2g10",
        1800,
        True,
    )
    assert (small.metadata, small.free) == ({"displayName": "1 core"}, True)
    assert (large.id, large.name, large.timeout_s, large.values) == (DRYCC_LARGE_ID, "standard-2c4g20", 600, {})
    assert addon.warnings == ()


def test_values_are_typed_as_helm_types_them_and_the_release_names_the_objects(tmp_path: Path) -> None:
    """237 of 239 plans set fullnameOverride to a constant, so two instances would be one."""
    addon = made(tmp_path)
    assert addon.plans[0].values == {"fullnameOverride": "mysql", "size": "10Gi", "legacy": True}
    assert addon.fullname_value == "fullnameOverride"


@pytest.mark.bug(35)
def test_each_plan_has_its_own_credentials_template(tmp_path: Path) -> None:
    addon = made(tmp_path)
    assert [plan.credentials_template for plan in addon.plans] == [f"{SMALL}/bind.yaml", f"{LARGE}/bind.yaml"]


@pytest.mark.parametrize(
    ("written", "semver"),
    [
        ("3.10", "3.10.0"),
        ("8.0", "8.0.0"),
        ("18", "18.0.0"),
        ("'1.0'", "1.0.0"),
        ("26.04", "26.4.0"),
        ("0.103.0", "0.103.0"),
        ("v2024.1.0-b1", "2024.1.0-b1"),
        ("1.2.3.4", "1.2.3+4"),
    ],
)
@pytest.mark.osb(35)
def test_versions_are_taken_as_written_and_completed_for_platforms(
    tmp_path: Path, written: str, semver: str
) -> None:
    assert made(tmp_path, meta("version: 8.0", f"version: {written}")).version == semver


def test_a_version_that_is_none_can_be_offered_but_not_upgraded_to(tmp_path: Path) -> None:
    change = meta("version: 8.0", "version: latest")
    assert made(tmp_path, change).version == "0.0.0"
    assert told(tmp_path, change) == [
        "meta.yaml:3: version: latest cannot be put in order, so instances cannot be upgraded to it"
    ]


def test_aliases_and_merges_are_what_they_stand_for(tmp_path: Path) -> None:
    change: Change = {
        "meta.yaml": DRYCC["meta.yaml"]
        .replace("version: 8.0", "version: &v 8.10")
        .replace("description: MySQL server.", "description: *v")
        .replace("name: mysql-8.0", "<<: {name: merged}")
    }
    addon = made(tmp_path, change)
    assert (addon.version, addon.description, addon.name) == ("8.10.0", "8.10", "merged")


@pytest.mark.bug(79)
@pytest.mark.parametrize(
    ("tags", "expected"),
    [("a, b ,a,", ("a", "b")), ("[a, 1.0]", ("a", "1.0")), ("", ()), ("null", ()), ("one", ("one",))],
)
def test_tags_are_a_text_or_a_list(tmp_path: Path, tags: str, expected: tuple[str, ...]) -> None:
    assert made(tmp_path, meta("tags: database, sql ,mysql", f"tags: {tags}")).tags == expected


@pytest.mark.osb(39)
@pytest.mark.bug(72)
def test_metadata_gets_the_names_of_the_profile_and_nothing_else_leaks(tmp_path: Path) -> None:
    made(tmp_path / "mysql")
    (service,) = offerings.document(load([tmp_path]))["services"]
    assert service["metadata"] == {
        "displayName": "MySQL",
        "providerDisplayName": "drycc",
        "supportUrl": "https://example.com/support",
        "documentationUrl": "https://example.com/docs",
    }
    for strange in ("allow_parameters", "archive", "version", "displayName", "url"):
        assert strange not in service


def test_the_catalog_says_that_credentials_are_shared(tmp_path: Path) -> None:
    made(tmp_path / "mysql")
    (service,) = offerings.document(load([tmp_path]))["services"]
    assert [plan["metadata"].get("sharedCredentials") for plan in service["plans"]] == [True, True]
    assert [plan["binding_rotatable"] for plan in service["plans"]] == [False, False]


def test_the_name_to_show_may_stand_at_the_top(tmp_path: Path) -> None:
    """It is another one than the name (mysql-cluster/8.0)."""
    assert made(tmp_path, meta("  displayName: MySQL\n", "")).metadata["displayName"] == "MySQL 8.0"


def test_what_is_always_so_needs_not_be_said(tmp_path: Path) -> None:
    change = meta(
        "instances_retrievable: true\nbindings_retrievable: true\n",
        "instances_retrievable: false\nbindings_retrievable: false\nallow_context_updates: false\n",
    )
    assert told(tmp_path / "mysql", change) == []
    (service,) = offerings.document(load([tmp_path]))["services"]
    for key in ("instances_retrievable", "bindings_retrievable", "allow_context_updates"):
        assert service[key] is True


def test_metadata_without_the_form_of_the_profile_is_left_out(tmp_path: Path) -> None:
    change = meta("documentationURL: https://example.com/docs", "documentationURL: see the wiki")
    assert "documentationUrl" not in made(tmp_path, change).metadata
    assert told(tmp_path, change) == [
        "meta.yaml:1: metadata documentationUrl has not the form of the OSB profile; left out"
    ]


@pytest.mark.bug(72)
def test_what_is_archived_is_not_offered(tmp_path: Path) -> None:
    folder = tmp_path / "mysql"
    made(folder, meta("bindable: true", "bindable: true\narchive: true"))
    catalog = load([tmp_path])
    assert (catalog.addons, catalog.quarantined) == ((), {})
    assert list(map(str, catalog.warnings[str(folder)])) == [
        "meta.yaml: is archived: not offered, but its service instances stay as they are"
    ]


@pytest.mark.bug(71)
@pytest.mark.parametrize(
    ("addon", "small", "expected"),
    [
        ("true", "", (True, ["standard-2c4g20"])),
        ("true", "bindable: false\nplan_updateable: false", (False, [])),
        ("false", "plan_updateable: true", (True, ["standard-2c4g20"])),
        ("false", "", (True, [])),
    ],
)
def test_what_a_plan_says_itself_wins(
    tmp_path: Path, addon: str, small: str, expected: tuple[bool, list[str]]
) -> None:
    change: Change = {
        **meta("plan_updateable: true", f"plan_updateable: {addon}"),
        f"{SMALL}/meta.yaml": DRYCC[f"{SMALL}/meta.yaml"].replace("bindable: true\n", "") + small,
    }
    loaded = made(tmp_path, change)
    plan = loaded.plans[0]
    assert (plan.bindable, [other.name for other in loaded.updates_to(plan)]) == expected


@pytest.mark.parametrize(
    ("said", "seconds"), [("null", 600), ("1", 10), ("10", 10), ("1800", 1800), ("86400", 86400), ("99999", 86400)]
)
def test_how_long_an_operation_takes_has_bounds(tmp_path: Path, said: str, seconds: int) -> None:
    change = edited(DRYCC, f"{SMALL}/meta.yaml", "duration: 1800", f"duration: {said}")
    assert made(tmp_path, change).plans[0].timeout_s == seconds


def test_what_becomes_of_data_can_be_said_here_too(tmp_path: Path) -> None:
    """Their catalogue leaves volumes behind; with us that has to be said."""
    change: Change = {f"{SMALL}/meta.yaml": DRYCC[f"{SMALL}/meta.yaml"] + "data: retain\n"}
    assert [plan.data for plan in made(tmp_path, change).plans] == [DataPolicy.RETAIN, DataPolicy.DELETE]


def test_the_chart_is_mended_in_the_revision_alone(tmp_path: Path) -> None:
    """`engine` in charts, and a bind.yaml among the templates (victoriametrics)."""
    folder = write(tmp_path / "mysql", DRYCC, {"chart/mysql/templates/bind.yaml": BIND})
    addon = formats.load(folder)
    archive.unpack(archive.pack(folder, addon.mended), tmp_path / "kept")
    kept = formats.load(tmp_path / "kept")
    assert (kept.digest, kept.mended) == (addon.digest, {})
    assert "engine" not in (tmp_path / "kept/chart/mysql/Chart.yaml").read_text()
    assert "dependencies" in (tmp_path / "kept/chart/mysql/Chart.yaml").read_text()
    assert not (tmp_path / "kept/chart/mysql/templates/bind.yaml").exists()
    assert "engine" not in (tmp_path / "kept/chart/mysql/charts/common/Chart.yaml").read_text()
    assert "engine: gotpl" in (folder / "chart/mysql/Chart.yaml").read_text()


MADE = """\
credential:
{{- if and .Values.external
\t   (gt (int .Values.nodes) 0)   }}
  {{-  range $i := until (int .Values.nodes)}}
  - name: {{ printf "EXTERNAL_NODE_%d" $i }}
    value: {{ printf "%s:%d" "node" $i }}
  - name: {{ printf "EXTERNAL_PASSWORD_%d" $i }}
    value: {{ $i }}
  {{- end}}
    {{- end }}
"""
UNKNOWN = """\
credential:
- name: A
  valeu: b
  value: b
- name: B
  valueFrom:
    configMapRef: {name: x, jsonpath: '{.data.a}', jsonPath: x}
more: 1
"""
WARNINGS: dict[str, tuple[Change, list[str]]] = {
    "an id that is no UUID": (
        edited(DRYCC, f"{SMALL}/meta.yaml", DRYCC_SMALL_ID, "5607275af-0000-4000-8000-000000000002"),
        [f"{SMALL}/meta.yaml:1: id: is no UUID; taken as it is"],
    ),
    "an unknown key": (
        meta("bindable: true", "bindable: true\nbindible: true"),
        ["meta.yaml:14: bindible: unknown key, which is not read; did you mean bindable?"],
    ),
    "a trailing blank": (
        meta("- name: service.type", '- name: "service.type "'),
        ["meta.yaml:21: allow_parameters.1.name: blanks around service.type are left out"],
    ),
    "equired": (
        meta("- name: service.type", "- name: service.type\n  equired: true"),
        ["meta.yaml:22: allow_parameters.1.equired: unknown key, which is not read; did you mean required?"],
    ),
    "an entry without a description": (meta("description: The password of root.", "description:"), []),
    "an unknown key of a plan": (
        edited(DRYCC, f"{SMALL}/meta.yaml", "bindable: true", "bindible: true"),
        [f"{SMALL}/meta.yaml:5: bindible: unknown key, which is not read; did you mean bindable?"],
    ),
    "allowed twice": (
        meta("- name: service.type", "- name: service.type\n- name: service.type"),
        ["meta.yaml:22: allow_parameters.2.name: service.type is listed twice"],
    ),
    "nothing allowed": (
        meta(DRYCC["meta.yaml"].partition("allow_parameters:")[2], " []\n"),
        ["meta.yaml:17: allow_parameters: names nothing: nothing may be set (with Drycc: everything; HELM"],
    ),
    "no list of what is allowed": (
        meta("allow_parameters:" + DRYCC["meta.yaml"].partition("allow_parameters:")[2], ""),
        ["meta.yaml:1: allow_parameters: names nothing: nothing may be set (with Drycc: everything; HELM"],
    ),
    "no values": (
        {f"{SMALL}/values.yaml": None},
        [f"{SMALL}/values.yaml: is missing; the plan is what the chart is"],
    ),
    "no schema": ({f"{SMALL}/instance-schema.json": None}, []),
    "a schema of an unknown type": (
        {f"{SMALL}/instance-schema.json": '{"properties": {"auth": {"type": "secret"}}}'},
        [f"{SMALL}/instance-schema.json: allOf.1.properties.auth.type: is no JSON Schema"],
    ),
    "files of others": (
        {f"{SMALL}/create-instance-schema.json~merged": "<<<<", "README.md": "", "demo.yaml": "{"},
        [],
    ),
    "a schema that is none": (
        {f"{SMALL}/instance-schema.json": "{"},
        [f"{SMALL}/instance-schema.json:1: is not valid JSON: Expecting property name"],
    ),
    "hooks": (
        {f"{SMALL}/hooks/pre_provision.sh": "exit 1\n"},
        [f"{SMALL}/hooks/pre_provision.sh: is not run: the broker runs no scripts of addons"],
    ),
    "dependencies that are elsewhere": (
        {"chart/mysql/charts/common/Chart.yaml": None},
        ["chart/mysql/Chart.yaml:6: dependencies.0: common is not in chart/mysql/charts/"],
    ),
    "dependencies in an archive": (
        {"chart/mysql/charts/common/Chart.yaml": None, "chart/mysql/charts/common-1.1.4.tgz": "packed"},
        [],
    ),
    "a stray bind.yaml": (
        {"chart/mysql/templates/bind.yaml": BIND},
        ["chart/mysql/templates/bind.yaml: is no manifest of the chart; left out"],
    ),
    "several charts": ({"chart/mysql-8.0/Chart.yaml": "name: preferred\n"}, []),
    "what is not offered": (
        meta("bindable: true", "bindable: true\nrequires: [syslog_drain]\ndashboard_client: {id: a}"),
        ["meta.yaml:14: requires: is not offered", "meta.yaml:15: dashboard_client: is not offered"],
    ),
    "what a plan does not offer": (
        edited(
            DRYCC,
            f"{SMALL}/meta.yaml",
            "bindable: true",
            "binding_rotatable: true\nschemas: {a: {}}\nmaintenance_info: {version: 1}",
        ),
        [
            f"{SMALL}/meta.yaml:5: binding_rotatable: is not offered",
            f"{SMALL}/meta.yaml:6: schemas: is not read",
            f"{SMALL}/meta.yaml:7: maintenance_info: is not read",
        ],
    ),
    "duplicate credentials": (
        {f"{SMALL}/bind.yaml": BIND.replace("EXTERNAL_HOST", "HOST")},
        [f"{SMALL}/bind.yaml:1: credential: HOST is given 2 times; the last one counts"],
    ),
    "a constant secret": (
        {f"{SMALL}/bind.yaml": f"{BIND}  - name: SECRET_KEY\n    value: abc\n"},
        [f"{SMALL}/bind.yaml:21: credential.4: SECRET_KEY is the same for every instance, so it is no secret"],
    ),
    "one bind.yaml for two plans": (
        dict.fromkeys((f"{SMALL}/bind.yaml", f"{LARGE}/bind.yaml"), BIND.replace("EXTERNAL_HOST", "HOST")),
        [f"{SMALL}/bind.yaml:1: credential: HOST is given 2 times; the last one counts"],
    ),
    "names that are made": ({f"{SMALL}/bind.yaml": MADE}, []),
    "unknown keys in bind.yaml": (
        {f"{SMALL}/bind.yaml": UNKNOWN},
        [
            f"{SMALL}/bind.yaml:8: more: unknown key, which is not read",
            f"{SMALL}/bind.yaml:3: credential.0.valeu: unknown key, which is not read; did you mean value?",
            f"{SMALL}/bind.yaml:7: credential.1.valueFrom.configMapRef.jsonPath: unknown key, which is not read",
        ],
    ),
    "a bind.yaml that says nothing": (
        {f"{SMALL}/bind.yaml": "# credential:\n"},
        [f"{SMALL}/bind.yaml: has no `credential`, so a binding delivers nothing"],
    ),
    "no credentials": ({f"{SMALL}/bind.yaml": "credential: {}\n"}, []),
    "an empty list of credentials": ({f"{SMALL}/bind.yaml": "credential: []\n"}, []),
}


@pytest.mark.bug(12)
@pytest.mark.parametrize(("change", "expected"), WARNINGS.values(), ids=WARNINGS)
def test_what_is_odd_is_told_and_taken(tmp_path: Path, change: Change, expected: list[str]) -> None:
    found = told(tmp_path, change)
    assert len(found) == len(expected)
    for fault, beginning in zip(found, expected, strict=True):
        assert fault.startswith(beginning)


FAULTS: dict[str, tuple[Change, str]] = {
    "no id": (meta(f"id: {DRYCC_ID}\n", ""), "meta.yaml:1: missing: id"),
    "an id with blanks": (meta(DRYCC_ID, "a b"), "meta.yaml:1: id: must match"),
    "a name with blanks": (meta("mysql-8.0", "my sql"), "meta.yaml:2: name: must match"),
    "bindable as text": (meta("bindable: true", "bindable: maybe"), "meta.yaml:13: bindable: must be of type"),
    "no plan": (
        {name: None for name in DRYCC if name.startswith("plans/")},
        "plans: has no plan: add plans/NAME/meta.yaml",
    ),
    "a plan without meta.yaml": ({f"{SMALL}/meta.yaml": None}, f"{SMALL}/meta.yaml: is missing"),
    "a plan id twice": (
        edited(DRYCC, f"{LARGE}/meta.yaml", DRYCC_LARGE_ID, DRYCC_SMALL_ID),
        f"{LARGE}/meta.yaml:1: id: is that of {SMALL} too; make it unique",
    ),
    "values that are none": ({f"{SMALL}/values.yaml": "- a\n"}, f"{SMALL}/values.yaml: must be a mapping"),
    "no bind.yaml": ({f"{SMALL}/bind.yaml": None}, f"{SMALL}/bind.yaml: is missing; the plan says"),
    "an open action": (
        {f"{SMALL}/bind.yaml": "credential:\n- name: {{ .x\n"},
        f"{SMALL}/bind.yaml:2: a template action is not closed",
    ),
    "a bind.yaml that is no YAML": (
        {f"{SMALL}/bind.yaml": "credential: [\n"},
        f"{SMALL}/bind.yaml:2: is not valid YAML",
    ),
    "an unknown source": (
        {f"{SMALL}/bind.yaml": "credential:\n- name: A\n  valueFrom: {fileRef: {name: b}}\n"},
        f"{SMALL}/bind.yaml:3: credential.0.valueFrom.fileRef: is no source of a credential",
    ),
    "a path that is not understood": (
        edited(DRYCC, f"{SMALL}/bind.yaml", "'{ .spec.clusterIP }'", "'{ .spec.ports[?(@.a==1 && @.b==2)].port }'"),
        f"{SMALL}/bind.yaml:13: jsonpath: the filter [?(@.a==1 && @.b==2)]",
    ),
    "no chart": (
        {name: None for name in DRYCC if name.startswith("chart/")},
        "chart: has no chart; put one into a folder of its own",
    ),
    "two charts": (
        {"chart/other/Chart.yaml": "name: other\n"},
        "chart: has several charts, mysql, other; leave one",
    ),
    "a chart of another engine": (
        edited(DRYCC, "chart/mysql/Chart.yaml", "gotpl", "jinja"),
        "chart/mysql/Chart.yaml:4: engine: Helm has no template engine but gotpl",
    ),
    "nothing allowed by an entry": (
        meta("- name: service.type", "- description: x"),
        "meta.yaml:21: allow_parameters.1: missing: name",
    ),
    "a name that is no path": (
        meta("- name: service.type", "- name: service..type"),
        "meta.yaml:21: allow_parameters.1.name: is no path of a value",
    ),
}


@pytest.mark.bug(76)
@pytest.mark.parametrize(("change", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_used_is_told_with_its_place(tmp_path: Path, change: Change, expected: str) -> None:
    found = faults(tmp_path, change)
    assert any(fault.startswith(expected) for fault in found), found


@pytest.mark.parametrize(
    "name",
    [
        *("extraDeploy", "image", "web.image", "primary.extraEnvVars", "initScripts", "extraPlugins"),
        *("web.podSecurityContext.containerSecurityContext", "preUpgradeJob", "git", "pip", "requirements"),
    ],
)
def test_parameters_that_say_what_runs_are_told(tmp_path: Path, name: str) -> None:
    """All that their catalogue has of this kind; what a `service.type` may be, the gate knows."""
    (warning,) = told(tmp_path, meta("service.type", name))
    assert warning.startswith(f"meta.yaml:21: allow_parameters.1.name: {name} lets users say what runs in the")


@pytest.mark.parametrize("typo", ["'service.type '", "service.type\n  equired: true"])
def test_a_typo_in_the_list_allows_what_was_meant(tmp_path: Path, typo: str) -> None:
    """A trailing blank (clickhouse-basic) matched nothing; with `equired` (fluentbit) nothing is required."""
    right = made(tmp_path / "right").plans[0].parameters
    assert made(tmp_path / "typo", meta("- name: service.type", f"- name: {typo}")).plans[0].parameters == right


JUNK = ["{", "[]", '{"properties": 1}', '{"properties": {"auth": {"type": "secret"}}}', STUB]


@pytest.mark.parametrize("junk", JUNK)
def test_a_schema_that_says_nothing_of_use_is_as_none(tmp_path: Path, junk: str) -> None:
    """Most are a copied stub, and some plans have none."""
    file = f"{SMALL}/instance-schema.json"
    without = made(tmp_path / "without", {file: None}).plans[0].parameters
    assert made(tmp_path / "junk", {file: junk}).plans[0].parameters == without


@pytest.mark.bug(32)
def test_every_path_of_their_catalogue_leads_to_a_credential(tmp_path: Path) -> None:
    """All 60 are taken as they are written when the addon is read, and when a binding is made."""
    kinds = {"service": "serviceRef", "secret": "secretKeyRef"}
    objects = [name for name, _ in cases()[: len(CORPUS)]]
    text = "credential:\n" + "".join(
        f"  - name: C{number}\n    valueFrom:\n      {kinds[name]}:\n        name: x\n        jsonpath: '{path}'\n"
        for number, (name, path) in enumerate(zip(objects, CORPUS, strict=True))
    )
    assert told(tmp_path, {f"{SMALL}/bind.yaml": text}) == []
    delivered = credentials.read(text).credentials
    assert len(delivered) == 60
    for name, credential in zip(objects, delivered, strict=True):
        assert isinstance(credential.value, Ref)
        found = jsonpath.text_of(credential.value.template.first(OBJECTS[name]))
        assert found
        assert found == found.strip()


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    change: Change = {
        **meta("bindable: true\n", ""),
        f"{SMALL}/meta.yaml": "{",
        f"{LARGE}/values.yaml": "a: [",
        "chart/mysql/Chart.yaml": None,
    }
    assert {fault.partition(":")[0] for fault in faults(tmp_path, change)} == {"meta.yaml", f"{SMALL}/meta.yaml"}


def test_an_addon_may_have_the_id_of_a_plan_of_another_one(tmp_path: Path) -> None:
    """mongodb/8.0 has the id of a plan of mongodb/7.0."""
    made(tmp_path / "mysql/7.0")
    other = {
        **meta(DRYCC_ID, DRYCC_SMALL_ID),
        f"{SMALL}/meta.yaml": DRYCC[f"{SMALL}/meta.yaml"].replace("0002", "0009"),
    }
    other[f"{LARGE}/meta.yaml"] = DRYCC[f"{LARGE}/meta.yaml"].replace("0003", "0008")
    other["meta.yaml"] = str(other["meta.yaml"]).replace("mysql-8.0", "mysql-9.0")
    made(tmp_path / "mysql/8.0", other)
    catalog = load([tmp_path])
    assert [addon.name for addon in catalog.addons] == ["mysql-8.0", "mysql-9.0"]
    assert list(map(str, catalog.warnings[str(tmp_path / "mysql/8.0")])) == [
        f"meta.yaml: id {DRYCC_SMALL_ID} is of addon mysql-8.0, too, for something else"
    ]


ALLOWED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "what is named": ({"auth": {"password": "x"}, "service": {"type": "ClusterIP"}}, []),
    "all below what is named": ({"auth": {"password": {"a": [1]}}, "primary": {"configuration": [{"a": 1}]}}, []),
    "nothing": ({}, ["parameters: missing: auth"]),
    "another one": (
        {"auth": {"password": "x"}, "image": "y"},
        ["parameters: unknown 'image'; allowed: auth, primary"],
    ),
    "B49 an empty map": (
        {"auth": {"password": ""}, "securityContext": {}},
        ["parameters: unknown 'securityContext'"],
    ),
    "one beside it": ({"auth": {"password": "x", "root": 1}}, ["auth: unknown 'root'; allowed: password"]),
    "a value where a map is wanted": ({"auth": "x"}, ["auth: must be of type object"]),
    "a null where a map is wanted": ({"auth": None}, ["auth: must be of type object"]),
}


@pytest.mark.bug(33, 46, 49)
@pytest.mark.parametrize(("given", "expected"), ALLOWED.values(), ids=ALLOWED)
def test_the_allow_list_is_a_schema(tmp_path: Path, given: dict[str, Any], expected: list[str]) -> None:
    schemas = made(tmp_path).parameters(DRYCC_SMALL_ID)
    found = parameters.problems(schemas.create, given)
    assert len(found) == len(expected)
    assert all(problem.startswith(start) for problem, start in zip(found, expected, strict=True))
    without_required = [problem for problem in expected if "missing" not in problem]
    assert len(parameters.problems(schemas.update, given)) == len(without_required)


def test_a_name_may_be_allowed_with_more_rules_below_it(tmp_path: Path) -> None:
    change = meta("- name: service.type", "- name: service\n- name: service.type\n  required: true")
    schema = made(tmp_path, change).parameters(DRYCC_SMALL_ID).create
    good = {"auth": {"password": "x"}}
    assert parameters.problems(schema, {**good, "service": {"type": "x", "more": {"of": 1}}}) == []
    assert parameters.problems(schema, {**good, "service": {"more": 1}}) == ["service: missing: type"]


def test_nothing_that_was_given_is_shown_again(tmp_path: Path) -> None:
    """An allow-list cannot say what is a secret."""
    schema = made(tmp_path).parameters(DRYCC_SMALL_ID).create
    given: dict[str, Any] = {"auth": {"password": "c4n4ry"}, "primary": {"configuration": [{"a": "c4n4ry"}]}}
    assert "c4n4ry" not in str(parameters.shown(schema, given))


@pytest.mark.bug(33)
@pytest.mark.parametrize("written", ["allow_parameters: []\n", "allow_parameters:\n", ""])
def test_an_empty_list_allows_nothing_unless_the_operator_says_so(tmp_path: Path, written: str) -> None:
    change: Change = {"meta.yaml": DRYCC["meta.yaml"].partition("allow_parameters:")[0] + written}
    for opened, expected in (((), ["image: no parameters are taken here"]), (("mysql-8.0",), [])):
        schemas = made(tmp_path, change, *opened).parameters(DRYCC_SMALL_ID)
        assert parameters.problems(schemas.create, {"image": "x"}) == expected
        assert parameters.problems(schemas.update, {"image": "x"}) == expected


@pytest.mark.bug(33)
def test_the_schema_of_a_plan_narrows_what_is_allowed(tmp_path: Path) -> None:
    narrow = """{"$schema": "http://json-schema.org/draft-04/schema",
      "definitions": {"t": {"enum": ["ClusterIP"]}},
      "properties": {"service": {"properties": {"type": {"$ref": "#/definitions/t"}}}, "other": {}}}"""
    addon = made(tmp_path, {f"{SMALL}/instance-schema.json": narrow})
    given: dict[str, Any] = {"auth": {"password": "x"}, "service": {"type": "LoadBalancer"}}
    assert parameters.problems(addon.parameters(DRYCC_SMALL_ID).create, given) == [
        "service.type: must be one of ClusterIP"
    ]
    assert parameters.problems(addon.parameters(DRYCC_LARGE_ID).create, given) == []
    assert len(parameters.problems(addon.parameters(DRYCC_SMALL_ID).create, {**given, "other": "x"})) == 2


@pytest.mark.osb(36)
def test_allow_lists_are_published_as_schemas(tmp_path: Path) -> None:
    made(tmp_path / "mysql")
    (service,) = offerings.document(load([tmp_path]))["services"]
    for plan in service["plans"]:
        slots = plan["schemas"]["service_instance"]
        assert {slot["parameters"]["$schema"] for slot in slots.values()} == {
            "http://json-schema.org/draft-04/schema#"
        }
        auth = slots["create"]["parameters"]["properties"]["auth"]
        assert auth["required"] == ["password"]
        assert auth["properties"]["password"]["description"] == "The password of root."
