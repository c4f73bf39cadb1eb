"""Running helm without helm: a stand-in says what it was given, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.helm.command import ExecCommand
from tests.unit.helm.stand_in import stand_in

pytestmark = pytest.mark.processes

CHECKOUT = Path(__file__).parents[3]
BOUND_S = 40.0  # stand-ins end by themselves after 60
CHILD = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(os.path.join(place, "child.tmp"), "w").write(str(child.pid))
os.rename(os.path.join(place, "child.tmp"), os.path.join(place, "child"))
time.sleep(60)
"""


def run(program: Path, *argv: str, data: bytes | None = None, **options: Any) -> bytes:
    options = {"limit_s": 60.0, "margin_s": 0.0, **options}
    return asyncio.run(ExecCommand(program, {"PATH": os.environ["PATH"]}, **options).run(argv, data))


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report").read_text())
    return found


def appears(path: Path) -> str:
    """The content of a file, once it is there."""
    deadline = time.monotonic() + BOUND_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} does not appear"
        os.sched_yield()
    return path.read_text()


def gone(pid: int) -> bool:
    """Whether a process has ended, collected or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def ends(pid: int) -> bool:
    deadline = time.monotonic() + BOUND_S
    while not gone(pid) and time.monotonic() < deadline:
        os.sched_yield()
    return gone(pid)


def stopping(when: Callable[[], object]) -> threading.Event:
    """An event that is set as soon as `when` returns."""
    stop = threading.Event()

    def wait() -> None:
        when()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop


def test_a_command_may_be_longer_than_a_pipe_holds(tmp_path: Path) -> None:
    """Clusters have thousands of kinds, and helm is told each."""
    words = [f"group{number}.example.org/v1/Kind" for number in range(8000)]
    run(stand_in(tmp_path), "template", *words)
    assert report(tmp_path)["argv"] == ["template", *words]


@pytest.mark.bug(51)
def test_values_travel_on_stdin_only(tmp_path: Path) -> None:
    """Nothing secret in the command line or the environment."""
    program = stand_in(tmp_path, 'print("out")')
    assert run(program, "upgrade", "x", data=b'{"password": "c4n4ry"}') == b"out\n"
    found = report(tmp_path)
    assert found["argv"] == ["upgrade", "x"]
    assert found["stdin"] == '{"password": "c4n4ry"}'
    assert "c4n4ry" not in json.dumps([found["argv"], found["env"]])


@pytest.mark.bug(1, 2, 3, 48)
@pytest.mark.parametrize("text", ["$(touch {0})", "`touch {0}`", "x;touch {0}", "x\ntouch {0}", "' || touch {0} #"])
def test_nothing_is_read_by_a_shell(tmp_path: Path, text: str) -> None:
    hostile = text.format(tmp_path / "PWNED")
    run(stand_in(tmp_path), "upgrade", hostile, data=hostile.encode())
    found = report(tmp_path)
    assert (found["argv"], found["stdin"]) == (["upgrade", hostile], hostile)
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.bug(31)
def test_warnings_are_no_output(tmp_path: Path) -> None:
    program = stand_in(tmp_path, 'print("out"); sys.stderr.write("walk.go:74: found symbolic link in path")')
    assert run(program, "template") == b"out\n"


def test_without_values_stdin_is_empty(tmp_path: Path) -> None:
    run(stand_in(tmp_path), "uninstall", "x")
    assert report(tmp_path)["stdin"] is None


def test_the_environment_is_what_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELMBROKER_DATABASE_URL", "postgresql://u:c4n4ry@db/x")
    run(stand_in(tmp_path), "list")
    # LC_CTYPE is made by Python, which the stand-in is written in
    assert set(report(tmp_path)["env"]) - {"LC_CTYPE"} == {"PATH"}


def test_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    run(stand_in(tmp_path), "list")
    found = report(tmp_path)
    assert found["group"] == found["session"] != os.getsid(0)


def test_an_error_is_classified(tmp_path: Path) -> None:
    program = stand_in(tmp_path, 'sys.stderr.write("Error: exceeded quota: q"); sys.exit(1)')
    with pytest.raises(HelmError) as caught:
        run(program, "upgrade")
    assert (caught.value.fault, caught.value.detail) == (HelmFault.QUOTA, "exceeded quota: q")


def test_output_of_any_bytes_and_size_is_read(tmp_path: Path) -> None:
    program = stand_in(tmp_path, 'sys.stdout.buffer.write(b"\\xff" * (1 << 21))')
    assert run(program, "template", data=b"x" * (1 << 20)) == b"\xff" * (1 << 21)


def test_a_stop_ends_it_with_all_its_children(tmp_path: Path) -> None:
    program = stand_in(tmp_path, CHILD)
    stop = stopping(lambda: appears(tmp_path / "child"))
    with pytest.raises(HelmError) as caught:
        run(program, "upgrade", stop=stop)
    assert caught.value.fault is HelmFault.STOPPED
    assert ends(report(tmp_path)["pid"])
    assert ends(int((tmp_path / "child").read_text()))


def test_who_does_not_listen_is_killed_after_its_grace(tmp_path: Path) -> None:
    program = stand_in(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)" + CHILD)
    stop = stopping(lambda: appears(tmp_path / "child"))
    began = time.monotonic()
    with pytest.raises(HelmError) as caught:
        run(program, "upgrade", stop=stop, grace_s=0.2)
    assert caught.value.fault is HelmFault.STOPPED
    assert time.monotonic() - began < 30, "a grace of 0.2 s, not the 60 s that it would take"
    assert ends(report(tmp_path)["pid"])
    assert ends(int((tmp_path / "child").read_text()))


def test_who_cleans_up_in_time_is_waited_for(tmp_path: Path) -> None:
    """Helm marks a release as failed when it is told to end: better than a release that is pending for ever."""
    clean_up = 'lambda *_: (open(os.path.join(place, "clean"), "w").close(), os._exit(1))'
    program = stand_in(tmp_path, f"signal.signal(signal.SIGTERM, {clean_up})" + CHILD)
    with pytest.raises(HelmError):
        run(program, "upgrade", stop=stopping(lambda: appears(tmp_path / "child")))
    assert (tmp_path / "clean").exists()


def test_a_limit_that_helm_does_not_keep_is_kept_for_it(tmp_path: Path) -> None:
    program = stand_in(tmp_path, "time.sleep(60)")
    with pytest.raises(HelmError) as caught:
        run(program, "upgrade", limit_s=2.0, grace_s=0.2)  # long enough for the program to begin
    assert caught.value.fault is HelmFault.TIMEOUT
    assert caught.value.detail == "helm did not end within 2 s"
    assert ends(report(tmp_path)["pid"])


def test_a_helm_that_is_killed_by_others_may_begin_anew(tmp_path: Path) -> None:
    program = stand_in(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(HelmError) as caught:
        run(program, "upgrade")
    assert (caught.value.fault, caught.value.retryable) == (HelmFault.STOPPED, True)


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    with pytest.raises(HelmError) as caught:
        run(tmp_path, "upgrade")
    assert (caught.value.fault, caught.value.detail.rpartition(": ")[2]) == (HelmFault.OTHER, "Permission denied")


def worker(program: Path, patience_s: float = 60.0) -> subprocess.Popen[bytes]:
    """A process that runs the program as helm."""
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from helmbroker.broker.helm.command import ExecCommand\n"
        "options = {'limit_s': 60.0, 'patience_s': float(sys.argv[2])}\n"
        "command = ExecCommand(Path(sys.argv[1]), {'PATH': os.environ['PATH']}, **options)\n"
        "asyncio.run(command.run(['upgrade'], b'{}'))"
    )
    return subprocess.Popen([sys.executable, "-c", script, str(program), str(patience_s)], cwd=CHECKOUT)


@pytest.mark.parametrize("number", range(5))
def test_it_dies_with_its_worker(tmp_path: Path, number: int) -> None:
    """Two helms on one release: what comes of a killed worker whose helm goes on."""
    killed = worker(stand_in(tmp_path, "time.sleep(60)"))
    appears(tmp_path / "report")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    dead_at = time.monotonic()
    assert ends(report(tmp_path)["pid"])
    assert time.monotonic() - dead_at < 5.0, "a tenth of a second on a machine that has time; a lease is 60 s"


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.01, 0.02, 0.04])
def test_it_dies_with_a_worker_that_is_killed_while_it_starts_it(tmp_path: Path, delay_s: float) -> None:
    """At whatever moment: what it leaves was told by the kernel to end, and is no helm that goes on."""
    killed = worker(stand_in(tmp_path, "time.sleep(60)"))
    guard = eventually(lambda: next(iter(children(killed.pid)), None))
    threading.Event().wait(delay_s)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert ends(guard)
    assert [pid for pid in members(guard) if not ends(pid)] == []


def test_it_does_not_outlive_a_worker_that_is_frozen(tmp_path: Path) -> None:
    """Others take its operations over meanwhile; awake again, it begins anew."""
    frozen = worker(stand_in(tmp_path, "time.sleep(60)"), patience_s=2.0)
    appears(tmp_path / "report")
    frozen.send_signal(signal.SIGSTOP)
    try:
        assert ends(report(tmp_path)["pid"])
    finally:
        frozen.kill()
        frozen.wait()


def test_it_dies_with_its_worker_even_if_its_guard_is_frozen(tmp_path: Path) -> None:
    """The kernel sees to it, in no time, and not the guard that looks now and then."""
    killed = worker(stand_in(tmp_path, "time.sleep(60)"))
    appears(tmp_path / "report")
    os.kill(report(tmp_path)["parent"], signal.SIGSTOP)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert ends(report(tmp_path)["pid"])


def test_a_guard_that_is_killed_takes_helm_with_it(tmp_path: Path) -> None:
    waiting = worker(stand_in(tmp_path, "time.sleep(60)"))
    appears(tmp_path / "report")
    os.kill(report(tmp_path)["parent"], signal.SIGKILL)
    assert ends(report(tmp_path)["pid"])
    assert waiting.wait(BOUND_S) == 1, "HelmError: it is tried again"


def test_a_worker_that_lives_is_heard(tmp_path: Path) -> None:
    assert run(stand_in(tmp_path, 'time.sleep(3.0); print("out")'), "upgrade", patience_s=2.0) == b"out\n"


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_the_status_is_that_of_helm(tmp_path: Path, status: int) -> None:
    program = stand_in(tmp_path, f"sys.exit({status})")
    if status:
        with pytest.raises(HelmError):
            run(program, "upgrade")
    else:
        run(program, "upgrade")


@pytest.mark.parametrize("text", ["", "-", "\n", "ü", "x" * 30000])
def test_arguments_arrive_as_they_are(tmp_path: Path, text: str) -> None:
    run(stand_in(tmp_path), "upgrade", text, "", "last")
    assert report(tmp_path)["argv"] == ["upgrade", text, "", "last"]


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def children(parent: int) -> list[int]:
    return [pid for pid in processes() if _stat(pid)[1:2] == [str(parent)]]


def _stat(pid: int) -> list[str]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def members(session: int) -> list[int]:
    return [pid for pid in processes() if _stat(pid)[3:4] == [str(session)]]


def eventually(look: Callable[[], int | None]) -> int:
    deadline = time.monotonic() + BOUND_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it does not appear"
        os.sched_yield()
    return found
