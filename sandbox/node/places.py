"""Where the node's components keep things: all below the data directory, or on the sandbox's own /run."""

from dataclasses import dataclass
from pathlib import Path

# On a tmpfs of the sandbox's own, so that a stop is to containerd what a reboot is: nothing stale is found again.
CONTAINERD_STATE = "/run/containerd"
CNI_PLUGINS = "/usr/lib/cni"


@dataclass(frozen=True)
class Places:
    """data: the data directory; hk: the multi-call binary; cgroup: name of the sandbox's control group."""

    data: Path
    hk: Path
    cgroup: str

    @property
    def config(self) -> Path:
        """Configuration files, written anew at each start."""
        return self.data / "config"

    @property
    def pki(self) -> Path:
        """Keys, certificates and kubeconfigs."""
        return self.data / "pki"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.data / "logs"

    @property
    def audit(self) -> Path:
        """What service accounts have asked of the API server; its older parts beside it."""
        return self.data / "audit" / "audit.log"

    @property
    def containerd_socket(self) -> Path:
        """A file in the data directory: reachable from outside."""
        return self.data / "run" / "containerd.sock"

    def kubeconfig(self, user: str) -> Path:
        """For a component on the node."""
        return self.pki / f"{user}.kubeconfig"
