"""`python -m bench.injected`: from asking for a bind until the app has a release with it, on both platforms; JSON.

Needs the cluster of KUBECONFIG for Kubernetes, and none for Drycc. Exit status 0 when every bound is kept, 1 when
one is not, 2 when it could not be measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bench import limits, page
from bench.figures import Figure, number, table
from bench.measures import CannotMeasure
from helmbroker.kubeapi.errors import KubeError
from tests.chaos.report import machine
from tests.cluster.bridge import Bridge, Resource, running
from tests.cluster.reach import connect, eventually, throw_away_namespace
from tests.cluster.shop import process, serving
from tests.fakes.drycc import stand
from tests.operations.bridge.osb_server import OsbServer

FAILURES = (CannotMeasure, KubeError, AssertionError)
LOOK_S = 0.01
REFILL_S = 20.0
"""In which all of the burst of requests that a Drycc controller allows is there again."""
INTRO = """\
API and worker of the bridge are processes on SQLite, their settings as they are by default; a broker answers the
PUT of a binding at once, over HTTP on the loopback. From sending the PATCH that asks for the bind until the app has
a newer release with the variables, looked for a hundred times a second. Provisioning came before it and the rollout
comes after it; there is no Job."""
SEEN = {
    "Drycc": """\
It is seen at the test controller, a process that allows 60 requests a minute, by its list of releases: one request
to it makes config and release.""",
    "Kubernetes": """\
It is seen at the API server of a cluster, once the pods of the app's Deployment are to have the new Secret.""",
}


@dataclass(frozen=True)
class Stage:
    """A platform with an app. newest: the number of the app release that the pods are to have."""

    bridge: Bridge
    app: str
    newest: Callable[[], int]
    pause_s: float = 0.0


@contextmanager
def drycc(folder: Path, broker: OsbServer, _login: Path) -> Iterator[Stage]:
    """The test controller, as a process."""
    place = folder / "stand"
    stand.start(place)
    try:
        lines = (place / "env").read_text().splitlines()
        env: Mapping[str, str] = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        settings = {name: value for name, value in env.items() if name.startswith("HELMBROKER_BRIDGE_")}
        settings |= {"HELMBROKER_BRIDGE_BROKER_URL": broker.url}

        def newest() -> int:
            return len(requests.get(f"{env['PLATFORM']}/releases", timeout=10).text.splitlines())

        with running(folder, settings, env["DRYCC_TOKEN"]) as bridge:
            yield Stage(bridge, stand.APP, newest, REFILL_S)
    finally:
        stand.stop(place)


@contextmanager
def kubernetes(folder: Path, broker: OsbServer, login: Path) -> Iterator[Stage]:
    """The cluster of KUBECONFIG."""
    settings = {"HELMBROKER_BRIDGE_BROKER_URL": broker.url, "HELMBROKER_BRIDGE_BROKER_CREDENTIALS_FILE": str(login)}
    kube = connect()
    try:
        with throw_away_namespace(kube) as app, running(folder, settings) as bridge:
            kube.create(process(app, "web"))
            eventually(lambda: serving(kube, app) or None, within_s=60)

            def newest() -> int:
                found = kube.get("Deployment", app, "shop-web")
                assert found is not None
                (container,) = found["spec"]["template"]["spec"]["containers"]
                names = [each["secretRef"]["name"] for each in container.get("envFrom") or ()]
                return max((int(name.rpartition("-v")[2]) for name in names), default=0)

            yield Stage(bridge, app, newest)
    finally:
        kube.close()


PLATFORMS: Mapping[str, Callable[[Path, OsbServer, Path], AbstractContextManager[Stage]]] = {
    "Drycc": drycc,
    "Kubernetes": kubernetes,
}


def measure(platform: str, rounds: int) -> list[Figure]:
    """So many resources are bound to one app, one after the other. Raises CannotMeasure."""
    broker = OsbServer(binds_at_once=True)
    broker.finish.set()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            login = Path(folder) / "broker-login"
            login.write_text("user:password")
            with PLATFORMS[platform](Path(folder), broker, login) as stage:
                found = [_bind(stage, f"db-{each}") for each in range(rounds)]
    finally:
        broker.close()
    accepted_s, injected_s = zip(*found, strict=True)
    name, limit_s = f"bind to injected, {platform}", limits.INJECTED_LIMIT_S
    accepted = f"accepted after {number(statistics.median(accepted_s))} s"
    return [
        Figure(f"{name}, median", statistics.median(injected_s), "s", limit_s, f"of {rounds}; {accepted}"),
        Figure(f"{name}, slowest", max(injected_s), "s", limit_s, "/".join(map(number, injected_s))),
    ]


def _bind(stage: Stage, name: str) -> tuple[float, float]:
    """Seconds until it is accepted, and until the app's release is there."""
    resource = Resource(stage.bridge, stage.app, name)
    resource.create("postgresql:small")
    _ended(resource, "status")
    time.sleep(stage.pause_s)
    before, began = stage.newest(), time.monotonic()
    resource.bind()
    accepted_s = time.monotonic() - began
    while stage.newest() == before:
        if time.monotonic() - began > stage.pause_s + 60.0:
            raise CannotMeasure(f"{name}: {resource.look()['message']}")
        time.sleep(LOOK_S)
    injected_s = time.monotonic() - began
    _ended(resource, "binding")
    return accepted_s, injected_s


def _ended(resource: Resource, of: str) -> None:
    end = resource.follow(of)
    if end["failed"]:
        raise CannotMeasure(f"{resource.name}: {end['message']}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.injected", description=__doc__)
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help=f"of {', '.join(PLATFORMS)}; default: all")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    chosen = parser.parse_args()
    platforms = chosen.platforms or list(PLATFORMS)
    if unknown := [name for name in platforms if name not in PLATFORMS]:
        parser.error(f"no such platforms: {', '.join(unknown)}; there are {', '.join(PLATFORMS)}")
    found = []
    try:
        for platform in platforms:
            figures = measure(platform, chosen.rounds)
            found += figures
            if chosen.write is not None:
                page.put(chosen.write, f"injected-{platform.lower()}", section(platform, figures))
    except FAILURES as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write(json.dumps([figure.record() for figure in found], indent=2) + "\n")
    return 0 if all(figure.kept for figure in found) else 1


def section(platform: str, found: list[Figure]) -> str:
    """For docs/reference/performance.md."""
    made = f"Made by `python -m bench.injected {platform} --write docs/reference/performance.md`."
    head = f"## From a bind to the app's release: {platform}"
    return "\n\n".join([head, made, f"{INTRO}\n{SEEN[platform]}", f"Machine: {machine()}.", table(found)])


if __name__ == "__main__":
    sys.exit(main())
