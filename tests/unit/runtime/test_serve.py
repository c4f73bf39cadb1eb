"""The web server as a real process: what the app sees, how it stops, what a taken port says."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from helmbroker.runtime.deadlines import PlainSocket
from tests.unit.runtime.processes import BOUND_S, program, read_line

pytestmark = pytest.mark.processes

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=BOUND_S)


@contextmanager
def connection_when_ready(server: subprocess.Popen[str], port: int) -> Iterator[socket.socket]:
    assert read_line(server) == "ready"
    with connection(port) as made:
        yield made


def test_one_process_serves_and_the_app_sees_the_raw_target() -> None:
    port = free_port()
    with program(SERVER, str(port)) as server:
        assert read_line(server) == "ready"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/a%2Fb/%C3%A9?x=1", timeout=BOUND_S) as answer:
            seen = json.loads(answer.read())
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=BOUND_S)
    assert server.returncode == 0
    assert seen == {"raw": "/a%2Fb/%C3%A9?x=1", "pid": server.pid}
    events = [json.loads(line) for line in errors.splitlines()]
    assert [(event["event"], event["port"]) for event in events] == [("listening", port)]


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
        server.communicate(timeout=10)
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


FAILING = """
import os, signal, sys, threading
from helmbroker.runtime import serve

def fail(number, frame):
    raise OSError(5, "broken")

def make_app():
    signal.signal(signal.SIGUSR2, fail)
    print("ready", flush=True)
    def app(environ, start_response):
        print("asked", flush=True)
        threading.Event().wait()
    return app

serve.serve(make_app, host="127.0.0.1", port=int(sys.argv[1]))
"""


def test_a_server_that_fails_ends_although_a_request_waits() -> None:
    """Who has started it sees that, and starts it again; a port that answers nobody would be worse."""
    port = free_port()
    with program(FAILING, str(port)) as server:
        assert read_line(server) == "ready"
        with connection(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_line(server) == "asked"
            server.send_signal(signal.SIGUSR2)
            _, errors = server.communicate(timeout=BOUND_S)
    assert server.returncode == 1
    assert "the web server has failed" in errors


CRAMPED = SERVER.replace(
    "logs.configure", "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32)); logs.configure"
)


def test_more_connections_than_file_descriptors_end_nobody() -> None:
    port = free_port()
    with program(CRAMPED, str(port)) as server:
        assert read_line(server) == "ready"
        idle = [connection(port) for _ in range(40)]
        assert server.stderr is not None
        assert any("no connection is taken now" in line for line in server.stderr)
        for each in idle:
            each.close()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=BOUND_S) as answer:
            assert answer.status == 200
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=BOUND_S)
    assert server.returncode == 0


def test_a_connection_that_is_closed_is_not_closed_again() -> None:
    """gunicorn would take the failure for another connection that has ended."""
    sock = PlainSocket.adopt(socket.socket())
    sock.close()
    sock.setblocking(True)


def test_what_making_the_app_raises_ends_the_program() -> None:
    source = SERVER.replace('    print("ready", flush=True)', '    raise SystemExit("no database")')
    with program(source, str(free_port())) as server:
        _, errors = server.communicate(timeout=BOUND_S)
    assert server.returncode == 1
    assert errors.splitlines()[-1] == "no database"


HANGING_UP = """
import sys
from helmbroker.runtime import serve

def make_app():
    print("ready", flush=True)
    return lambda environ, start_response: None

serve.serve(make_app, host="127.0.0.1", port=int(sys.argv[1]), on_hangup=lambda: print("again", flush=True))
"""


def test_a_hangup_is_told_to_the_process_that_serves_which_goes_on() -> None:
    with program(HANGING_UP, str(free_port())) as server:
        assert read_line(server) == "ready"
        for _ in range(2):
            server.send_signal(signal.SIGHUP)
            assert read_line(server) == "again", "not ready: no new process"
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=BOUND_S)
    assert server.returncode == 0


def test_a_taken_port_is_one_sentence_and_status_1() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with program(SERVER, str(port)) as server:
            _, errors = server.communicate(timeout=BOUND_S)
    assert server.returncode == 1
    assert errors == (
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Stop what uses that address, or choose another one (host:port) in the settings.\n"
    )


def test_a_broken_request_leaves_no_header_in_the_log() -> None:
    port = free_port()
    with program(SERVER, str(port)) as server:
        read_line(server)
        with connection(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: canary\x01-7f3a\r\n\r\n")
            status = client.recv(64).split(b"\r\n")[0]
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=BOUND_S)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert "Invalid request from ip=127.0.0.1" in errors
    assert "7f3a" not in errors
