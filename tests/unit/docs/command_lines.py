"""The command lines of our programs that the pages show, in blocks of a shell and within sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "addons/*/*.md", "charts/**/*.md", "sandbox/*.md", "helmbroker/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # it tells what was called so then
)
PROGRAMS = ("helmbroker", "helmbroker-bridge", "drycc-resources")
_BLOCK = re.compile(r"```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_NAMED = re.compile(rf"(^|-- )({'|'.join(PROGRAMS)}|drycc resources) ")
_WITHIN = re.compile(r"[$<]\(([^()]*)\)")
_REDIRECTION = re.compile(r"\s\d?(>>?|<)\s*(&\d|[^\s&|()<>'\"]+)")
_BEFORE = re.compile(
    r"\w+=.*|--|inside|in_broker|in_bridge|env|source|if|while|until|do|then|!"
)  # what a command may stand behind


class Line(NamedTuple):
    """One call of a program."""

    text: str  # as the page has it
    program: str
    words: tuple[str, ...]
    whole: bool  # whether it is to be typed so: a sentence may name no more than a command


def blocks(text: str) -> Iterator[list[str]]:
    """The blocks of a shell in (a part of) a page: the lines that are typed."""
    for kind, block in _BLOCK.findall(text):
        if kind in {"console", "bash", "sh", "shell"}:
            yield [*_typed(block)]


def lines(page: Path) -> Iterator[Line]:
    """Every call of our programs in a page."""
    text = page.read_text("utf-8")
    for block in blocks(text):
        for typed in block:
            yield from _calls(typed, whole=True)
    for paragraph in _BLOCK.sub("", text).split("\n\n"):
        for span in _SPAN.findall(paragraph):
            if _NAMED.search(span):
                yield from _calls(re.sub(r"[][\\]", "", " ".join(span.split())), whole=False)


def _typed(block: str) -> Iterator[str]:
    """Lines as a shell takes them, without prompts and what is printed."""
    given = block.replace("\\\n", " ").splitlines()
    if any(line.lstrip().startswith("$ ") for line in given):
        given = [line.lstrip().removeprefix("$ ") for line in given if line.lstrip().startswith("$ ")]
    pending = ""
    for line in given:
        pending += line
        try:
            shlex.split(pending, comments=True)
        except ValueError:  # a text in quotes goes on in the next line
            pending += "\n"
            continue
        yield pending
        pending = ""
    assert not pending, f"quotes that do not end: {pending}"


def _calls(typed: str, *, whole: bool) -> Iterator[Line]:
    for part in [typed, *_WITHIN.findall(typed)]:
        lexer = shlex.shlex(_REDIRECTION.sub(" ", part), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        command: list[str] = []
        for token in [*lexer, ";"]:
            if set(token) - set("();<>|&"):
                command.append(token)
                continue
            if found := _call(command):
                program, words = found
                open_end = "..." in words
                yield Line(typed, program, tuple(each for each in words if each != "..."), whole and not open_end)
            command = []


def _call(command: list[str]) -> tuple[str, list[str]] | None:
    for index, word in enumerate(command):
        if index and not _BEFORE.fullmatch(command[index - 1]):
            continue
        if Path(word).name in PROGRAMS:
            return Path(word).name, command[index + 1 :]
        if command[index : index + 2] == ["drycc", "resources"]:
            return "drycc-resources", command[index + 2 :]
    return None
