"""The demo's web app: writes and reads through every store that its config names.

Config is environment only: DATABASE_URI (PostgreSQL) and CACHE_URI (Redis) appear when the resources
`database` and `cache` are bound; APP_RELEASE is the number of the app release (a pod annotation).
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, cast

STORE_TIMEOUT_S = 5
POOL_SIZE = 8
ROWS = 64
DRAIN_QUIET_S = 0.2  # no connection waited this long: nobody else is coming
REQUEST_TIMEOUT_S = 10


class StoreError(Exception):
    """A configured store did not answer; the text names the cause without any credential."""


class Store(Protocol):
    """Something that counts visits."""

    def visit(self) -> int:
        """Write one visit and read the number of visits back. Raises StoreError."""
        ...


def first_line(error: Exception) -> str:
    """The kind of error and the first line of its text."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no details'}"


class PostgreSQL:
    """Visits in a few rows of a table. Connections are pooled; a stale one is replaced, once per request."""

    def __init__(self, uri: str) -> None:
        import psycopg2  # noqa: PLC0415 - a driver is loaded only when its store is bound

        self._driver: Any = psycopg2
        self._uri = uri
        self._idle: list[Any] = []
        self._slots = threading.BoundedSemaphore(POOL_SIZE)
        self._prepared = False

    def visit(self) -> int:
        """See Store."""
        with self._slots:
            try:
                return self._on_connection(reuse=True)
            except (self._driver.OperationalError, self._driver.InterfaceError):
                self._idle.clear()  # the server closed them: the next one is new
            except self._driver.Error as error:
                raise StoreError(first_line(error)) from error
            try:
                return self._on_connection(reuse=False)
            except self._driver.Error as error:
                raise StoreError(first_line(error)) from error

    def _on_connection(self, *, reuse: bool) -> int:
        connection = self._take() if reuse else self._connect()
        try:
            with connection, connection.cursor() as cursor:
                self._prepare(cursor)
                # Of one row alone the requests would have to wait for each other's commits.
                cursor.execute(
                    "insert into visits (id, n) values (%s, 1) on conflict (id) do update set n = visits.n + 1",
                    [secrets.randbelow(ROWS)],
                )
                cursor.execute("select sum(n) from visits")
                count = int(cursor.fetchone()[0])
        except self._driver.Error:
            connection.close()
            raise
        self._prepared = True
        self._idle.append(connection)
        return count

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> Any:
        options = f"-c statement_timeout={STORE_TIMEOUT_S * 1000}"
        return self._driver.connect(self._uri, connect_timeout=STORE_TIMEOUT_S, options=options)

    def _prepare(self, cursor: Any) -> None:
        """Make the table, once per process; the lock is for two pods that start together."""
        if not self._prepared:
            cursor.execute("select pg_advisory_xact_lock(1)")
            cursor.execute("create table if not exists visits (id int primary key, n bigint not null)")


class Redis:
    """Visits in one key. The client keeps a pool and connects anew, once, when a connection was lost."""

    def __init__(self, uri: str) -> None:
        import redis  # noqa: PLC0415 - a driver is loaded only when its store is bound
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        self._driver: Any = redis
        self._client: Any = redis.Redis.from_url(
            uri,
            socket_timeout=STORE_TIMEOUT_S,
            socket_connect_timeout=STORE_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[redis.exceptions.ConnectionError],
        )

    def visit(self) -> int:
        """See Store."""
        try:
            self._client.incr("visits")
            return int(self._client.get("visits"))
        except self._driver.exceptions.RedisError as error:
            raise StoreError(first_line(error)) from error


STORES: dict[str, tuple[str, Callable[[str], Store]]] = {
    "postgresql": ("DATABASE_URI", PostgreSQL),
    "redis": ("CACHE_URI", Redis),
}


class App:
    """What the app is configured with, and whether it may be given requests."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.release = environment.get("APP_RELEASE", "")
        self.stores: dict[str, Store] = {
            name: make(environment[variable])
            for name, (variable, make) in STORES.items()
            if environment.get(variable)
        }
        self._ready = False

    def ready(self) -> bool:
        """Whether every configured store has answered once since the start.

        Credentials that do not work keep a new pod out of service, and with it the whole release. But once
        they worked, a store's outage must not take every pod out of service: requests then say what fails.
        """
        if not self._ready:
            for store in self.stores.values():
                store.visit()
            self._ready = True
        return self._ready

    def answer(self) -> tuple[HTTPStatus, dict[str, object]]:
        """The status and the JSON body of `/`."""
        pod = os.uname().nodename
        body: dict[str, object] = {"release": self.release, "pod": pod, "stores": sorted(self.stores)}
        try:
            body["visits"] = {name: store.visit() for name, store in self.stores.items()}
        except StoreError as error:
            return HTTPStatus.INTERNAL_SERVER_ERROR, {**body, "error": str(error)}
        return HTTPStatus.OK, body


class Handler(BaseHTTPRequestHandler):
    """`/` does the work, `/healthz` is the readiness probe."""

    timeout = REQUEST_TIMEOUT_S

    def do_GET(self) -> None:
        """Answer one request; HTTP/1.0, so the connection is closed afterwards."""
        app = cast("Server", self.server).app
        if self.path == "/":
            self._send(*app.answer())
        elif self.path == "/healthz":
            try:
                app.ready()
            except StoreError as error:
                self._send(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})
            else:
                self._send(HTTPStatus.OK, {"ready": True})
        else:
            self._send(HTTPStatus.NOT_FOUND, {"error": f"there is no {self.path[:100]}; try /"})

    def _send(self, status: HTTPStatus, body: dict[str, object]) -> None:
        content = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            sys.stderr.write(f"{self.path} {status.value} {body.get('error')}\n")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: failures are logged where they happen."""


class Server(ThreadingHTTPServer):
    """Ends only after the requests it has accepted."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: App) -> None:
        self.app = app
        self._quiet = False
        super().__init__(address, Handler)

    def handle_timeout(self) -> None:
        """Nobody waits to be accepted (see drain)."""
        self._quiet = True

    def drain(self) -> None:
        """After serve_forever: take what still waits to be accepted, then finish every request in flight."""
        self.timeout = DRAIN_QUIET_S
        while not self._quiet:
            self.handle_request()
        self.server_close()


def main() -> None:
    """Serve on PORT (8000) until SIGTERM or SIGINT."""
    server = Server(("", int(os.environ.get("PORT", "8000"))), App(dict(os.environ)))

    def stop(_signal: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()  # waits for the loop below, so not in this thread

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever(poll_interval=0.1)
    server.drain()


if __name__ == "__main__":
    main()
