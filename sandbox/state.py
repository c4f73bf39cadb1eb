"""What is known about a started sandbox: one JSON file in the data directory."""

import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from sandbox.process import ProcessId


class Status(Enum):
    """UP: usable when last looked at, and its processes run. STARTING: they run, but `up` has not ended yet."""

    UP = "up"
    STARTING = "starting"
    DOWN = "down"


@dataclass(frozen=True)
class State:
    """launcher: the outer process; node: the first process inside, in the machine's numbers.

    started: seconds since the epoch. binary: directory of the built binary in the cache.
    """

    launcher: ProcessId
    node: ProcessId
    port: int
    cgroup: str
    binary: Path
    started: float
    usable: bool = False

    @property
    def status(self) -> Status:
        """By the processes themselves."""
        if not (self.launcher.alive() and self.node.alive()):
            return Status.DOWN
        return Status.UP if self.usable else Status.STARTING


def path(data: Path) -> Path:
    """Of the state file."""
    return data / "state.json"


def read(data: Path) -> State | None:
    """The last state written, whether or not anything of it still runs."""
    try:
        row = json.loads(path(data).read_text())
    except FileNotFoundError:
        return None
    parsed: dict[str, Any] = {
        "launcher": ProcessId(**row["launcher"]),
        "node": ProcessId(**row["node"]),
        "binary": Path(row["binary"]),
    }
    return State(**{**row, **parsed})


def write(data: Path, state: State) -> None:
    """Replace the file in one step."""
    row = {**asdict(state), "binary": str(state.binary)}
    partial = path(data).with_suffix(".partial")
    partial.write_text(json.dumps(row, indent=1))
    partial.replace(path(data))
