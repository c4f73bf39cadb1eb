"""The installed program, as a process of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.plugin.service import Service, environment

PROGRAM = [sys.executable, "-m", "helmbroker.controller_bridge.plugin.cli"]
HEAVY = {"click", "cryptography", "flask", "kubernetes", "pydantic", "requests", "sqlalchemy", "structlog", "yaml"}
MOST_CPU_S = 0.4  # of a process that takes 0.1 s on an idle machine: catches a heavy import, not a busy neighbour


def test_it_works_and_starts_fast(service: Service, tmp_path: Path) -> None:
    service.results("GET /v2/resources/services/", [])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [*PROGRAM, "services"],
        env=environment(service, tmp_path) | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.stdout == "Could not find any services\n"
    assert ran.stderr == ""
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MOST_CPU_S


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, helmbroker.controller_bridge.plugin.commands; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert not loaded & HEAVY


def test_help_loads_no_network() -> None:
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from helmbroker.controller_bridge.plugin.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not {"http.client", "json", "ssl", "socket", "subprocess"} & set(ran.stdout.split())


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        ran = subprocess.run(
            [*PROGRAM, "--help"], stdout=gone, stderr=subprocess.PIPE, text=True, check=False, timeout=30
        )
    assert (ran.returncode, ran.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [[], ["services"]])
def test_its_exit_status_is_1_after_an_error(tmp_path: Path, arguments: list[str]) -> None:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    ran = subprocess.run([*PROGRAM, *arguments], env=env, capture_output=True, text=True, check=False, timeout=30)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: client configuration file not found at: ")
