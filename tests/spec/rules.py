"""The two lists that this project is held to, and which tests hold what is on them.

`make spec-coverage` collects all tests without running them, prints what has none, writes
docs/reference/osb-conformance.md, and fails while something that is due has no test.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.spec import marks

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/osb-conformance.md"
_FILES = {"osb": ("osb.yaml", "level"), "bug": ("bugs.yaml", "severity")}
Tests = Mapping[int, tuple[str, ...]]  # number -> tests as file::name, each once
ALL = pytest.StashKey[dict[str, Tests]]()  # what all tests claim, in a run that has collected them all

_HEAD = """\
# Conformance: which test holds which rule

Made by `make spec-coverage` from the markers of the tests; not edited by hand. A test stands in a row only if it
would fail were that rule broken. The rules are numbered in `tests/spec/osb.yaml` and `tests/spec/bugs.yaml`. What
was chosen where the specification leaves a choice is in [decision 0015](../decisions/0015-open-choices.md).

"""


@dataclass(frozen=True)
class Rule:
    """One line of a list. `excuse`: why it needs no test now; empty for one that is due."""

    number: int
    part: str
    weight: str
    title: str
    excuse: str


def rules(marker: str) -> list[Rule]:
    """The list of a marker, in its order."""
    file, weight = _FILES[marker]
    parts: dict[str, dict[int, dict[str, str]]] = yaml.load(
        (Path(__file__).parent / file).read_text(), yaml.CSafeLoader
    )
    return [
        Rule(number, part, given[weight], given["title"], given.get("not_due", ""))
        for part, lines in parts.items()
        for number, given in lines.items()
    ]


def claims(items: Iterable[pytest.Item]) -> dict[str, Tests]:
    """Marker -> number -> tests."""
    found: dict[str, dict[int, set[str]]] = {marker: defaultdict(set) for marker in marks.LAST}
    for item in items:
        name = f"{item.path.relative_to(ROOT)}::{getattr(item, 'originalname', item.name)}"
        for marker, tests in found.items():
            for number in marks.numbers(item, marker):
                tests[number].add(name)
    return {marker: {number: tuple(sorted(of)) for number, of in tests.items()} for marker, tests in found.items()}


def without(marker: str, found: Mapping[str, Tests]) -> tuple[list[Rule], list[Rule]]:
    """Rules without a test: those that are due, and those that are excused."""
    bare = [rule for rule in rules(marker) if not found[marker].get(rule.number)]
    return [rule for rule in bare if not rule.excuse], [rule for rule in bare if rule.excuse]


def page(found: Mapping[str, Tests]) -> str:
    """The page of the documentation."""
    return _HEAD + "\n".join(
        [
            "## OSB 2.17",
            "",
            "M = MUST, S = SHOULD, O = MAY, P = needed by real clients, or to close a hole in the specification.",
            "",
            *_table("osb", "item", "level", found["osb"]),
            "",
            "## Bugs of the predecessor",
            "",
            "S1 = security or loss of data, S2 = stuck or wrong state, S3 = specification or usability.",
            "",
            *_table("bug", "bug", "severity", found["bug"]),
            "",
        ]
    )


def _table(marker: str, number: str, weight: str, tests: Tests) -> Iterator[str]:
    yield f"| {number} | {weight} | rule | tests |"
    yield "|---|---|---|---|"
    part = ""
    for rule in rules(marker):
        if rule.part != part:
            part = rule.part
            yield f"| | | **{part}** | |"
        named = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in tests.get(rule.number, ()))
        held = named or (f"not due: {rule.excuse}" if rule.excuse else "**none**")
        yield f"| {rule.number} | {rule.weight} | {rule.title} | {held} |"


class _Collector:
    """A plugin of pytest that keeps what was collected."""

    def __init__(self) -> None:
        self.found: dict[str, Tests] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.found = claims(session.items)


def collected() -> dict[str, Tests]:
    """The claims of all tests. Raises SystemExit when they cannot be collected."""
    collector, told = _Collector(), io.StringIO()
    with contextlib.redirect_stdout(told):
        status = pytest.main(["--collect-only", "-q", str(ROOT / "tests")], [collector])
    if status:
        raise SystemExit(f"the tests cannot be collected:\n{told.getvalue()}")
    return collector.found


def main() -> int:
    """Print what has no test, write the page; 1 when something that is due has none."""
    found = collected()
    if sys.argv[1:] == ["--claims"]:  # for the test that compares the page, when it runs alone
        print(json.dumps(found))
        return 0
    PAGE.write_text(page(found))
    owed: list[Any] = []
    for marker, last in marks.LAST.items():
        due, excused = without(marker, found)
        owed += due
        print(f"{marker}: {last - len(due) - len(excused)} of {last} have a test, {len(due)} are owed one")
        for rule in due:
            print(f"  OWED  {marker} {rule.number:3} {rule.weight:2}  {rule.title}")
        for rule in excused:
            print(f"  later {marker} {rule.number:3} {rule.weight:2}  {rule.title} ({rule.excuse})")
    return 1 if owed else 0


if __name__ == "__main__":
    sys.exit(main())
