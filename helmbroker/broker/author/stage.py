"""A broker of its own for one addon: the real use cases, a worker and a database, in this process."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from helmbroker.broker import catalog_wiring, wiring
from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import OsbError
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.requests import (
    BindRequest,
    DeprovisionRequest,
    ProvisionRequest,
    UnbindRequest,
    UpdateRequest,
)
from helmbroker.broker.service import Accepted, Service, WaitingRoom
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog import formats
from helmbroker.catalog.model import NOTHING, Addon, Catalog, Object, Plan
from helmbroker.durable import State

_LOOK_S = 0.2
Tell = Callable[[str], None]


class CheckFailed(Exception):
    """What is wrong with the addon, as a sentence."""


class Stage(Protocol):
    """What a platform does. All wait until it is done, and raise CheckFailed with the broker's own words."""

    def provision(self, instance: str, plan: Plan) -> None: ...
    def update(self, instance: str, *, plan: Plan | None = None, parameters: Object = NOTHING) -> None: ...

    def upgrade(self, instance: str) -> None:
        """To a newer version of the same addon, which is offered from now on."""
        ...

    def bind(self, instance: str, binding: str) -> dict[str, str]:
        """What is delivered."""
        ...

    def unbind(self, instance: str, binding: str) -> None: ...
    def deprovision(self, instance: str) -> None: ...

    def release(self, instance: str) -> ReleaseRef:
        """The Helm release of an instance."""
        ...

    def binding_release(self, instance: str, binding: str) -> ReleaseRef:
        """The Helm release of a binding."""
        ...


class BrokerStage:
    """See Stage. `later`: what instances are upgraded to. `tell` gets every new description of an operation."""

    def __init__(self, settings: Settings, store: SqlStore, addon: Addon, later: Addon, tell: Tell) -> None:
        self._settings, self._store, self._tell = settings, store, tell
        self._first, self._later = addon, later
        self._stopping = threading.Event()
        self._offer(addon)

    def _offer(self, addon: Addon) -> None:
        catalog = Catalog((addon,))
        self._store.keep(catalog)
        revisions = catalog_wiring.make_revisions(self._settings, self._store)
        room = WaitingRoom(self._store.watch, self._stopping, most=1, wait_s=1.0)
        self._service = Service(self._store, lambda: catalog, revisions, self._settings.instance_namespace, room)
        self._addon = addon

    def release(self, instance: str) -> ReleaseRef:
        return naming.instance_release(self._settings.instance_namespace, self._store.broker_id, instance)

    def binding_release(self, instance: str, binding: str) -> ReleaseRef:
        return naming.binding_release(self.release(instance), instance, binding)

    def provision(self, instance: str, plan: Plan) -> None:
        self._offer(self._first)
        ids = instance, self._addon.id, plan.id, "author", "author"
        request = ProvisionRequest(*ids, Parameters({}), {}, None, accepts_incomplete=True)
        self._done(lambda: self._service.provision(request))

    def update(self, instance: str, *, plan: Plan | None = None, parameters: Object = NOTHING) -> None:
        given = Parameters(dict(parameters)) if parameters else None
        plan_id = None if plan is None else plan.id
        request = UpdateRequest(instance, self._addon.id, plan_id, given, None, None, accepts_incomplete=True)
        self._done(lambda: self._service.update(request))

    def upgrade(self, instance: str) -> None:
        self._offer(self._later)
        version = self._addon.version
        request = UpdateRequest(instance, self._addon.id, None, None, None, version, accepts_incomplete=True)
        self._done(lambda: self._service.update(request))

    def bind(self, instance: str, binding: str) -> dict[str, str]:
        with self._store.read() as records:
            record = records.instance(instance)
        if record is None:
            raise CheckFailed("there is no service instance to bind")
        ids = instance, binding, self._addon.id, record.instance.plan_id, None
        request = BindRequest(*ids, Parameters({}), {}, accepts_incomplete=True)
        self._done(lambda: self._service.bind(request))
        with self._store.read() as records:
            found = records.binding(instance, binding)
        if found is None or found.binding.credentials is None:
            raise CheckFailed("the binding has no credentials")
        return {name: str(value) for name, value in found.binding.credentials.reveal().items()}

    def unbind(self, instance: str, binding: str) -> None:
        request = UnbindRequest(instance, binding, accepts_incomplete=True)
        self._done(lambda: self._service.unbind(request))

    def deprovision(self, instance: str) -> None:
        self._done(lambda: self._service.deprovision(DeprovisionRequest(instance, accepts_incomplete=True)))

    def _done(self, ask: Callable[[], object]) -> None:
        try:
            answer = ask()
        except OsbError as error:
            raise CheckFailed(error.description) from error
        if not isinstance(answer, Accepted):
            return
        told = ""
        while True:
            with self._store.read() as records:
                operation = records.operation(answer.operation_id)
            if operation is None:
                return
            if operation.description != told:
                told = operation.description
                self._tell(told)
            if operation.state is State.SUCCEEDED:
                return
            if operation.state in (State.FAILED, State.CANCELLED):
                raise CheckFailed(operation.description)
            time.sleep(_LOOK_S)


def newer(addon: Addon, folder: Path) -> Addon:
    """The same addon with the next version of itself and of its chart, as an author would publish it."""
    shutil.copytree(addon.folder, folder)
    about = [(folder / name, addon.version) for name in formats.FILES]
    for path, old in (*about, (folder / addon.chart_folder / "Chart.yaml", None)):
        if not path.exists():
            continue
        text = path.read_text("utf-8")
        wanted = re.escape(old) if old else r"[^\s\"']+"
        changed = re.sub(rf"^(version: *[\"']?){wanted}", r"\g<1>99.0.0", text, count=1, flags=re.MULTILINE)
        path.write_text(changed, "utf-8")
    return formats.load(folder)


@contextmanager
def broker(settings: Settings, addon: Addon, later: Addon, tell: Tell) -> Iterator[BrokerStage]:
    """A broker in an empty data directory; see BrokerStage. Raises CannotStart, KubeError."""
    wiring.initialise(settings)
    store = wiring.make_store(settings)
    stop = threading.Event()
    worker = threading.Thread(target=wiring.run_worker, args=(settings, stop), name="worker")
    worker.start()
    try:
        yield BrokerStage(settings, store, addon, later, tell)
    finally:
        stop.set()
        worker.join()
        store.close()
