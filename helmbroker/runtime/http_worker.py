"""gunicorn's threaded worker, with connections that end and errors that are JSON."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from helmbroker.runtime.deadlines import PlainSocket
from helmbroker.runtime.listening import PEER_CERTIFICATE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_S = 30.0  # for a whole request, header and body, from when a thread begins to read it
_LACKING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_LACKING_S = 0.1
_OURS = (errors.ConfigurationProblem, errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
_TOLD: tuple[tuple[type[Exception], int, str, str], ...] = (
    (errors.LimitRequestLine, 414, "URI Too Long", "The request line is too long."),
    (
        errors.LimitRequestHeaders,
        431,
        "Request Header Fields Too Large",
        "There are too many headers, or too large ones.",
    ),
    (errors.ExpectationFailed, 417, "Expectation Failed", "Only Expect: 100-continue is known."),
    (errors.ParseException, 400, "Bad Request", "This is not a well-formed HTTP request."),
)
_LATE = (408, "Request Timeout", "The request did not arrive in time.")


class HttpWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """One thread per request that is being read or answered. A whole process, which needs no arbiter above it."""

    def __init__(
        self, listener: socket.socket, app: Any, log: Any, signals: Callable[[HttpWorker], None], request_s: float
    ) -> None:
        """`app`: a gunicorn application; `signals`: sets the handlers, before the application is loaded."""
        super().__init__(1, os.getppid(), [listener], app, 0, app.cfg, log)
        self._signals = signals
        self._request_s = request_s
        self._begun: WeakSet[Any] = WeakSet()  # connections
        self._silent_until = float("inf")

    def init_signals(self) -> None:
        super().init_signals()
        self._signals(self)

    def notify(self) -> None:
        """Nobody watches: that is what probes are for."""

    def is_parent_alive(self) -> bool:
        """Who has started it may end, as a shell does; a supervisor has its children end with it by itself."""
        return True

    def stop(self) -> None:
        """Finish what was asked for, and end. From any thread, but not from a signal handler."""
        self.handle_exit(signal.SIGTERM, None)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._refuse()

    def _refuse(self) -> None:
        """New connections from now on. Those that the machine has taken for us are served: they may have asked."""
        for listener in (each for each in self.sockets if each.fileno() != -1):  # once
            before = -1
            while before != self.nr_conns:
                before = self.nr_conns
                self.accept(listener)
            listener.close()
        for conn in self.pending_conns:
            conn.timeout = 0.0
        self._silent_until = time.monotonic() + STOP_KEEPALIVE_LINGER

    def murder_pending(self) -> None:
        """Also those that a thread waits for: who has just connected has a moment to ask, as who asks again has."""
        super().murder_pending()
        if time.monotonic() > self._silent_until:
            for conn in [each for each in self._begun if self._waited_for(each)]:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    @staticmethod
    def _waited_for(conn: Any) -> bool:
        """Whether a thread has it and it has said nothing; without a thread nobody knows what it has said."""
        return getattr(conn, "answering", None) is False and not conn.initialized and not conn.data_ready

    def accept(self, listener: socket.socket) -> None:
        """What the machine lacks at the moment ends nobody: who has connected waits in the backlog."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in _LACKING:
                raise
            self.log.warning("no connection is taken now: %s", error.strerror)
            time.sleep(_LACKING_S)

    def enqueue_req(self, conn: Any) -> None:
        if type(conn.sock) is socket.socket:
            conn.sock = PlainSocket.adopt(conn.sock)
        self._begun.add(conn)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        conn.sock.begin(self._request_s)
        conn.answering = False
        result = super().handle(conn)
        if conn.sock.late and not conn.answering:
            _answer(conn.sock, *_LATE)
        if result is False:
            conn.close(graceful=True)  # may take seconds, which the loop does not have
        return result

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.answering = True
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """What is wrong before the application sees a request: 4xx and JSON; the log has the address alone."""
        if isinstance(exc, ssl.SSLError):
            self.log.debug("TLS failed: %s", exc.reason)
            return
        told = next((each[1:] for each in _TOLD if isinstance(exc, each[0])), None)
        if told is None or isinstance(exc, _OURS):
            super().handle_error(req, client, addr, exc)
            return
        # its text may hold a broken Authorization header
        self.log.warning("Invalid request from ip=%s: %s", addr[0] if addr else "-", type(exc).__name__)
        _answer(client, *told)


def _answer(client: Any, status: int, reason: str, description: str) -> None:
    body = json.dumps({"error": "".join(reason.split()), "description": description}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        util.write_nonblock(client, head.encode() + body)
    except OSError:
        """Who does not send may not read, either."""


class Edge:
    """WSGI middleware: what the server knows of a connection, in terms that an application understands."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sock = environ.get("gunicorn.socket")
        if isinstance(sock, ssl.SSLSocket):
            certificate = sock.getpeercert()
            if certificate:
                environ[PEER_CERTIFICATE] = certificate
        environ["wsgi.input"] = _Input(environ["wsgi.input"])
        return self._app(environ, start_response)


class _Input:
    """A body; malformed chunks are an OSError, as a broken connection is."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._body.read(size if size >= 0 else None)
        except errors.ParseException as error:
            raise OSError(type(error).__name__) from None
        return data
