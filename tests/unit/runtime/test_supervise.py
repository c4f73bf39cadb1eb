"""The supervisor as a real process with real children."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.unit.runtime.processes import BOUND_S, program, read_line

pytestmark = pytest.mark.processes

SUPERVISOR = """
import json, sys
from helmbroker.runtime import logs, supervise
logs.configure(service="test")
children = {name: [sys.executable, "-u", "-c", source] for name, source in json.loads(sys.argv[1]).items()}
sys.exit(supervise.supervise(children, grace_s=float(sys.argv[2]), backoff_s=0.01))
"""
# One write per line: children share the pipe.
WAITS = "import os, signal; os.write(1, b'{name} %d\\n' % os.getpid()); signal.pause()"
DEAF = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"deaf %d\\n" % os.getpid())
while True:
    signal.pause()
"""
DIES = "import sys; sys.exit(3)"


def waits(name: str) -> str:
    return WAITS.format(name=name)


def pids(process: subprocess.Popen[str], count: int) -> dict[str, int]:
    """The names and pids that `count` children have printed."""
    return {name: int(pid) for name, pid in (read_line(process).split() for _ in range(count))}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_all_children(number: signal.Signals) -> None:
    argument = json.dumps({"api": waits("api"), "worker": waits("worker")})
    with program(SUPERVISOR, argument, "10") as supervisor:
        children = pids(supervisor, 2)
        supervisor.send_signal(number)
        supervisor.communicate(timeout=BOUND_S)
    assert supervisor.returncode == 0
    assert sorted(children) == ["api", "worker"]
    assert not any(alive(pid) for pid in children.values())


def test_a_child_that_dies_is_started_again() -> None:
    with program(SUPERVISOR, json.dumps({"api": waits("api"), "worker": waits("worker")}), "10") as supervisor:
        first = pids(supervisor, 2)
        os.kill(first["api"], signal.SIGKILL)
        second = pids(supervisor, 1)
        supervisor.send_signal(signal.SIGTERM)
        _, errors = supervisor.communicate(timeout=BOUND_S)
    assert list(second) == ["api"]
    assert second["api"] != first["api"]
    died = [line for line in map(json.loads, errors.splitlines()) if line["event"] == "child died"]
    assert [(line["child"], line["status"]) for line in died] == [("api", -9)]


def test_a_child_that_keeps_dying_ends_everything() -> None:
    with program(SUPERVISOR, json.dumps({"bad": DIES, "good": waits("good")}), "10") as supervisor:
        good = pids(supervisor, 1)["good"]
        _, errors = supervisor.communicate(timeout=BOUND_S)
    assert supervisor.returncode == 1
    assert not alive(good)
    events = [json.loads(line) for line in errors.splitlines()]
    assert [e["event"] for e in events].count("child died") == 4
    assert [(e["child"], e["status"]) for e in events if "giving up" in e["event"]] == [("bad", 3)]


def test_a_deaf_child_is_killed_when_the_grace_is_over() -> None:
    with program(SUPERVISOR, json.dumps({"deaf": DEAF}), "0.1") as supervisor:
        deaf = pids(supervisor, 1)["deaf"]
        supervisor.send_signal(signal.SIGTERM)
        supervisor.communicate(timeout=BOUND_S)
    assert supervisor.returncode == 0
    assert not alive(deaf)


def test_children_die_with_the_supervisor() -> None:
    with program(SUPERVISOR, json.dumps({"api": waits("api")}), "10") as supervisor:
        pids(supervisor, 1)
        supervisor.kill()
        # The child holds the other end of this pipe: the end of the file is its end.
        assert supervisor.stdout is not None
        assert supervisor.stdout.read() == ""


HEARS = """
import os, signal
signal.signal(signal.SIGHUP, lambda *_: os.write(1, b"{name} again\\n"))
os.write(1, b"{name} %d\\n" % os.getpid())
while True:
    signal.pause()
"""


def test_a_hangup_is_passed_on_to_all_children() -> None:
    argument = json.dumps({name: HEARS.format(name=name) for name in ("api", "worker")})
    with program(SUPERVISOR, argument, "10") as supervisor:
        children = pids(supervisor, 2)
        for _ in range(2):
            supervisor.send_signal(signal.SIGHUP)
            assert sorted(read_line(supervisor) for _ in children) == ["api again", "worker again"]
        supervisor.send_signal(signal.SIGTERM)
        supervisor.communicate(timeout=BOUND_S)
    assert supervisor.returncode == 0
