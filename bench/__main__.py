"""`python -m bench [FIGURES...]`: measure on the cluster of KUBECONFIG; JSON on the output.

Exit status 0 when every bound is kept, 1 when one is not, 2 when something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import measures
from bench.bare import BareFailed
from bench.figures import Figure
from bench.measures import CannotMeasure
from bench.osb import BrokerAnswered
from demo import images
from demo.clean import clean, processes_of
from demo.cluster import Cluster
from demo.images import Addon
from demo.places import BARE, INSTANCES, Places, alone
from demo.product import BIN, Product, environment, log_in, start
from demo.waiting import DemoFailed
from helmbroker.kubeapi.errors import KubeError

FAILURES = (DemoFailed, BareFailed, BrokerAnswered, CannotMeasure, KubeError)
PLUGIN = str(BIN / "drycc-resources")


@dataclass(frozen=True)
class Bench:
    """The product, running, and what it offers."""

    product: Product
    addons: list[Addon]
    places: Places


def start_up(bench: Bench) -> list[Figure]:
    """Time to start of the command line."""
    env = environment(DRYCC_PROFILE=bench.places.login)
    return [measures.start([PLUGIN, word], env) for word in ("--help", "services")]


def accept(bench: Bench) -> list[Figure]:
    """Latency of the broker's 202."""
    return [measures.accept(bench.product.broker, bench.addons[-1].name, bench.addons[-1].plan)]


def instances(bench: Bench) -> list[Figure]:
    """Provision, bind and unbind, beside bare helm."""
    found = []
    for addon in bench.addons:
        chart = (addon.name, BARE, addon.folder / "chart", addon.values)
        before_s = measures.by_hand(*chart)
        instance, took_s = measures.provision(bench.product.broker, addon.name, addon.plan)
        found += [
            measures.provision_figure(addon.name, took_s, [before_s, measures.by_hand(*chart)]),
            *measures.bind(addon.name, instance),
        ]
        instance.deprovision()
    return found


def memory(bench: Bench) -> list[Figure]:
    """Memory of every part."""
    return measures.memory(dict(zip(("broker", "bridge"), bench.product.roots, strict=True)))


def idle(bench: Bench) -> list[Figure]:
    """CPU when there is nothing to do."""
    return [measures.idle(bench.product.roots)]


FIGURES: dict[str, Callable[[Bench], list[Figure]]] = {
    "start-up": start_up,
    "accept": accept,
    "instances": instances,
    "memory": memory,
    "idle": idle,
}


@contextmanager
def running(places: Places, cluster: Cluster) -> Iterator[Bench]:
    """The product for the time of the measurements; nothing is left afterwards."""
    if any(process.alive() for process in processes_of(places).recorded()):
        raise DemoFailed("a demo is running; it and a measurement would disturb each other: make demo-clean")
    clean(places, cluster)
    places.make()
    try:
        cluster.make_namespace(INSTANCES)
        cluster.make_namespace(BARE)
        local = images.is_local(cluster.images())
        addons = [images.addon(name, local=local) for name in images.LOCAL]
        product = start(places, processes_of(places), addons)
        log_in(places, product)
        yield Bench(product, addons, places)
    finally:
        clean(places, cluster)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURES", help=f"of {', '.join(FIGURES)}; default: all")
    chosen = parser.parse_args().figures or list(FIGURES)
    if unknown := [name for name in chosen if name not in FIGURES]:
        parser.error(f"no such figures: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    try:
        with alone(), running(Places(), Cluster.connect()) as bench:
            found = [figure for name in chosen for figure in FIGURES[name](bench)]
    except FAILURES as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write(json.dumps([figure.record() for figure in found], indent=2) + "\n")
    return 0 if all(figure.kept for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
