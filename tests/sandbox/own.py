"""A sandbox of a test's own, beside any other: its own directory and port."""

import os
import re
import subprocess
from pathlib import Path

from sandbox import cgroups
from sandbox.settings import Settings
from tests.ports import free_port

PROGRAM = Path(__file__).resolve().parents[2] / "sandbox" / "sandbox"
# Settings of the whole machine that a kubelet changes when one lets it.
SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")


class Own:
    """The sandbox of this test."""

    def __init__(self, data: Path) -> None:
        own = {"HELMBROKER_SANDBOX_DIR": str(data), "HELMBROKER_SANDBOX_PORT": str(free_port())}
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
