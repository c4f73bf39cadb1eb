"""Where things are, from the environment. Nothing else reads the environment's HELMBROKER_ variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sandbox.errors import RefusedError

DEFAULT_PORT = 18443
# A socket's path has at most 107 characters; the longest of ours adds 20 to the data directory.
LONGEST_DATA_PATH = 80
PLAIN_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
# Directories that are replaced by empty ones inside the sandbox, so nothing in them would be seen there.
HIDDEN_INSIDE = (Path("/run"), Path("/var/run"), Path("/var/log"), Path("/proc"), Path("/sys"), Path("/dev"))


@dataclass(frozen=True)
class Settings:
    """cache: built things, by hash. data: state of this one cluster. port: the API server on 127.0.0.1."""

    cache: Path
    data: Path
    port: int
    checkout: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read HELMBROKER_CACHE, HELMBROKER_SANDBOX_DIR and HELMBROKER_SANDBOX_PORT; RefusedError on nonsense."""
        home = Path(environment.get("HOME") or "/root")
        caches = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
        cache = Path(environment.get("HELMBROKER_CACHE") or caches / "helmbroker")
        data = Path(environment.get("HELMBROKER_SANDBOX_DIR") or "/var/lib/helmbroker-sandbox")
        for name, path in (("HELMBROKER_CACHE", cache), ("HELMBROKER_SANDBOX_DIR", data)):
            if not PLAIN_PATH.fullmatch(str(path)):
                raise RefusedError(
                    f"{name} must be an absolute path of letters, digits and . _ - / (others would need quoting in"
                    f" five configuration formats), not {str(path)!r}"
                )
        if len(str(data)) > LONGEST_DATA_PATH:
            raise RefusedError(f"HELMBROKER_SANDBOX_DIR is longer than {LONGEST_DATA_PATH} characters: {data}")
        if any(data.is_relative_to(hidden) for hidden in HIDDEN_INSIDE):
            raise RefusedError(f"HELMBROKER_SANDBOX_DIR cannot be in {data.parents[-2]}: {data}")
        checkout = Path(__file__).resolve().parents[1]
        if data.resolve().is_relative_to(checkout):
            raise RefusedError(f"HELMBROKER_SANDBOX_DIR must not be inside the checkout: {data}")
        return cls(cache / "sandbox", data, parse_port(environment.get("HELMBROKER_SANDBOX_PORT")), checkout)

    @property
    def identity(self) -> str:
        """8 hexadecimal digits that name this data directory: for cgroup and lock."""
        return sha256(str(self.data).encode()).hexdigest()[:8]

    @property
    def kubeconfig(self) -> Path:
        """For clients on the machine: its server is 127.0.0.1 at the chosen port."""
        return self.data / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys and certificates: for root only."""
        return self.data / "pki"

    @property
    def logs(self) -> Path:
        """One file per component, and the previous run's with `.1` appended."""
        return self.data / "logs"

    @property
    def audit(self) -> Path:
        """What service accounts have asked of the API server, a line of JSON each."""
        return self.data / "audit" / "audit.log"

    @property
    def containerd_socket(self) -> Path:
        """A file, so it can be reached from outside the sandbox's network namespace."""
        return self.data / "run" / "containerd.sock"


def parse_port(text: str | None) -> int:
    """A TCP port above 1023, DEFAULT_PORT when not set."""
    if not text:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise RefusedError(f"HELMBROKER_SANDBOX_PORT must be a number from 1024 to 65535, not {text!r}")
    return int(text)
