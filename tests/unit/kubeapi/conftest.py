"""Fixtures of the tests of the Kubernetes client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from helmbroker.kubeapi.client import KubeClient
from tests.unit.kubeapi.answering import Request, Server, kubeconfig


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(size)
            url = urlsplit(self.path)
            body = json.loads(content) if content else None
            headers = {key.lower(): value for key, value in self.headers.items()}
            told.requests.append(Request(self.command, url.path, parse_qs(url.query), headers, body))
            if not told.answers:
                told.hold.wait(60)
                self.close_connection = True
                return
            status, more, answer = told.answers.pop(0)
            self.send_response(status)
            for key, value in {"Content-Length": str(len(answer)), **more}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        told.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        told.hold.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def kube(server: Server, tmp_path: Path) -> Iterator[KubeClient]:
    client = KubeClient.from_environment(kubeconfig(tmp_path, server.url), timeout_s=60.0)
    yield client
    client.close()


@pytest.fixture
def impatient(server: Server, tmp_path: Path) -> Iterator[KubeClient]:
    """For what is not answered."""
    client = KubeClient.from_environment(kubeconfig(tmp_path, server.url), timeout_s=0.5)
    yield client
    client.close()
