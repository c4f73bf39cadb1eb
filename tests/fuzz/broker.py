"""The broker that is fuzzed: API, service, store, operations and engine are real; helm and cluster are fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from helmbroker.broker.api.app import create_app
from helmbroker.broker.api.auth.basic import BasicUsers
from helmbroker.broker.api.auth.chain import Authentication
from helmbroker.broker.api.auth.logins import LoginFile, plain
from helmbroker.broker.service import Service
from helmbroker.broker.service.waiting import Undo, Waited
from helmbroker.broker.store.schema import operations
from helmbroker.broker.worker import handlers
from helmbroker.catalog.model import Catalog
from helmbroker.database import reader
from helmbroker.durable.model import Later
from tests.fakes.waiting_room import FakeWaitingRoom
from tests.operations.broker import world as worlds
from tests.operations.broker.world import World
from tests.operations.harness import Disturbed, Hand

CATALOG = Catalog((worlds.ADDON,))
USER = ("platform", "a password")
_WORKS, _TIME_PASSES, _TIME_IS_OVER = 0.5, 0.1, 0.01  # how often, after a request
_TURNS_WHILE_WAITING = 4


class _Hurried(Disturbed):
    """A claim that waits for nothing: what has to be waited for is looked at again when time passes."""

    def wait(self, seconds: float) -> None:
        raise Later(seconds)


class _Worker(Hand):
    """Turned by hand, in the thread that sends the requests: chance alone decides what happens when."""

    claims = _Hurried


class _Room(FakeWaitingRoom):
    """While a request waits the worker does something, or nothing."""

    work: Callable[[], None]

    def wait(self, operation_id: str, undo: Undo | None = None) -> Waited:
        self.meanwhile = [self.work] * _TURNS_WHILE_WAITING
        return super().wait(operation_id, undo)


class Fuzzed:
    """A broker, and its worker, which does something after some requests, so that others meet unfinished work."""

    def __init__(self, world: World, login: LoginFile, seed: int) -> None:
        self._hand = _Worker(world.store.engine, operations, handlers(world.store, world.tools))
        self._watcher = reader(world.store.engine).connect()
        self._random = Random(seed)  # noqa: S311 - nothing is kept secret with it
        room = _Room(world.store)
        room.work = self.work
        service = Service(world.store, lambda: CATALOG, world.tools.revisions, worlds.NAMESPACE, room)
        users = Authentication([BasicUsers([login])])
        self.app = create_app(service, lambda: CATALOG, users, lambda: None)

    def written(self) -> object:
        """A value that changes when anything is written to the records."""
        with self._watcher.begin():
            return self._hand.queue.version(self._watcher)

    def work(self) -> None:
        """A few turns of the worker, or none."""
        if self._random.random() < _TIME_PASSES:
            self._hand.pass_time()
        if self._random.random() < _TIME_IS_OVER:
            with self._hand.engine.begin() as conn:
                conn.execute(operations.update().values(deadline=0.0))
        while self._random.random() < _WORKS and self._hand.turn():
            pass

    def close(self) -> None:
        """Give its connection back."""
        self._watcher.close()


@contextmanager
def fuzzed(folder: Path, seed: int) -> Iterator[Fuzzed]:
    """One with an empty database in `folder`."""
    login = LoginFile(folder / "platform-credentials", plain)
    login.path.write_text(":".join(USER))
    with worlds.world(f"sqlite:///{folder / 'broker.db'}") as world, closing(Fuzzed(world, login, seed)) as made:
        yield made
