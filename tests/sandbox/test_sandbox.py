"""The sandbox's command: hashing, cache, processes, settings and refusals; nothing of it needs root."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import binary, launch, preflight, state
from sandbox.cache import Cache, digest, tree
from sandbox.cli import main
from sandbox.errors import RefusedError
from sandbox.node.components import components
from sandbox.node.places import Places
from sandbox.node.supervisor import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, Running
from sandbox.process import ProcessId, parse_stat
from sandbox.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = CHECKOUT / "sandbox" / "sandbox"


class TestHashing:
    def test_order_does_not_matter_and_boundaries_do(self) -> None:
        assert digest({"a": "1", "b": "2"}) == digest({"b": b"2", "a": b"1"})
        assert digest({"a": "1", "b": "2"}) != digest({"a": "12", "b": ""})
        assert digest({"ab": "c"}) != digest({"a": "bc"})

    def test_tree_sees_content_names_and_the_executable_bit_but_no_compiled_python(self, tmp_path: Path) -> None:
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "file").write_text("x")
        first = tree(tmp_path)
        assert first == {"deep/file": b"x"}
        (tmp_path / "__pycache__").mkdir()
        (tmp_path / "__pycache__" / "file.pyc").write_bytes(b"y")
        assert tree(tmp_path) == first
        (tmp_path / "deep" / "file").chmod(0o755)
        assert tree(tmp_path) == {"deep/file*": b"x"}

    def test_the_place_of_a_checkout_does_not_count(self, tmp_path: Path) -> None:
        shutil.copytree(binary.SOURCE, tmp_path / "elsewhere")
        assert digest(tree(tmp_path / "elsewhere")) == digest(tree(binary.SOURCE))


class TestCache:
    def test_builds_once(self, tmp_path: Path) -> None:
        built: list[Path] = []

        def build(directory: Path) -> None:
            built.append(directory)
            (directory / "made").write_text("x")

        cache = Cache(tmp_path, print)
        first = cache.ensure("thing", "0123", build)
        assert cache.ensure("thing", "0123", build) == first == tmp_path / "thing-0123"
        assert len(built) == 1
        assert (first / "made").read_text() == "x"

    def test_a_broken_build_never_counts_and_leaves_nothing(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path, print)

        def broken(directory: Path) -> None:
            (directory / "half").write_text("x")
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            cache.ensure("thing", "0123", broken)
        assert not cache.path("thing", "0123").exists()
        assert list((tmp_path / "partial").iterdir()) == []

    def test_what_a_killed_build_left_does_not_get_into_the_next(self, tmp_path: Path) -> None:
        left = tmp_path / "partial" / "thing-0123"
        left.mkdir(parents=True)
        (left / "half").write_text("x")
        done = Cache(tmp_path, print).ensure("thing", "0123", lambda directory: (directory / "made").touch())
        assert [file.name for file in done.iterdir()] == ["made"]

    def test_two_at_once_build_once_and_the_second_says_that_it_waits(self, tmp_path: Path) -> None:
        waits, said, built = threading.Event(), [], []

        def say(text: str) -> None:
            said.append(text)
            waits.set()

        def build(directory: Path) -> None:
            built.append(directory)
            second.start()
            assert waits.wait(10)

        cache = Cache(tmp_path, say)
        second = threading.Thread(target=lambda: cache.ensure("thing", "0123", build))
        cache.ensure("thing", "0123", build)
        second.join(10)
        assert len(built) == 1
        assert said == ["waiting for another build of thing"]


class TestProcesses:
    @pytest.fixture
    def child(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            yield process
            process.kill()

    def test_a_name_with_blanks_and_brackets(self) -> None:
        rest = " ".join(str(number) for number in range(4, 23))
        assert parse_stat(f"7 (a) b) (c) S {rest}") == ("S", 22)

    def test_kills_the_very_process(self, child: subprocess.Popen[bytes]) -> None:
        found = ProcessId.of(child.pid)
        assert found
        assert found.alive()
        assert found.kill()
        assert not found.alive()
        assert child.wait() == -9

    def test_a_pid_that_passed_to_another_process_is_left_alone(self, child: subprocess.Popen[bytes]) -> None:
        found = ProcessId.of(child.pid)
        assert found
        earlier = ProcessId(found.pid, found.start_ticks - 1, found.boot)
        earlier_boot = ProcessId(found.pid, found.start_ticks, "another boot")
        assert not earlier.alive()
        assert earlier.kill()
        assert earlier_boot.kill()
        assert child.poll() is None

    def test_state_survives_writing_and_knows_what_is_down(self, tmp_path: Path) -> None:
        me = ProcessId.of(os.getpid())
        assert me
        written = state.State(me, me, 18443, "group", tmp_path, 1.5, usable=True)
        state.write(tmp_path, written)
        assert state.read(tmp_path) == written
        assert written.status is state.Status.UP
        gone = ProcessId(me.pid, me.start_ticks + 1, me.boot)
        assert state.State(gone, me, 1, "group", tmp_path, 1.5, usable=True).status is state.Status.DOWN
        assert state.State(me, me, 1, "group", tmp_path, 1.5).status is state.Status.STARTING

    def test_delays_grow_to_a_bound_and_begin_anew_after_a_steady_run(self) -> None:
        running = Running(components(Places(Path("/d"), Path("/hk"), "g"))[0])
        delays = []
        for _ in range(8):
            running.ended(now=100.0)
            delays.append(running.due - 100.0)
            running.started = 100.0
        assert delays[0] == FIRST_DELAY_SECONDS
        assert delays[-1] == LONGEST_DELAY_SECONDS
        running.ended(now=200.0)
        assert running.due == 200.0 + FIRST_DELAY_SECONDS


class TestSettings:
    def test_defaults(self) -> None:
        found = Settings.from_environment({"HOME": "/home/x"})
        assert found.cache == Path("/home/x/.cache/helmbroker/sandbox")
        assert found.data == Path("/var/lib/helmbroker-sandbox")
        assert found.port == 18443

    def test_environment(self) -> None:
        environment = {"XDG_CACHE_HOME": "/c", "HELMBROKER_SANDBOX_DIR": "/d", "HELMBROKER_SANDBOX_PORT": "20000"}
        found = Settings.from_environment(environment)
        assert (found.cache, found.data, found.port) == (Path("/c/helmbroker/sandbox"), Path("/d"), 20000)
        assert Settings.from_environment({"HELMBROKER_CACHE": "/own"}).cache == Path("/own/sandbox")

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("HELMBROKER_SANDBOX_PORT", "80", "1024 to 65535"),
            ("HELMBROKER_SANDBOX_PORT", "many", "1024 to 65535"),
            ("HELMBROKER_SANDBOX_DIR", "relative", "absolute path"),
            ("HELMBROKER_SANDBOX_DIR", '/with "quotes"', "absolute path"),
            ("HELMBROKER_SANDBOX_DIR", "/run/sandbox", "cannot be in /run"),
            ("HELMBROKER_SANDBOX_DIR", "/" + "d" * 80, "longer than 80"),
            ("HELMBROKER_SANDBOX_DIR", str(CHECKOUT / "data"), "inside the checkout"),
            ("HELMBROKER_CACHE", "relative", "absolute path"),
        ],
    )
    def test_nonsense(self, name: str, value: str, message: str) -> None:
        with pytest.raises(RefusedError, match=message):
            Settings.from_environment({name: value})


class TestRefusals:
    def test_a_taken_port(self) -> None:
        with launch.listen(0) as taken, pytest.raises(RefusedError, match="HELMBROKER_SANDBOX_PORT"):
            launch.listen(taken.getsockname()[1])

    def test_wipe_deletes_nothing_foreign(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        settings = Settings.from_environment({"HELMBROKER_SANDBOX_DIR": "/unused"})
        foreign = Settings(settings.cache, tmp_path, settings.port, settings.checkout)
        with pytest.raises(RefusedError, match="does not look like"):
            launch.wipe(foreign)
        assert (tmp_path / "thesis.txt").exists()

    @pytest.mark.parametrize(("effective", "enough"), [("000001ffffffffff", True), ("00000000a80425fb", False)])
    def test_capabilities(self, effective: str, enough: bool) -> None:
        assert preflight.has_capabilities(f"Name:\tx\nCapEff:\t{effective}\n") is enough

    def test_file_system_is_that_of_the_deepest_mount(self) -> None:
        rows = ["overlay / overlay", "/dev/sda /var ext4", "tmpfs /tmp tmpfs", "/dev/sdb /tmp xfs"]
        mounts = "".join(f"{row} rw 0 0\n" for row in rows)
        places = {"/opt": "overlay", "/var/lib": "ext4", "/variable": "overlay", "/tmp": "xfs"}
        assert {place: preflight.file_system(Path(place), mounts) for place in places} == places


class TestCommandLine:
    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        """Directories of their own: a sandbox that runs on this machine has nothing to do with these tests."""
        data = f"/tmp/no-sandbox-{os.getpid()}"
        return {"HELMBROKER_SANDBOX_DIR": data, "HELMBROKER_CACHE": str(tmp_path / "cache")}

    @pytest.mark.parametrize("command", ["", "up", "down", "status", "env", "build", "images", "logs", "enter"])
    def test_help(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main([*([command] if command else []), "--help"], {})
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: sandbox {command}".rstrip())

    @pytest.mark.parametrize(
        ("words", "code", "answer"),
        [
            (["env"], 3, "sandbox is down"),
            (["status"], 3, "sandbox     down"),
            (["enter", "true"], 3, "sandbox is down"),
            (["images"], 0, "postgres (999:999)"),
        ],
    )
    def test_when_down(
        self,
        words: list[str],
        code: int,
        answer: str,
        environment: dict[str, str],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(words, environment) == code
        said = capsys.readouterr()
        assert answer in said.out + said.err
        assert "export " not in said.out

    @pytest.mark.parametrize("words", [[], ["sideways"], ["up", "--faster"]])
    def test_wrong_usage(self, words: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(words, {})
        assert ended.value.code == 2

    def test_a_refusal_of_the_program_itself_is_one_sentence(self) -> None:
        environment = {"PATH": os.environ["PATH"], "HELMBROKER_SANDBOX_PORT": "1"}
        answer = subprocess.run([PROGRAM, "status"], capture_output=True, text=True, env=environment, check=False)
        assert answer.returncode == 2
        assert answer.stderr.startswith("sandbox status: HELMBROKER_SANDBOX_PORT must be")
        assert len(answer.stderr.splitlines()) == 1
