"""The program as one file, run by a Python without any package, in an environment without anything."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from helmbroker.controller_bridge.plugin.arguments import COMMANDS
from packing.plugin import MAIN, build
from tests.unit.plugin.service import Answer, Service, environment

ALONE = [sys.executable, "-I", "-S", "-W", "error"]  # without site-packages, and whatever the environment says


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("one") / "drycc-resources"
    build(path)
    return path


def run(program: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ALONE, str(program), *arguments],
        env=env or {},
        cwd=program.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_every_module_of_the_plugin_is_in_it(program: Path) -> None:
    """So that a command whose modules are loaded late finds them."""
    with zipfile.ZipFile(program) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist() if "/plugin/" in name}
        licences = {name for name in archive.namelist() if name.endswith("LICENSE")}
    here = Path(sys.modules["helmbroker.controller_bridge.plugin.arguments"].__file__ or "").parent
    assert {path.name for path in here.glob("*.py")} == {name for name in names if name.endswith(".py")}
    assert licences == {"helmbroker/LICENSE", "yaml/LICENSE"}


def test_it_runs_without_anything(program: Path) -> None:
    assert run(program, "--version").stdout.endswith("(helmbroker)\n")
    shown = run(program, "--help")
    assert all(f"\n  {command} " in shown.stdout for command in COMMANDS)
    assert (shown.returncode, shown.stderr) == (0, "")


def test_it_speaks_with_the_service_and_reads_files(program: Path, service: Service, tmp_path: Path) -> None:
    service.results("GET /v2/apps/example-go/resources/", [])
    service.answer("POST /v2/apps/example-go/resources/", Answer({"name": "db"}, 201))
    (program.parent / "values.yaml").write_text("size: 2Gi\n")
    (program.parent / "resources.yaml").write_text("resources: {}\n")
    env = environment(service, tmp_path)
    made = run(program, "create", "db", "pg", "small", "-f", "values.yaml", "--no-wait", env=env)
    assert (made.returncode, made.stderr) == (0, "")
    applied = run(program, "apply", "-f", "resources.yaml", env=env)
    assert applied.stdout == "No resources found in example-go app, and none in the file.\n"
    doctor = run(program, "doctor", env=env)
    assert doctor.stdout.startswith("ok    program   drycc-resources ")


def test_it_can_be_executed(program: Path) -> None:
    assert program.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert program.stat().st_mode & 0o777 == 0o755


def test_an_old_python_is_told(program: Path) -> None:
    """What says so can be read by every Python 3."""
    ast.parse(MAIN, feature_version=(3, 4))
    said = subprocess.run(
        [*ALONE, "-c", f"import sys; sys.version_info = (3, 9)\n{MAIN}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (said.returncode, said.stderr) == (
        1,
        "Error: drycc-resources needs Python 3.11 or newer; this is 3.9\n",
    )
