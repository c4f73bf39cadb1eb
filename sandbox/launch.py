"""Start the node's processes in namespaces of their own, and stop them without a trace."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from sandbox import cgroups, state
from sandbox.errors import FailedError, RefusedError
from sandbox.node import addresses as at
from sandbox.process import ProcessId, children
from sandbox.settings import Settings
from sandbox.state import State

# --kill-child: when the outer process dies the inner one does, and with it everything in the pid namespace.
# --propagation private: mounts made inside are not seen on the machine.
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc")
PRIVATE = ("--propagation", "private")
INSIDE_WITHIN_SECONDS = 10


def listen(port: int) -> socket.socket:
    """Take the port on the machine's loopback; RefusedError when somebody else has it."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        raise RefusedError(
            f"port {port} on 127.0.0.1 cannot be had ({os.strerror(error.errno or 0)}), perhaps another sandbox has"
            " it: set HELMBROKER_SANDBOX_PORT to a free one"
        ) from error


def start(settings: Settings, binary: Path) -> State:
    """Start everything; returns when what runs is recorded and has begun."""
    cgroup = f"helmbroker-sandbox-{settings.identity}"
    with listen(settings.port) as listener:
        for directory in (settings.data, settings.logs):
            directory.mkdir(parents=True, exist_ok=True)
        # Containers of any user reach their volumes below it. Secrets are in files of mode 600, directories of 700.
        settings.data.chmod(0o711)
        _keep_previous_logs(settings.logs)
        _make_keys(settings, binary / "hk")
        cgroups.create(cgroup)
        try:
            return _launch(settings, binary, cgroup, listener)
        except BaseException:
            cgroups.remove(cgroup)
            raise


def _keep_previous_logs(logs: Path) -> None:
    for log in logs.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))


def _make_keys(settings: Settings, hk: Path) -> None:
    """Once per data directory. The kubeconfig for the outside is written each time: the port may be another."""
    command = [
        str(hk),
        "pki",
        f"--directory={settings.pki}",
        f"--node={at.NODE}",
        f"--node-ip={at.NODE_IP}",
        f"--service-ip={at.API_SERVICE_IP}",
        f"--server=https://127.0.0.1:{at.API_PORT}",
        f"--outside-server=https://127.0.0.1:{settings.port}",
        f"--outside-kubeconfig={settings.kubeconfig}",
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise FailedError(f"making the cluster's keys failed: {made.stderr.strip()}")


def _launch(settings: Settings, binary: Path, cgroup: str, listener: socket.socket) -> State:
    """Inside, nothing begins before the state is written; without it, the end of the pipe ends what was launched.

    So there is no moment at which a killed `up` leaves something running that `down` would not know.
    """
    begin, permission = os.pipe()
    try:
        launcher = _spawn(settings, binary / "hk", cgroup, listener, begin)
        current = State(launcher, _first_inside(launcher, settings), settings.port, cgroup, binary, time.time())
        state.write(settings.data, current)
        os.write(permission, b"!")
        return current
    finally:
        os.close(begin)
        os.close(permission)


def _spawn(settings: Settings, hk: Path, cgroup: str, listener: socket.socket, begin: int) -> ProcessId:
    node = [
        *(sys.executable, "-m", "sandbox.node"),
        *("--data", str(settings.data), "--hk", str(hk), "--cgroup", cgroup),
        *("--listener", str(listener.fileno()), "--begin", str(begin)),
    ]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": str(settings.checkout),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with (settings.logs / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [*UNSHARE, *PRIVATE, *node],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno(), begin],
            start_new_session=True,
        )
    found = ProcessId.of(process.pid)
    process.returncode = 0  # it outlives us on purpose: no warning that it still runs
    if found is None:
        raise FailedError(f"the sandbox's first process ended at once, see {settings.logs}/supervisor.log")
    return found


def _first_inside(launcher: ProcessId, settings: Settings) -> ProcessId:
    deadline = time.monotonic() + INSIDE_WITHIN_SECONDS
    while launcher.alive() and time.monotonic() < deadline:
        for pid in children(launcher.pid):
            found = ProcessId.of(pid)
            if found:
                return found
        time.sleep(0.01)
    raise FailedError(f"the sandbox's namespaces could not be made, see {settings.logs}/supervisor.log")


def stop(settings: Settings) -> bool:
    """Stop exactly what was started and remove its control groups; whether anything had been running.

    Mounts, interfaces and firewall rules go with the namespaces they are in.
    """
    current = state.read(settings.data)
    if current is None:
        return False
    ran = current.launcher.alive()
    for process in (current.node, current.launcher):
        if not process.kill():
            raise FailedError(f"process {process.pid} does not end although it was killed")
    left = cgroups.remove(current.cgroup)
    if left:
        raise FailedError(f"control groups cannot be removed: {' '.join(map(str, left))}")
    state.path(settings.data).unlink()
    return ran


def wipe(settings: Settings) -> None:
    """Delete the data directory of a sandbox that is down; RefusedError when it does not look like one."""
    if not settings.data.exists():
        return
    if any(settings.data.iterdir()) and not settings.logs.is_dir():
        raise RefusedError(f"{settings.data} is not deleted: it does not look like a sandbox's data directory")
    shutil.rmtree(settings.data)
