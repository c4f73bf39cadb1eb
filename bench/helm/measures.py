"""The broker beside bare helm: the same charts and values, in turns, so that a busy machine is so for both."""

from __future__ import annotations

import os
import signal
import sqlite3
import statistics
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import bare, limits
from bench.figures import Figure, number
from bench.measures import CannotMeasure
from tests.cluster.broker import Broker
from tests.cluster.killing import helm_of
from tests.cluster.osb import Instance

AT_ONCE = 8
LEASE_S = 5.0
LOOK_EVERY_S = 0.02
_LIMIT_S = 60.0


@dataclass(frozen=True)
class Subject:
    """A chart, and how the broker is asked for the same."""

    name: str
    chart: Path
    values: dict[str, Any]  # all that helm gets
    parameters: dict[str, Any] | None  # those of them that the platform sends


def overhead(running: Broker, subject: Subject, rounds: int) -> Figure:
    """Seconds of a provision, median; the bound comes from the median of bare helm in between."""
    by_hand, by_broker = [], []
    for _ in range(rounds):
        by_hand.append(_by_hand(running.namespace, [subject]))
        by_broker.append(_by_broker(running, [subject]))
    bare_s = statistics.median(by_hand)
    limit_s = bare_s * limits.HELM_FACTOR + limits.HELM_MARGIN_S
    note = f"bare helm {number(bare_s)} s; {_all(by_broker)} and {_all(by_hand)}"
    return Figure(f"provision {subject.name}", statistics.median(by_broker), "s", limit_s, note)


def at_once(running: Broker, subject: Subject, rounds: int) -> Figure:
    """Seconds until the last of several that began together is ready, median, beside as many bare helms."""
    by_hand, by_broker = [], []
    for _ in range(rounds):
        by_hand.append(_by_hand(running.namespace, [subject] * AT_ONCE))
        by_broker.append(_by_broker(running, [subject] * AT_ONCE))
    bare_s = statistics.median(by_hand)
    name = f"{AT_ONCE} provisions of {subject.name} at once"
    note = f"{AT_ONCE} bare helms {number(bare_s)} s; {_all(by_broker)} and {_all(by_hand)}"
    return Figure(name, statistics.median(by_broker), "s", bare_s * limits.PARALLEL_FACTOR, note)


def resume(running: Broker, times: int) -> Figure:
    """Seconds from kill -9 of the worker, in the middle of helm, to the operation's next claim; the longest."""
    took_s = [_resumed(running, running.platform.instance("probe", "small")) for _ in range(times)]
    limit_s = LEASE_S + limits.RESUME_MARGIN_S
    note = f"of {times}: {_all(took_s)}; the lease is {LEASE_S:g} s"
    return Figure("an operation goes on after kill -9 of its worker", max(took_s), "s", limit_s, note)


def _resumed(running: Broker, instance: Instance) -> float:
    operation = instance.begin({"make": "sleep 3"})
    release = running.release(instance.id).name
    _until(lambda: helm_of(running, "upgrade", "--labels", release), "helm was not started")
    fence = _fence(running, operation)
    began = time.monotonic()
    os.kill(running.worker_pid, signal.SIGKILL)
    _until(lambda: True if _fence(running, operation) > fence else None, "the operation did not go on")
    took_s = time.monotonic() - began
    _ended(instance, operation)
    instance.delete()
    return took_s


def _by_hand(namespace: str, subjects: list[Subject]) -> float:
    named = [(f"bare-{uuid.uuid4().hex[:8]}", subject) for subject in subjects]
    try:
        return _together(
            [partial(bare.install, name, namespace, subject.chart, subject.values) for name, subject in named]
        )
    finally:
        _together([partial(bare.uninstall, name, namespace) for name, _ in named])


def _by_broker(running: Broker, subjects: list[Subject]) -> float:
    made = [(running.platform.instance(subject.name, "small"), subject) for subject in subjects]
    try:
        return _together([partial(_provision, instance, subject) for instance, subject in made])
    finally:
        _together([instance.delete for instance, _ in made])


def _provision(instance: Instance, subject: Subject) -> None:
    _ended(instance, instance.begin(subject.parameters))


def _ended(instance: Instance, operation: str) -> None:
    end = instance.follow(operation, within_s=300)
    if end.state != "succeeded":
        raise CannotMeasure(f"{operation}: {end.description}")


def _together(actions: list[Callable[[], object]]) -> float:
    """Seconds until the last has ended."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(actions)) as pool:
        for each in [pool.submit(action) for action in actions]:
            each.result()
    return time.monotonic() - began


def _fence(running: Broker, operation: str) -> int:
    with closing(sqlite3.connect(running.data_dir / "helmbroker.db", timeout=10)) as database:
        (fence,) = database.execute("SELECT fence FROM operations WHERE id = ?", (operation,)).fetchone()
    return int(fence)


def _until(look: Callable[[], object | None], what: str) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while look() is None:
        if time.monotonic() > deadline:
            raise CannotMeasure(what)
        time.sleep(LOOK_EVERY_S)


def _all(values: list[float]) -> str:
    return "/".join(f"{value:.2f}" for value in values)
