"""Child processes of the demo, and what /proc says about them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import proc
from bench.measures import CannotMeasure, memory
from demo.processes import Processes, Recorded, boot
from demo.waiting import DemoFailed, until

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "from signal import *; signal(SIGTERM, SIG_IGN); print('here', flush=True); import time; time.sleep(600)",
]
ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """A record of its own; whatever was started is ended."""
    made = Processes(tmp_path / "processes", tmp_path)
    yield made
    made.end_all()


def here(tmp_path: Path, name: str) -> None:
    """Wait until the process has said so."""
    log = tmp_path / f"{name}.log"
    until(lambda: True if "here" in log.read_text() else None, within_s=60, what=name, every_s=0.01)


def test_what_was_started_is_recorded_and_ended(processes: Processes, tmp_path: Path) -> None:
    started = processes.start("a", SLEEP, ENV, tmp_path)
    assert started.alive()
    assert processes.recorded() == [started]
    here(tmp_path, "a")
    another_run = Processes(tmp_path / "processes", tmp_path)
    assert another_run.recorded()[0].alive()
    assert processes.end_all() == ["a"]
    assert not started.alive()
    assert processes.recorded() == []


def test_the_record_holds_no_environment(processes: Processes, tmp_path: Path) -> None:
    processes.start("a", SLEEP, {**ENV, "SECRET": "canary"}, tmp_path)
    line = json.loads((tmp_path / "processes").read_text())
    assert sorted(line) == ["boot", "name", "pid", "started"]


def test_a_process_of_the_same_id_is_not_ours(processes: Processes, tmp_path: Path) -> None:
    started = processes.start("a", SLEEP, ENV, tmp_path)
    for other in (replace(started, started=started.started - 1), replace(started, boot="another boot")):
        assert not other.alive()
        other.end(1)
    assert started.alive()


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "processes", tmp_path, grace_s=0.05)
    started = processes.start("a", STUBBORN, ENV, tmp_path)
    here(tmp_path, "a")
    assert processes.end_all() == ["a"]
    assert not started.alive()


def test_one_that_has_ended_says_its_last_words(processes: Processes, tmp_path: Path) -> None:
    started = processes.start("a", [sys.executable, "-c", "print('port is taken')"], ENV, tmp_path)
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(DemoFailed, match="a has ended: port is taken"):
        processes.check(started)


def test_proc_sees_the_tree_and_its_memory() -> None:
    code = f"import subprocess, sys; subprocess.run({SLEEP!r})"
    child = subprocess.Popen([sys.executable, "-c", code, "api"], stdout=subprocess.PIPE, process_group=0)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        tree = proc.tree(child.pid)
        assert [one.parent for one in tree] == [os.getpid(), child.pid]
        assert all(1e6 < one.pss <= one.rss < 1e9 for one in tree)
        assert 0 < proc.cpu_s([child.pid]) < 60
        with pytest.raises(CannotMeasure, match="no process with the role worker"):
            memory({"broker": child.pid})
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    assert proc.look(child.pid) is None
    assert proc.started(child.pid) is None


def test_a_boot_has_an_id() -> None:
    assert boot() == boot()
    assert not Recorded("x", os.getpid(), 0, boot()).alive()
