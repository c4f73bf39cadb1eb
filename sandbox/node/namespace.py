"""Set-up of the fresh namespaces: mounts, host name, network. Runs as their first process, once."""

import shutil
import socket
import subprocess
from pathlib import Path

from sandbox.node import addresses as at
from sandbox.node.places import Places

# The kubelet would write these for the whole machine. Inside the sandbox they are ordinary files that already read
# as it wants them.
MACHINE_WIDE = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# These belong to the network namespace, so they are the sandbox's own.
NETWORK = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/route_localnet": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}
SYSCTL = Path("/proc/sys")


def run(*command: str) -> None:
    """A command whose failure is ours: its own words go to the supervisor's log."""
    subprocess.run(command, check=True)


def set_up(places: Places) -> None:
    """Everything before the first component."""
    for hidden in ("/run", "/var/log"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", hidden)
    _hide_cni_cache()
    _guard_sysctls()
    # Volumes that the kubelet mounts must reach the containers' namespaces. Nothing reaches the machine: the mount
    # namespace was made with private propagation.
    run("mount", "--make-rshared", "/")
    socket.sethostname(at.NODE)
    _network()
    shutil.rmtree(places.containerd_socket.parent, ignore_errors=True)
    for directory in (places.containerd_socket.parent, places.data / "volumes", places.data / "containerd"):
        directory.mkdir(parents=True, exist_ok=True)


def _hide_cni_cache() -> None:
    """CNI keeps results below /var/lib/cni whatever one configures; they must not stay on the machine."""
    cache = Path("/var/lib/cni")
    cache.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(cache))


def _guard_sysctls() -> None:
    own = Path("/run/sysctl")
    own.mkdir()
    for name, value in MACHINE_WIDE.items():
        if (SYSCTL / name).exists():
            (own / name.replace("/", "-")).write_text(f"{value}\n")
            run("mount", "--bind", str(own / name.replace("/", "-")), str(SYSCTL / name))


def _network() -> None:
    """A bridge carries the node's address: it may not be a loopback one, and there is no other interface."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "node0", "type", "bridge")
    run("ip", "address", "add", at.NODE_NETWORK, "dev", "node0")
    run("ip", "link", "set", "node0", "up")
    # There is no default route; without this one the node's own processes could not send to a Service's address.
    run("ip", "route", "add", at.SERVICE_CIDR, "dev", "node0")
    for name, value in NETWORK.items():
        if (SYSCTL / name).exists():
            (SYSCTL / name).write_text(value)
