"""Every command line in the pages is one that the programs know: its command, options and number of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from helmbroker.broker.cli import main as broker
from helmbroker.controller_bridge.cli import main as bridge
from helmbroker.controller_bridge.plugin import arguments
from helmbroker.controller_bridge.plugin.terminal import CommandError
from tests.unit.docs.command_lines import PAGES, ROOT, Line, blocks, lines

GROUPS: dict[str, click.Command] = {"helmbroker": broker, "helmbroker-bridge": bridge}
PLACEHOLDER = re.compile(r"[A-Z][A-Z_-]*|.*\$.*")


def fault(line: Line) -> str:
    """What the program would say of the words, without running anything; empty when they are right."""
    if line.program in GROUPS:
        return of_click(click.Context(GROUPS[line.program], info_name=line.program), line.words, whole=line.whole)
    return of_plugin(line.words, whole=line.whole)


def of_click(ctx: click.Context, words: Sequence[str], *, whole: bool) -> str:
    """The fault of what follows a command of click."""
    command = ctx.command
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(ctx, words[0])
        if found is None:
            return "" if PLACEHOLDER.fullmatch(words[0]) and not whole else f"no command {words[0]}"
        return of_click(click.Context(found, ctx, words[0]), words[1:], whole=whole)
    try:
        values, left, _ = command.make_parser(ctx).parse_args(list(words))
        if "help" in values:
            return ""
        for parameter in command.get_params(ctx):
            given = parameter.consume_value(ctx, values)[0]
            if whole and parameter.required and parameter.value_is_missing(given):
                return f"{parameter.human_readable_name} is missing"
            if isinstance(parameter.type, click.Path | click.File):  # which the reader has, or not
                continue
            for each in given if isinstance(given, list | tuple) else [given]:
                if isinstance(each, str) and not PLACEHOLDER.fullmatch(each):
                    parameter.type.convert(each, parameter, ctx)
    except click.UsageError as error:
        return error.format_message()
    if left:
        return f"too many words: {' '.join(left)}"
    return "a command is missing" if whole and isinstance(command, click.Group) else ""


def of_plugin(words: Sequence[str], *, whole: bool) -> str:
    """The fault of what follows `drycc-resources`."""
    name, rest = arguments.split(words)
    if not name or name == "help" or "--help" in rest:
        return ""
    if name not in arguments.COMMANDS:
        return "" if PLACEHOLDER.fullmatch(name) and not whole else f"no command {name}"
    missing = 0 if whole else len(arguments.COMMANDS[name].words)
    said = ""
    for more in range(missing + 1):
        try:
            arguments.parse(name, [*rest, *["WORD"] * more])
        except CommandError as error:
            said = said or str(error)
        else:
            return ""
    return said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_can_be_typed(page: Path) -> None:
    assert [f"{line.text.strip()}: {said}" for line in lines(page) if (said := fault(line))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_variable_stands_for_a_command(page: Path) -> None:
    """bash would take it for several words, and zsh for one, which is no program."""
    typed = [line for block in blocks(page.read_text("utf-8")) for line in block]
    assert [line for line in typed if re.search(r"(^|[|;&])\s*\$\w+", line)] == []


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("helmbroker addon lnt addons/NAME", "no command lnt"),
        ("helmbroker keys rotate --every 3d", "--every"),
        ("helmbroker keys", "a command is missing"),
        ("helmbroker addon init", "NAME is missing"),
        ("helmbroker addon init one two", "too many words: two"),
        ("helmbroker operations list --limit ten", "ten"),
        ("helmbroker operations list --state queued --state gone", "gone"),
        ("kubectl exec -it POD -- helmbroker-bridge audit shw | less", "no command shw"),
        ('token="$(helmbroker tken add ci)"', "no command tken"),
        ("helmbroker check >log 2>&1 twice", "too many words: twice"),
        ("HELMBROKER_LEASE_S=5 helmbroker \\\n  chek   # a comment", "no command chek"),
        ("drycc resources create database postgresql", "requires at least 3"),
        ("drycc-resources bind database --to shop", "unknown flag: --to"),
    ],
)
def test_what_cannot_be_typed_is_found(shown: str, said: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Type\n\n1. ```console\n   $ {shown}\n   helmbroker is glad\n   ```\nand wait.\n", "utf-8")
    (line,) = lines(page)
    assert said in fault(line)


@pytest.mark.parametrize(
    "span", ["helmbroker addon tst", "helmbroker list --al", "kubectl exec POD -- helmbroker lst"]
)
def test_what_a_sentence_names_has_to_be_there(span: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"With `{span}`, where `helmbroker addon lint` is too little.\n", "utf-8")
    assert [bool(fault(line)) for line in lines(page)] == [True, False]
