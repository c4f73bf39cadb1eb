"""First process of the sandbox's pid namespace: starts the components, starts again what ends, reaps orphans."""

import os
import signal
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from sandbox.node import addresses as at
from sandbox.node.components import Component, Gate
from sandbox.node.places import Places

# A component that keeps ending is started again after 0.5, 1, 2, ... seconds.
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 8.0
# One that ran this long ended for a reason of its own: the delays begin anew.
STEADY_SECONDS = 30.0
POLL_SECONDS = 0.1
LISTENER_FD = 3
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


@dataclass
class Running:
    """A component's present state; pid is 0 while it waits to be started, not before `due` (monotonic seconds)."""

    component: Component
    pid: int = 0
    due: float = 0.0
    started: float = 0.0
    delay: float = field(default=FIRST_DELAY_SECONDS)

    def ended(self, now: float) -> None:
        """Plan the next start."""
        if now - self.started >= STEADY_SECONDS:
            self.delay = FIRST_DELAY_SECONDS
        self.pid, self.due = 0, now + self.delay
        self.delay = min(self.delay * 2, LONGEST_DELAY_SECONDS)


class Gates:
    """Whether what a component waits for is there."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def open(self, gate: Gate) -> bool:
        """Asked at each poll, so it answers at once."""
        match gate:
            case Gate.NOTHING:
                return True
            case Gate.CONTAINERD:
                return _accepts(self._places.containerd_socket)
            case Gate.API:
                return self._api_ready()

    def _api_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self._places.pki / "ca.crt"))
        connection = HTTPSConnection("127.0.0.1", at.API_PORT, timeout=2, context=context)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


class Supervisor:
    """Runs for ever; it ends by SIGKILL from outside, which ends every process in the namespace."""

    def __init__(self, components: list[Component], gates: Gates, logs: Path, listener: int) -> None:
        self._running = [Running(component) for component in components]
        self._gates = gates
        self._logs = logs
        self._listener = listener

    def run(self) -> None:
        """The first process of a namespace gets every orphan in it as a child, so all ends are waited for here."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        while True:
            self._reap()
            self._start_due()
            signal.sigtimedwait({signal.SIGCHLD}, POLL_SECONDS if self._waiting() else 3600)

    def _waiting(self) -> bool:
        return any(running.pid == 0 for running in self._running)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for running in self._running:
                if running.pid == pid:
                    running.ended(time.monotonic())
                    say(f"{running.component.name} ended with {os.waitstatus_to_exitcode(status)}")

    def _start_due(self) -> None:
        now = time.monotonic()
        due = [running for running in self._running if running.pid == 0 and running.due <= now]
        open_gates = {gate for gate in {running.component.gate for running in due} if self._gates.open(gate)}
        for running in due:
            if running.component.gate in open_gates:
                running.pid, running.started = self._start(running.component), now
                say(f"{running.component.name} started as {running.pid}")

    def _start(self, component: Component) -> int:
        log = str(self._logs / f"{component.name}.log")
        actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        if component.needs_listener:
            actions.append((os.POSIX_SPAWN_DUP2, self._listener, LISTENER_FD))
        return os.posix_spawn(
            component.program,
            [component.name, *component.arguments],
            ENVIRONMENT,
            file_actions=actions,
            setsigmask=(),
        )


def say(text: str) -> None:
    """A line of the supervisor's log."""
    print(f"{time.strftime('%H:%M:%S', time.gmtime())}Z {text}", flush=True, file=sys.stderr)
