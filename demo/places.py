"""Where the demo keeps its files, and what it calls its things in the cluster."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.waiting import DemoFailed

CHECKOUT = Path(__file__).resolve().parent.parent
LABEL = "helmbroker.io/demo"
APP = "demo-shop"
INSTANCES = "demo-instances"
BARE = "demo-bare"
NAMESPACES = (APP, INSTANCES, BARE)


@dataclass(frozen=True)
class Places:
    """The work folder (mode 0700, not in git) and what is in it."""

    root: Path = CHECKOUT / ".demo"

    def make(self) -> None:
        """Make the folders."""
        for folder in (self.root, self.broker, self.bridge, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def processes(self) -> Path:
        """Which processes were started: one JSON object per line."""
        return self.root / "processes"

    @property
    def broker(self) -> Path:
        """The broker's data."""
        return self.root / "broker"

    @property
    def bridge(self) -> Path:
        """The bridge's data."""
        return self.root / "bridge"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"

    @property
    def overrides(self) -> Path:
        """The operator's overrides: which images this cluster has."""
        return self.root / "overrides.yaml"

    @property
    def login(self) -> Path:
        """What `drycc login` would have written."""
        return self.root / "client.json"


@contextmanager
def alone(folder: Path = CHECKOUT) -> Iterator[None]:
    """Nobody else runs demo or bench in this checkout meanwhile. Raises DemoFailed when somebody does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoFailed("another demo or bench runs in this checkout; wait for its end") from error
        yield
    finally:
        os.close(descriptor)
