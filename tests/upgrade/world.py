"""Brokers of two versions, the cluster they share, and a platform that asks them."""

from __future__ import annotations

import base64
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.broker.domain import naming
from helmbroker.broker.store.schema import facts, operations
from helmbroker.database import connect, reader
from helmbroker.durable import Operation
from helmbroker.durable.queue import read_row
from tests.fakes.kube import FakeKube
from tests.unit.kubeapi.answering import kubeconfig
from tests.upgrade.play_helm import PlayHelm
from tests.upgrade.play_kube import PlayKube
from tests.upgrade.processes import Answer, Process

HERE = Path(__file__).parent
SERVICE, PLAN = "0e0e0e0e-0000-4000-8000-000000000001", "0e0e0e0e-0000-4000-8000-000000000002"
LOGIN = "platform:word"
NAMESPACE = "instances"
ASYNC = "accepts_incomplete=true"
PAUSE_S = 0.1
BOUND_S = 240.0


class World:
    """One database, one cluster; processes come and go. Ids are (instance,) or (instance, binding)."""

    def __init__(self, url: str, folder: Path, version: Path) -> None:
        self.version, self.engine = version, connect(url)
        self.helm = PlayHelm(FakeKube(NAMESPACE), folder)
        self._kube = PlayKube(self.helm.kube)
        self._processes: list[Process] = []
        data = folder / "data"
        data.mkdir(mode=0o700)
        self.environment = {
            "HELMBROKER_DATA_DIR": str(data),
            "HELMBROKER_DATABASE_URL": url.replace("+psycopg", ""),
            "HELMBROKER_ADDONS_DIR": str(HERE / "shelf"),
            "HELMBROKER_INSTANCE_NAMESPACE": NAMESPACE,
            "HELMBROKER_LISTEN": "127.0.0.1:0",
            "HELMBROKER_HELM": str(self.helm.program),
            "KUBECONFIG": kubeconfig(folder, self._kube.url),
        }
        init = self.start("init", old=True)
        assert init.wait() == 0, init.log
        (data / "platform-credentials").write_text(f"{LOGIN}\n")

    def start(self, command: str, *, old: bool = False) -> Process:
        self._processes.append(Process(command, self.environment, self.version if old else None))
        return self._processes[-1]

    def end(self) -> None:
        for process in self._processes:
            process.end(signal.SIGKILL)
        self.helm.end()
        self._kube.end()
        self.engine.dispose()

    def release(self, instance: str, binding: str | None = None) -> str:
        with reader(self.engine).connect() as conn:
            broker_id = conn.scalar(sa.select(facts.c.value).where(facts.c.name == "broker_id"))
        ref = naming.instance_release(NAMESPACE, str(broker_id), instance)
        return (ref if binding is None else naming.binding_release(ref, instance, binding)).name

    def releases(self) -> set[str]:
        found = self.helm.kube.list("Secret", NAMESPACE, labels="owner=helm")
        return {str(secret["metadata"]["labels"]["name"]) for secret in found}

    def remembered(self) -> list[bytes]:
        """What the cluster remembers, sealed."""
        found = self.helm.kube.list("Secret", NAMESPACE, labels=naming.LABEL_RECORD)
        return [base64.b64decode(secret["data"]["record"]) for secret in found]

    def await_workers(self, number: int) -> None:
        """Wait until so many have told that they live."""
        end, table = time.monotonic() + BOUND_S, operations.metadata.tables["workers"]
        while True:
            with reader(self.engine).connect() as conn:
                living = conn.scalar(sa.select(sa.func.count()).select_from(table))
            if living == number:
                return
            assert time.monotonic() < end, f"{living} workers live, not {number}"
            threading.Event().wait(PAUSE_S)

    def revision(self) -> str | None:
        """What the database was brought up to."""
        with reader(self.engine).connect() as conn:
            if not sa.inspect(conn).has_table("alembic_version"):
                return None
            revision: str | None = conn.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return revision

    def operations(self, promised: list[tuple[str, str]]) -> dict[str, Operation]:
        """As they stand in the database, by the URL to poll them."""
        with reader(self.engine).connect() as conn:
            rows = conn.execute(sa.select(operations).where(operations.c.id.in_([id_ for id_, _ in promised])))
            found = {row.id: read_row(row) for row in rows}
        return {poll: found[id_] for id_, poll in promised}


class Platform:
    """Asks one API. Every operation that it was promised is in `promised`."""

    def __init__(self, api: Process) -> None:
        self.api = api
        self.promised: list[tuple[str, str]] = []  # operation, URL of its last_operation

    def provision(self, instance: str) -> str:
        return self._accepted("PUT", instance, None, {**_PLAN, "organization_guid": "o", "space_guid": "s"})

    def update(self, instance: str) -> str:
        return self._accepted("PATCH", instance, None, {"service_id": SERVICE, "parameters": {"text": "new"}})

    def deprovision(self, instance: str) -> str:
        return self._accepted("DELETE", instance, None)

    def bind(self, instance: str) -> str:
        return self._accepted("PUT", instance, "b", _PLAN)

    def unbind(self, instance: str) -> str:
        return self._accepted("DELETE", instance, "b")

    def _accepted(self, method: str, instance: str, binding: str | None, body: object = None) -> str:
        target = f"/v2/service_instances/{instance}" + (f"/service_bindings/{binding}" if binding else "")
        plan = f"&service_id={SERVICE}&plan_id={PLAN}" if method == "DELETE" else ""
        status, answer = self.call(method, f"{target}?{ASYNC}{plan}", body)
        assert status == 202, (status, answer)
        operation = str(answer["operation"])
        self.promised.append((operation, f"{target}/last_operation?operation={operation}"))
        return self.promised[-1][1]

    def call(self, method: str, target: str, body: object = None) -> Answer:
        return self.api.call(method, target, f"Basic {base64.b64encode(LOGIN.encode()).decode()}", body)

    def state(self, poll: str) -> str:
        """What its last_operation says."""
        status, answer = self.call("GET", poll)
        assert status in (200, 404, 410), (status, answer)
        return {404: "unknown", 410: "gone"}.get(status) or str(answer["state"])

    def await_end(self, poll: str) -> str:
        end = time.monotonic() + BOUND_S
        while (state := self.state(poll)) == "in progress":
            assert time.monotonic() < end, f"{poll} does not end: {self.call('GET', poll)}"
            threading.Event().wait(PAUSE_S)
        return state


_PLAN = {"service_id": SERVICE, "plan_id": PLAN}


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version before, unpacked."""
    (wheel,) = (HERE / "previous").glob("*.whl")
    folder = tmp_path_factory.mktemp("previous")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@contextmanager
def world(url: str, folder: Path, version: Path) -> Iterator[World]:
    made = World(url, folder, version)
    try:
        yield made
    finally:
        made.end()
