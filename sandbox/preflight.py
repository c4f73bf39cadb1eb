"""Reasons not to start, found before anything is touched: each a RefusedError of one sentence."""

import os
import platform
import shutil
from pathlib import Path

from sandbox.errors import RefusedError
from sandbox.settings import Settings

GIGABYTE = 10**9
# Go's module and build caches take 5 GB, the binary and the layers 1 GB.
BUILD_BYTES, START_BYTES = 8 * GIGABYTE, 2 * GIGABYTE
# Bits of capability sets: CAP_NET_ADMIN and CAP_SYS_ADMIN.
NEEDED_CAPABILITIES = (12, 21)


def refuse_unless_possible(settings: Settings, *, building: bool) -> None:
    """Check system, rights, disk space (more when the binary must be built) and the data directory's disk."""
    if platform.system() != "Linux":
        raise RefusedError(f"the sandbox needs Linux, this is {platform.system()}")
    if not Path("/usr/bin/dpkg-query").exists() or not Path("/usr/bin/apt-get").exists():
        raise RefusedError("the sandbox needs Debian: there is no apt-get and dpkg-query here")
    refuse_unless_root()
    if not has_capabilities(Path("/proc/self/status").read_text()):
        raise RefusedError("this container's root may not make namespaces and mounts: it must run privileged")
    for place, least in ((settings.cache, BUILD_BYTES if building else START_BYTES), (settings.data, START_BYTES)):
        free = shutil.disk_usage(existing(place)).free
        if free < least:
            raise RefusedError(f"{place} has {free / GIGABYTE:.1f} GB free; {least / GIGABYTE:.0f} GB are needed")
    if file_system(existing(settings.data), Path("/proc/self/mounts").read_text()) == "overlay":
        raise RefusedError(
            f"{settings.data} is on an overlay file system, which cannot hold containers:"
            " set HELMBROKER_SANDBOX_DIR to a directory on a disk or volume"
        )


def refuse_unless_root() -> None:
    """Before a lock is made, too: one of another owner in a directory for all could not be opened by root."""
    if os.geteuid() != 0:
        raise RefusedError("the sandbox needs root: it makes namespaces, mounts and control groups")


def has_capabilities(status: str) -> bool:
    """Whether the text of /proc/self/status has what is needed in its effective set."""
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    return all(effective >> bit & 1 for bit in NEEDED_CAPABILITIES)


def existing(path: Path) -> Path:
    """The path itself or its nearest parent that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def file_system(path: Path, mounts: str) -> str:
    """Type of the file system that a path is on, from the text of /proc/self/mounts; of equal mounts the last."""
    rows = [line.split() for line in mounts.splitlines()]
    covering = [(len(row[1]), number, row[2]) for number, row in enumerate(rows) if path.is_relative_to(row[1])]
    return max(covering)[2]
