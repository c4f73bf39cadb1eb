"""A controller and a service broker to try things on, as the walk-through docs/tutorial/drycc.md does.

`python -m tests.fakes.drycc.stand start FOLDER` returns when both serve; source FOLDER/env. `stop FOLDER`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response
from werkzeug.serving import make_server

from tests.fakes.drycc_controller import DryccController
from tests.operations.bridge.osb_server import OsbServer

APP, TEAM = "shop", "myteam"
_PIPELINE_S = 0.3


def start(folder: Path) -> None:
    """Another process that serves until `stop`."""
    folder.mkdir(mode=0o700, parents=True)
    ready, write = os.pipe()
    words = [sys.executable, "-m", "tests.fakes.drycc.stand", "serve", str(folder), str(write)]
    with (folder / "stand.log").open("wb") as log:
        child = subprocess.Popen(words, stdout=log, stderr=log, pass_fds=[write], start_new_session=True)
    (folder / "stand.pid").write_text(str(child.pid))
    os.close(write)
    with os.fdopen(ready) as told:
        if told.read() != "ready":
            sys.exit(f"it did not start: see {folder / 'stand.log'}")


def stop(folder: Path) -> None:
    """End the other process."""
    os.kill(int((folder / "stand.pid").read_text()), signal.SIGTERM)


def serve(folder: Path, ready: int) -> None:
    """Serve until SIGTERM; tell `ready`, a file descriptor, when it does."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    controller, broker = DryccController(throttle=60), OsbServer()
    broker.finish.set()
    rules = controller.rules
    rules.now = lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rules.create_app(APP, TEAM)
    rules.push(APP, {"web": "shop:1", "worker": "shop:1"})
    rules.work(APP)
    control = make_server("127.0.0.1", 0, _control(controller), threaded=True)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    _write_environment(folder.absolute(), controller, broker, listen, f"http://127.0.0.1:{control.server_port}")
    os.write(ready, b"ready")
    os.close(ready)
    while not ended.wait(_PIPELINE_S):
        rules.work(APP)
    controller.close()
    broker.close()


def _control(controller: DryccController) -> Flask:
    """What somebody at a terminal of the platform could do and see."""
    app, rules = Flask("stand", static_folder=None), controller.rules

    @app.post("/push")
    def push() -> Response:
        """A build whose repository brings its own config."""
        made = rules.push(APP, {"web": "shop:2", "worker": "shop:2"}, dryccfile={"values": []})
        return Response(f"v{made.version} replaces the config by that of the repository\n")

    @app.get("/environment")
    def environment() -> Response:
        found = rules.apps[APP].environment("web")
        return Response("".join(f"{name}={value}\n" for name, value in found.items()) or "(nothing)\n")

    @app.get("/releases")
    def releases() -> Response:
        lines = [f"v{each.version} {each.state}: {each.summary}\n" for each in rules.apps[APP].releases]
        return Response("".join(lines))

    return app


def _write_environment(
    folder: Path, controller: DryccController, broker: OsbServer, listen: str, control: str
) -> None:
    hook = f"http://{listen}/v2/hooks/deploy/"
    controller.hooks[hook] = "a-long-random-word"
    files = {"staff-token": controller.staff, "hook-key": "a-long-random-word", "broker-login": "user:password"}
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    bridge = {
        "PLATFORM": "drycc",
        "DRYCC_CONTROLLER_URL": controller.url,
        "DRYCC_TOKEN_FILE": folder / "staff-token",
        "DRYCC_HOOK_URL": hook,
        "DRYCC_HOOK_KEY_FILE": folder / "hook-key",
        "BROKER_URL": broker.url,
        "BROKER_CREDENTIALS_FILE": folder / "broker-login",
        "DATA_DIR": folder / "bridge",
        "LISTEN": listen,
    }
    user = {
        "DRYCC_RESOURCES_URL": f"http://{listen}",
        "DRYCC_CONTROLLER_URL": controller.url,
        "DRYCC_TOKEN": controller.rules.people.add("alice", myteam="admin"),
        "DRYCC_APP": APP,
        "PLATFORM": control,
    }
    exports = {f"HELMBROKER_BRIDGE_{name}": value for name, value in bridge.items()} | user
    text = "".join(f"export {name}={value}\n" for name, value in exports.items())
    (folder / "env").write_text(text)


if __name__ == "__main__":
    verb, where = sys.argv[1], Path(sys.argv[2])
    if verb == "serve":
        serve(where, int(sys.argv[3]))
    else:
        {"start": start, "stop": stop}[verb](where)
