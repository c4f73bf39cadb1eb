"""The web server: gunicorn's threaded worker as a library, in our own process.

gunicorn's parent of it would be a second interpreter in memory that does nothing. Who starts the server, a kubelet,
a service manager or `helmbroker run`, starts it again when it dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty
from typing import TYPE_CHECKING, Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from helmbroker.runtime import signals
from helmbroker.runtime.http_worker import REQUEST_S, Edge, HttpWorker
from helmbroker.runtime.listening import REQUEST_IDENTITY, RenewedContext, Tls

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication as WSGIApp
else:
    WSGIApp = Callable

_LOG = logging.getLogger("helmbroker.serve")
_BACKLOG = 256
_SPARE_S = 1.0  # after the grace: gunicorn closes what is left by itself
REQUEST_LINE_BYTES = 8190  # gunicorn's most; OSB lets an operation name alone be 10 000 characters, ours are short
HEADER_BYTES = 16384  # originating identities carry group lists
HEADERS = 64


def serve(
    make_app: Callable[[], WSGIApp],
    *,
    host: str,
    port: int,
    threads: int = 8,
    grace_s: int = 20,
    tls: Tls | None = None,
    request_s: float = REQUEST_S,
    on_stop: Callable[[], None] | None = None,
    on_hangup: Callable[[], None] | None = None,
    drain: Drain | None = None,
) -> NoReturn:
    """Serve `make_app()` on host:port until SIGTERM or SIGINT; requests then get `grace_s` seconds to finish, while
    new connections are refused. A request has to arrive within `request_s` seconds.

    `make_app` runs when the address is already listened on: clients wait; what it raises is passed on. `on_stop` is
    called when the server is told to end: requests that wait for something had better be answered then.
    `on_hangup` is called, in a thread of its own, after SIGHUP, which otherwise does nothing. `drain`: a SIGTERM is
    first told and waited about, while everything is served as before. The app finds the raw request target in
    `environ["RAW_URI"]`, and what a client's certificate says in `environ[PEER_CERTIFICATE]`. When the address
    cannot be had, or a certificate cannot be read: one sentence on stderr and SystemExit(1). Ends with
    SystemExit(0), or (1) when it fails while it serves; never returns. Main thread only (signals).
    """
    contexts = _contexts(tls)
    listener = _listen(host, port)
    settings: dict[str, object] = {
        **_FIXED,
        "threads": threads,
        "worker_connections": max(200, threads * 8),
        "graceful_timeout": grace_s,
    }
    if tls is not None and contexts is not None:
        settings["certfile"], settings["keyfile"] = str(tls.certificate), str(tls.key)
        settings["ssl_context"] = lambda _config, _factory: contexts.current()
    address = listener.getsockname()
    _LOG.info("listening", extra={"host": address[0], "port": address[1], "tls": tls is not None})
    handlers = _signals(grace_s, on_stop or _nothing, drain, on_hangup or _nothing)
    app = _Application(make_app, settings)
    worker = HttpWorker(listener, app, JsonLogger(app.cfg), handlers, request_s)
    sys.exit(_run(worker, listener, on_stop or _nothing))


def _run(worker: HttpWorker, listener: socket.socket, on_stop: Callable[[], None]) -> int:
    """Serve until told to end; the status of the process. Raises what `make_app` raises."""
    try:
        worker.init_process()
    except Exception:
        if not worker.booted:
            raise
        _LOG.exception("the web server has failed")
        listener.close()  # refused at once, and not left waiting for nobody
        _later(_SPARE_S, os._exit, 1)  # threads that answer would be waited for
        on_stop()
        return 1
    return 0


@dataclass(frozen=True)
class Drain:
    """Time for load balancers to leave: `begin` is called at once, the server stops `seconds` later."""

    seconds: float
    begin: Callable[[], None]


def _nothing() -> None:
    """Nobody wants to be told."""


def _signals(
    grace_s: float, on_stop: Callable[[], None], drain: Drain | None, on_hangup: Callable[[], None]
) -> Callable[[HttpWorker], None]:
    """What sets the handlers: of those that end the server, and of SIGHUP."""

    def install(worker: HttpWorker) -> None:
        asked = signals.received(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

        def end() -> None:
            if asked.get() == signal.SIGTERM and drain is not None and drain.seconds > 0:
                drain.begin()
                with contextlib.suppress(Empty):
                    asked.get(timeout=drain.seconds)  # a second one ends the waiting
            on_stop()
            worker.stop()
            time.sleep(grace_s + _SPARE_S)
            os._exit(0)  # a thread that answers for ever would be waited for

        threading.Thread(target=end, name="end", daemon=True).start()
        signals.after_hangup(on_hangup)

    return install


def _later(seconds: float, act: Callable[..., object], *args: object) -> None:
    timer = threading.Timer(seconds, act, args)
    timer.daemon = True
    timer.start()


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's log through `logging`: no handlers of its own, no query strings, no headers."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.loglevel = logging.NOTSET
        for log in (self.error_log, self.access_log):
            log.propagate = True
            log.handlers[:] = []
            log.setLevel(logging.NOTSET)

    def access(self, resp: Any, _req: Any, environ: Mapping[str, Any], request_time: Any) -> None:
        """One line per request at debug level: probes would drown everything else."""
        if not self.access_log.isEnabledFor(logging.DEBUG):
            return
        self.access_log.debug(
            "request",
            extra={
                "method": environ.get("REQUEST_METHOD", "-"),
                "path": str(environ.get("RAW_URI", "-")).partition("?")[0],
                "status": str(resp.status).split(None, 1)[0],
                "duration_s": round(request_time.total_seconds(), 4),
                "request_identity": environ.get(REQUEST_IDENTITY),
            },
        )

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Without the dump of all its settings."""
        if not msg.startswith("Current configuration"):
            self.error_log.debug(msg, *args, **kwargs)

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Its start-up chatter is for debugging."""
        self.error_log.debug(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Errors name the path, never the query string. Slow clients are no fault of ours."""
        if isinstance(sys.exc_info()[1], TimeoutError):
            self.error_log.info("a client was too slow")
            return
        plain = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in args)
        self.error_log.exception(msg, *plain, **kwargs)


_FIXED: Mapping[str, object] = {
    "keepalive": 15,
    "limit_request_line": REQUEST_LINE_BYTES,
    "limit_request_fields": HEADERS,
    "limit_request_field_size": HEADER_BYTES,
    "forwarded_allow_ips": "",
}


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, make_app: Callable[[], WSGIApp], settings: Mapping[str, object]) -> None:
        self._make_app = make_app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApp:
        return Edge(self._make_app())


def _contexts(tls: Tls | None) -> RenewedContext | None:
    if tls is None:
        return None
    try:
        return RenewedContext(tls)
    except OSError as error:
        sys.stderr.write(
            f"Cannot serve TLS with {tls.certificate} and {tls.key}: {error.strerror or error}. "
            "They must be PEM files, and belong together.\n"
        )
        raise SystemExit(1) from None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # inherited by connections; without it an answer waits 40 ms for the peer's delayed acknowledgement
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
            stack.pop_all()
            return listener
    except OSError as error:
        sys.stderr.write(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. "
            "Stop what uses that address, or choose another one (host:port) in the settings.\n"
        )
        raise SystemExit(1) from None
