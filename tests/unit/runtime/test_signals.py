"""A process that waits until a signal ends it, and gets thousands."""

from __future__ import annotations

import signal

import pytest

from tests.unit.runtime.processes import BOUND_S, program, read_line

pytestmark = pytest.mark.processes

WAITS = """
from helmbroker.runtime import signals
stop, over = signals.stopped(), []
signals.after_hangup(lambda: over.append(True))
print("waits")
while not (stop.wait(1e-5) and over):  # holds the event's lock half of the time
    pass
"""
MANY = 5000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whatever_it_holds_when_a_signal_comes(number: signal.Signals) -> None:
    with program(WAITS) as process:
        assert read_line(process) == "waits"
        for _ in range(MANY):
            process.send_signal(number)
        process.send_signal(signal.SIGHUP)
        assert process.wait(BOUND_S) == 0
