"""`python -m bench.helm`: the broker beside bare helm on the cluster of KUBECONFIG; JSON on the output.

Exit status 0 when every bound is kept, 1 when one is not, 2 when something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import page
from bench.bare import BareFailed
from bench.figures import Figure, table
from bench.helm.measures import LEASE_S, Subject, at_once, overhead, resume
from bench.measures import CannotMeasure
from helmbroker.catalog.values import merge
from helmbroker.kubeapi.errors import KubeError
from tests.chaos.report import machine
from tests.cluster.addons import ADDONS, PROBE_CHART, copies, document, probe
from tests.cluster.broker import OVERRIDES, Broker, broker
from tests.cluster.reach import connect

FAILURES = (BareFailed, CannotMeasure, KubeError, AssertionError)
IMAGE = {"image": "sandbox.local/redis:7"}
INTRO = """\
Made by `python -m bench.helm --write docs/reference/durability.md`: the same charts and values by `helm upgrade
--install --wait` and by the broker, in turns; medians. The chart *probe* has a Secret, a ConfigMap and a
StatefulSet, of one pod that sleeps when eight are made at once, and else of none.
""".rstrip()


def subject(name: str) -> Subject:
    """An addon with plan `small`, as the broker under test offers it."""
    if name == "probe":
        return Subject(name, PROBE_CHART, IMAGE, None)
    plan = document(ADDONS / name / "plans" / "small.yaml")["values"]
    return Subject(name, ADDONS / name / "chart", dict(merge(plan, OVERRIDES[name])), None)


def with_pod(found: Subject) -> Subject:
    """The same with a pod that is waited for."""
    more: dict[str, Any] = {"replicas": 1}
    return Subject(found.name, found.chart, {**found.values, **more}, more)


FIGURES: dict[str, Callable[[Broker, int], Figure]] = {
    "probe": lambda running, rounds: overhead(running, subject("probe"), rounds + 2),
    "postgresql": lambda running, rounds: overhead(running, subject("postgresql"), rounds),
    "at-once": lambda running, rounds: at_once(running, with_pod(subject("probe")), rounds),
    "resume": lambda running, rounds: resume(running, rounds + 1),  # at the fifth death `run` gives up
}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.helm", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURES", help=f"of {', '.join(FIGURES)}; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="a page, whose section on helm is replaced")
    chosen = parser.parse_args()
    names = chosen.figures or list(FIGURES)
    if unknown := [name for name in names if name not in FIGURES]:
        parser.error(f"no such figures: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder, kube = Path(temporary), connect()
        copies(folder / "addons")
        probe(folder / "addons", "probe", IMAGE)
        settings = {
            "HELMBROKER_ADDONS_DIR": str(folder / "addons"),
            "HELMBROKER_LEASE_S": str(LEASE_S),
            "HELMBROKER_LOG_LEVEL": "info",
            "HELMBROKER_STUCK_AFTER_S": "120",
        }
        try:
            with broker(kube, folder / "broker", environment=settings) as running:
                found = [FIGURES[name](running, chosen.rounds) for name in names]
        except FAILURES as error:
            sys.stderr.write(f"bench: {error}\n")
            return 2
        finally:
            kube.close()
    sys.stdout.write(json.dumps([figure.record() for figure in found], indent=2) + "\n")
    if chosen.write is not None:
        page.put(chosen.write, "helm", _section(found))
    return 0 if all(figure.kept for figure in found) else 1


def _section(found: list[Figure]) -> str:
    return f"## Beside bare helm\n\n{INTRO}\nMachine: {machine()}.\n\n{table(found)}"


if __name__ == "__main__":
    sys.exit(main())
