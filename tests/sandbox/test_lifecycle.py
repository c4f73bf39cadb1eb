"""A sandbox of its own, from start to the last trace of it; it does not disturb another that runs beside it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.sandbox.own import PROGRAM, Own, machine

MANIFEST = Path(__file__).with_name("lifecycle.yaml")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.sandbox,
    pytest.mark.timeout(1200),
]


def test_pods_run_data_stays_and_at_the_end_nothing_is_left(own: Own) -> None:
    before = machine(own)
    assert "from start to usable" in own.do("up")
    assert "node        node1 Ready" in own.do("status")
    own.kubectl("apply", "--filename", str(MANIFEST))
    own.kubectl("wait", "--for=condition=complete", "--timeout=300s", "job", "--all")
    assert re.fullmatch(r"postgresql 15\d{4}\n999\n", own.kubectl("logs", "job/postgresql"))
    assert own.kubectl("logs", "job/redis") == "redis_version:7\n999\n"
    assert own.kubectl("logs", "job/demo-app") == "modules\n10.96.0.1\n10001\n"

    assert "stopped" in own.do("down")
    assert own.call("status").returncode == 3
    assert machine(own) == before
    assert "imported" not in own.do("up"), "images are there already"
    assert "postgresql" in own.kubectl("get", "jobs"), "data outlives a stop"

    own.do("down", "--wipe")
    assert not own.settings.data.exists()
    assert machine(own) == before
    assert "was not running" in own.do("down", "--wipe")


@pytest.mark.night
def test_two_commands_at_once_start_one_sandbox(own: Own) -> None:
    first, second = (
        subprocess.Popen(
            [PROGRAM, "up"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=own.environment
        )
        for _ in range(2)
    )
    said = [first.communicate(timeout=300)[0], second.communicate(timeout=300)[0]]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert sorted("already up" in text for text in said) == [False, True], said


@pytest.mark.night
def test_whatever_is_killed_comes_back(own: Own) -> None:
    own.do("up")
    for component in ("kube-apiserver", "etcd", "containerd", "kubelet", "kube-controller-manager", "forward"):
        own.do("enter", "kill", "-KILL", str(own.process(component)))
    own.kubectl("wait", "--for=create", "--timeout=60s", "serviceaccount/default")
    own.kubectl(
        "run",
        "probe",
        "--image=sandbox.local/redis:7",
        "--restart=Never",
        "--command",
        "--",
        "redis-cli",
        "--version",
    )
    own.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=300s", "pod/probe")

    launcher = re.search(r"below (\d+)", own.do("status"))
    assert launcher
    os.kill(int(launcher[1]), 9)
    assert "from start to usable" in own.do("up"), "what was left of the killed one is no obstacle"
    assert "probe" in own.kubectl("get", "pods")
