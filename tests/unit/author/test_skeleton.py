"""A new addon is one that the catalog takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helmbroker.broker.author import skeleton
from helmbroker.catalog import contract
from helmbroker.catalog.load import load


def test_a_new_addon_is_offered(tmp_path: Path) -> None:
    made = skeleton.begin("notes", tmp_path / "notes")
    skeleton.begin("others", tmp_path / "others")

    catalog = load([tmp_path])
    assert catalog.quarantined == {}
    assert [addon.name for addon in catalog.addons] == ["notes", "others"]
    assert [[plan.name for plan in addon.plans] for addon in catalog.addons] == [["medium", "small"]] * 2
    assert all("__" not in path.read_text().replace("__name__", "") or path.suffix == ".py" for path in made)
    assert contract.load(tmp_path / "notes") is not None


@pytest.mark.parametrize("script", ["make", "drop"])
def test_the_scripts_of_its_bindings_know_all_their_names(script: str) -> None:
    """As its chart puts them together; linters leave the folder out, as it is for others to begin with."""
    folder = Path(skeleton.__file__).with_name("new-addon") / "binding/files"
    whole = "".join((folder / f"{part}.py").read_text() for part in ("common", script))
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,F823", "-"]
    found = subprocess.run(command, input=whole, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", ["", "Notes", "-x", "x" * 51, "../x", "a b"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(skeleton.CannotBegin, match="is no name of an addon"):
        skeleton.begin(name, tmp_path / "x")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(skeleton.CannotBegin, match="is there already"):
        skeleton.begin("notes", tmp_path)
