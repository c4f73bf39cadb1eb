"""What is measured, each in a process of its own: the broker's API, and a bare Flask application."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

START_S = 60
HELLO = "hello"


class CannotServe(Exception):
    """A server did not start; its last words."""


@contextmanager
def broker(settings: Mapping[str, str]) -> Iterator[int]:
    """The port of `helmbroker api` with these settings (names without HELMBROKER_)."""
    environment = {f"HELMBROKER_{name}": value for name, value in settings.items()}
    with _server([sys.executable, "-m", "helmbroker.broker", "api"], environment) as port:
        yield port


@contextmanager
def hello(threads: int) -> Iterator[int]:
    """The port of the bare application."""
    with _server([sys.executable, "-m", "bench.api.servers", str(threads)], {}) as port:
        yield port


@contextmanager
def _server(command: list[str], environment: Mapping[str, str]) -> Iterator[int]:
    """Its log goes to a file: who reads a pipe would take time from what is measured."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=log)
        try:
            yield _port(process, log)
        finally:
            process.terminate()
            process.wait(START_S)


def _port(process: subprocess.Popen[bytes], log: IO[bytes]) -> int:
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        for line in os.pread(log.fileno(), 1 << 20, 0).splitlines():
            if b'"listening"' in line:
                return int(json.loads(line)["port"])
        time.sleep(0.05)
    raise CannotServe(
        os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")[-2000:] or "no answer, and no log"
    )


def serve_hello(threads: int) -> None:
    """What Flask and gunicorn cost by themselves: one route, one short text."""
    from flask import Flask  # noqa: PLC0415 - only this process needs it

    from helmbroker.runtime import logs  # noqa: PLC0415
    from helmbroker.runtime.serve import serve  # noqa: PLC0415

    def make_app() -> Flask:
        app = Flask(HELLO)
        app.add_url_rule("/", HELLO, lambda: HELLO)
        return app

    logs.configure(service=HELLO)
    serve(make_app, host="127.0.0.1", port=0, threads=threads)


if __name__ == "__main__":
    serve_hello(int(sys.argv[1]))
