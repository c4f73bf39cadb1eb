"""A service broker over real HTTP, small: one plan, asynchronous unless told so; operations wait for the test."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

CATALOG = {
    "services": [
        {
            "id": "svc-pg",
            "name": "postgresql",
            "description": "PostgreSQL",
            "bindable": True,
            "plans": [{"id": "plan-small", "name": "small", "description": "1 CPU"}],
        }
    ]
}


class _Server(ThreadingHTTPServer):
    """A handshake is a matter of the connection's thread, so that nobody else waits for it."""

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None
    ) -> None:
        self._tls = tls
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, address = super().get_request()
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever is refused by TLS is no matter for the output."""


class OsbServer:
    """Listens on a free port of the loopback until `close`. `finish`: set it, and operations succeed.

    binds_at_once: the answer to the PUT of a binding is 201 with its credentials. tls: serve https.
    """

    def __init__(self, *, binds_at_once: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.binds_at_once = binds_at_once
        self.credentials: dict[str, str] = {"uri": "postgres://"}
        self.finish = threading.Event()
        self.polled = threading.Semaphore(0)  # released at every look at an operation
        self.puts: list[str] = []  # bodies of PUT, in order
        self.instances: set[str] = set()
        self._server = _Server(("127.0.0.1", 0), self._handler(), tls)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        place = "http://127.0.0.1" if tls is None else "https://localhost"
        self.url = f"{place}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, body: str) -> tuple[int, object]:
        """What a request gets."""
        if path == "/v2/catalog":
            return 200, CATALOG
        instance = path.split("/")[3]
        if path.endswith("/last_operation"):
            self.polled.release()
            return 200, {
                "state": "succeeded" if self.finish.is_set() else "in progress",
                "description": "pods start",
            }
        if method == "PUT" and self.binds_at_once and "/service_bindings/" in path:
            return 201, {"credentials": self.credentials}
        if method == "PUT":
            self.puts.append(body)
            self.instances.add(instance)
            return 202, {"operation": "provision"}
        if method == "DELETE":
            self.instances.discard(instance)
            return 200, {}
        return 200, {"credentials": self.credentials}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                status, answer = server.answer(
                    self.command, urlsplit(self.path).path, self.rfile.read(length).decode()
                )
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        return Handler
