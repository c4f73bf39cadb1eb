"""The lists, and the page that is made of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.spec import marks, rules


@pytest.mark.parametrize("marker", marks.LAST)
def test_every_number_is_on_its_list_once(marker: str) -> None:
    listed = [rule.number for rule in rules.rules(marker)]
    assert sorted(listed) == list(range(1, marks.LAST[marker] + 1))


def test_a_rule_without_a_test_is_owed_one_or_excused() -> None:
    held = dict.fromkeys(range(3, 121), ("tests/x.py::test_x",))
    due, excused = rules.without("osb", {"osb": {**held, 44: ()}})
    assert [rule.number for rule in due] == [1, 2, 121]
    assert [rule.number for rule in excused] == [44]


def test_the_page_names_tests_or_says_why_there_are_none() -> None:
    lines = rules.page({"osb": {1: ("tests/a.py::test_a", "tests/b.py::test_b")}, "bug": {}}).splitlines()
    (one,) = (line for line in lines if line.startswith("| 1 | MP |"))
    assert one.endswith("| `a.py::test_a`<br>`b.py::test_b` |")
    assert [line for line in lines if line.startswith("| 2 | S |")] == ["| 2 | S | TLS | **none** |"]
    (excused,) = (line for line in lines if line.startswith("| 44 | M |"))
    assert "| not due: no plan is provisioned while the request waits" in excused


def test_a_parametrised_test_counts_once(request: pytest.FixtureRequest) -> None:
    row = request.node
    assert isinstance(row, pytest.Item)
    row.add_marker(pytest.mark.osb(9))
    name = "tests/spec/test_rules.py::test_a_parametrised_test_counts_once"
    assert rules.claims([row, row])["osb"] == {9: (name,)}


@pytest.fixture
def found(request: pytest.FixtureRequest) -> dict[str, rules.Tests]:
    """What all tests claim; when only some of them run, another process collects the others."""
    own = request.config.stash.get(rules.ALL, None)
    if own is not None:
        return own
    told = subprocess.run(
        [sys.executable, "-m", "tests.spec.rules", "--claims"], cwd=rules.ROOT, stdout=subprocess.PIPE, check=True
    )
    claims: dict[str, dict[str, list[str]]] = json.loads(told.stdout)
    return {marker: {int(n): tuple(tests) for n, tests in of.items()} for marker, of in claims.items()}


@pytest.mark.bug(87)
def test_every_rule_that_is_due_has_a_test(found: dict[str, rules.Tests]) -> None:
    owed = [f"{marker} {rule.number}" for marker in marks.LAST for rule in rules.without(marker, found)[0]]
    assert owed == [], "see make spec-coverage"


def test_the_committed_page_is_that_of_the_tests(found: dict[str, rules.Tests]) -> None:
    assert rules.PAGE.read_text() == rules.page(found), "run make spec-coverage and commit the page"
