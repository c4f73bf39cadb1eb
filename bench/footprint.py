"""`python -m bench.footprint`: start, memory and CPU of the four processes of the chart's default profile.

On the cluster of KUBECONFIG, which is only read. What is installed for tests alone, such as rich, is loaded by
libraries that know of it: `--image FOLDER` measures what `python3 -m packing.image dependencies FOLDER` and
`program FOLDER` have made, with the Python of an image. Exit status 0 when the bounds are kept, 1 when one is not,
2 when something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import limits, page, proc
from bench.figures import Figure, table
from packing.image import LIBRARY

MB = 1e6
START_S = 90.0
SETTLE_S = 30.0  # after readiness: the first round of the schedules
IDLE_S = 120.0
BROKER, BRIDGE = "helmbroker.broker", "helmbroker.controller_bridge"
CHECKOUT = Path(__file__).parents[1]
ADDONS = CHECKOUT / "addons"
IMAGES_PYTHON = "/usr/bin/python3"


class CannotMeasure(Exception):
    """A process did not become ready; its last words."""


@contextmanager
def running(
    folder: Path, python: str = sys.executable, library: Path = CHECKOUT
) -> Iterator[tuple[dict[str, int], dict[str, float]]]:
    """The processes, ready: name -> pid, and name -> seconds until it answered.

    Their settings are those of the chart, but for places.
    """
    ports = {name: _free_port() for name in ("api", "worker", "bridge api", "bridge worker")}
    environment = _environment(folder, ports) | {"PYTHONPATH": str(library)}
    with ExitStack() as stack:
        found, took = {}, {}
        for program in (BROKER, BRIDGE):
            subprocess.run(
                [python, "-m", program, "init"], cwd=folder, env=environment, check=True, capture_output=True
            )
        for name, port in ports.items():
            program = BRIDGE if name.startswith("bridge") else BROKER
            log = stack.enter_context((folder / f"{name}.log").open("wb+"))
            command = [python, "-m", program, name.split()[-1]]
            began = time.monotonic()
            process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log)
            stack.callback(_end, process)
            _await_ready(process, port, folder / f"{name}.log")
            found[name], took[name] = process.pid, time.monotonic() - began
        yield found, took


def _environment(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")}
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    return given | {
        "PYTHONUNBUFFERED": "1",
        "HELMBROKER_DATA_DIR": str(folder / "broker"),
        "HELMBROKER_ADDONS_DIR": str(ADDONS),
        "HELMBROKER_LISTEN": addresses["api"],
        "HELMBROKER_WORKER_LISTEN": addresses["worker"],
        "HELMBROKER_BRIDGE_DATA_DIR": str(folder / "bridge"),
        "HELMBROKER_BRIDGE_BROKER_URL": f"http://{addresses['api']}",
        "HELMBROKER_BRIDGE_BROKER_CREDENTIALS_FILE": str(folder / "broker" / "platform-credentials"),
        "HELMBROKER_BRIDGE_LISTEN": addresses["bridge api"],
        "HELMBROKER_BRIDGE_WORKER_LISTEN": addresses["bridge worker"],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            # the API is ready when a worker has read the catalogue
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise CannotMeasure(log.read_text(errors="replace")[-2000:] or f"no answer on port {port}, and no log")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(START_S)


def measure(pids: Mapping[str, int], seconds: float) -> list[Figure]:
    """RSS added per process, as `ps` tells it, and the CPU of all over these seconds."""
    share = proc.cpu_share(pids.values(), seconds)
    found = {name: proc.tree(pid) for name, pid in pids.items()}
    of_each = [
        Figure(
            f"RSS of {name}",
            sum(one.rss for one in processes) / MB,
            "MB",
            note=f"PSS {sum(one.pss for one in processes) / MB:.0f} MB, {len(processes)} process",
        )
        for name, processes in found.items()
    ]
    pss_mb = sum(one.pss for processes in found.values() for one in processes) / MB
    return [
        *of_each,
        Figure(
            "RSS of all", sum(each.value for each in of_each), "MB", limits.RSS_LIMIT_MB, f"PSS {pss_mb:.0f} MB"
        ),
        Figure("CPU of all", share * 100, "% of a core", limits.REST_LIMIT_PERCENT, f"over {seconds:g} s"),
    ]


def section(found: list[Figure], image: Path | None) -> str:
    """For docs/reference/performance.md. image: as `--image`."""
    of_image = "" if image is None else " --image FOLDER"
    libraries = "of the development environment" if image is None else "of the image, and its Python"
    return f"""\
## At rest

Made by `python -m bench.footprint{of_image} --write docs/reference/performance.md` with a cluster: the API and the
worker of broker and bridge, which is what the chart's default profile runs, with SQLite and the bundled addons and
without instances, and with the libraries {libraries}.
RSS counts pages that processes share once for each of them, as `ps` does; PSS counts them once.

{table(found)}"""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.footprint", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    parser.add_argument("--seconds", type=float, default=IDLE_S, help="of rest; default: %(default)g")
    parser.add_argument("--image", type=Path, metavar="FOLDER", help="of what an image has on top of Debian")
    chosen = parser.parse_args()
    program = () if chosen.image is None else (IMAGES_PYTHON, chosen.image.resolve() / LIBRARY)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as made, running(Path(made), *program) as (pids, took):
            time.sleep(min(SETTLE_S, chosen.seconds))
            found = [
                Figure(f"{name}: from its start until it answers", each, "s", limits.ANSWER_LIMIT_S)
                for name, each in took.items()
            ]
            found += measure(pids, chosen.seconds)
    except CannotMeasure as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write(f"{table(found)}\n")
    if chosen.write:
        page.put(chosen.write, "footprint", section(found, chosen.image))
    return 0 if all(each.kept for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
