"""A waiting room in which no time passes: what happens while a request waits is what the test has said."""

from __future__ import annotations

import threading
from collections.abc import Callable

from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.service.waiting import Ending, Undo, Waited, WaitingRoom


class FakeWaitingRoom(WaitingRoom):
    """`meanwhile`: done one by one while a request waits; then either its operation has ended, or its time is over.

    `unseen`: the end of the operation comes too late to be seen. `together`: somebody else waits on.
    """

    def __init__(self, store: Store, most: int = 2) -> None:
        self.stopping = threading.Event()
        super().__init__(store.watch, self.stopping, most=most, wait_s=0)
        self._store = store
        self.begin()

    def begin(self) -> None:
        """For the next test."""
        self.meanwhile: list[Callable[[], object]] = []
        self.unseen = self.together = False
        self.stopping.clear()

    def wait(self, operation_id: str, undo: Undo | None = None) -> Waited:
        while self.meanwhile:
            self.meanwhile.pop(0)()
        with self._store.watch() as watch:
            finished = bool(watch.finished(frozenset({operation_id})))
        if finished and not self.unseen:
            return Waited(Ending.FINISHED)
        if self.stopping.is_set():
            return Waited(Ending.STOPPED)
        return Waited(Ending.OVER, None if self.together else undo)
