"""The product as a user runs it: broker and bridge as real processes, and the command-line plugin."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.osb import Broker
from demo.images import Addon
from demo.places import APP, CHECKOUT, INSTANCES, Places
from demo.processes import Processes, Recorded
from demo.waiting import DemoFailed, until

BIN = Path(sys.executable).parent
READY_S = 120.0
INIT_S = 120.0
COMMAND_S = 960.0
HOST = "127.0.0.1"
_HELD: list[socket.socket] = []  # until the demo ends
INHERITED = ("PATH", "HOME", "LANG", "KUBECONFIG", "HELMBROKER_HELM")


@dataclass(frozen=True)
class Product:
    """Broker and bridge, running."""

    broker: Broker
    bridge_url: str
    broker_process: Recorded
    bridge_process: Recorded
    token: str = field(repr=False)

    @property
    def roots(self) -> tuple[int, int]:
        """The processes above all others of the product."""
        return self.broker_process.pid, self.bridge_process.pid


def environment(**settings: str | Path) -> dict[str, str]:
    """What a process of the product gets to see: nothing of ours but what it needs."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | {
        name: str(value) for name, value in settings.items()
    }


def free_port() -> int:
    """A port of the loopback that nobody else is given: it stays bound, and ours may listen on it all the same."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    _HELD.append(held)
    return int(held.getsockname()[1])


def start(places: Places, processes: Processes, addons: Sequence[Addon]) -> Product:
    """Set up and start both, and wait until they answer."""
    places.overrides.write_text(json.dumps({addon.name: addon.overrides for addon in addons}))
    broker_port, bridge_port = free_port(), free_port()
    broker_env = environment(
        HELMBROKER_DATA_DIR=places.broker,
        HELMBROKER_ADDONS_DIR=CHECKOUT / "addons",
        HELMBROKER_OVERRIDES_FILE=places.overrides,
        HELMBROKER_INSTANCE_NAMESPACE=INSTANCES,
        HELMBROKER_LISTEN=f"{HOST}:{broker_port}",
    )
    credentials = places.broker / "platform-credentials"
    bridge_env = environment(
        HELMBROKER_BRIDGE_DATA_DIR=places.bridge,
        HELMBROKER_BRIDGE_BROKER_URL=f"http://{HOST}:{broker_port}",
        HELMBROKER_BRIDGE_BROKER_CREDENTIALS_FILE=credentials,
        HELMBROKER_BRIDGE_LISTEN=f"{HOST}:{bridge_port}",
    )
    _initialise("helmbroker", broker_env, places.root)
    _initialise("helmbroker-bridge", bridge_env, places.root)
    broker = processes.start("broker", [str(BIN / "helmbroker"), "run"], broker_env, places.root)
    bridge = processes.start("bridge", [str(BIN / "helmbroker-bridge"), "run"], bridge_env, places.root)
    _answering(processes, broker, broker_port, "/readyz")
    _answering(processes, bridge, bridge_port, "/readyz")
    return Product(
        broker=Broker(f"http://{HOST}:{broker_port}", credentials.read_text().strip()),
        bridge_url=f"http://{HOST}:{bridge_port}",
        broker_process=broker,
        bridge_process=bridge,
        token=(places.bridge / "admin-token").read_text().strip(),
    )


def _initialise(program: str, env: Mapping[str, str], directory: Path) -> None:
    ran = subprocess.run(
        [str(BIN / program), "init"],
        env=env,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=INIT_S,
        check=False,
    )
    if ran.returncode:
        raise DemoFailed(f"{program} init: {(ran.stderr or ran.stdout).strip()[-600:]}")


def _answering(processes: Processes, process: Recorded, port: int, path: str) -> None:
    def look() -> bool | None:
        processes.check(process)
        return True if _status(port, path) == http.client.OK else None

    until(
        look,
        within_s=READY_S,
        what=f"{process.name} on port {port}",
        why=lambda: processes.last_lines(process.name),
    )


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def log_in(places: Places, product: Product) -> None:
    """Write what `drycc login` would have written."""
    content = {"username": "demo", "controller": product.bridge_url, "token": product.token, "ssl_verify": True}
    places.login.unlink(missing_ok=True)
    with os.fdopen(os.open(places.login, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)


@dataclass(frozen=True)
class Ran:
    """A command that succeeded: its output, and its seconds from start to end."""

    lines: list[str]
    took_s: float


class Plugin:
    """`drycc-resources` as a process, logged in for the demo's app."""

    def __init__(self, places: Places) -> None:
        self._directory = places.root
        self._env = environment(DRYCC_PROFILE=places.login, DRYCC_APP=APP)

    def run(self, *arguments: str, each_line: Callable[[str], None]) -> Ran:
        """Run a command, giving away each line as it is printed. Raises DemoFailed with the last ones."""
        began = time.monotonic()
        child = subprocess.Popen(
            [str(BIN / "drycc-resources"), *arguments],
            env=self._env,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = []
        with child:
            for line in child.stdout or ():
                lines.append(line.rstrip("\n"))
                each_line(lines[-1])
        if child.returncode:
            raise DemoFailed(f"drycc-resources {' '.join(arguments)}: {' / '.join(lines[-3:])}")
        return Ran(lines, time.monotonic() - began)

    def json(self, *arguments: str) -> Any:
        """The JSON that a command prints."""
        ran = self.run(*arguments, "--output", "json", each_line=lambda _line: None)
        return json.loads("\n".join(ran.lines))
