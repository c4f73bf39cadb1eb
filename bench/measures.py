"""The measurements themselves: each takes what it needs and gives figures."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import bare, limits, proc
from bench.figures import Figure, number
from bench.osb import Broker, Instance

ROLES = ("api", "worker")
ACCEPTED = 3
STARTED = 5
IDLE_S = 10.0
MB = 1e6


class CannotMeasure(Exception):
    """What has to be there for a measurement is not."""


def by_hand(name: str, namespace: str, chart: Path, values: Mapping[str, Any]) -> float:
    """Seconds that bare helm takes, waiting included; the Helm release is removed again."""
    took_s = bare.install(name, namespace, chart, values)
    bare.uninstall(name, namespace)
    return took_s


def provision_figure(service: str, took_s: float, by_hand_s: Sequence[float]) -> Figure:
    """Provisioning beside bare helm, which was measured before and after it: the slower one counts.

    Most of the time is the server's own start, which varies with the disk far more than what is measured here.
    """
    note = f"bare helm {' and '.join(number(each) for each in by_hand_s)} s"
    return Figure(f"provision {service}", took_s, "s", max(by_hand_s) + limits.PROVISION_MARGIN_S, note)


def accept(broker: Broker, service: str, plan: str) -> Figure:
    """How long the broker takes to answer 202 to the PUT of a new instance. The instances are removed again."""
    ids = broker.plan(service, plan)
    made = [Instance(broker, *ids) for _ in range(ACCEPTED)]
    try:
        times_ms = [instance.provision().took_s * 1000 for instance in made]
    finally:
        for instance in made:
            instance.deprovision()
    note = f"the slowest of {ACCEPTED}"
    return Figure("PUT of an instance answers 202", max(times_ms), "ms", limits.ACCEPT_LIMIT_MS, note)


def provision(broker: Broker, service: str, plan: str) -> tuple[Instance, float]:
    """An instance, and the seconds from asking for it until the broker says that it is ready."""
    instance = Instance(broker, *broker.plan(service, plan))
    began = time.monotonic()
    instance.await_ready(instance.provision())
    return instance, time.monotonic() - began


def bind(service: str, instance: Instance) -> list[Figure]:
    """Seconds until a binding's credentials are there, and until they are revoked."""
    binding, took_s = instance.bind()
    unbound_s = instance.unbind(binding)
    return [
        Figure(f"bind {service}", took_s, "s", limits.BIND_LIMIT_S),
        Figure(f"unbind {service}", unbound_s, "s"),
    ]


def memory(supervisors: Mapping[str, int]) -> list[Figure]:
    """Memory of API and worker below each supervisor. Raises CannotMeasure when one is not there.

    PSS: pages that processes share count once. The RSS of each, which counts them again, is told beside it.
    """
    return [_memory(f"memory of {name} {role}", pid, role) for name, pid in supervisors.items() for role in ROLES]


def _memory(name: str, supervisor: int, role: str) -> Figure:
    roots = [process.pid for process in proc.tree(supervisor) if process.command[-1:] == (role,)]
    processes = {process.pid: process for root in roots for process in proc.tree(root)}.values()
    if not processes:
        raise CannotMeasure(f"{name}: no process with the role {role} below process {supervisor}")
    rss = " + ".join(number(one.rss / MB) for one in processes)
    pss_mb = sum(one.pss for one in processes) / MB
    return Figure(name, pss_mb, "MB", limits.MEMORY_LIMIT_MB, f"RSS {rss} MB")


def idle(roots: Iterable[int]) -> Figure:
    """CPU that all processes use while nobody asks for anything."""
    percent = proc.cpu_share(roots, IDLE_S) * 100
    return Figure("CPU of all when idle", percent, "% of a core", limits.IDLE_LIMIT_PERCENT, f"over {IDLE_S:g} s")


def start(argv: Sequence[str], env: Mapping[str, str]) -> Figure:
    """Wall time of a short command, the median of a few. Raises CannotMeasure when it fails."""
    times_ms = []
    for _ in range(STARTED):
        began = time.monotonic()
        ran = subprocess.run(argv, env=dict(env), capture_output=True, text=True, check=False, timeout=60)
        times_ms.append((time.monotonic() - began) * 1000)
        if ran.returncode:
            raise CannotMeasure(f"{' '.join(argv)}: {ran.stderr.strip()[-300:]}")
    name = f"{Path(argv[0]).name} {' '.join(argv[1:])}"
    note = f"median of {STARTED}"
    return Figure(name, statistics.median(times_ms), "ms", limits.START_LIMIT_MS, note)
