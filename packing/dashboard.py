"""`python -m packing.dashboard`: writes the Grafana dashboard, charts/helmbroker/files/dashboard.json.

A table of panels; Grafana's JSON is made from it. What is told from the database is taken as `max` over the API's
processes, what each process counts as `sum`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path("charts/helmbroker/files/dashboard.json")
_WIDTH, _HEIGHT = 8, 7
_PER_ROW = 24 // _WIDTH
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WINDOW = "$__rate_interval"


@dataclass(frozen=True)
class Panel:
    """One graph. series: expression and legend of each; unit: Grafana's word."""

    title: str
    series: Sequence[tuple[str, str]]
    unit: str = "short"


def _rates(prefix: str) -> list[Panel]:
    took = f"{prefix}_http_request_duration_seconds"
    return [
        Panel("Requests", [(f"sum by (code) (rate({took}_count[{_WINDOW}]))", "{{code}}")], "reqps"),
        Panel(
            "Requests that take longest: 99 %",
            [
                (
                    f"histogram_quantile(0.99, sum by (le, method, route) (rate({took}_bucket[{_WINDOW}])))",
                    "{{method}} {{route}}",
                )
            ],
            "s",
        ),
        Panel(
            "Errors",
            [
                (
                    f'sum by (method, route, code) (rate({took}_count{{code=~"5.."}}[{_WINDOW}]))',
                    "{{code}} {{route}}",
                )
            ],
            "reqps",
        ),
    ]


def _work(prefix: str, of: str) -> list[Panel]:
    took = f"{prefix}_operation_duration_seconds"
    ended = f"sum by (kind, state) (increase({took}_count[{_WINDOW}]))"
    slow = f"histogram_quantile(0.9, sum by (le, {of}) (rate({took}_bucket[{_WINDOW}])))"
    legend = " ".join(f"{{{{{label}}}}}" for label in of.split(", "))
    return [
        Panel("Operations that ended", [(ended, "{{kind}} {{state}}")]),
        Panel("How long they took: 90 %", [(slow, legend)], "s"),
        Panel(
            "Operations that go on",
            [(f'max by (kind, state) ({prefix}_operations{{state=~"queued|running"}})', "{{kind}} {{state}}")],
        ),
        Panel("Oldest that is queued", [(f"max({prefix}_operations_oldest_queued_seconds)", "age")], "s"),
        Panel(
            "Trouble",
            [
                (f"max({prefix}_operations_retrying)", "being retried"),
                (f"max({prefix}_operations_leases_expired)", "without their worker"),
                (f"sum(increase({prefix}_leases_lost_total[{_WINDOW}]))", "leases lost"),
                (f"sum(increase({prefix}_operation_retries_total[{_WINDOW}]))", "retries"),
                (
                    f'sum(increase({prefix}_schedule_runs_total{{state="failed"}}[{_WINDOW}]))',
                    "failed runs of schedules",
                ),
            ],
        ),
        Panel("Workers", [(f"max({prefix}_workers)", "live")]),
    ]


_HELM = "helmbroker_helm_run_duration_seconds"
_OF_PLAN = "{{service}}:{{plan}} {{phase}}"
ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    ("Broker: requests", _rates("helmbroker")),
    ("Broker: operations", _work("helmbroker", "kind, service, plan")),
    (
        "Broker: helm",
        [
            Panel("Runs", [(f"sum by (command) (rate({_HELM}_count[{_WINDOW}]))", "{{command}}")], "ops"),
            Panel(
                "How long they took: 90 %",
                [
                    (
                        f"histogram_quantile(0.9, sum by (le, command) (rate({_HELM}_bucket[{_WINDOW}])))",
                        "{{command}}",
                    )
                ],
                "s",
            ),
            Panel(
                "Runs that failed",
                [
                    (
                        f'sum by (command, result) (increase({_HELM}_count{{result!="ok"}}[{_WINDOW}]))',
                        "{{command}} {{result}}",
                    )
                ],
            ),
        ],
    ),
    (
        "Broker: what there is",
        [
            Panel(
                "Instances",
                [
                    (
                        'max by (service, plan, phase) (helmbroker_instances{phase!="gone"})',
                        "{{service}}:{{plan}} {{phase}}",
                    )
                ],
            ),
            Panel(
                "Bindings",
                [
                    (
                        'max by (service, plan, phase) (helmbroker_bindings{phase!="gone"})',
                        "{{service}}:{{plan}} {{phase}}",
                    )
                ],
            ),
            Panel(
                "Catalog and drift",
                [
                    ("max by (source, state) (helmbroker_source_addons)", "{{source}} {{state}}"),
                    ("min by (source) (helmbroker_source_ready)", "{{source}} can be had"),
                    ("max by (kind) (helmbroker_findings)", "differs: {{kind}}"),
                ],
            ),
        ],
    ),
    ("Bridge: requests", _rates("helmbroker_bridge")),
    ("Bridge: operations", _work("helmbroker_bridge", "kind")),
    (
        "Bridge: what there is",
        [
            Panel(
                "Resources",
                [("max by (instance, binding) (helmbroker_bridge_resources)", "{{instance}}, binding {{binding}}")],
            ),
            Panel(
                "Drycc controller",
                [
                    ("max(helmbroker_bridge_controller_turns_ahead_seconds)", "requests taken ahead, seconds"),
                    ("max(helmbroker_bridge_apps_missing)", "apps it does not know"),
                    ("max(helmbroker_bridge_apps_watched)", "apps that are looked at"),
                ],
            ),
            Panel(
                "Bound by others",
                [
                    ("max by (kind) (helmbroker_bridge_watch_bindings)", "{{kind}}"),
                    ("max by (kind) (helmbroker_bridge_watch_bindings_failing)", "{{kind}} failing"),
                    (f"sum by (kind) (increase(helmbroker_bridge_watch_looks_total[{_WINDOW}]))", "{{kind}} looks"),
                ],
            ),
        ],
    ),
)


def made() -> str:
    """The dashboard, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append(_row(len(panels) + 1, title, top))
        top += 1
        for number, panel in enumerate(row):
            at = {
                "x": number % _PER_ROW * _WIDTH,
                "y": top + number // _PER_ROW * _HEIGHT,
                "w": _WIDTH,
                "h": _HEIGHT,
            }
            panels.append(_graph(len(panels) + 1, panel, at))
        top += -(-len(row) // _PER_ROW) * _HEIGHT
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    about = {"title": "helmbroker", "uid": "helmbroker", "tags": ["helmbroker"], "schemaVersion": 39}
    when = {"time": {"from": "now-6h", "to": "now"}, "refresh": "1m", "editable": True}
    return json.dumps(about | when | {"templating": {"list": [source]}, "panels": panels}, indent=1) + "\n"


def _row(number: int, title: str, top: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": "row",
        "title": title,
        "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
        "panels": [],
    }


def _graph(number: int, panel: Panel, at: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + n), "datasource": _SOURCE, "expr": expr, "legendFormat": legend}
        for n, (expr, legend) in enumerate(panel.series)
    ]
    look = {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []}
    graph = {"id": number, "type": "timeseries", "title": panel.title, "gridPos": at, "datasource": _SOURCE}
    return graph | {"fieldConfig": look, "targets": targets}


if __name__ == "__main__":
    FILE.write_text(made(), "utf-8")
