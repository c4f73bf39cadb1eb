"""Addon folders of Drycc and Kyma for tests, as their catalogues have them: right ones, and changes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DRYCC_ID = "bbbbbbbb-0000-4000-8000-000000000001"
DRYCC_SMALL_ID = "bbbbbbbb-0000-4000-8000-000000000002"
DRYCC_LARGE_ID = "bbbbbbbb-0000-4000-8000-000000000003"
KYMA_ID = "cccccccc-0000-4000-8000-000000000001"
KYMA_MICRO_ID = "cccccccc-0000-4000-8000-000000000002"

BIND = """\
credential:
  {{- if.Values.proxy.enabled }}
  - name: EXTERNAL_HOST
    valueFrom:
      serviceRef:
        name: {{ printf "%s-proxy" (include "common.names.fullname" .) }}
        jsonpath: '{ .status.loadBalancer.ingress[*].ip }'
  {{- end }}
  - name: HOST
    valueFrom:
      serviceRef:
        name: {{ include "common.names.fullname" . }}
        jsonpath: '{ .spec.clusterIP }'
  - name: PASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ include "common.names.fullname" . }}
        jsonpath: '{ .data.root-password }'
  - name: PORT
    value: {{ .Values.service.port }}
"""
STUB = """\
{
  "$schema": "http://json-schema.org/draft-04/schema#",
  "type": "object",
  "properties": {
    "imagePullPolicy": {"title": "Image pull policy", "type": "string", "enum": ["Always", "IfNotPresent"]}
  }
}
"""
DRYCC = {
    "meta.yaml": f"""\
id: {DRYCC_ID}
name: mysql-8.0
version: 8.0
description: MySQL server.
displayName: MySQL 8.0
metadata:
  displayName: MySQL
  provider:
    name: drycc
    supportURL: https://example.com/support
  documentationURL: https://example.com/docs
tags: database, sql ,mysql
bindable: true
instances_retrievable: true
bindings_retrievable: true
plan_updateable: true
allow_parameters:
- name: auth.password
  required: true
  description: The password of root.
- name: service.type
- name: primary.configuration
""",
    "chart/mysql/Chart.yaml": """\
apiVersion: v2
name: mysql-chart
version: 1.1.2
engine: gotpl
dependencies:
- name: common
  repository: oci://registry.example.com/charts
  version: ~1.1.1
  tags: [drycc-common]
""",
    "chart/mysql/charts/common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 1.1.4\nengine: gotpl\n",
    "chart/mysql/templates/service.yaml": "# a template\n",
    "plans/standard-10/meta.yaml": f"""\
id: {DRYCC_SMALL_ID}
name: standard-1c2g10
description: One core.
displayName: 1 core
bindable: true
maximum_polling_duration: 1800
""",
    "plans/standard-10/values.yaml": "fullnameOverride: mysql\nsize: 10Gi\nlegacy: yes\n",
    "plans/standard-10/bind.yaml": BIND,
    "plans/standard-10/instance-schema.json": STUB,
    "plans/standard-20/meta.yaml": f"""\
id: {DRYCC_LARGE_ID}
name: standard-2c4g20
description: Two cores.
bindable: true
""",
    "plans/standard-20/values.yaml": "# nothing but comments\n",
    "plans/standard-20/bind.yaml": BIND.replace("PASSWORD", "ROOT_PASSWORD"),
    "plans/standard-20/instance-schema.json": STUB,
}
KYMA = {
    "meta.yaml": f"""\
id: {KYMA_ID}
name: redis
version: 0.1
description: Redis by Helm.
displayName: Redis
tags: cache, kv
providerDisplayName: Kyma
longDescription: Longer.
documentationURL: https://example.com/docs
supportURL: https://example.com/support
imageURL: https://example.com/redis.png
bindable: true
planUpdatable: true
provisionOnlyOnce: false
bindingsRetrievable: false
labels:
  team: data
""",
    "chart/anything/Chart.yaml": "apiVersion: v1\nname: redis\nversion: 3.0.0\n",
    "chart/NOTES.txt": "A stray file.\n",
    "docs/meta.yaml": "docs:\n- template: {displayName: Redis, sources: []}\n",
    "plans/whatever/meta.yaml": f"""\
id: {KYMA_MICRO_ID}
name: micro
description: Small.
displayName: Micro
free: false
""",
    "plans/whatever/values.yaml": "persistence: {enabled: false}\n",
    "plans/whatever/bind.yaml": """\
credential:
- name: HOST
  value: {{ template "redis.fullname" . }}
- name: PASSWORD
  valueFrom: {secretKeyRef: {name: '{{ template "redis.fullname" . }}', key: redis-password}}
credentialFrom:
- secretRef: {name: '{{ .Release.Name }}'}
""",
    "plans/whatever/create-instance-schema.json": """\
{
  "$schema": "http://json-schema.org/draft-04/schema#",
  "type": "object",
  "properties": {
    "mode": {"type": "string", "enum": ["fast", "safe"]},
    "motd": {"type": "string"},
    "limits": {"type": "object", "properties": {"cpu": {"type": "integer"}}}
  }
}
""",
    "plans/whatever/bind-instance-schema.json": """\
{"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "properties": {"role": {"type": "string"}}}
""",
}


def write(folder: Path, files: Mapping[str, str], changes: Mapping[str, str | None] | None = None) -> Path:
    """Write an addon below `folder`; `changes`: other texts of files, None for no such file."""
    for name, text in {**files, **(changes or {})}.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
    return folder


def edited(files: Mapping[str, str], name: str, old: str, new: str) -> dict[str, str | None]:
    """The change that puts `new` for `old` in one file."""
    assert old in files[name], f"{old!r} is not in {name}"
    return {name: files[name].replace(old, new)}
