"""The command lines as a whole: their pages, their help, their way of printing, and what shells complete."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tests.unit.broker.cli_page import PROGRAMS, Program, commands, page
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")

DOCUMENTS = {
    "helmbroker rights",
    "helmbroker-bridge rights",
}  # what is printed is for kubectl and the chart, and is no table
ALL = {
    " ".join(names): command for program in PROGRAMS for names, command in commands(program.main, (program.name,))
}
of_both = pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])


@of_both
def test_the_page_is_true(program: Program) -> None:
    assert program.page.read_text() == page(program), "make cli-page writes it anew"


@pytest.mark.parametrize("name", ALL)
def test_each_command_says_what_it_does_and_shows_how(name: str) -> None:
    told = ALL[name].help or ""
    assert told.strip()[0].isupper()
    assert "Example" in told
    assert name in told.partition("Example")[2]


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_is(name: str) -> None:
    for each in ALL[name].params:
        assert not isinstance(each, click.Option) or each.help, each.name


def test_what_prints_tables_prints_them_in_one_way() -> None:
    printing = {
        name: each
        for name, command in ALL.items()
        for each in command.params
        if isinstance(each, click.Option) and "--output" in each.opts and name not in DOCUMENTS
    }
    assert len(printing) >= 15
    for name, option in printing.items():
        assert option.opts[:2] == ["-o", "--output"], name
        assert isinstance(option.type, click.Choice)
        assert list(option.type.choices)[:2] == ["text", "json"], name
        assert option.default == "text", name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@of_both
def test_shells_are_given_what_completes(program: Program, shell: str) -> None:
    told = CliRunner().invoke(program.main, ["completion", shell])
    assert told.exit_code == 0
    assert f"{_asked_by(program)}={shell}_complete" in told.output


@of_both
def test_commands_are_completed(program: Program) -> None:
    begun = {"COMP_WORDS": f"{program.name} comp", "COMP_CWORD": "1", _asked_by(program): "bash_complete"}
    found = CliRunner().invoke(program.main, [], prog_name=program.name, env=begun)
    assert found.output == "plain,completion\n"


def _asked_by(program: Program) -> str:
    return {"helmbroker": "_HELMBROKER_COMPLETE", "helmbroker-bridge": "_HELMBROKER_BRIDGE_COMPLETE"}[program.name]
