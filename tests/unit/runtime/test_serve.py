"""The web server as a real process: what the app sees, how it fails, what a taken port says."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request

import pytest

from helmbroker.runtime.deadlines import PlainSocket
from tests.ports import free_port
from tests.unit.runtime.processes import BOUND_S, program, read_line
from tests.unit.runtime.servers import SERVER, connection

pytestmark = pytest.mark.processes


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
