"""How findings are written."""

from __future__ import annotations

import json

from helmbroker.broker.author.findings import Finding, Format, Rule, written
from helmbroker.catalog.model import Fault, Severity

FOUND = [
    Finding(Rule.FORMAT, Fault("plans/small.yaml", 3, "id: must match")),
    Finding(Rule.README, Fault("README.md", 0, "is missing", Severity.WARNING)),
]


def test_text_is_what_editors_jump_to() -> None:
    assert written(FOUND, Format.TEXT, "addons/x").splitlines() == [
        "addons/x/plans/small.yaml:3: id: must match [error: format]",
        "addons/x/README.md: is missing [warning: readme]",
    ]
    assert written([], Format.TEXT, "x") == ""


def test_json() -> None:
    assert json.loads(written(FOUND, Format.JSON, "x")) == [
        {"level": "error", "rule": "format", "file": "x/plans/small.yaml", "line": 3, "message": "id: must match"},
        {"level": "warning", "rule": "readme", "file": "x/README.md", "line": None, "message": "is missing"},
    ]


def test_sarif() -> None:
    log = json.loads(written(FOUND, Format.SARIF, "x"))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert {each["ruleId"] for each in run["results"]} <= {each["id"] for each in run["tool"]["driver"]["rules"]}
    first, second = (each["locations"][0]["physicalLocation"] for each in run["results"])
    assert first == {"artifactLocation": {"uri": "x/plans/small.yaml"}, "region": {"startLine": 3}}
    assert second == {"artifactLocation": {"uri": "x/README.md"}}
    assert [each["level"] for each in run["results"]] == ["error", "warning"]
