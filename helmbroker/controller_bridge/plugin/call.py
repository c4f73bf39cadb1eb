"""One invocation of a command, and work that a command begins and then follows to its end."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO

from helmbroker.controller_bridge.plugin import output, progress, waiting
from helmbroker.controller_bridge.plugin.client import Bridge, Json
from helmbroker.controller_bridge.plugin.settings import Login, app_name
from helmbroker.controller_bridge.plugin.terminal import Terminal


class Call(NamedTuple):
    """One invocation: its arguments, the service, the streams."""

    given: argparse.Namespace
    words: list[str]
    bridge: Bridge
    terminal: Terminal
    login: Login
    env: Mapping[str, str]
    directory: Path

    @property
    def app(self) -> str:
        """The app, found as `drycc` finds it."""
        return app_name(self.given.app, self.login, self.env, self.directory)

    @property
    def limit(self) -> int:
        """The most entries of a list."""
        return self.given.limit if self.given.limit is not None else self.login.limit

    @property
    def json(self) -> bool:
        """Whether the result is JSON; progress then goes to the error stream."""
        return bool(self.given.output == "json")


class Work(Protocol):
    """Something that the service does after it has answered."""

    @property
    def advice(self) -> str:
        """Where the user can look further."""
        ...

    def begin(self) -> object:
        """Ask the service for it; its answer."""
        ...

    def look(self) -> waiting.Look:
        """See how far it is."""
        ...

    def outcome(self) -> object:
        """What there is at the end, for JSON."""
        ...


def nothing() -> None:
    """The request of work that goes on already."""


class OnResource(NamedTuple):
    """Work on a resource, and how to tell that it is at its end."""

    bridge: Bridge
    app: str
    name: str
    request: Callable[[], object]
    judge: waiting.Judge
    new: bool = False  # whether the resource is made by this work

    @property
    def advice(self) -> str:
        """See Work."""
        see = f"See: drycc resources describe {self.name} --details --app {self.app}"
        return f"{see}\nOr remove it: drycc resources destroy {self.name} --app {self.app}" if self.new else see

    def begin(self) -> object:
        """See Work."""
        return self.request()

    def look(self) -> waiting.Look:
        """See Work."""
        return self.judge(self.outcome())

    def outcome(self) -> Json | None:
        """See Work."""
        return waiting.found(lambda: self.bridge.resource(self.app, self.name))


class Rollback:
    """Going back to an app release."""

    def __init__(self, bridge: Bridge, app: str, version: int) -> None:
        self._bridge = bridge
        self._app = app
        self._version = version
        self._operation = ""

    @property
    def advice(self) -> str:
        """See Work."""
        return f"See: drycc resources releases --app {self._app}"

    def begin(self) -> object:
        """See Work."""
        answer = self._bridge.rollback(self._app, self._version)
        self._operation = output.text_of(answer.get("operation"))
        return answer

    def look(self) -> waiting.Look:
        """See Work."""
        return waiting.rolled_back(self.outcome())

    def outcome(self) -> Json:
        """How the rollback stands."""
        return self._bridge.rollback_operation(self._app, self._operation)


def perform(call: Call, title: str, work: Work) -> None:
    """Carry it out, and print its end as JSON when that is wanted."""
    result = carry_out(call, title, work)
    if call.json:
        call.terminal.print(output.json_text(result if result is not None else {}))


def ask(call: Call, what: str, word: str) -> str:
    """What the user types when `what` is about to be destroyed; `word`: to say yes."""
    out = _progress(call)
    out.write(
        " !    WARNING: Potentially Destructive Action\n"
        f" !    This command will destroy the {what}\n"
        f' !    To proceed, type "{word}" or re-run this command with --confirm={word}\n'
        "\n> "
    )
    out.flush()
    return call.terminal.stdin.readline().strip()


def carry_out(call: Call, title: str, work: Work) -> object:
    """Begin `work`, follow it unless the user will not wait, and show both; what there is at the end, for JSON."""
    if call.given.wait:
        return follow(call, title, work)
    with progress.Frames(_progress(call), title, call.terminal.frame_s) as shown:
        result = work.begin()
        shown.done()
    return result


def follow(call: Call, title: str, work: Work) -> object:
    """Begin `work`, follow it to its end, and show both; what there is then, for JSON."""
    patience = waiting.Patience(call.given.timeout, work.advice)
    with progress.live(_progress(call), title, call.terminal.frame_s) as shown:
        work.begin()
        waiting.follow(work.look, shown, call.terminal, patience)
    return work.outcome() if call.json else None


def _progress(call: Call) -> TextIO:
    return call.terminal.err if call.json else call.terminal.out
