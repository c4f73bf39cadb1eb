"""A resources service that answers what a test tells it, and records what it was asked."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from helmbroker.controller_bridge.plugin.cli import run
from helmbroker.controller_bridge.plugin.terminal import Terminal

TOKEN = "canary-token-0123456789"
VERSION_HEADER = {"DRYCC_API_VERSION": "2.3"}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: object


@dataclass(frozen=True)
class Answer:
    """What to send: JSON unless `body` is text; `drop` closes the connection without a word."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: VERSION_HEADER)
    drop: bool = False


@dataclass
class Service:
    """Answers by "METHOD path" (without query); the last answer of a list is repeated."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, request: str, *answers: Answer) -> None:
        """Set the answers to `request`, such as "GET /v2/resources/services/"."""
        self.answers[request] = list(answers)

    def results(self, request: str, results: Sequence[object]) -> None:
        """Set a list as the answer."""
        self.answer(request, Answer({"results": results, "count": len(results)}))

    def take(self, request: str) -> Answer:
        """The next answer to `request`."""
        answers = self.answers.get(request, [Answer("no such thing", 404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    @property
    def lines(self) -> list[str]:
        """The requests as "METHOD target"."""
        return [f"{one.method} {one.target}" for one in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the Service of the server."""

    def handle_any(self) -> None:
        service: Service = self.server.service  # type: ignore[attr-defined]
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else None
        service.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        answer = service.take(f"{self.command} {self.path.partition('?')[0]}")
        if answer.drop:
            self.close_connection = True
            return
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        sent = b"" if answer.body is None else text.encode()
        self.send_response_only(answer.status)
        if "Date" not in answer.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def running() -> Iterator[Service]:
    """A service on a free port of the loopback."""
    service = Service()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.service = service  # type: ignore[attr-defined]
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Ended:
    """What an invocation came to."""

    status: int
    out: str
    err: str


def environment(service: Service, home: Path) -> dict[str, str]:
    """What the dispatcher hands to the plugin."""
    return {
        "DRYCC_CONTROLLER_URL": service.url,
        "DRYCC_TOKEN": TOKEN,
        "DRYCC_APP": "example-go",
        "HOME": str(home),
        "PATH": "",
    }


def invoke(
    arguments: str | Sequence[str],
    env: Mapping[str, str],
    directory: Path,
    *,
    stdin: str = "",
    screen: bool = False,
) -> Ended:
    """Run one command line. Frames do not move, and looks follow each other at once."""
    out, err = (Screen() if screen else io.StringIO()), io.StringIO()
    terminal = Terminal(io.StringIO(stdin), out, err, frame_s=60, first_poll_s=0.001, longest_poll_s=0.001)
    words = arguments.split() if isinstance(arguments, str) else arguments
    status = run(words, env, directory, terminal)
    return Ended(status, out.getvalue(), err.getvalue())
