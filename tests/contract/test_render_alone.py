"""One template rendered by real helm within a chart, without a cluster: HelmReleases.render_alone."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from helmbroker.broker.domain.cluster import Capabilities
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.helm.releases import HelmCli
from helmbroker.catalog import credentials
from helmbroker.catalog.model import JSON
from tests.addons.programs import program

pytestmark = pytest.mark.cluster  # helm comes with it

REF = ReleaseRef("instances", "hb-1")
SERVED = Capabilities("v1.33.7", ("v1", "example.org/v1", "example.org/v1/Thing"))
HELPERS = """\
{{- define "demo.fullname" -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end -}}
{{- define "demo.key" -}}{{ .Values.auth.key | default "password" }}{{- end -}}
"""
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
    "values.yaml": "port: 1\nauth: {key: of-the-chart, ca: kept}\n",
    "templates/_helpers.tpl": HELPERS,
    "templates/service.yaml": '{{ fail "rendered for nothing" }}',
    "templates/both.yaml": '{{ define "demo.late" }}late{{ end }}\na: {{ .Values.port }}\n',
    "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
    "charts/sub/templates/_sub.tpl": '{{ define "sub.name" }}of the subchart{{ end }}',
    "charts/sub/templates/secret.yaml": '{{ (lookup "v1" "Secret" .Release.Namespace "x").data.password }}',
}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in CHART.items():
        (tmp_path / "chart" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "chart" / name).write_text(text)
    return tmp_path / "chart"


def rendered(chart: Path, text: str, values: Mapping[str, JSON] | None = None) -> str:
    template = chart.parent / "plans" / "bind.yaml"
    template.parent.mkdir(exist_ok=True)
    template.write_text(text)
    helm = HelmCli(program("helm"), chart.parent / "helm-home")
    said = helm.render_alone(template, chart, values or {}, REF, SERVED, threading.Event())
    assert list((chart.parent / "helm-home" / "rendering").iterdir()) == []
    return said


@pytest.mark.bug(19, 31, 35, 57)
def test_it_sees_what_the_chart_sees_and_nothing_else_is_rendered(chart: Path) -> None:
    text = """
credential:
  - {name: HOST, value: {{ include "demo.fullname" . }}.{{ $.Release.Namespace }}}
  - {name: KEY, value: {{ include "demo.key" . }}}
  - {name: LATE, value: {{ include "demo.late" . }}}
  - {name: SUB, value: {{ include "sub.name" . }}}
  - {name: CA, value: {{ .Values.auth.ca }}}
  - {name: PORT, value: {{ .Values.port }}}
  - {name: VERSION, value: {{ .Capabilities.KubeVersion.Version }}}
  - {name: THING, value: {{ .Capabilities.APIVersions.Has "example.org/v1/Thing" }}}
"""
    before = sorted(path.relative_to(chart) for path in chart.rglob("*"))
    delivery = credentials.read(rendered(chart, text, {"port": 3.10, "auth": {"key": None}}))
    assert {each.name: each.value for each in delivery.credentials} == {
        "HOST": "hb-1-demo.instances",
        "KEY": "password",
        "LATE": "late",
        "SUB": "of the subchart",
        "CA": "kept",
        "PORT": "3.1",
        "VERSION": "v1.33.7",
        "THING": "true",
    }
    assert sorted(path.relative_to(chart) for path in chart.rglob("*")) == before


def test_whatever_the_templates_of_real_catalogues_use_is_there(chart: Path) -> None:
    """All functions of the bind.yaml in Drycc's catalogue, blanks where they are or are missing."""
    text = """
{{- $names := list }}
{{- range $i := until (int .Values.nodes) }}
{{- $names = append $names (printf "%s-%d" (include "demo.fullname" $) $i) }}
{{- end }}
{{- $all := dict "names" $names }}
credential:
  {{- if.Values.proxy.enabled }}
  - name: NODES
    value: {{ join "," $all.names }}
\t{{- else }}
  - name: PROXY
    value: none
  {{- end}}
  {{- range $i, $name := $all.names }}
  {{-   if and (gt $i 0)
\t     (or (eq $name "a") (not (eq $i 2))) }}
  - {name: EXTERNAL_NODE_{{ printf "%d" $i }}, value: {{ $name | upper | trunc 5 | trimSuffix "-" | quote }}}
    {{- end }}
  {{- end }}
  - name: MAJOR
    value: {{ regexFind "^[0-9]+" .Values.version }}
  - name: HOST
    value: {{ template "demo.fullname" . }}.{{ $.Release.Namespace }}
"""
    values: dict[str, JSON] = {"nodes": 3, "version": "18.1", "proxy": {"enabled": True}}
    delivery = credentials.read(rendered(chart, text, values))
    assert delivery.assembled({}) == {
        "NODES": "hb-1-demo-0,hb-1-demo-1,hb-1-demo-2",
        "EXTERNAL_NODE_1": "HB-1",
        "MAJOR": "18",
        "HOST": "hb-1-demo.instances",
    }


@pytest.mark.bug(1, 29, 57)
def test_what_is_in_values_stays_a_value(chart: Path) -> None:
    text = "credential: [{name: A, value: {{ .Values.text | quote }}}]"
    odd = "$(touch x) `id` <>&\"'\\ {{ .Values.port }}\n--- \ncredential: []"
    (found,) = credentials.read(rendered(chart, text, {"text": odd})).credentials
    assert found.value == odd


@pytest.mark.bug(35)
@pytest.mark.parametrize(
    "expression",
    [
        "randAlphaNum 8",
        "uuidv4",
        'genPrivateKey "ecdsa" | b64enc',
        '(genCA "x" 1).Cert | b64enc',
        "shuffle `abcdefghijklm`",
    ],
)
def test_what_comes_by_chance_is_refused(chart: Path, expression: str) -> None:
    """It would not be what the release has."""
    with pytest.raises(HelmError) as caught:
        rendered(chart, f"credential: [{{name: A, value: {{{{ {expression} }}}}}}]")
    assert caught.value.fault is HelmFault.RENDER
    assert "says something else each time it is rendered" in caught.value.detail


@pytest.mark.bug(57)
def test_a_template_looks_nothing_up(chart: Path) -> None:
    """Else a parameter that the chart takes for a template could read what is not the tenant's."""
    text = 'credential: [{name: A, value: "{{ tpl .Values.text . }}"}]'
    lookup = '{{ lookup "v1" "Secret" .Release.Namespace "" | len }}'
    (found,) = credentials.read(rendered(chart, text, {"text": lookup})).credentials
    assert found.value == "0"


@pytest.mark.bug(29)
def test_a_template_that_fails_is_an_error(chart: Path) -> None:
    for text in (
        "credential: [{name: A, value: {{ .Values.absent.key }}}]",
        'credential: [{name: A, value: {{ required "no port" .Values.absent }}}]',
        "credential: [{name: A, value: {{ include `absent` . }}}]",
        "credential: [{name: A, value: {{ .Values.port ]",
        "credential: [{name: A",
    ):
        with pytest.raises(HelmError) as caught:
            rendered(chart, text)
        assert caught.value.fault is HelmFault.RENDER, (text, caught.value.fault)
        assert caught.value.detail


@pytest.mark.bug(57)
def test_documents_after_the_first_are_not_dropped(chart: Path) -> None:
    """So that two of them are a fault, and nobody's choice."""
    assert rendered(chart, "credential: []\n---\ncredential: [a]\n") == "credential: []\n---\ncredential: [a]\n"


def test_a_template_may_say_nothing(chart: Path) -> None:
    """Which then is a fault of its own: it has no credentials, not even none."""
    assert rendered(chart, "{{ if .Values.absent }}credential: []{{ end }}") == ""
