"""A tiny HTTP server for probes, in processes that serve nothing else."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from helmbroker.runtime.listening import address

_LOG = logging.getLogger("helmbroker.probes")
_REQUEST_S = 5.0
Probe = Callable[[], str | None]


@contextmanager
def probes(listen: str | None, answers: Mapping[str, Probe]) -> Iterator[int]:
    """Answer GET on these paths while the block runs: 200, or 503 with what the probe says. Yields the port.

    listen: host:port; None: nowhere, and the port is 0. Raises OSError when the address cannot be had. Nothing
    secret is told, so there is no login.
    """
    if listen is None:
        yield 0
        return
    host, port = address(listen)
    handler = type("Handler", (_Handler,), {"answers": answers})
    with _Server((host, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
        thread.start()
        _LOG.info("probes are answered", extra={"host": host, "port": server.server_address[1]})
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, _request: object, client_address: object) -> None:
        """Who asks and does not wait for the answer is no fault; the library would print it between the logs."""
        _LOG.debug("a probe was not answered", exc_info=True, extra={"client": str(client_address)})


class _Handler(BaseHTTPRequestHandler):
    answers: Mapping[str, Probe] = {}
    timeout = _REQUEST_S
    server_version, sys_version = "helmbroker", ""

    def do_GET(self) -> None:
        probe = self.answers.get(self.path.partition("?")[0])
        if probe is None:
            self._answer(HTTPStatus.NOT_FOUND, "There is nothing at this path.")
            return
        reason = probe()
        self._answer(HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE, reason or "ok")

    def _answer(self, status: HTTPStatus, said: str) -> None:
        body = json.dumps({"status": said}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Probes would drown everything else."""
