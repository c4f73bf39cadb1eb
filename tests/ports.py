"""Ports of the loopback, for programs that have to be told one."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress

# Below 32768, from where on Linux gives ports away to whoever connects or asks for any. Where a process begins
# depends on its id, so that two workers of pytest do not come to the same ones together.
_FIRST, _NUMBER = 20_000, 12_000
_tried = itertools.count(os.getpid() * 100)


def free_port() -> int:
    """One that nobody has, and that nobody is given by chance before the program listens there."""
    for number in itertools.islice(_tried, _NUMBER):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", _FIRST + number % _NUMBER))
            return int(probe.getsockname()[1])
    raise OSError(f"no port from {_FIRST} to {_FIRST + _NUMBER} is free")
