"""pyhelm3's Command, run without a shell: helm in a process group of its own that can be stopped at once.

Upstream starts `/bin/sh -c`, which on Debian forks: cancelling ends the shell and leaves helm at work.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyhelm3

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.helm import guard
from helmbroker.broker.helm.errors import classify

_POLL_S = 0.05
_KILL_S = 5.0
_MARGIN_S = 30.0


class ExecCommand(pyhelm3.Command):  # type: ignore[misc]  # pyhelm3 ships no types
    """One run of helm: its environment, the event that stops it, and how long it may take."""

    def __init__(
        self,
        executable: Path,
        environment: Mapping[str, str],
        *,
        stop: threading.Event | None = None,
        limit_s: float,
        grace_s: float = 10.0,
        margin_s: float = _MARGIN_S,
        patience_s: float = 15.0,
    ) -> None:
        """`limit_s` is what helm is told; `margin_s` later it is stopped: SIGTERM, `grace_s` later SIGKILL.

        Killed as soon as this process dies, and when it was frozen for `patience_s`.
        """
        super().__init__(executable=str(executable), default_timeout=f"{max(1, int(limit_s))}s")
        self._environment = dict(environment)
        self._stop = stop or threading.Event()
        # helm's own --timeout bounds single waits; an API server that never answers would hang it for ever
        self._limit_s = limit_s + margin_s
        self._grace_s = grace_s
        self._patience_s = patience_s

    async def run(self, command: Sequence[object], input: bytes | None = None) -> bytes:  # noqa: A002
        """Run helm; its stdout. Raises HelmError. Parameters travel on stdin only, never in the command."""
        told, pipe = os.pipe()
        try:
            process = await self._guarded(told, input is not None)
            _tell(pipe, guard.packed([str(self._executable), *map(str, command)]))
            os.set_blocking(pipe, False)  # a command may be longer than the pipe holds; signs of life are not
            stdout, stderr = await self._ended(process, input, pipe)
        finally:
            os.close(pipe)
        if process.returncode != 0:
            raise classify(stderr.decode(errors="replace"), process.returncode or 1)
        return stdout

    async def _guarded(self, told: int, has_input: bool) -> Process:
        """The guard (guard.py), which listens to the pipe `told`."""
        arguments = map(str, (os.getpid(), self._patience_s, told))
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", guard.__file__, *arguments),
                env=self._environment,
                stdin=PIPE if has_input else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                start_new_session=True,
                pass_fds=(told,),
            )
        except OSError as error:
            raise HelmError(HelmFault.OTHER, f"helm cannot be started: {error.strerror}") from error
        finally:
            os.close(told)

    async def _ended(self, process: Process, data: bytes | None, pipe: int) -> tuple[bytes, bytes]:
        io = asyncio.ensure_future(process.communicate(data))
        end = time.monotonic() + self._limit_s
        while not (await asyncio.wait({io}, timeout=_POLL_S))[0]:
            _tell(pipe, b".")
            if self._stop.is_set() or time.monotonic() > end:
                await self._terminate(process, io)
                if self._stop.is_set():
                    raise HelmError(HelmFault.STOPPED, "")
                raise HelmError(HelmFault.TIMEOUT, f"helm did not end within {self._limit_s:.0f} s")
        return io.result()

    async def _terminate(self, process: Process, io: asyncio.Future[tuple[bytes, bytes]]) -> None:
        for number, grace_s in ((signal.SIGTERM, self._grace_s), (signal.SIGKILL, _KILL_S)):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            if (await asyncio.wait({io}, timeout=grace_s))[0]:
                return


def _tell(pipe: int, data: bytes) -> None:
    """To a guard that has just ended, or was frozen for so long that the pipe is full, there is nothing to tell."""
    with suppress(BrokenPipeError, BlockingIOError):
        os.write(pipe, data)
