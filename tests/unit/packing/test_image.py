"""What the image has of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from packing import image


@pytest.mark.processes
def test_the_program_runs_from_its_folder(tmp_path: Path) -> None:
    image.program(tmp_path)
    library = tmp_path / image.LIBRARY
    command = [sys.executable, str(tmp_path / image.PROGRAMS / "helmbroker"), "--version"]
    said = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(library)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.split()[-1] == "0.1.0"
    assert (tmp_path / image.ADDONS / "redis" / "addon.yaml").is_file()
    assert {each.name for each in (tmp_path / image.PROGRAMS).iterdir()} == {
        "drycc-resources",
        "helmbroker",
        "helmbroker-bridge",
    }
    assert list(library.glob("helmbroker/__pycache__/*.pyc"))
    assert list(library.glob("helmbroker-*.dist-info/LICENSE"))
