"""The demo's app and its load, as real processes and over real connections."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from demo.app import load
from demo.app.app import App, Server, StoreError
from demo.traffic import Totals
from tests.ports import free_port

APP = Path("demo/app/app.py").resolve()


class Stores:
    """A store that counts, fails when told to, and can be held up."""

    def __init__(self) -> None:
        self.visits = 0
        self.broken = False
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def visit(self) -> int:
        self.entered.set()
        assert self.go_on.wait(10)
        if self.broken:
            raise StoreError("OperationalError: it does not answer")
        self.visits += 1
        return self.visits


@contextmanager
def serving(store: Stores | None) -> Iterator[tuple[Server, int]]:
    """The app on a free port, with at most one store."""
    app = App({"APP_RELEASE": "2"})
    app.stores = {"postgresql": store} if store else {}
    server = Server(("127.0.0.1", 0), app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(port: int, path: str = "/") -> tuple[int, dict[str, object]]:
    """Status and parsed body."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_it_writes_and_reads_through_its_stores() -> None:
    with serving(Stores()) as (_, port):
        assert get(port)[1]["visits"] == {"postgresql": 1}
        status, body = get(port)
    assert status == 200
    assert body == {**body, "release": "2", "stores": ["postgresql"], "visits": {"postgresql": 2}}


def test_it_fails_when_a_store_does_not_answer() -> None:
    store = Stores()
    store.broken = True
    with serving(store) as (_, port):
        status, body = get(port)
    assert (status, body["error"]) == (500, "OperationalError: it does not answer")


def test_it_is_ready_once_every_store_has_answered_and_stays_so() -> None:
    store = Stores()
    store.broken = True
    with serving(store) as (_, port):
        assert get(port, "/healthz")[0] == 503
        store.broken = False
        assert get(port, "/healthz")[0] == 200
        store.broken = True
        assert get(port, "/healthz")[0] == 200


def test_unknown_paths() -> None:
    with serving(None) as (_, port):
        assert get(port, "/x")[0] == 404


def test_it_ends_after_the_requests_in_flight_and_in_the_queue() -> None:
    store = Stores()
    store.go_on.clear()
    with serving(store) as (server, port):
        answers: list[int] = []
        first = threading.Thread(target=lambda: answers.append(get(port)[0]))
        first.start()
        assert store.entered.wait(10)
        server.shutdown()
        with closing(socket.create_connection(("127.0.0.1", port))) as waiting:
            waiting.sendall(b"GET / HTTP/1.0\r\n\r\n")
            draining = threading.Thread(target=server.drain)
            draining.start()
            store.go_on.set()
            assert waiting.makefile("rb").readline() == b"HTTP/1.0 200 OK\r\n"
        draining.join(10)
        first.join(10)
        assert answers == [200]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_sigterm_ends_it() -> None:
    port = free_port()
    child = subprocess.Popen([sys.executable, str(APP)], env={"PORT": str(port), "PATH": os.environ["PATH"]})
    try:
        assert _first_answer(port) == 200
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()


def _first_answer(port: int) -> int:
    for _ in range(1200):
        try:
            return get(port)[0]
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
    return 0


def test_the_load_counts_what_it_gets(capsys: pytest.CaptureFixture[str]) -> None:
    store = Stores()
    with serving(store) as (_, port):
        load.run(f"http://127.0.0.1:{port}/", per_second=200, seconds=0.1, stop=threading.Event())
        good = Totals.of(capsys.readouterr().out.splitlines()[-1])
        store.broken = True
        load.run(f"http://127.0.0.1:{port}/", per_second=200, seconds=0.1, stop=threading.Event())
        bad = Totals.of(capsys.readouterr().out.splitlines()[-1])
    assert (good.ok, good.failed, good.ended) == (store.visits, 0, True)
    assert good.by_release == {"2": good.ok}
    assert good.last["stores"] == ["postgresql"]
    assert bad.ok == 0
    assert bad.failed > 0
    assert len(bad.errors) == 5 or len(bad.errors) == bad.failed
    assert "HTTP 500" in bad.errors[0]


def test_the_load_counts_refused_connections(capsys: pytest.CaptureFixture[str]) -> None:
    load.run("http://127.0.0.1:1/", per_second=100, seconds=0.05, stop=threading.Event())
    totals = Totals.of(capsys.readouterr().out.splitlines()[-1])
    assert totals.ok == 0
    assert "ConnectionRefusedError" in totals.errors[0]


def test_the_load_waits_for_the_first_connection() -> None:
    never = threading.Event()
    with serving(None) as (_, port):
        assert load.await_connection(f"http://127.0.0.1:{port}/", within_s=10, stop=never)
    assert not load.await_connection(f"http://127.0.0.1:{port}/", within_s=0, stop=never)
    never.set()
    assert not load.await_connection(f"http://127.0.0.1:{port}/", within_s=60, stop=never)


def test_the_load_ends_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    stop.set()
    load.run("http://127.0.0.1:1/", per_second=1, seconds=3600, stop=stop)
    totals = Totals.of(capsys.readouterr().out)
    assert (totals.ok, totals.failed, totals.ended) == (0, 0, True)
