"""A sandbox of its own, from start to the last trace of it; it does not disturb another that runs beside it."""

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import cgroups
from sandbox.settings import Settings

PROGRAM = Path(__file__).resolve().parents[2] / "sandbox" / "sandbox"
MANIFEST = Path(__file__).with_name("lifecycle.yaml")
# Settings of the whole machine that a kubelet changes when one lets it.
SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as the sandbox itself does"),
]


class Own:
    """The sandbox of this test."""

    def __init__(self, data: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        own = {"HELMBROKER_SANDBOX_DIR": str(data), "HELMBROKER_SANDBOX_PORT": str(port)}
        self.environment = {**os.environ, **own, "KUBECACHEDIR": str(data / "kubectl-cache")}
        self.settings = Settings.from_environment(self.environment)

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([PROGRAM, *words], capture_output=True, text=True, env=self.environment, check=False)

    def do(self, *words: str) -> str:
        answer = self.call(*words)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout + answer.stderr

    def kubectl(self, *words: str) -> str:
        commands = re.search(r"PATH=([^:]+):", self.do("env"))
        assert commands
        command = [f"{commands[1]}/kubectl", "--kubeconfig", str(self.settings.kubeconfig), *words]
        answer = subprocess.run(command, capture_output=True, text=True, env=self.environment, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def process(self, component: str) -> int:
        """The component's pid inside, of its latest start."""
        log = (self.settings.logs / "supervisor.log").read_text()
        return int(re.findall(rf" {component} started as (\d+)", log)[-1])

    def processes(self) -> list[str]:
        """Command lines on the machine that name the data directory."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has ended
            if str(self.settings.data) in line:
                found.append(line)
        return found


def machine(own: Own) -> dict[str, object]:
    """What a sandbox could leave on the machine, as it is now."""
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False)
    name = f"helmbroker-sandbox-{own.settings.identity}"
    namespaces = Path("/run/netns")
    return {
        "mounts": Path("/proc/self/mounts").read_text(),
        "interfaces": sorted(Path("/sys/class/net").iterdir()),
        "firewall": rules.stdout,
        "routes": Path("/proc/net/route").read_text(),
        "control groups": [str(mount / name) for mount in cgroups.mounted() if (mount / name).exists()],
        "processes": own.processes(),
        "network namespaces": sorted(namespaces.iterdir()) if namespaces.exists() else [],
        "sysctls": {name: Path("/proc/sys", name).read_text() for name in SYSCTLS},
        "logs": sorted(Path("/var/log").iterdir()),
    }


@pytest.fixture
def own() -> Iterator[Own]:
    with tempfile.TemporaryDirectory(prefix="sandbox-", dir="/var/tmp") as directory:
        sandbox = Own(Path(directory) / "data")
        sandbox.do("build", "--quiet")  # installs packages: that is not what is compared below
        yield sandbox
        sandbox.do("down", "--wipe")


def test_pods_run_data_stays_and_at_the_end_nothing_is_left(own: Own) -> None:
    before = machine(own)
    assert "from start to usable" in own.do("up")
    assert "node        node1 Ready" in own.do("status")
    own.kubectl("apply", "--filename", str(MANIFEST))
    own.kubectl("wait", "--for=condition=complete", "--timeout=120s", "job", "--all")
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
    own.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=120s", "pod/probe")

    launcher = re.search(r"below (\d+)", own.do("status"))
    assert launcher
    os.kill(int(launcher[1]), 9)
    assert "from start to usable" in own.do("up"), "what was left of the killed one is no obstacle"
    assert "probe" in own.kubectl("get", "pods")
