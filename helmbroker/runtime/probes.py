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
METRICS = "/metrics"
NO_PAGES: Mapping[str, Callable[[], bytes]] = {}
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus' text format


@contextmanager
def probes(
    listen: str | None, answers: Mapping[str, Probe], pages: Mapping[str, Callable[[], bytes]] = NO_PAGES
) -> Iterator[int]:
    """Answer GET on these paths while the block runs: 200, or 503 with what the probe says. Yields the port.

    pages: what is answered as it stands, in Prometheus' text format.
    listen: host:port; None: nowhere, and the port is 0. Raises OSError when the address cannot be had. Nothing
    secret is told, so there is no login.
    """
    if listen is None:
        yield 0
        return
    host, port = address(listen)
    handler = type("Handler", (_Handler,), {"answers": answers, "pages": pages})
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
    pages = NO_PAGES
    timeout = _REQUEST_S
    server_version, sys_version = "helmbroker", ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        probe, page = self.answers.get(path), self.pages.get(path)
        if page is not None:
            self._send(HTTPStatus.OK, _METRICS_TYPE, page())
            return
        if probe is None:
            self._answer(HTTPStatus.NOT_FOUND, "There is nothing at this path.")
            return
        reason = probe()
        self._answer(HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE, reason or "ok")

    def _answer(self, status: HTTPStatus, said: str) -> None:
        self._send(status, "application/json", json.dumps({"status": said}).encode())

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Probes would drown everything else."""
