"""/admin: what operators look at, and have refreshed (docs/reference/admin-api.md)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, TypeVar

from flask import Request, Response, request

from helmbroker.broker.api import metrics, shown
from helmbroker.broker.api.answers import Answer
from helmbroker.broker.api.auth.admin import Admins
from helmbroker.broker.api.document import DocumentView
from helmbroker.broker.api.fleet import FleetView
from helmbroker.broker.api.operate import OperateView
from helmbroker.broker.domain.errors import BadRequest, NotFound
from helmbroker.broker.domain.overview import Wanted
from helmbroker.broker.domain.sources import Catalogs
from helmbroker.broker.domain.store_ports import Overview, Store
from helmbroker.broker.service import checkup, refresh
from helmbroker.broker.service.fleet import Fleet
from helmbroker.broker.service.inventory import lines
from helmbroker.broker.service.operate import Operate
from helmbroker.broker.service.retirement import Retirement
from helmbroker.catalog.model import Catalog
from helmbroker.durable import State

DOCUMENT = "admin.yaml"
MOST = 1000
_USUAL = 100
_OPEN = (State.QUEUED, State.RUNNING)
T = TypeVar("T")


class Admin:
    """One method per route. `admins`: who may ask. `whole`: the catalog with what is retired. `counted`: metrics of
    this process alone."""

    def __init__(
        self,
        admins: Admins,
        overview: Callable[[], AbstractContextManager[Overview]],
        store: Store,
        whole: Callable[[], Catalog],
        catalogs: Catalogs,
        fleet: Fleet,
        operate: Operate,
        retirement: Retirement,
        counted: Callable[[], bytes] = bytes,
    ) -> None:
        self.admins = admins
        self.document = DocumentView(DOCUMENT)
        self.fleet, self.operate = FleetView(fleet), OperateView(operate, overview, retirement)
        self._overview, self._store, self._counted = overview, store, counted
        self._whole, self._catalogs = whole, catalogs

    def operations(self) -> Answer:
        wanted = _wanted(request)
        with self._overview() as overview:
            return {"operations": [shown.operation(each) for each in overview.operations(wanted)]}, 200

    def operation(self, operation_id: str) -> Answer:
        with self._overview() as overview:
            found = overview.operation(operation_id)
        if found is None:
            raise NotFound("There is no such operation; those that ended long ago are forgotten.")
        return shown.operation(found), 200

    def workers(self) -> Answer:
        with self._overview() as overview:
            return {"workers": [shown.worker(each) for each in overview.workers()]}, 200

    def instances(self) -> Answer:
        """What the broker has, each instance before its bindings; `after`: where the page before has ended."""
        given, most = request.args, _limit(request)
        names = ("service_id", "plan_id", "phase")
        asked = {name: given[name] for name in names if name in given}
        gone = given.get("gone") == "true"
        with self._store.read() as records:
            ids = [each for each in records.instance_ids() if each > given.get("after", "")]
            found = (lines(records, each, gone=gone) for each in ids)
            wanted = (page for each in found if (page := [line for line in each if asked.items() <= line.items()]))
            rows = [line for page in islice(wanted, most) for line in page]
        return {"records": rows}, 200

    def events(self) -> Answer:
        """What happened, and who had it done; the last one at the end."""
        found = self._store.entries(instance_id=request.args.get("instance_id"), newest=_limit(request))
        return {"events": [shown.entry(each) for each in found]}, 200

    def doctor(self) -> Answer:
        """What is wrong, as far as the database tells; the last check of the cluster too."""
        with self._overview() as overview:
            numbers, going_on = overview.numbers(), overview.operations(Wanted(_OPEN, limit=MOST))
        wrong = checkup.look(numbers, going_on, self._catalogs.provenance())
        with self._store.read() as records:
            seen = [each.finding for each in records.findings()]
        found = [shown.symptom(each) for each in wrong]
        names = ("kind", "subject", "instance_id", "detail")
        found += [{name: getattr(each, name) for name in names} for each in seen]
        return {"symptoms": found}, 200

    def instance(self, instance_id: str) -> Answer:
        """With its bindings, and the operations of both, the newest first."""
        with self._store.read() as records:
            found = list(lines(records, instance_id))
        if not found:
            raise NotFound("There is no record of this service instance.")
        with self._overview() as overview:
            history = overview.operations(Wanted(instance_id=instance_id, limit=_USUAL))
        instance: dict[str, Any] = {**found[0], "bindings": found[1:]}
        return {**instance, "operations": [shown.operation(each) for each in history]}, 200

    def findings(self) -> Answer:
        """Where records and cluster differ, as the last check has seen it."""
        with self._store.read() as records:
            found = records.findings()
        return {"findings": [shown.finding(each) for each in found]}, 200

    def catalog(self) -> Answer:
        """Where the catalog comes from: how the sources were found, and what of them is offered."""
        return {"sources": shown.sources(self._catalogs.provenance())}, 200

    def refresh(self) -> Answer:
        """Have the workers look at all sources: an operation like others."""
        begun = refresh.begin(self._store)
        with self._overview() as overview:
            found = overview.operation(begun.id)
        if found is None:
            raise LookupError("an operation is not forgotten in the moment in which it begins")
        return shown.operation(found), 202

    def metrics(self) -> Response:
        """What the database tells, and what this process has counted."""
        with self._overview() as overview:
            numbers = overview.numbers()
        told = metrics.text(numbers, self._whole(), self._catalogs.provenance())
        return Response(told + self._counted(), content_type=metrics.CONTENT_TYPE)


def _wanted(asked: Request) -> Wanted:
    given = asked.args
    states = [_state(word) for word in given.getlist("state")]
    return Wanted(states, given.getlist("kind"), given.get("instance_id"), _limit(asked))


def _limit(asked: Request) -> int:
    text = asked.args.get("limit", str(_USUAL))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MOST):
        raise BadRequest(f"limit must be a number from 1 to {MOST}.")
    return int(text)


def _state(word: str) -> State:
    try:
        return State(word)
    except ValueError:
        raise BadRequest(f"state must be one of {', '.join(State)}.") from None
