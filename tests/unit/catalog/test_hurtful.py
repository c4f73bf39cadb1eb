"""Files made to hurt: at most 256 MiB of memory and 10 s of a processor each, and a fault that names the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.catalog import folders, foreign_folders
from tests.unit.catalog.foreign_folders import DRYCC, KYMA

MOST_BYTES, MOST_S = 256 << 20, 10.0
FORMATS = {"native": folders.FILES, "drycc": DRYCC, "kyma": KYMA}
MAIN = {"native": "addon.yaml", "drycc": "meta.yaml", "kyma": "meta.yaml"}
PROGRAM = """
import json, sys, time
from pathlib import Path
from helmbroker.catalog.formats import load
from helmbroker.catalog.model import AddonFaults
slowest, faults = 0.0, []
for folder in sorted(Path(sys.argv[1]).iterdir()):
    began = time.process_time()
    try:
        load(folder)
    except AddonFaults as error:
        faults.append(next(fault.file for fault in error.faults if fault.severity == "error"))
    slowest = max(slowest, time.process_time() - began)
# of this program alone: ru_maxrss begins with what the process had that started it
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
bytes_ = int(peak.split()[1]) * 1024
print(json.dumps({"faults": faults, "bytes": bytes_, "s": slowest}))
"""
_LINES = 60_000


def _aliases(levels: int, of: str, many: str) -> str:
    lines = [f"a{n}: &a{n} {many.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, levels)]
    return "\n".join([f"a0: &a0 {of}", *lines])


YAML: dict[str, str] = {
    "a scalar of 10 MB": f"a: {'x' * (10 << 20)}",
    "a scalar as large as may be": f"a: {'x' * ((1 << 20) - 10)}",
    "aliases of aliases": _aliases(30, "[x]", "[{}]"),
    "merges of merges": _aliases(30, "{x: 1}", "{{<<: [{}]}}"),
    "a long text repeated": f"a: &a {'x' * 500_000}\nb: [{'*a,' * 100_000}]",
    "deep lists": "[" * 1_000_000,
    "deep maps": "{a: " * 250_000,
    "deep blocks": "- " * 500_000,
    "deep keys": "? " * 500_000,
    "many keys": "".join(f"k{n}: 1\n" for n in range(_LINES)),
    "many items": "[" + "1," * 500_000 + "]",
    "many anchors": "".join(f"- &a{n} x\n" for n in range(_LINES)),
    "many equal keys": "k: 1\n" * (5 * _LINES),
    "many tags": "- !!str x\n" * _LINES,
    "a long number": f"a: {'9' * 1_000_000}",
    "a long key": f"{'k' * 1_000_000}: 1",
    "folded lines": "a: >\n" + "  x\n" * 250_000,
    "many documents": "---\n" * 250_000,
    "quotes": '"' * 1_000_000,
    "tabs": "\t" * 1_000_000,
    "zeros": "\x00" * 1_000_000,
}
JSON_: dict[str, str] = {
    "deep lists": "[" * 1_000_000,
    "deep maps": '{"a":' * 200_000,
    "deep, and whole": "[" * 900 + "]" * 900,
    "a long number": f'{{"maximum": {"9" * 900_000}}}',
    "a large exponent": '{"maximum": 1e999999999}',
    "many keys": "{" + ",".join(f'"k{n}": 1' for n in range(_LINES)) + "}",
    "references in a circle": '{"allOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"$ref": "#"}}}',
    "many branches": json.dumps({"allOf": [{"anyOf": [{"type": "object"}] * 50}] * 50}),
    "references that double": json.dumps(
        {
            "$ref": "#/definitions/d0",
            "definitions": {f"d{n}": {"allOf": [{"$ref": f"#/definitions/d{n + 1}"}] * 2} for n in range(40)}
            | {"d40": {}},
        }
    ),
    "references in a row": json.dumps(
        {
            "$ref": "#/definitions/d0",
            "definitions": {f"d{n}": {"$ref": f"#/definitions/d{n + 1}"} for n in range(1200)} | {"d1200": {}},
        }
    ),
    "a deep pattern": json.dumps({"properties": {"a": {"type": "string", "pattern": "(" * 5000}}}),
}
TEMPLATES: dict[str, str] = {
    "open actions": "{{" * 500_000,
    "open texts": '{{ "' * 250_000,
    "open comments": "{{/*" * 250_000,
    "many actions": "{{ a }}\n" * 120_000 + "credential: [",
    "many names": "credential:\n" + "- {name: A, valu: b}\n" * 40_000,
}


def _loaded(folder: Path) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, check=False, timeout=280
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    result: dict[str, Any] = json.loads(ran.stdout)
    assert result["bytes"] <= MOST_BYTES
    assert result["s"] <= MOST_S
    return result


@pytest.mark.processes
@pytest.mark.bug(9, 77)
@pytest.mark.parametrize("name", FORMATS)
def test_no_yaml_takes_more_than_its_share(tmp_path: Path, name: str) -> None:
    """In the first file, in a plan and in the values or the chart of it."""
    plan = next(file for file in FORMATS[name] if file.startswith("plans/"))
    for number, text in enumerate(YAML.values()):
        folder = foreign_folders.write(tmp_path / f"{number:02}", FORMATS[name], {MAIN[name]: text, plan: text})
        for file in ("chart/mysql/Chart.yaml", "plans/whatever/values.yaml"):
            if file in FORMATS[name]:
                (folder / file).write_text(text)
    assert _loaded(tmp_path)["faults"] == [MAIN[name]] * len(YAML)


@pytest.mark.processes
@pytest.mark.osb(36)
def test_no_schema_takes_more_than_its_share(tmp_path: Path) -> None:
    file = "plans/whatever/create-instance-schema.json"
    for number, text in enumerate(JSON_.values()):
        foreign_folders.write(tmp_path / f"{number:02}", KYMA, {file: text})
    assert set(_loaded(tmp_path)["faults"]) == {file}


@pytest.mark.processes
def test_no_credentials_template_takes_more_than_its_share(tmp_path: Path) -> None:
    file = "plans/whatever/bind.yaml"
    for number, text in enumerate(TEMPLATES.values()):
        foreign_folders.write(tmp_path / f"{number:02}", KYMA, {file: text})
    assert {file} <= set(_loaded(tmp_path)["faults"])
