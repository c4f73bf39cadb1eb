"""/admin: what operators look at, and have refreshed (docs/reference/admin-api.md)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from flask import Request, Response, request

from helmbroker.broker.api import metrics, shown
from helmbroker.broker.api.answers import Answer
from helmbroker.broker.api.auth.admin import Admins
from helmbroker.broker.api.document import DocumentView
from helmbroker.broker.domain.errors import BadRequest, NotFound
from helmbroker.broker.domain.overview import Wanted
from helmbroker.broker.domain.sources import Catalogs
from helmbroker.broker.domain.store_ports import Overview, Store
from helmbroker.broker.service import refresh
from helmbroker.broker.service.inventory import lines
from helmbroker.catalog.model import Catalog
from helmbroker.durable import State

DOCUMENT = "admin.yaml"
MOST = 1000
_USUAL = 100
T = TypeVar("T")


class Admin:
    """One method per route. `admins`: who may ask. `counted`: metrics of this process alone."""

    def __init__(
        self,
        admins: Admins,
        overview: Callable[[], AbstractContextManager[Overview]],
        store: Store,
        catalog: Callable[[], Catalog],
        catalogs: Catalogs,
        counted: Callable[[], bytes] = bytes,
    ) -> None:
        self.admins = admins
        self.document = DocumentView(DOCUMENT)
        self._overview, self._store, self._counted = overview, store, counted
        self._catalog, self._catalogs = catalog, catalogs

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
        told = metrics.text(numbers, self._catalog(), self._catalogs.provenance())
        return Response(told + self._counted(), content_type=metrics.CONTENT_TYPE)


def _wanted(asked: Request) -> Wanted:
    given = asked.args
    states = [_state(word) for word in given.getlist("state")]
    text = given.get("limit", str(_USUAL))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MOST):
        raise BadRequest(f"limit must be a number from 1 to {MOST}.")
    return Wanted(states, given.getlist("kind"), given.get("instance_id"), int(text))


def _state(word: str) -> State:
    try:
        return State(word)
    except ValueError:
        raise BadRequest(f"state must be one of {', '.join(State)}.") from None
