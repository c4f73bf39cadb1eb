"""The chart's rights and their page are made from the code's tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from packing.rights import FILES, WATCH, files


@pytest.mark.parametrize(("path", "content"), list(files()), ids=lambda value: getattr(value, "name", ""))
def test_what_is_written_is_what_the_tables_say(path: Path, content: str) -> None:
    """`make rights` mends it."""
    assert path.read_text("utf-8") == content


@pytest.mark.parametrize("path", [*sorted(FILES.glob("*.yaml")), WATCH], ids=lambda path: path.name)
def test_nothing_that_is_written_has_a_wildcard_or_leads_to_more(path: Path) -> None:
    found = [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]
    rules = [rule for each in found for its in each.values() if isinstance(its, list) for rule in its]
    assert rules
    for rule in rules:
        assert {*rule} == {"apiGroups", "resources", "verbs"}
        words = {word for words in rule.values() for word in words}
        assert not words & {"escalate", "bind", "impersonate", "deletecollection"}
        assert not [word for word in words if "*" in word]
