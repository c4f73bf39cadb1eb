"""The measurements: each in a process of its own, so that its memory is that of what is measured."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figures import Figure
from helmbroker.catalog import changes, parameters
from helmbroker.catalog.load import Shelf, load
from helmbroker.catalog.model import Addon

COLD_LIMIT_S, REFRESH_LIMIT_S, MEMORY_LIMIT_MB, CHECK_LIMIT_MS = 2.0, 0.3, 200.0, 2.0
_ROUNDS, _CHECKS = 5, 200
_GIVEN: dict[str, Any] = {"storage": {"size": "2Gi"}}


def reading(folder: Path) -> list[Figure]:
    """Reading the corpus cold, again with nothing changed, and again after every file was touched."""
    shelf = Shelf([folder])
    before_s = time.process_time()
    cold_s = _took_s(shelf.read)
    cpu_s = time.process_time() - before_s
    addons = shelf.read().addons
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    again_s = statistics.median(_took_s(shelf.read) for _ in range(_ROUNDS))
    for path in folder.rglob("*"):
        os.utime(path)
    touched_s = _took_s(shelf.read)
    count = f"{len(addons)} addons, {sum(len(addon.plans) for addon in addons)} plans; the best of 3 processes"
    return [
        Figure("reading all addon folders for the first time", cold_s, "s", COLD_LIMIT_S, count),
        Figure("CPU time of that", cpu_s, "s", None, "what it takes on a machine with nothing else to do"),
        Figure("memory of the process that has read them, at most", peak_mb, "MB", MEMORY_LIMIT_MB),
        Figure("reading them again, nothing changed", again_s, "s", REFRESH_LIMIT_S, f"median of {_ROUNDS}"),
        Figure("reading them again, every file touched", touched_s, "s", None, "contents are compared"),
    ]


def checking(corpus: Path, own: Path) -> list[Figure]:
    """Checking parameters of a provision, and a change, against an allow-list and against a JSON Schema."""
    drycc = load([corpus]).addons[0]
    figures = [_checked("an allow-list", drycc, {"primary": {"setting0": "x"}, "nonsense": {}})]
    return figures + [_checked(f"the schema of {addon.name}", addon, _GIVEN) for addon in load([own]).addons]


def _checked(name: str, addon: Addon, given: dict[str, Any]) -> Figure:
    schemas = addon.plans[0].parameters

    def check() -> None:
        parameters.problems(schemas.create, given)
        changes.problems(schemas, {}, given)

    times_ms = sorted(_took_s(check) * 1000 for _ in range(_CHECKS))
    note = f"a provision and an update, median of {_CHECKS}"
    return Figure(f"checking parameters against {name}", statistics.median(times_ms), "ms", CHECK_LIMIT_MS, note)


def _took_s(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
