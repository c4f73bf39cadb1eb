"""Requests a URL at a steady pace, each time on a new connection, and writes the totals once a second.

It begins with the first connection that is not refused, or after a minute.

Each line is one JSON object: {"at": epoch s, "ok": n, "failed": n, "slowest_ms": ms of the last second,
"by_release": {"2": n}, "last": body of the last good answer, "errors": the last five}.
The last line has "end": true.
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import socket
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

REQUEST_TIMEOUT_S = 10
CONNECTIONS = 16
FIRST_CONNECTION_S = 60


class Totals:
    """What the requests came to; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ok = 0
        self._failed = 0
        self._slowest_s = 0.0
        self._by_release: Counter[str] = Counter()
        self._last: dict[str, Any] = {}
        self._errors: deque[str] = deque(maxlen=5)

    def good(self, took_s: float, body: dict[str, Any]) -> None:
        """Count an answer with status 200."""
        with self._lock:
            self._ok += 1
            self._slowest_s = max(self._slowest_s, took_s)
            self._by_release[str(body.get("release", ""))] += 1
            self._last = body

    def bad(self, took_s: float, reason: str) -> None:
        """Count anything else."""
        with self._lock:
            self._failed += 1
            self._slowest_s = max(self._slowest_s, took_s)
            self._errors.append(f"{time.strftime('%H:%M:%S', time.gmtime())} {reason}")

    def report(self, *, end: bool = False) -> str:
        """The totals as one line of JSON; begins a new second."""
        with self._lock:
            line: dict[str, Any] = {
                "at": round(time.time(), 3),
                "ok": self._ok,
                "failed": self._failed,
                "slowest_ms": round(self._slowest_s * 1000, 1),
                "by_release": dict(self._by_release),
                "last": self._last,
                "errors": list(self._errors),
            }
            self._slowest_s = 0.0
        return json.dumps({**line, "end": True} if end else line)


def request(url: str, totals: Totals) -> None:
    """One GET on a connection of its own, counted."""
    parts = urlsplit(url)
    began = time.monotonic()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == http.client.OK:
            totals.good(time.monotonic() - began, json.loads(body))
        else:
            totals.bad(
                time.monotonic() - began,
                f"HTTP {answer.status}: {body[:300].decode(errors='replace').strip()}",
            )
    except (OSError, http.client.HTTPException, ValueError) as error:
        totals.bad(time.monotonic() - began, f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def await_connection(url: str, *, within_s: float, stop: threading.Event) -> bool:
    """Whether there is one within that time: a node refuses connections to a Service that it does not know yet."""
    parts = urlsplit(url)
    last = time.monotonic() + within_s
    while not stop.is_set():
        try:
            socket.create_connection((parts.hostname or "", parts.port or 80), REQUEST_TIMEOUT_S).close()
        except OSError:
            if time.monotonic() > last:
                return False
            stop.wait(0.1)
        else:
            return True
    return False


def run(url: str, *, per_second: float, seconds: float, stop: threading.Event) -> None:
    """Request until `stop` or for `seconds`; what is in flight at the end is waited for and counted."""
    totals = Totals()
    began = time.monotonic()
    next_request, next_report = began, began + 1
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        while not stop.is_set() and time.monotonic() < began + seconds:
            pool.submit(request, url, totals)
            next_request += 1 / per_second
            if time.monotonic() >= next_report:
                print(totals.report(), flush=True)
                next_report += 1
            stop.wait(max(0.0, next_request - time.monotonic()))
    print(totals.report(end=True), flush=True)


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--per-second", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=1800, help="the longest it may run")
    arguments = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    await_connection(arguments.url, within_s=FIRST_CONNECTION_S, stop=stop)
    run(arguments.url, per_second=arguments.per_second, seconds=arguments.seconds, stop=stop)


if __name__ == "__main__":
    main()
