"""The chart of an addon that was made for another broker: found, and mended where Helm would refuse it."""

from __future__ import annotations

import re
from typing import Any

from helmbroker.catalog.formats.reading import Reading

_ENGINE = re.compile(rb"^engine:[^\n]*\n?", re.MULTILINE)
_STRAY = "templates/bind.yaml"


def located(reading: Reading, preferred: str | None = None) -> str:
    """`chart/` and the one folder in it, whatever it is called (B80); of several the one called `preferred`."""
    found = [name for name in reading.children("chart") if f"chart/{name}/Chart.yaml" in reading.names]
    if preferred in found:
        found = [str(preferred)]
    if len(found) == 1:
        return f"chart/{found[0]}"
    if found:
        reading.fault("chart", f"has several charts, {', '.join(found)}; leave one")
    else:
        reading.fault("chart", "has no chart; put one into a folder of its own, chart/NAME/Chart.yaml")
    return "chart"


def mended(reading: Reading, chart: str) -> dict[str, bytes | None]:
    """What a revision holds otherwise: no `engine`, which strict readers refuse, and no stray bind.yaml."""
    changes: dict[str, bytes | None] = {}
    stray = f"{chart}/{_STRAY}"
    if stray in reading.names:
        changes[stray] = None
        reading.warn(stray, "is no manifest of the chart; left out")
    for name in sorted(reading.names):
        if name.startswith(f"{chart}/") and name.endswith("/Chart.yaml"):
            content = reading.bytes(name)
            if _ENGINE.search(content):
                changes[name] = _ENGINE.sub(b"", content)
    return changes


def check(reading: Reading, chart: str) -> None:
    """Chart.yaml is a document, and what it depends on is there: provisioning needs no network."""
    file = f"{chart}/Chart.yaml"
    document = reading.yaml(file) if file in reading.names else None
    if document is None or not isinstance(document.data, dict):
        if document is not None:
            reading.fault(file, "must be a mapping")
        return
    engine = document.data.get("engine", "gotpl")
    if engine != "gotpl":
        reading.add([document.fault(("engine",), "Helm has no template engine but gotpl; leave it out")])
    listed: Any = document.data.get("dependencies", [])
    if f"{chart}/requirements.yaml" in reading.names:  # charts of Helm 2
        old = reading.yaml(f"{chart}/requirements.yaml")
        listed = old.data.get("dependencies", []) if old is not None and isinstance(old.data, dict) else listed
    for index, each in enumerate(listed if isinstance(listed, list) else []):
        name = each.get("name") if isinstance(each, dict) else None
        inside = [f"{chart}/charts/{name}/", f"{chart}/charts/{name}-"]
        if not any(other.startswith(tuple(inside)) for other in reading.names):
            why = f"{name} is not in {chart}/charts/; a source puts it there, or run `helm dependency build`"
            reading.warn(document, why, ("dependencies", index))
