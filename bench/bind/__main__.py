"""`python -m bench.bind`: from a deployed release to credentials, on the cluster of KUBECONFIG; JSON on the output.

Exit status 0 when the bound is kept, 1 when it is not, 2 when it could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench import bare, limits, page
from bench.bare import BareFailed
from bench.figures import Figure, number, table
from bench.measures import CannotMeasure
from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.helm.releases import HelmCli
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.catalog import credentials
from helmbroker.catalog.model import AddonFaults
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Kube
from tests.chaos.report import machine
from tests.cluster.reach import connect, throw_away_namespace

FAILURES = (BareFailed, HelmError, KubeError, AddonFaults, CannotMeasure)
ADDON = Path(__file__).parent / "addon"
RELEASE = "bench"
REFERENCES = 15
FILLERS = 40  # templates that the chart has besides, as charts of databases do
INTRO = f"""\
Made by `python -m bench.bind --write docs/reference/performance.md` on a cluster: the template of an addon without
a binding chart is rendered by helm within the deployed release's chart, and its {REFERENCES} references to one
Secret, one ConfigMap and one Service are looked up. *First*: by a broker that has just begun, and asks what the
cluster serves.
""".rstrip()


def measure(kube: Kube, folder: Path, rounds: int) -> list[Figure]:
    """Seconds of the first time and of those after it; the release is removed again."""
    with throw_away_namespace(kube) as namespace:
        ref, chart = ReleaseRef(namespace, RELEASE), _chart(folder)
        bare.install(ref.name, namespace, chart, {"size": "2Gi"})
        try:
            helm = HelmCli("helm", folder / "helm", kubeconfig=os.environ["KUBECONFIG"])
            cluster = KubeCluster(kube)
            first, *others = [_bind(helm, cluster, chart, ref) for _ in range(rounds + 1)]
        finally:
            bare.uninstall(ref.name, namespace)
    name, limit_s = f"render and look up {REFERENCES} references", limits.CREDENTIALS_LIMIT_S
    note = f"median of {rounds}; the slowest {number(max(others))} s"
    return [
        Figure(name, statistics.median(others), "s", limit_s, note),
        Figure(f"{name}, first", first, "s", limit_s),
    ]


def _chart(folder: Path) -> Path:
    chart = folder / "chart"
    shutil.copytree(ADDON / "chart", chart)
    for number_ in range(FILLERS):
        filler = "{{- if .Values.more }}\n" + (chart / "templates" / "objects.yaml").read_text() + "{{- end }}\n"
        (chart / "templates" / f"filler-{number_}.yaml").write_text(filler)
    return chart


def _bind(helm: HelmCli, cluster: KubeCluster, chart: Path, ref: ReleaseRef) -> float:
    """Seconds of what the step of a bind does, apart from the database. Raises CannotMeasure."""
    began = time.monotonic()
    release = cluster.release(ref)
    given = {} if release is None else release.given
    served, never = cluster.capabilities(), threading.Event()
    delivery = credentials.read(helm.render_alone(ADDON / "bind.yaml", chart, given, ref, served, never))
    found = cluster.values(ref.namespace, delivery.refs, frozenset({ref.name}))
    values = delivery.assembled({each: value for each, value in found.items() if not isinstance(value, NotReady)})
    took_s = time.monotonic() - began
    if len(values) != REFERENCES:
        raise CannotMeasure(f"only these of {REFERENCES} credentials were found: {', '.join(sorted(values))}")
    return took_s


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.bind", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    chosen = parser.parse_args()
    kube = connect()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
            found = measure(kube, Path(temporary), chosen.rounds)
    except FAILURES as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    finally:
        kube.close()
    sys.stdout.write(json.dumps([figure.record() for figure in found], indent=2) + "\n")
    if chosen.write is not None:
        page.put(chosen.write, "bind", _section(found))
    return 0 if all(figure.kept for figure in found) else 1


def _section(found: list[Figure]) -> str:
    return f"## Credentials of a binding\n\n{INTRO}\nMachine: {machine()}.\n\n{table(found)}"


if __name__ == "__main__":
    sys.exit(main())
