"""The tools for authors, with real helm: a new addon lints clean, and all that is wrong with one is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.cluster


def helmbroker(*arguments: str, **settings: str) -> tuple[int, str, str]:
    """Exit status, output, errors."""
    done = subprocess.run(
        [sys.executable, "-m", "helmbroker.broker", *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    status, _, errors = helmbroker("addon", "init", "notes", "--into", str(tmp_path))
    assert status == 0, errors
    return tmp_path / "notes"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def linted(folder: Path, **settings: str) -> tuple[int, list[tuple[str, str, str]]]:
    """Exit status; level, rule and message of every finding."""
    status, output, errors = helmbroker("addon", "lint", str(folder), "--format", "json", **settings)
    assert "Traceback" not in errors
    found: list[dict[str, Any]] = json.loads(output)
    return status, [(each["level"], each["rule"], each["message"]) for each in found]


def test_a_new_addon_lints_clean(folder: Path) -> None:
    assert linted(folder) == (0, [])


def test_all_faults_are_told_at_once(folder: Path) -> None:
    (folder / "README.md").unlink()
    change(folder / "contract.yaml", "[host, port", "[host, port, uri")
    change(folder / "chart/values.yaml", "tag: 3.13-slim", "tag: latest")
    change(
        folder / "chart/templates/statefulset.yaml",
        "      containers:\n",
        "      hostPID: true\n      containers:\n",
    )
    change(folder / "chart/templates/service.yaml", "  ports:", "  prots: []\n  ports:")
    (folder / "binding/values.schema.json").unlink()
    (folder / "chart" / "crds").mkdir()
    (folder / "chart" / "crds" / "crd.yaml").write_text(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.y.z}\n"
    )

    status, found = linted(folder)
    assert status == 1
    assert {(level, rule) for level, rule, _ in found} >= {
        ("error", "gate"),
        ("error", "contract"),
        ("error", "kubernetes"),
        ("warning", "values-schema"),
        ("warning", "readme"),
        ("warning", "image"),
        ("warning", "chart"),
    }
    (message,) = (message for _, rule, message in found if rule == "gate" and "StatefulSet" in message)
    assert "spec.template.spec.hostPID" in message
    assert "(plan" not in message, "it is so for every plan"


def test_what_one_plan_alone_breaks_is_told_with_its_name(folder: Path) -> None:
    change(folder / "plans/small.yaml", "values:\n", "values:\n  storage: {size: big}\n")
    status, ((level, rule, message), *_) = linted(folder)
    assert (status, level, rule) == (1, "error", "render")
    assert message.endswith("(plan small)")


def test_what_the_operator_grants_is_no_fault(folder: Path, tmp_path: Path) -> None:
    change(folder / "chart/templates/service.yaml", "  ports:", "  type: LoadBalancer\n  ports:")
    (tmp_path / "grants.yaml").write_text("notes:\n  service_types: [LoadBalancer]\n")
    assert linted(folder)[0] == 1
    assert linted(folder, HELMBROKER_GRANTS_FILE=str(tmp_path / "grants.yaml")) == (0, [])


def test_addons_of_drycc_are_checked_as_the_broker_would_keep_them(tmp_path: Path) -> None:
    """Without the template that lies astray in the chart, whatever that is called; it makes the credentials."""
    labels = "{app.kubernetes.io/instance: {{ .Release.Name }}}"
    files = {
        "meta.yaml": "id: a1\nname: store\nversion: 3.10\ndisplayName: Store\ndescription: Keeps.\nbindable: true\n"
        "tags: store\nallow_parameters: [{name: size}]\n",
        "README.md": "What it is good for. " * 20,
        "plans/small/meta.yaml": "id: p1\nname: small\ndescription: Small.\n",
        "plans/small/values.yaml": "size: 1\n",
        "plans/small/bind.yaml": "credential:\n  - {name: HOST, value: {{ .Release.Name }}}\n",
        "chart/store/Chart.yaml": "apiVersion: v2\nname: another\nversion: 1.0.0\nengine: gotpl\n",
        "chart/store/values.yaml": "size: 0\n",
        "chart/store/values.schema.json": '{"type": "object"}',
        "chart/store/templates/bind.yaml": "credential: {}\n",
        "chart/store/templates/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: {{.Release.Name}}}\n"
        f"spec: {{selector: {labels}, ports: [{{port: 1}}]}}\n",
    }
    for name, content in files.items():
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    status, found = linted(tmp_path / "store")
    assert [each for each in found if each[0] == "error"] == []
    assert status == 0
    status, output, _ = helmbroker("addon", "render", str(tmp_path / "store"), "--plan", "small")
    assert [each["kind"] for each in yaml.safe_load_all(output)] == ["Service"]


def test_what_cannot_be_checked_is_told_apart(folder: Path) -> None:
    status, _, errors = helmbroker("addon", "lint", str(folder), HELMBROKER_HELM="/nowhere/helm")
    assert (status, "there is no program /nowhere/helm" in errors) == (2, True)
    assert helmbroker("addon", "lint", str(folder / "none"))[0] == 2


def test_render_shows_what_parameters_make_of_a_plan(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"greeting": "good morning"}')
    arguments = ("addon", "render", str(folder), "--plan", "small", "--set-file", str(tmp_path / "p.json"))
    status, output, errors = helmbroker(*arguments)
    assert status == 0, errors
    (workload,) = (each for each in yaml.safe_load_all(output) if each["kind"] == "StatefulSet")
    assert {"name": "GREETING", "value": "good morning"} in workload["spec"]["template"]["spec"]["containers"][0][
        "env"
    ]
    (tmp_path / "p.json").write_text('{"greeting": 1}')
    assert helmbroker(*arguments)[::2] == (1, "helmbroker: greeting: must be of type string\n")
    assert "there are medium, small" in helmbroker("addon", "render", str(folder), "--plan", "x")[2]


def test_package_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    told = [
        json.loads(helmbroker("addon", "package", str(folder), "--into", str(tmp_path / name))[1]) for name in "ab"
    ]
    assert told[0]["sha256"] == told[1]["sha256"]
    with tarfile.open(told[0]["file"]) as archive:
        assert "addon.yaml" in archive.getnames()


def test_the_catalog_is_checked(folder: Path) -> None:
    settings = {"HELMBROKER_ADDONS_DIR": str(folder.parent)}
    assert helmbroker("catalog", "check", **settings)[0] == 0
    change(folder / "addon.yaml", "bindable: true", "bindable: perhaps")
    status, output, errors = helmbroker("catalog", "check", **settings)
    assert (status, errors) == (1, "0 offered, 1 quarantined\n")
    assert output.startswith(f"{folder}/addon.yaml:9: bindable: must be of type boolean")
