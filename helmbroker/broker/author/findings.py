"""What lint finds, and how people, programs and editors read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from helmbroker.catalog.model import Fault

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Rule(StrEnum):
    """What was looked at."""

    SOURCE = "source"
    FORMAT = "format"
    CHART = "chart"
    RENDER = "render"
    KUBERNETES = "kubernetes"
    GATE = "gate"
    IMAGE = "image"
    CREDENTIALS = "credentials"
    CONTRACT = "contract"
    SCHEMA = "values-schema"
    README = "readme"


class Format(StrEnum):
    """How it is written: for people, as JSON, or as SARIF 2.1.0 for editors and CI."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what is wrong there. `file` of the fault is below the addon's folder."""

    rule: Rule
    fault: Fault


def written(findings: Sequence[Finding], how: Format, folder: str) -> str:
    """All findings about the addon in `folder`, as it was given; "": their files say all of the way."""
    if how is Format.JSON:
        return json.dumps([_plain(each, folder) for each in findings], indent=2)
    if how is Format.SARIF:
        return json.dumps(_sarif(findings, folder), indent=2)
    return "\n".join(f"{_below(folder)}{each.fault} [{each.fault.severity}: {each.rule}]" for each in findings)


def _below(folder: str) -> str:
    return f"{folder}/" if folder else ""


def _plain(finding: Finding, folder: str) -> dict[str, Any]:
    fault = finding.fault
    where = {"file": f"{_below(folder)}{fault.file}", "line": fault.line or None}
    return {"level": fault.severity, "rule": finding.rule, **where, "message": fault.message}


def _sarif(findings: Sequence[Finding], folder: str) -> dict[str, Any]:
    rules = [{"id": rule} for rule in Rule]
    driver = {"name": "helmbroker addon lint", "rules": rules}
    results = [_result(each, folder) for each in findings]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(finding: Finding, folder: str) -> dict[str, Any]:
    fault = finding.fault
    place: dict[str, Any] = {"artifactLocation": {"uri": f"{_below(folder)}{fault.file}"}}
    if fault.line:
        place["region"] = {"startLine": fault.line}
    message, location = {"text": fault.message}, {"physicalLocation": place}
    return {"ruleId": finding.rule, "level": fault.severity, "message": message, "locations": [location]}
