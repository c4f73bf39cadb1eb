"""The web server as a real process: how it ends, and whom it answers until then."""

from __future__ import annotations

import http.client
import signal
import socket
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.ports import free_port
from tests.unit.runtime.processes import BOUND_S, program, read_line
from tests.unit.runtime.servers import SERVER, connection, connection_when_ready

pytestmark = pytest.mark.processes


WAITING = """
import sys, threading
from helmbroker.runtime import serve

stopping = threading.Event()

def make_app():
    print("ready", flush=True)
    def app(environ, start_response):
        print("asked", flush=True)
        told = stopping.wait(20)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(told).encode()]
    return app

serve.serve(make_app, host="127.0.0.1", port=int(sys.argv[1]), on_stop=stopping.set)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_requests_that_wait_are_told_that_the_server_ends(number: signal.Signals) -> None:
    port = free_port()
    with program(WAITING, str(port)) as server, ThreadPoolExecutor(1) as pool:
        assert read_line(server) == "ready"
        asked = pool.submit(urllib.request.urlopen, f"http://127.0.0.1:{port}/", timeout=BOUND_S)
        assert read_line(server) == "asked"
        server.send_signal(number)
        with asked.result(BOUND_S) as answer:
            assert answer.read() == b"True"
        server.communicate(timeout=BOUND_S)
    assert server.returncode == 0


ENDLESS = """
import sys, threading
from helmbroker.runtime import serve

def make_app():
    print("ready", flush=True)
    def app(environ, start_response):
        print("asked", flush=True)
        threading.Event().wait()
    return app

serve.serve(make_app, host="127.0.0.1", port=int(sys.argv[1]), grace_s=0)
"""


def test_a_request_without_end_does_not_keep_the_server_beyond_the_grace() -> None:
    port = free_port()
    with program(ENDLESS, str(port)) as server:
        assert read_line(server) == "ready"
        with connection(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_line(server) == "asked"
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=BOUND_S)
    assert server.returncode == 0


BUSY = """
import signal, sys, threading
from helmbroker.runtime import serve

go = threading.Event()

def make_app():
    signal.signal(signal.SIGUSR1, lambda *_: go.set())
    print("ready", flush=True)
    def app(environ, start_response):
        print("asked", flush=True)
        go.wait()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
    return app

serve.serve(make_app, host="127.0.0.1", port=int(sys.argv[1]), grace_s=60)
"""


def test_a_server_that_ends_refuses_who_comes_and_answers_who_has_asked() -> None:
    port, ended = free_port(), time.monotonic() + BOUND_S
    with program(BUSY, str(port)) as server, connection_when_ready(server, port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_line(server) == "asked"
        server.send_signal(signal.SIGTERM)
        while connects(port):
            assert time.monotonic() < ended
        server.send_signal(signal.SIGUSR1)
        assert body(client) == b"ok"
        server.communicate(timeout=BOUND_S)
    assert server.returncode == 0


def connects(port: int) -> bool:
    try:
        connection(port).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        """It was closed while this one came."""
    return True


# gunicorn gives a connection 5 s to say something before it needs no thread any more
def quiet(patience_s: float, more: str = "") -> str:
    patched = f"from gunicorn.workers import gthread; gthread.DEFAULT_WORKER_DATA_TIMEOUT = {patience_s}"
    return SERVER.replace("logs.configure", f"{patched}; logs.configure").replace("grace_s=5", f"grace_s=60{more}")


@pytest.mark.parametrize("source", [quiet(0.2, ", threads=1"), quiet(40)], ids=["for long", "just now"])
def test_who_has_connected_and_says_nothing_does_not_keep_the_server(source: str) -> None:
    port = free_port()
    with program(source, str(port)) as server, connection_when_ready(server, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=BOUND_S) as answer:
            assert answer.status == 200, "there is one thread for both: the silent one has left it"
        begin = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=BOUND_S)
        assert time.monotonic() - begin < 14, "not the 15 s of those that nobody waits for"
    assert server.returncode == 0


COUNTING = BUSY.replace(
    "import signal, sys, threading",
    "import signal, sys, threading; from gunicorn.workers import gthread; "
    "gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.2; from helmbroker.runtime import http_worker; "
    "http_worker.STOP_KEEPALIVE_LINGER = 0.0",
)
COUNTING = COUNTING.replace('b"ok"', 'b"%02d" % len(environ["wsgi.input"].read())').replace("=60", "=60, threads=1")


def test_who_waits_for_a_thread_is_not_taken_for_silent() -> None:
    port = free_port()
    with program(COUNTING, str(port)) as server, connection_when_ready(server, port) as silent:
        with connection(port) as first, connection(port) as second:
            first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_line(server) == "asked"
            second.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
            server.send_signal(signal.SIGTERM)
            assert silent.recv(1) == b"", "those that are silent have been sent away by now"
            server.send_signal(signal.SIGUSR1)
            assert body(first) == b"00"
            second.sendall(b"cd")
            assert body(second) == b"04"
        server.communicate(timeout=BOUND_S)
    assert server.returncode == 0


def body(client: socket.socket) -> bytes:
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.read()


DRAINING = """
import sys
from helmbroker.runtime import serve

def make_app():
    print("ready", flush=True)
    return lambda environ, start_response: start_response("204 No Content", []) and None or []

drain = serve.Drain(float(sys.argv[2]), lambda: print("draining", flush=True))
serve.serve(make_app, host="127.0.0.1", port=int(sys.argv[1]), drain=drain)
"""


@pytest.mark.parametrize(("drain_s", "again"), [("0.2", None), ("600", signal.SIGTERM), ("600", signal.SIGINT)])
def test_a_server_serves_on_until_its_drain_is_over_or_it_is_told_again(
    drain_s: str, again: signal.Signals | None
) -> None:
    port = free_port()
    with program(DRAINING, str(port), drain_s) as server:
        assert read_line(server) == "ready"
        server.send_signal(signal.SIGTERM)
        assert read_line(server) == "draining"
        if again is not None:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=BOUND_S) as answer:
                assert answer.status == 204
            server.send_signal(again)
        server.communicate(timeout=BOUND_S)
    assert server.returncode == 0
