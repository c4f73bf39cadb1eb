"""One control group of our own in every hierarchy: two sandboxes never share one, and ours can be removed."""

import time
from pathlib import Path

from sandbox.errors import RefusedError

FROM_PARENT = ("cpuset.cpus", "cpuset.mems")
NEEDED_V2 = ("cpuset", "cpu", "io", "memory", "pids")


def hierarchies(mounts: str) -> dict[Path, str]:
    """Mount point to type (`cgroup` or `cgroup2`), from the text of /proc/self/mounts."""
    rows = (line.split() for line in mounts.splitlines())
    return {Path(row[1]): row[2] for row in rows if row[2] in ("cgroup", "cgroup2")}


def mounted() -> dict[Path, str]:
    """The hierarchies of this machine."""
    return hierarchies(Path("/proc/self/mounts").read_text())


def create(name: str) -> None:
    """Make the group everywhere; RefusedError when the machine does not let us.

    In version 1, a cpuset without CPUs takes no process, so it gets its parent's.
    """
    try:
        _create(name)
    except OSError as error:
        raise RefusedError(
            f"control groups cannot be made here ({error}): a container must run privileged"
        ) from error


def _create(name: str) -> None:
    found = mounted()
    only_v2 = set(found.values()) == {"cgroup2"}
    for mount, kind in found.items():
        if kind == "cgroup2" and not only_v2:
            continue  # the hybrid layout: version 2 is there for systemd, and has no controllers
        if kind == "cgroup2":
            _delegate(mount)
        group = mount / name
        group.mkdir(exist_ok=True)
        if kind == "cgroup":
            for setting in FROM_PARENT:
                if (mount / setting).exists():
                    (group / setting).write_text((mount / setting).read_text())


def _delegate(mount: Path) -> None:
    """Version 2: a group has a controller only when its parent passes it on; systemd passes on most of them."""
    available = (mount / "cgroup.controllers").read_text().split()
    enabled = (mount / "cgroup.subtree_control").read_text().split()
    missing = [f"+{name}" for name in NEEDED_V2 if name in available and name not in enabled]
    if missing:
        (mount / "cgroup.subtree_control").write_text(" ".join(missing))


def remove(name: str, timeout_seconds: float = 10) -> list[Path]:
    """Remove the group and all below it, deepest first; what could not be removed in time.

    A group is busy for a moment after its last process was killed.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        left = [group for mount in mounted() if (group := mount / name).is_dir() and not _remove_tree(group)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _remove_tree(group: Path) -> bool:
    below = [path for path in group.rglob("*") if path.is_dir()]
    for path in [*sorted(below, key=lambda path: len(path.parts), reverse=True), group]:
        try:
            path.rmdir()
        except OSError:
            return False
    return True
