"""Connections that end: a client that sends or takes a byte now and then holds a thread for a bounded time only."""

from __future__ import annotations

import socket
import ssl
import time

ANSWER_S = 30.0  # for each piece of the answer


class _Bounded(socket.socket):
    """Mixed into a socket. `begin` starts the time of a request; `late` says that it ran out."""

    late = False
    _ends_at = float("inf")

    def begin(self, seconds: float) -> None:
        """Another request is going to be read."""
        self._ends_at = time.monotonic() + seconds
        self.late = False

    def left(self) -> float:
        """Seconds; never 0, which would mean something else to a socket."""
        return max(self._ends_at - time.monotonic(), 0.001)

    def setblocking(self, flag: bool) -> None:
        # gunicorn closes some connections twice, and would count the second time as another connection
        if self.fileno() != -1:
            self.settimeout(ANSWER_S if flag else 0.0)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        before = self.gettimeout()
        self.settimeout(self.left() if before is None else min(self.left(), before))
        try:
            return super().recv(buflen, flags)
        except TimeoutError:
            self.late = True
            raise
        finally:
            self.settimeout(before)


class PlainSocket(_Bounded):
    """Over TCP alone."""

    @classmethod
    def adopt(cls, sock: socket.socket) -> PlainSocket:
        """The same connection; `sock` is of no use afterwards."""
        return cls(sock.family, sock.type, sock.proto, fileno=sock.detach())


class TlsSocket(_Bounded, ssl.SSLSocket):
    """Over TLS."""
