"""A web server as a program of its own, and connections to it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.unit.runtime.processes import BOUND_S, read_line

SERVER = """
import os, sys
from helmbroker.runtime import logs, serve

def make_app():
    print("ready", flush=True)
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        import json
        return [json.dumps({"raw": environ["RAW_URI"], "pid": os.getpid()}).encode()]
    return app

logs.configure(service="test")
serve.serve(make_app, host="127.0.0.1", port=int(sys.argv[1]), grace_s=5)
"""


def connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=BOUND_S)


@contextmanager
def connection_when_ready(server: subprocess.Popen[str], port: int) -> Iterator[socket.socket]:
    assert read_line(server) == "ready"
    with connection(port) as made:
        yield made
