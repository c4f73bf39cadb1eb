"""A data directory as Drycc's helmbroker leaves it, written as the reference says; and how it ran helm.

Modelled: instance.json and binding.json with what its bugs make of them, chart/ and plan/, values files, backups,
addons.json, a dump of Valkey. The chart is a small one of a store with a password and a volume, which runs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from helmbroker.catalog.dotted import nested
from helmbroker.catalog.values import merge

SERVICE_ID = "dddddddd-0000-4000-8000-000000000001"
SMALL_ID, LARGE_ID = "dddddddd-0000-4000-8000-000000000002", "dddddddd-0000-4000-8000-000000000003"
PLAN_IDS = {"small": SMALL_ID, "large": LARGE_ID}
ADDON, CHART = "store-1", "store-chart-1.0.3"
CREDENTIALS: dict[str, Any] = {"HOST": "10.0.0.1", "PORT": 6379, "PASSWORD": "0ld-c4n4ry"}
_PLAN_META = """\
id: {id}
name: standard-{name}
description: A {name} store.
bindable: true
maximum_polling_duration: 1800
"""
_BIND = """\
credential:
  - name: HOST
    valueFrom:
      serviceRef:
        name: {{ include "common.names.fullname" . }}
        jsonpath: '{ .spec.clusterIP }'
  - name: PORT
    valueFrom:
      serviceRef:
        name: {{ include "common.names.fullname" . }}
        jsonpath: '{ .spec.ports[?(@.name=="tcp-store")].port }'
  - name: PASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ include "common.names.fullname" . }}
        jsonpath: '{ .data.store-password }'
"""
CHART_FILES = {
    "Chart.yaml": """\
apiVersion: v2
name: store-chart
version: 1.0.3
engine: gotpl
dependencies:
- name: common
  repository: oci://registry.example.com/charts
  version: ~1.1.1
""",
    "values.yaml": """\
image: sandbox.local/redis:7
fullnameOverride: ""
replicas: 1
auth: {password: ""}
persistence: {enabled: true, size: 64Mi}
settings: {tier: none, mode: plain}
""",
    "templates/store.yaml": """\
{{- $name := include "common.names.fullname" . }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $name }}-settings, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
data:
  {{- range $key, $value := .Values.settings }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ $name }}, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
data:
  {{- $known := dig "data" "store-password" "" (lookup "v1" "Secret" .Release.Namespace $name) }}
  {{- $given := .Values.auth.password | toString | b64enc }}
  {{- $made := $known | default (randAlphaNum 12 | b64enc) }}
  store-password: {{ ternary $made $given (empty .Values.auth.password) }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ $name }}, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
spec:
  ports: [{name: tcp-store, port: 6379}]
  selector: {app.kubernetes.io/instance: {{ .Release.Name }}, app.kubernetes.io/name: store}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ $name }}, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
spec:
  replicas: {{ .Values.replicas }}
  serviceName: {{ $name }}
  selector: {matchLabels: {app.kubernetes.io/instance: {{ .Release.Name }}, app.kubernetes.io/name: store}}
  template:
    metadata: {labels: {app.kubernetes.io/instance: {{ .Release.Name }}, app.kubernetes.io/name: store}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      containers:
        - name: store
          image: {{ .Values.image }}
          command: [sleep, infinity]
          {{- if .Values.persistence.enabled }}
          volumeMounts: [{name: data, mountPath: /data}]
          {{- end }}
          envFrom: [{configMapRef: {name: {{ $name }}-settings}}]
  {{- if .Values.persistence.enabled }}
  volumeClaimTemplates:
    - metadata: {name: data, labels: {app.kubernetes.io/instance: {{ .Release.Name }}}}
      spec:
        accessModes: [ReadWriteOnce]
        resources: {requests: {storage: {{ .Values.persistence.size }}}}
  {{- end }}
""",
    "charts/common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 1.1.4\ntype: library\n",
    "charts/common/templates/_names.tpl": """\
{{- define "common.names.fullname" -}}
{{- default (printf "%s-%s" .Release.Name .Chart.Name) .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}
""",
}
META = f"""\
id: {SERVICE_ID}
name: {ADDON}
version: 1.0
description: A store.
displayName: Store
tags: store, cache
bindable: true
instances_retrievable: true
plan_updateable: true
allow_parameters:
- name: auth.password
- name: persistence
- name: settings
"""


def plan_files(name: str) -> dict[str, str]:
    """Of a plan's folder."""
    values = {"fullnameOverride": "store", "settings": {"size": name}}
    return {
        "meta.yaml": _PLAN_META.format(id=PLAN_IDS[name], name=name),
        "values.yaml": yaml.safe_dump(values),
        "bind.yaml": _BIND,
    }


def write_addon(folder: Path) -> Path:
    """The addon as a source offers it."""
    _write(folder, {"meta.yaml": META})
    _write(folder / "chart" / ADDON, CHART_FILES)
    for name in PLAN_IDS:
        _write(folder / "plans" / f"standard-{name}", plan_files(name))
    return folder


def last(state: str, operation: str | None = "provision", description: str = "") -> dict[str, Any]:
    """A last_operation; `operation` may be missing."""
    named = {} if operation is None else {"operation": operation}
    return {"state": state, **named, "description": description}


@dataclass
class OldInstance:
    """What is to be written of one instance. `operator`: addon-values.yaml; raw: rawValues, as values."""

    id: str
    name: str
    namespace: str = "shop"
    plan: str = "small"
    changed_from: str | None = None  # the plan before (B14)
    parameters: dict[str, Any] | None = None
    raw: dict[str, Any] | None = None
    operator: dict[str, Any] | None = None
    last: dict[str, Any] = field(default_factory=lambda: last("succeeded"))
    binding: dict[str, Any] | None = None
    chart: Mapping[str, str] = field(default_factory=lambda: CHART_FILES)

    @property
    def given(self) -> dict[str, Any]:
        """Parameters as the platform has sent them."""
        raw = (
            {} if self.raw is None else {"rawValues": base64.b64encode(yaml.safe_dump(self.raw).encode()).decode()}
        )
        return {**(self.parameters or {}), **raw}

    def described(self) -> dict[str, Any]:
        """instance.json."""
        ids = {"service_id": SERVICE_ID, "plan_id": PLAN_IDS[self.plan]}
        if self.changed_from is not None:
            ids = {"service_id": PLAN_IDS[self.plan], "plan_id": PLAN_IDS[self.changed_from]}
        context = {"instance_name": self.name, "namespace": self.namespace, "platform": "drycc", "clusterid": "c"}
        details = {**ids, "context": context, "parameters": self.given or None}
        return {"id": self.id, "details": details, "last_operation": self.last, "last_modified_time": 1.5}

    def folder(self, root: Path) -> Path:
        return root / "instances" / self.id

    def write(self, root: Path) -> Path:
        """Its folder below the data directory."""
        folder = self.folder(root)
        left = {} if self.binding is None else {"templates/bind.yaml": _BIND}  # by the bind (B19)
        _write(folder / "chart", {**self.chart, **left})
        _write(folder / "plan", plan_files(self.plan))
        files = {"instance.json": json.dumps(self.described()), "hooks-result.json": "{}"}
        if self.binding is not None:
            files["binding.json"] = json.dumps(self.binding)
        if self.operator is not None:
            files["addon-values.yaml"] = yaml.safe_dump(self.operator)
        if self.raw is not None:
            files["custom-addon-values.yaml"] = yaml.safe_dump(self.raw)
        _write(folder, files)
        _write(folder / "backups" / "2025-01-01T00:00:00", {"instance.json": "{}"})
        return folder

    def helm(self, root: Path) -> list[str]:
        """What follows `helm install` or `helm template`: chart and values, as the old broker gave them."""
        folder = self.folder(root)
        files = [folder / "addon-values.yaml", folder / "plan" / "values.yaml", folder / "custom-addon-values.yaml"]
        argv = [self.name, str(folder / "chart"), "--namespace", self.namespace]
        argv += [word for file in files if file.exists() for word in ("--values", str(file))]
        given = {"fullnameOverride": f"helmbroker-{self.name}", **(self.parameters or {})}
        return [*argv, *(word for key, value in given.items() for word in ("--set", f"{key}={value}"))]

    def set_values(self) -> dict[str, Any]:
        """What helm keeps of them, when its parameters are texts that mean themselves."""
        plan = yaml.safe_load(plan_files(self.plan)["values.yaml"])
        forced = {"fullnameOverride": f"helmbroker-{self.name}"}
        return merge(self.operator or {}, plan, self.raw or {}, nested(self.parameters or {}), forced)


def bound(binding_id: str = "b1", *, state: str = "succeeded", description: str = "bind done") -> dict[str, Any]:
    """binding.json; it is there also after an unbind, with the credentials (B23)."""
    told = {"state": state, "description": description}
    return {"binding_id": binding_id, "credentials": CREDENTIALS, "last_operation": told, "last_modified_time": 2.5}


def addons_json() -> dict[str, Any]:
    """The old catalogue: by displayName (B78), with everything of meta.yaml, tags split, and the plans."""
    meta = yaml.safe_load(META)
    plans = [yaml.safe_load(plan_files(name)["meta.yaml"]) for name in PLAN_IDS]
    return {meta["displayName"]: {**meta, "version": "1.0", "tags": ["store"], "plans": plans, "url": "https://x"}}


def write_root(root: Path, *instances: OldInstance) -> Path:
    """The data directory with these instances."""
    _write(root / "addons", {"addons.json": json.dumps(addons_json())})
    _write(root / "config", {"addon-values": "{}", "addon-repository": "{}"})
    (root / "instances").mkdir(exist_ok=True)
    for each in instances:
        each.write(root)
    return root


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
