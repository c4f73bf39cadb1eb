"""Alerts, runbooks, dashboard and reference name what processes really tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from helmbroker.broker import telemetry_wiring as broker
from helmbroker.broker.api import metrics
from helmbroker.broker.domain.overview import Numbers
from helmbroker.broker.domain.sources import Provenance
from helmbroker.catalog.model import Catalog
from helmbroker.controller_bridge import numbers as bridge
from helmbroker.controller_bridge import telemetry_wiring as bridge_telemetry
from helmbroker.controller_bridge.api import metrics as bridge_metrics
from helmbroker.status.numbers import WorkNumbers
from packing import dashboard, observed
from tests.unit.observed.expressions import names, selected

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "charts/helmbroker/files/alerts.yaml"
RUNBOOKS = ROOT / "docs/how-to/runbooks"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]
]
KNOWN = {each.name: each for each in observed.every_metric()}


def series(name: str) -> str:
    """The metric that a series belongs to."""
    return name if name in KNOWN else re.sub(r"_(bucket|count|sum)$", "", name)


def faults(expression: str) -> list[str]:
    """What an expression names and no process tells: metrics, and labels that they do not have."""
    found = [name for name in names(expression) if series(name) not in KNOWN]
    for name, labels in selected(expression):
        if series(name) in KNOWN:
            has = {*KNOWN[series(name)].labels, *(["le"] if name.endswith("_bucket") else [])}
            found += [f"{name} has no {label}" for label in labels if label not in has]
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_of_metrics_that_there_are_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert names(rule["expr"])
    assert faults(rule["expr"]) == []
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/how-to/runbooks/{rule['alert']}.md"
    page = (RUNBOOKS / f"{rule['alert']}.md").read_text("utf-8")
    headings = [f"# {rule['alert']}", "## What it means", "## What to look at", "## What to do"]
    assert [line for line in page.splitlines() if line.startswith("#")] == headings
    assert "```console" in page


def test_each_runbook_has_its_alert() -> None:
    alerts = [rule["alert"] for rule in RULES]
    assert len(alerts) == len(set(alerts))
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {*alerts, "README"}
    listed = re.findall(r"\]\((\w+)\.md\) \| (\w+) \|", (RUNBOOKS / "README.md").read_text("utf-8"))
    assert listed == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]


def test_commands_of_runbooks_exist() -> None:
    from helmbroker.broker.cli import main
    from helmbroker.controller_bridge.cli import main as bridge_main

    groups = {"helmbroker": main, "helmbroker-bridge": bridge_main}
    known = {name: set(group.list_commands(click.Context(group))) for name, group in groups.items()}
    lines = [line for page in RUNBOOKS.glob("*.md") for line in page.read_text("utf-8").splitlines()]
    called = [re.match(r"\$ (helmbroker(?:-bridge)?) (\S+)", line) for line in lines]
    found = {(each[1], each[2]) for each in called if each}
    assert len(found) > 5
    assert [each for each in sorted(found) if each[1] not in known[each[0]]] == []


def test_every_panel_is_of_metrics_that_there_are() -> None:
    expressions = [expr for _, row in dashboard.ROWS for panel in row for expr, _ in panel.series]
    assert {expr: faults(expr) for expr in expressions if faults(expr)} == {}


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    expressions = [expr for _, row in dashboard.ROWS for panel in row for expr, _ in panel.series]
    shown = {series(name) for expr in (*expressions, *(rule["expr"] for rule in RULES)) for name in names(expr)}
    assert set(KNOWN) - shown == {"helmbroker_source_had_timestamp_seconds"}


def test_the_dashboard_is_as_it_was_made() -> None:
    """`make dashboard` writes it anew."""
    assert (ROOT / dashboard.FILE).read_text("utf-8") == dashboard.made()
    panels = json.loads(dashboard.made())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)


def test_the_reference_is_as_it_was_made() -> None:
    """`make metrics-page` writes it anew."""
    assert (ROOT / observed.PAGE).read_text("utf-8") == observed.page()


def told(text: bytes) -> dict[str, str]:
    """Names and types in Prometheus' text format."""
    return {
        f"{each.name}_total" if each.type == "counter" else each.name: each.type
        for each in text_string_to_metric_families(text.decode())
    }


def test_what_the_apis_tell_from_their_databases_is_what_the_reference_says() -> None:
    broker_told = told(metrics.text(Numbers(), Catalog(()), Provenance((), ())))
    assert broker_told == {each.name: str(each.sort) for each in metrics.TOLD}
    bridge_told = told(bridge_metrics.text(bridge.Numbers(WorkNumbers(), {}, 0, 0, 0.0)))
    assert bridge_told == {each.name: str(each.sort) for each in bridge_metrics.TOLD}


def test_labels_that_users_make_up_are_nowhere() -> None:
    """The names of all labels: a new one is to be thought about. Values of `service`, `plan` are of the catalog."""
    assert {label for each in KNOWN.values() for label in each.labels} == {
        *("kind", "state", "phase", "service", "plan", "source"),
        *("method", "route", "code", "command", "result"),
        *("instance", "binding"),  # of the bridge's resources: their states
    }


def test_units_are_at_the_end_of_the_name() -> None:
    timed = [each for each in KNOWN.values() if re.search("second|duration|age|due", each.name)]
    assert [each.name for each in timed if each.unit != "seconds"] == []
    assert broker.HELM.unit == "seconds"


def test_each_alert_is_tried() -> None:
    """By `promtool`, in `make alerts`: that needs Go, and is no part of these tests."""
    tried = yaml.safe_load((Path(__file__).parent / "alerts.yaml").read_text("utf-8"))["tests"]
    quiet, *others = [each["name"] for each in tried]
    assert (quiet, others) == ("nothing is wrong", [rule["alert"] for rule in RULES])


def test_what_lines_of_the_log_say_of_their_work_is_told() -> None:
    """In the table of docs/how-to/observe.md: processes call the same things by different names."""
    page = (ROOT / "docs/how-to/observe.md").read_text("utf-8").partition("## Logs")[2]
    named = {
        name for row in re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    said = {*broker.FIELDS.values(), *bridge_telemetry.FIELDS.values(), *bridge_telemetry.PARAMS}
    assert said <= named
