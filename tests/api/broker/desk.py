"""A broker without a worker, and a platform that calls it: what a test holds in its hands."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from helmbroker.broker.api.admin import Admin
from helmbroker.broker.api.app import create_app
from helmbroker.broker.api.auth.basic import BasicUsers
from helmbroker.broker.api.auth.chain import Authentication, Method
from helmbroker.broker.api.auth.logins import LoginFile, plain
from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.instance import InstanceRecord
from helmbroker.broker.domain.operation import Kind, Phase
from helmbroker.broker.service import Service
from helmbroker.broker.store.records import SqlRecords
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.broker.store.schema import bindings, instances, operations
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.model import Catalog, Object
from helmbroker.durable import Context, Failed
from helmbroker.sealing import Keys
from tests.api.broker import described
from tests.fakes.waiting_room import FakeWaitingRoom
from tests.operations.harness import Hand
from tests.unit.catalog.folders import ADDON_ID, SMALL_ID

USER = ("platform", "canary-password-7c21")
VERSION = {"X-Broker-API-Version": "2.17"}
LOGIN = "Basic cGxhdGZvcm06Y2FuYXJ5LXBhc3N3b3JkLTdjMjE="
INSTANCE, BINDING = "/v2/service_instances/i1", "/v2/service_instances/i1/service_bindings/b1"
ASYNC = "?accepts_incomplete=true"
IDS = f"service_id={ADDON_ID}&plan_id={SMALL_ID}"
PROVISION: dict[str, Any] = {
    "service_id": ADDON_ID,
    "plan_id": SMALL_ID,
    "organization_guid": "org",
    "space_guid": "space",
    "parameters": {"size": "1Gi", "admin": {"password": "canary-parameter-6a02"}},
    "context": {"platform": "kubernetes", "namespace": "apps"},
}
BIND: dict[str, Any] = {
    "service_id": ADDON_ID,
    "plan_id": SMALL_ID,
    "app_guid": "app",
    "parameters": {"access": "read", "passphrase": "canary-phrase-90ab"},
}
CREDENTIALS = {"host": "demo.svc", "password": "canary-credential-b3d8"}
TABLES = (operations, instances, bindings)
MakeAdmin: TypeAlias = "Callable[[Desk], Admin]"


class Desk:
    """The broker over the database and the key ring in `folder`, and calls to it as the platform makes them.

    `methods`: further ways to log in; `url`: of another database; `edge`: what else the application is made with.
    """

    def __init__(
        self,
        folder: Path,
        catalog: Catalog,
        *methods: Method,
        url: str = "",
        admin: MakeAdmin | None = None,
        **edge: Any,
    ) -> None:
        url = url or f"sqlite:///{folder}/helmbroker.db"
        self.folder, self.url = folder, url
        self.store = SqlStore(url, Keys.load(folder / "keys.json"))
        self.room = FakeWaitingRoom(self.store)
        self.revisions = UnpackedRevisions(folder / "addon-revisions", self.store.packed)
        self.service = service = Service(self.store, lambda: catalog, self.revisions, "instances", self.room)
        login = LoginFile(folder / "platform-credentials", plain)
        login.path.write_text(":".join(USER))
        app = create_app(
            service,
            lambda: catalog,
            Authentication([BasicUsers([login]), *methods]),
            self._reason,
            admin=None if admin is None else admin(self),
            **edge,
        )
        self.client: FlaskClient = app.test_client()
        self.hand = Hand(self.store.engine, operations, dict.fromkeys(Kind, self.carry_out))
        self.ran: list[str] = []  # operations, in the order in which they were carried out
        self._failure: str | None = None
        self.endpoints: Sequence[Object] = ()
        self._begun: dict[Hashable, list[tuple[sa.Table, list[dict[str, Any]]]]] = {}

    def _reason(self) -> str | None:
        with suppress(Unavailable), self.store.read() as records:
            records.operation("none")
            return None
        return "no database"

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str | None] | None = None
    ) -> TestResponse:
        """One request, logged in and with a version unless `headers` says otherwise (None: not sent).

        Asserts that its answer is one that our OpenAPI document describes.
        """
        sent = {"Authorization": LOGIN, **VERSION, **(headers or {})}
        given: dict[str, Any] = (
            {} if body is None else {"data": body} if isinstance(body, bytes) else {"json": body}
        )
        answer = self.client.open(
            path, method=method, headers={name: value for name, value in sent.items() if value is not None}, **given
        )
        faults = described.faults(method, path, answer.status_code, dict(answer.headers), answer.data)
        assert not faults, f"not as openapi.yaml says: {faults}"
        return answer

    def put(self, path: str = INSTANCE, body: Any = None, **change: Any) -> TestResponse:
        """Provision, or bind when the path is a binding's; `change`: other fields of the usual body."""
        usual = BIND if "/service_bindings/" in path else PROVISION
        return self.call("PUT", f"{path}{ASYNC}", body if body is not None else {**usual, **change})

    def patch(self, path: str = INSTANCE, **change: Any) -> TestResponse:
        """Update; `change`: fields of the body beside service_id."""
        return self.call("PATCH", f"{path}{ASYNC}", {"service_id": ADDON_ID, **change})

    def get(self, path: str) -> TestResponse:
        return self.call("GET", path)

    def delete(self, path: str = INSTANCE) -> TestResponse:
        return self.call("DELETE", f"{path}{ASYNC}&{IDS}")

    def work(self, failure: str | None = None) -> None:
        """Carry out the operation that is due; `failure`: why it fails."""
        self._failure = failure
        assert self.hand.turn(), "nothing is due"

    def carry_out(self, ctx: Context) -> None:
        """What a worker leaves in the records."""
        self.ran.append(ctx.operation.id)
        if self._failure is not None:
            raise Failed(self._failure)
        instance_id, binding_id = (str(ctx.operation.params.get(name)) for name in ("instance_id", "binding_id"))
        with ctx.transaction() as conn:
            records = self.store.on(conn)
            match Kind(ctx.operation.kind):
                case Kind.BIND:
                    self._deliver(records, instance_id, binding_id)
                case Kind.UPDATE:
                    record = records.instance(instance_id)
                    assert record is not None
                    assert record.wanted is not None
                    records.settle(record.wanted)
                case Kind.UNBIND:
                    records.forget_binding(instance_id, binding_id)
                case Kind.DEPROVISION:
                    records.forget_instance(instance_id)

    def _deliver(self, records: SqlRecords, instance_id: str, binding_id: str) -> None:
        record = records.instance(instance_id)
        assert record is not None
        plan = self.revisions.addon(record.instance.addon_digest).plan(record.instance.plan_id)
        assert plan is not None
        credentials = Credentials(CREDENTIALS)
        records.deliver(instance_id, binding_id, credentials, self.endpoints, plan.binding_lifetime)

    def begin(self, *phases: tuple[str, Phase | None]) -> None:
        """From empty records to these phases, one after the other."""

        def bring() -> None:
            for path, phase in phases:
                self.bring(path, phase)

        self.arrive(phases, bring)

    def arrive(self, key: Hashable, bring: Callable[[], None]) -> None:
        """From empty records to wherever `bring` leads. What was brought about once is then copied, by its key."""
        self.room.begin()
        self._failure = None
        begun = self._begun.get(key)
        with self.store.engine.begin() as conn:
            for table in reversed(TABLES):
                conn.execute(table.delete())
            for table, rows in begun or ():
                if rows:
                    conn.execute(table.insert(), rows)
        if begun is None:
            bring()
            # their order is that in which they are inserted again
            self._begun[key] = [
                (table, [{name: value for name, value in row.items() if name != "seq"} for row in rows])
                for table, rows in self.rows()
            ]

    def rows(self) -> list[tuple[sa.Table, list[dict[str, Any]]]]:
        """All that is recorded."""
        with self.store.engine.begin() as conn:
            queries = [(table, sa.select(table).order_by(*table.primary_key)) for table in TABLES]
            return [(table, [dict(row) for row in conn.execute(query).mappings()]) for table, query in queries]

    def bring(self, path: str, phase: Phase | None) -> None:
        """An instance or a binding from nothing to a phase (None: nothing); a binding needs its instance ready."""
        if phase is None:
            return
        assert self.put(path).status_code == 202
        if phase is Phase.MAKING:
            return
        self.work("because" if phase is Phase.MAKE_FAILED else None)
        if phase in (Phase.READY, Phase.MAKE_FAILED):
            return
        if phase in (Phase.UPDATING, Phase.UPDATE_FAILED):
            assert self.patch(path, parameters={"replicas": 2}).status_code == 202
            if phase is Phase.UPDATE_FAILED:
                self.work("because")
            return
        assert self.delete(path).status_code == 202
        if phase is not Phase.REMOVING:
            self.work("because" if phase is Phase.REMOVE_FAILED else None)


def refusal(response: TestResponse) -> tuple[int, str]:
    """Status and error word. Asserts that the body is what OSB item 10 wants."""
    body = response.get_json()
    assert set(body) == {"error", "description"}
    assert body["error"].isalpha()
    assert body["error"][0].isupper()
    assert body["description"].strip()
    assert response.content_type == "application/json"
    return response.status_code, body["error"]


def recorded(desk: Desk) -> InstanceRecord:
    """Instance i1, as the database has it."""
    with desk.store.read() as records:
        record = records.instance("i1")
    assert record is not None
    return record
