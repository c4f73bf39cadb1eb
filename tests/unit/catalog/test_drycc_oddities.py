"""Addons of Drycc: every oddity that its catalogue has, and what makes an addon unfit."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog import credentials, jsonpath
from helmbroker.catalog.load import load
from helmbroker.catalog.model import AddonFaults
from helmbroker.catalog.references import Ref
from tests.unit.catalog.foreign_folders import BIND, DRYCC, DRYCC_ID, DRYCC_LARGE_ID, DRYCC_SMALL_ID, edited
from tests.unit.catalog.kubectl import CORPUS, OBJECTS, cases
from tests.unit.catalog.test_drycc import LARGE, SMALL, Change, made, meta, told


def faults(folder: Path, change: Change) -> list[str]:
    with pytest.raises(AddonFaults) as error:
        made(folder, change)
    return list(map(str, error.value.faults))


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
  - name: PASSWORD
    value: {{ .Values.auth.password }}
"""
UNKNOWN = """\
credential:
- name: A
  valeu: b
  value: b
  optional: true
- name: B
  valueFrom:
    configMapRef: {name: x, jsonpath: '{.data.a}', namespace: y}
more: 1
"""
BRANCHES = """\
credential:
- name: PORT
  valueFrom:
    serviceRef:
      name: x
{{- if .Values.tls.enabled }}
      jsonpath: '{ .spec.ports[?(@.name=="tcp-client-tls")].port }'
{{- else }}
      jsonpath: '{ .spec.ports[?(@.name=="tcp-client")].port }'
{{- end }}
"""
WRITTEN_BY_THE_CHART = """\
credential:
- name: A
  valueFrom:
    secretKeyRef:
      {{- include "mysql.secret" . | nindent 6 }}
- name: B
  valueFrom:
    secretKeyRef: {{- include "mysql.secret" . | nindent 6 }}
- {name: C, valueFrom: {secretKeyRef: {name: mysql, {{ include "mysql.key" . }}}}}
- {name: D, valueFrom: { {{ include "mysql.source" . }} }}
- {name: E, {{ include "mysql.value" . }}}
- { {{ include "mysql.name" . }}, value: f}
"""
ALL_SOURCES = """\
credential:
- {name: A, valueFrom: {serviceRef: {name: a, jsonpath: '{.spec.ports[*].port}', all: true}}}
- {name: B, valueFrom: {secretKeyRef: {name: a, jsonpath: '{.data.b}', optional: true}}}
- {name: C, valueFrom: {secretKeyRef: {name: a, key: b}}}
- {name: D, valueFrom: {configMapRef: {name: a, jsonpath: '{.data.b}'}}}
- {name: E, valueFrom: {configMapKeyRef: {name: a, key: b}}}
"""
WARNINGS: dict[str, tuple[Change, list[str]]] = {
    "an id that is no UUID": (
        edited(DRYCC, f"{SMALL}/meta.yaml", DRYCC_SMALL_ID, "5607275af-0000-4000-8000-000000000002"),
        [f"{SMALL}/meta.yaml:1: id: is no UUID; taken as it is"],
    ),
    "an id of words": (meta(DRYCC_ID, "mysql"), ["meta.yaml:1: id: is no UUID; taken as it is"]),
    "an id in capitals": (meta(DRYCC_ID, DRYCC_ID.upper()), []),
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
        [f"{SMALL}/hooks/pre_provision.sh: is not run: list the addon in HELMBROKER_LEGACY_HOOKS"],
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
    "one key in two branches": ({f"{SMALL}/bind.yaml": BRANCHES}, []),
    "references that the chart writes": ({f"{SMALL}/bind.yaml": WRITTEN_BY_THE_CHART}, []),
    "lists that the chart writes": (
        {f"{SMALL}/bind.yaml": '{credential: {{ include "mysql.list" . }}, {{ include "mysql.more" . }}}\n'},
        [],
    ),
    "a bind.yaml that the chart writes": ({f"{SMALL}/bind.yaml": '{{ include "mysql.credentials" . }}\n'}, []),
    "names that are made": ({f"{SMALL}/bind.yaml": MADE}, []),
    "unknown keys in bind.yaml": (
        {f"{SMALL}/bind.yaml": UNKNOWN},
        [
            f"{SMALL}/bind.yaml:9: more: unknown key, which is not read",
            f"{SMALL}/bind.yaml:3: credential.0.valeu: unknown key, which is not read; did you mean value?",
            f"{SMALL}/bind.yaml:5: credential.0.optional: unknown key, which is not read",
            f"{SMALL}/bind.yaml:8: credential.1.valueFrom.configMapRef.namespace: unknown key, which is not read",
        ],
    ),
    "all sources of credentials": ({f"{SMALL}/bind.yaml": ALL_SOURCES}, []),
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
    "a whole Secret for one credential": (
        {f"{SMALL}/bind.yaml": "credential:\n- name: A\n  valueFrom: {secretRef: {name: b}}\n"},
        f"{SMALL}/bind.yaml:3: credential.0.valueFrom.secretRef: is no source of a credential",
    ),
    "a source that is a text": (
        {f"{SMALL}/bind.yaml": "credential:\n- name: A\n  valueFrom: {secretKeyRef: b}\n"},
        f"{SMALL}/bind.yaml:3: credential.0.valueFrom.secretKeyRef: must be a mapping",
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
    "the name of all others together": (
        meta("- name: service.type", "- name: rawValues"),
        "meta.yaml:21: allow_parameters.1.name: is no path of a value",
    ),
}


@pytest.mark.bug(76)
@pytest.mark.parametrize(("change", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_used_is_told_with_its_place(tmp_path: Path, change: Change, expected: str) -> None:
    found = faults(tmp_path, change)
    assert any(fault.startswith(expected) for fault in found), found


@pytest.mark.parametrize(
    ("file", "key"),
    [
        *(("meta.yaml", key) for key in ("id", "name", "version", "description", "bindable")),
        *((f"{SMALL}/meta.yaml", key) for key in ("id", "name", "description")),
    ],
)
def test_what_must_not_be_left_out(tmp_path: Path, file: str, key: str) -> None:
    kept = [line for line in DRYCC[file].splitlines(keepends=True) if not line.startswith(f"{key}:")]
    assert faults(tmp_path, {file: "".join(kept)}) == [f"{file}:1: missing: {key}"]


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


@pytest.mark.parametrize(("folder", "first"), [("9.0", "mysql-8.0"), ("7.0", "mysql-9.0")])
def test_an_addon_may_have_the_id_of_a_plan_of_another_one(tmp_path: Path, folder: str, first: str) -> None:
    """mongodb/8.0 has the id of a plan of mongodb/7.0. Whoever is read later is told."""
    made(tmp_path / "mysql/8.0")
    other = {
        **meta(DRYCC_ID, DRYCC_SMALL_ID),
        f"{SMALL}/meta.yaml": DRYCC[f"{SMALL}/meta.yaml"].replace("0002", "0009"),
    }
    other[f"{LARGE}/meta.yaml"] = DRYCC[f"{LARGE}/meta.yaml"].replace("0003", "0008")
    other["meta.yaml"] = str(other["meta.yaml"]).replace("mysql-8.0", "mysql-9.0")
    made(tmp_path / "mysql" / folder, other)
    catalog = load([tmp_path])
    assert catalog.addons[0].name == first
    assert len(catalog.addons) == 2
    ((warning,),) = catalog.warnings.values()
    assert str(warning) == f"meta.yaml: id {DRYCC_SMALL_ID} is of addon {first}, too, for something else"
