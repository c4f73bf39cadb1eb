"""`python -m bench.rotation`: rotations beside binds, through the bridge, on the cluster of KUBECONFIG; JSON.

Exit status 0 when every bound is kept, 1 when one is not, 2 when it could not be measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import limits, page
from bench.figures import Figure, number, table
from bench.measures import CannotMeasure
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Kube
from tests.chaos.report import machine
from tests.cluster.bridge import Resource, Watched, bridge
from tests.cluster.broker import broker
from tests.cluster.reach import connect, eventually, throw_away_namespace
from tests.cluster.shop import process, serving

FAILURES = (CannotMeasure, KubeError, AssertionError)
SERVICES = ("postgresql", "redis")
NO_GRACE = {"HELMBROKER_BRIDGE_ROTATION_GRACE_S": "0"}
INTRO = """\
Made by `python -m bench.rotation --write docs/reference/performance.md` on a cluster: an app of one pod, through
the bridge. Counted is everything but the rollout of the app's release, as a user sees it who looks ten times a
second; a rotation makes new credentials, gives them to the app, and has the old ones revoked. There is no pause for
open connections. Binds and rotations in turns; medians. What a rotation takes longer than a bind is the unbind of
the old credentials: a Helm run, and a Job that drops the old user and proves that it is refused. Most of that time
Kubernetes needs to start the Job and to tell of its end.
""".rstrip()


def measure(resource: Resource, service: str, rounds: int) -> list[Figure]:
    """A bind and a rotation in each round; the resource is removed again. Raises CannotMeasure."""
    resource.create(f"{service}:small")
    _ended(resource, "status")
    binds, rotations = [], []
    for _ in range(rounds):
        binds.append(_own_s(resource, resource.bind))
        rotations.append(_own_s(resource, resource.rotate))
        resource.unbind()
        _ended(resource, "binding")
    resource.destroy()
    bind_s = statistics.median(binds)
    limit_s = bind_s + limits.ROTATION_MARGIN_S
    return [
        Figure(f"bind {service}", bind_s, "s", note=_all(binds)),
        Figure(f"rotate {service}", statistics.median(rotations), "s", limit_s, _all(rotations)),
    ]


def _own_s(resource: Resource, begin: Callable[[], None]) -> float:
    """Seconds that it takes, without the app's rollout."""
    watched = Watched()
    begin()
    _ended(resource, "binding", watched.see)
    return watched.took_s - watched.phases_s.get("await rollout", 0.0)


def _ended(resource: Resource, of: str, seen: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    end = resource.follow(of, seen)
    if end["failed"]:
        raise CannotMeasure(f"{resource.name}: {end['message']}")


def _all(values: list[float]) -> str:
    return "/".join(number(value) for value in values)


@contextmanager
def app(kube: Kube) -> Iterator[str]:
    """An app of one pod."""
    with throw_away_namespace(kube) as namespace:
        kube.create(process(namespace, "web"))
        eventually(lambda: serving(kube, namespace) or None, within_s=60)
        yield namespace


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.rotation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    chosen = parser.parse_args()
    kube = connect()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            broker(kube, Path(folder), environment={"HELMBROKER_LOG_LEVEL": "info"}) as its_broker,
            bridge(Path(folder), its_broker, environment=NO_GRACE) as its_bridge,
            app(kube) as namespace,
        ):
            resources = [Resource(its_bridge, namespace, service) for service in SERVICES]
            found = [each for one in resources for each in measure(one, one.name, chosen.rounds)]
    except FAILURES as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    finally:
        kube.close()
    sys.stdout.write(json.dumps([figure.record() for figure in found], indent=2) + "\n")
    if chosen.write is not None:
        page.put(chosen.write, "rotation", f"## Rotation\n\n{INTRO}\nMachine: {machine()}.\n\n{table(found)}")
    return 0 if all(figure.kept for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
