"""The command line: `sandbox up | down | status | env | build | images | image | logs | enter`."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox import images, state
from sandbox.api import Api
from sandbox.errors import FailedError, RefusedError
from sandbox.lifecycle import Sandbox, age
from sandbox.node import addresses as at
from sandbox.progress import Progress
from sandbox.runtime import Containerd
from sandbox.settings import Settings
from sandbox.state import State, Status

OK, FAILED, REFUSED, DOWN = 0, 1, 2, 3
EPILOG = """\
environment:
  HELMBROKER_SANDBOX_DIR   data of the cluster (/var/lib/helmbroker-sandbox)
  HELMBROKER_SANDBOX_PORT  the API server's port on 127.0.0.1 (18443)
  HELMBROKER_CACHE         what was built (${XDG_CACHE_HOME:-~/.cache}/helmbroker)

exit codes: 0 done, 1 failed, 2 refused (a right, tool, port or space is lacking; or wrong usage), 3 it is down
"""


def parser() -> argparse.ArgumentParser:
    """All subcommands and their options."""
    top = argparse.ArgumentParser(
        prog="sandbox",
        description="A real single-node Kubernetes for development, demo and tests.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser(
        "up",
        help="build what is missing, start, wait until usable; when it is up, bring in images that have changed",
    )
    up.add_argument("--quiet", action="store_true", help="print errors only, and the export lines")
    down = commands.add_parser("down", help="stop everything that up started, and leave nothing behind")
    down.add_argument("--wipe", action="store_true", help="also delete the data directory")
    commands.add_parser("status", help="what runs, versions, images; exit code 3 when it is down")
    commands.add_parser("env", help='print export lines, for: eval "$(sandbox env)"; exit code 3 when it is down')
    build = commands.add_parser("build", help="only build and cache the binary and the images")
    build.add_argument("--quiet", action="store_true", help="print errors only")
    commands.add_parser("images", help="list images: reference, size, user, digest")
    image = commands.add_parser("image", help="write one image as an OCI archive, for other tools to load or push")
    image.add_argument("name", help="as `images` lists it, without what is before the last / and after the :")
    image.add_argument("file", type=Path, help="the archive")
    commands.add_parser("logs", help="list the log files of the components and of builds, with their last lines")
    enter = commands.add_parser("enter", help="run a command inside the sandbox's namespaces (a shell by default)")
    enter.add_argument("arguments", nargs=argparse.REMAINDER, metavar="COMMAND")
    return top


def export_lines(settings: Settings, current: State) -> str:
    """For a POSIX shell."""
    binaries = shlex.quote(str(current.binary / "bin"))
    return f'export KUBECONFIG={shlex.quote(str(settings.kubeconfig))} PATH={binaries}:"$PATH"'


def running(settings: Settings) -> State | None:
    """The state when it is up, else None."""
    current = state.read(settings.data)
    return current if current is not None and current.status is Status.UP else None


def show_status(settings: Settings) -> int:
    """Print what one wants to know at 3 a.m."""
    current = state.read(settings.data)
    status = current.status if current else Status.DOWN
    print(f"sandbox     {status.value}")
    print(f"data        {settings.data}")
    if current is None or status is Status.DOWN:
        return DOWN
    print(f"since       {age(current.started)} ago")
    print(f"kubeconfig  {settings.kubeconfig}")
    print(f"server      https://127.0.0.1:{current.port}")
    print(f"commands    {current.binary / 'bin'}")
    versions = json.loads((current.binary / "versions.json").read_text())
    print(f"versions    {', '.join(f'{name} {version}' for name, version in versions.items())}")
    api = Api(current.port, settings.pki)
    print(f"API server  {'ready' if api.ready() else 'NOT ready'}")
    print(f"node        {at.NODE} {'Ready' if api.node_ready(at.NODE) else 'NOT Ready'}")
    print(f"processes   below {current.launcher.pid}; first inside {current.node.pid}")
    print(f"logs        {settings.logs}")
    containerd = Containerd(settings.containerd_socket)
    for ref, digest in sorted(containerd.images().items()) if containerd.ready() else []:
        if not ref.startswith("sha256:"):
            print(f"image       {ref} {digest[:19]}")
    return OK if status is Status.UP else DOWN


def show_images(sandbox: Sandbox) -> int:
    """The table, with what the cache knows."""
    print(f"{'IMAGE':32} {'SIZE':>8}  {'LAYERS':>6}  {'DIGEST':19}  USERS (uid:gid)")
    for spec in images.table():
        image = sandbox.builder.cached(spec)
        users = ", ".join(f"{user.name} ({user.uid}:{user.gid})" for user in spec.users) or spec.config.get(
            "User", ""
        )
        size = f"{image.size / 10**6:.0f} MB" if image else "-"
        digest = image.digest[:19] if image else "not built"
        print(f"{spec.ref:32} {size:>8}  {len(image.layers) if image else '-':>6}  {digest:19}  {users}")
    return OK


def show_logs(settings: Settings) -> int:
    """Each log's path, size and last line."""
    for directory in (settings.logs, settings.cache / "logs"):
        for log in sorted(directory.glob("*.log")):
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - 400))
                tail = file.read().decode(errors="replace").splitlines()
            print(f"{log} ({log.stat().st_size} bytes)\n    {tail[-1] if tail else ''}")
    return OK


def enter(settings: Settings, command: list[str]) -> int:
    """Run a command inside the namespaces of mount, network, pid and host name."""
    current = state.read(settings.data)
    if current is None or current.status is Status.DOWN:
        print("sandbox is down", file=sys.stderr)
        return DOWN
    words = command[1:] if command[:1] == ["--"] else command
    inside = ["nsenter", "--target", str(current.node.pid), "--mount", "--net", "--pid", "--uts"]
    return subprocess.run([*inside, *(words or ["bash"])], check=False).returncode


def dispatch(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do one subcommand; its exit code."""
    sandbox = Sandbox(settings, Progress(quiet=getattr(arguments, "quiet", False)))
    match arguments.command:
        case "up":
            print(export_lines(settings, sandbox.up()))
        case "down":
            print("stopped" if sandbox.down(wipe=arguments.wipe) else "was not running")
        case "build":
            sandbox.build()
        case "status":
            return show_status(settings)
        case "images":
            return show_images(sandbox)
        case "image":
            sandbox.write_image(arguments.name, arguments.file)
        case "logs":
            return show_logs(settings)
        case "enter":
            return enter(settings, arguments.arguments)
        case "env":
            current = running(settings)
            if current is None:
                print("sandbox is down: `sandbox up` starts it", file=sys.stderr)
                return DOWN
            print(export_lines(settings, current))
    return OK


def main(words: list[str], environment: Mapping[str, str]) -> int:
    """Parse, run, and turn our own errors into one sentence and an exit code."""
    arguments = parser().parse_args(words)
    try:
        return dispatch(arguments, Settings.from_environment(environment))
    except (RefusedError, FailedError) as error:
        print(f"sandbox {arguments.command}: {error}", file=sys.stderr)
        return REFUSED if isinstance(error, RefusedError) else FAILED
    except PermissionError as error:
        print(f"sandbox {arguments.command}: this needs root: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print(f"sandbox {arguments.command}: interrupted", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # whoever read our output has seen enough; Python's own flush at exit must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
