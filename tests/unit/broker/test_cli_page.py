"""The command line as a whole: its page, its help, its way of printing, and what shells complete."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from helmbroker.broker.cli import main
from tests.unit.broker.cli_page import PAGE, commands, page
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")

DOCUMENTS = {"helmbroker rights"}  # what is printed is for kubectl and the chart, and is no table
ALL = {" ".join(names): command for names, command in commands(main, ("helmbroker",))}


def test_the_page_is_true() -> None:
    assert PAGE.read_text() == page(), "make cli-page writes it anew"


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
def test_shells_complete(shell: str) -> None:
    told = CliRunner().invoke(main, ["completion", shell])
    assert (told.exit_code, "_HELMBROKER_COMPLETE" in told.output) == (0, True)
    words = {"bash": {"COMP_WORDS": "helmbroker upg", "COMP_CWORD": "1"}}.get(shell)
    if words is not None:
        asked = {"_HELMBROKER_COMPLETE": "bash_complete", **words}
        found = CliRunner().invoke(main, [], prog_name="helmbroker", env=asked)
        assert found.output == "plain,upgrade\n"
