"""Ports of the loopback for servers that tests start as programs of their own."""

from __future__ import annotations

import socket

_HELD: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody else is given as long as this process lives.

    It stays bound and is not listened on: who connects is refused, no connection comes from it, and a server that
    sets SO_REUSEADDR, as ours do, may listen on it as often as it likes.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return int(held.getsockname()[1])
