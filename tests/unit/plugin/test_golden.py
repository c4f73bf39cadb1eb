"""Every command prints what its golden copy says; `python -m tests.unit.plugin.cases` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.plugin.arguments import COMMANDS
from tests.unit.plugin.cases import CASES, GOLDEN, transcript
from tests.unit.plugin.page import PAGE, page


@pytest.mark.parametrize("name", CASES)
def test_what_is_printed(name: str, tmp_path: Path) -> None:
    assert transcript(CASES[name], tmp_path) == (GOLDEN / f"{name}.txt").read_text()


def test_every_copy_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


def test_every_command_has_cases() -> None:
    """Its help, and something that it prints; as JSON, too, where that is more than a text."""
    lines = [case.arguments for case in CASES.values()]
    for command in COMMANDS:
        mine = [line for line in lines if line.split()[:1] == [command]]
        assert f"{command} --help" in mine
        assert len(mine) > 1
        assert command == "completion" or any("-o json" in line for line in mine)


def test_the_reference_is_up_to_date() -> None:
    """`make plugin-page` mends it."""
    assert PAGE.read_text() == page()
