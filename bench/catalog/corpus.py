"""A catalogue as large as Drycc's: 41 addons, 239 plans, 386 allowed parameters, 12 MB. The same every time."""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path

ADDONS, PLANS, PARAMETERS = 41, 239, 386
_TEMPLATES = 60  # files of a chart, of about 4 kB each
_COMPONENTS = ("primary", "replica", "proxy", "metrics", "backup", "volumePermissions")
_SIZES = ("512m", "1", "2", "4", "8")
_STUB = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "properties": {"imagePullPolicy": {"type": "string", "enum": ["Always", "IfNotPresent", "Never"]}},
}


def write(folder: Path, addons: int = ADDONS, plans: int = PLANS, parameters: int = PARAMETERS) -> None:
    """Write addon folders below `folder`; plans and parameters are dealt out evenly."""
    chance = random.Random(41)  # noqa: S311  # for shape, not for secrets
    for number in range(addons):
        share = range(number, plans, addons)
        allowed = range(number, parameters, addons)
        _addon(folder / f"engine-{number:02}", chance, number, len(share), len(allowed))


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _addon(folder: Path, chance: random.Random, number: int, plans: int, allowed: int) -> None:
    name = f"engine-{number:02}"
    entries = "".join(
        f"- name: {_COMPONENTS[each % len(_COMPONENTS)]}.setting{each}\n  required: false\n"
        f"  description: What setting {each} of the engine does, in a sentence.\n"
        for each in range(allowed)
    )
    _put(
        folder / "meta.yaml",
        f"id: {_id(chance)}\nname: {name}\nversion: {number}.10\ndescription: Engine {number} by Helm.\n"
        f"displayName: Engine {number}\nmetadata:\n  displayName: Engine {number}\n  provider: {{name: somebody}}\n"
        f"tags: database, engine\nbindable: true\ninstances_retrievable: true\nbindings_retrievable: true\n"
        f"plan_updateable: true\nallow_parameters:\n{entries}",
    )
    chart = folder / "chart" / name
    _put(chart / "Chart.yaml", f"apiVersion: v2\nname: engine\nversion: 1.0.{number}\nengine: gotpl\n")
    _put(chart / "values.yaml", _values(chance, 40))
    for each in range(_TEMPLATES):
        _put(chart / f"templates/part-{each:02}.yaml", _template(chance))
    template = _bind(number)
    for each in range(plans):
        plan = folder / f"plans/standard-{each:02}"
        _put(
            plan / "meta.yaml",
            f"id: {_id(chance)}\nname: standard-{each:02}\ndescription: Size {each} of engine {number}.\n"
            f"displayName: Size {each}\nbindable: true\nmaximum_polling_duration: 1800\n",
        )
        _put(plan / "values.yaml", _values(chance, 12))
        _put(plan / "bind.yaml", template)
        _put(plan / "instance-schema.json", json.dumps(_STUB, indent=2))


def _values(chance: random.Random, groups: int) -> str:
    """About 200 bytes for each group."""
    lines = ["fullnameOverride: engine"]
    for each in range(groups):
        cpu, memory = chance.choice(_SIZES), chance.randrange(1, 64)
        lines += [
            f"{_COMPONENTS[each % len(_COMPONENTS)]}{each}:",
            f"  enabled: {str(chance.random() < 0.5).lower()}",
            f"  persistence: {{enabled: true, size: {chance.randrange(1, 900)}Gi}}",
            "  resources:",
            f"    limits: {{cpu: {cpu}, memory: {memory}Gi}}",
            f"    requests: {{cpu: 100m, memory: {memory}Gi}}",
            f'  extraFlags: "--max-connections={chance.randrange(100, 9000)}"',
        ]
    return "\n".join(lines) + "\n"


def _template(chance: random.Random) -> str:
    lines = (
        f"    # {{{{- if .Values.part{chance.randrange(99)} }}}} {chance.getrandbits(200):050x}" for _ in range(50)
    )
    return "kind: ConfigMap\nmetadata:\n  annotations:\n" + "\n".join(lines) + "\n"


def _bind(number: int) -> str:
    lines = ["credential:"]
    for each in range(12):
        lines += [
            f"  {{{{- if .Values.part{each}.enabled }}}}",
            f"  - name: ENGINE_{number}_{each}",
            "    valueFrom:",
            "      secretKeyRef:",
            '        name: {{ include "common.names.fullname" . }}',
            f"        jsonpath: '{{ .data.password-{each} }}'",
            "  {{- end }}",
        ]
    return "\n".join(lines) + "\n"


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
