"""Which kinds charts can make, read from their templates."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

from helmbroker.catalog.load import load
from helmbroker.catalog.made import Made, MadeKind, made
from tests.unit.catalog.folders import write

HELPER = """
{{- define "x.annotations" -}}
helm.sh/hook: pre-install
{{- end }}
{{ define "x.job" }}
apiVersion: batch/v1
kind: Job
{{- end }}
"""
CONDITIONAL = """
{{- if .Values.many }}
apiVersion: policy/v1
kind: PodDisruptionBudget
spec: {}
---
{{- end }}
apiVersion: apps/v1
kind: "StatefulSet"  # the server
spec:
  kind: Nothing
---
apiVersion: v1
kind: Secret
metadata:
  annotations: {helm.sh/hook: pre-upgrade}
data: {{ lookup "v1" "ConfigMap" .Release.Namespace "x" | toYaml }}
"""


def of(tmp_path: Path, **templates: str) -> Made:
    """Of an addon whose chart has these templates."""
    write(tmp_path / "addons" / "demo")
    (addon,) = load([tmp_path / "addons"]).addons
    folder = tmp_path / "only"
    (folder / "chart/templates").mkdir(parents=True)
    for name, content in templates.items():
        (folder / "chart/templates" / name).write_text(content)
    return made(replace(addon, folder=folder))


def test_what_a_condition_hides_counts_and_what_is_deeper_does_not(tmp_path: Path) -> None:
    assert of(tmp_path, objects=CONDITIONAL) == Made(
        frozenset(
            {
                MadeKind("PodDisruptionBudget", "policy", hook=False),
                MadeKind("StatefulSet", "apps", hook=False),
                MadeKind("Secret", "", hook=True),
            }
        ),
        frozenset({("", "ConfigMap")}),
        unclear=False,
    )


def test_annotations_of_a_helper_may_make_hooks_of_everything(tmp_path: Path) -> None:
    kinds = of(tmp_path, helpers=HELPER, objects="apiVersion: v1\nkind: Service\n").kinds
    assert kinds == {MadeKind("Job", "batch", hook=True), MadeKind("Service", "", hook=True)}


def test_a_kind_or_version_that_is_worked_out_is_not_known(tmp_path: Path) -> None:
    found = of(
        tmp_path, a="apiVersion: v1\nkind: {{ .Values.kind }}\n", b='apiVersion: {{ include "v" . }}\nkind: Job\n'
    )
    assert found == Made(frozenset({MadeKind("Job", None, hook=False)}), frozenset(), unclear=True)


def test_dependencies_are_read_as_they_are_packed(tmp_path: Path) -> None:
    write(tmp_path / "addons" / "demo")
    (addon,) = load([tmp_path / "addons"]).addons
    (tmp_path / "only/chart/charts").mkdir(parents=True)
    with tarfile.open(tmp_path / "only/chart/charts/common-1.0.0.tgz", "w:gz") as packed:
        content = b"apiVersion: batch/v1\nkind: CronJob\n"
        for name in ("common/templates/a.yaml", "common/crds/b.yaml"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    assert made(replace(addon, folder=tmp_path / "only")).kinds == {MadeKind("CronJob", "batch", hook=False)}
