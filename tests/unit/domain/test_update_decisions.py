"""The rows and the column of the state matrix (OSB 1.13) that are about updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from helmbroker.broker.domain import binding_decisions, decisions
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.decisions import Exists, Note, Same, Start
from helmbroker.broker.domain.errors import ConcurrencyError, Conflict, NotFound, NotUsable, OsbError
from helmbroker.broker.domain.instance import InstanceRecord, ServiceInstance
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Aftermath, Kind, aftermath
from helmbroker.broker.domain.requests import ProvisionRequest
from helmbroker.durable import JSON, Operation, State

REF = ReleaseRef("ns", "hb-1")
BEFORE = ServiceInstance("i", "service", "plan", "org", "space", Parameters({"a": 1}), {"n": "x"}, REF, "digest")
WANTED = replace(BEFORE, parameters=Parameters({"a": 2}), context={"n": "y"})
OTHER = replace(BEFORE, plan_id="other")
RENAMED = replace(BEFORE, context={"n": "y"})
PUT = ProvisionRequest("i", "service", "plan", "org", "space", Parameters({"a": 1}), {}, None, True)
GOOD: dict[str, JSON] = {"settle": {"usable": True, "repeatable": True}}
BAD: dict[str, JSON] = {"settle": {"usable": False, "repeatable": False}}


def operation(kind: Kind, state: State, results: dict[str, JSON] | None = None) -> Operation:
    return Operation(1, f"{kind}:1", kind, "i", {}, state, "because", results or {}, 0, 0, False, 0.0, 0.0, None)


def record(kind: Kind, state: State, results: dict[str, JSON] | None = None) -> InstanceRecord:
    wanted = WANTED if kind is Kind.UPDATE and not state.finished else None
    return InstanceRecord(BEFORE, operation(kind, state, results), wanted)


RECORDS: dict[str, InstanceRecord | None] = {
    "absent": None,
    "provisioning": record(Kind.PROVISION, State.RUNNING),
    "provision failed": record(Kind.PROVISION, State.FAILED),
    "ready": record(Kind.PROVISION, State.SUCCEEDED),
    "updated": record(Kind.UPDATE, State.SUCCEEDED),
    "updating": record(Kind.UPDATE, State.RUNNING),
    "queued update": record(Kind.UPDATE, State.QUEUED),
    "update failed": record(Kind.UPDATE, State.FAILED, GOOD),
    "update failed and not undone": record(Kind.UPDATE, State.FAILED, BAD),
    "deprovisioning": record(Kind.DEPROVISION, State.QUEUED),
    "deprovision failed": record(Kind.DEPROVISION, State.FAILED),
    "deleted": record(Kind.DEPROVISION, State.SUCCEEDED),
}
BUSY = ConcurrencyError
# PATCH: to WANTED, to something else, to a new context alone, to what is in force
PATCH: dict[str, tuple[object, ...]] = {
    "absent": (NotFound, NotFound, NotFound, NotFound),
    "provisioning": (BUSY, BUSY, BUSY, BUSY),
    "provision failed": (NotUsable, NotUsable, NotUsable, NotUsable),
    "ready": (Start, Start, Note, Exists),
    "updated": (Start, Start, Note, Exists),
    "updating": (Same, BUSY, BUSY, BUSY),
    "queued update": (Same, BUSY, BUSY, BUSY),
    "update failed": (Start, Start, Note, Exists),
    "update failed and not undone": (Start, Start, Start, Start),
    "deprovisioning": (BUSY, BUSY, BUSY, BUSY),
    "deprovision failed": (NotUsable, NotUsable, NotUsable, NotUsable),
    "deleted": (NotFound, NotFound, NotFound, NotFound),
}


def outcome(decide: Callable[[], Any]) -> object:
    """A decision's or a refusal's class; what is found is None."""
    try:
        decision = decide()
    except OsbError as refusal:
        return type(refusal)
    return type(decision) if isinstance(decision, Start | Same | Exists | Note) else None


@pytest.mark.osb(18, 67, 69, 70, 73, 77, 78)
@pytest.mark.bug(74)
@pytest.mark.parametrize(("state", "expected"), PATCH.items())
def test_patch_in_every_state(state: str, expected: tuple[object, ...]) -> None:
    def ask(wanted: ServiceInstance) -> object:
        return outcome(lambda: decisions.update(decisions.updatable(RECORDS[state]), wanted))

    assert expected == (ask(WANTED), ask(OTHER), ask(RENAMED), ask(BEFORE))


# in the state: PUT same, PUT other, GET, DELETE, bind
ROWS: dict[str, tuple[object, ...]] = {
    "updating": (BUSY, Conflict, BUSY, Start, None),  # a bind waits its turn
    "update failed": (Exists, Conflict, None, Start, None),
    "update failed and not undone": (Exists, Conflict, None, Start, NotUsable),
}


@pytest.mark.osb(48, 49, 54, 61, 77, 83, 102, 107)
@pytest.mark.bug(36)
@pytest.mark.parametrize(("state", "expected"), ROWS.items())
def test_what_is_updated_in_every_request(state: str, expected: tuple[object, ...]) -> None:
    found = RECORDS[state]
    other = replace(PUT, parameters=Parameters({"a": 2}))
    assert expected == (
        outcome(lambda: decisions.provision(found, PUT)),
        outcome(lambda: decisions.provision(found, other)),
        outcome(lambda: decisions.fetch_instance(found)),
        outcome(lambda: decisions.deprovision(decisions.existing_instance(found))),
        outcome(lambda: binding_decisions.bindable(found)),
    )


@pytest.mark.osb(69)
def test_the_last_step_of_an_update_is_still_the_same_update() -> None:
    """What was wanted is in force by then."""
    committed = InstanceRecord(WANTED, operation(Kind.UPDATE, State.RUNNING))
    assert decisions.update(committed, WANTED) == Same(committed.operation)
    assert outcome(lambda: decisions.update(committed, BEFORE)) is ConcurrencyError


@pytest.mark.osb(13, 77, 86, 96)
@pytest.mark.parametrize(
    ("kind", "state", "results", "expected"),
    [
        (Kind.PROVISION, State.FAILED, {}, None),
        (Kind.BIND, State.FAILED, {}, None),
        (Kind.UNBIND, State.FAILED, {}, None),
        (Kind.DEPROVISION, State.FAILED, {}, Aftermath(usable=False)),
        (Kind.UPDATE, State.RUNNING, BAD, None),
        (Kind.UPDATE, State.SUCCEEDED, {}, None),
        (Kind.UPDATE, State.FAILED, GOOD, Aftermath(usable=True, repeatable=True)),
        (Kind.UPDATE, State.FAILED, BAD, Aftermath(usable=False, repeatable=False)),
        (Kind.UPDATE, State.FAILED, {"check": None}, Aftermath(usable=True, repeatable=True)),
        (Kind.UPDATE, State.FAILED, {"check": None, "remember": 1}, Aftermath(usable=False, repeatable=True)),
        (Kind.UPDATE, State.CANCELLED, {}, Aftermath(usable=False, repeatable=False)),
    ],
    ids=str,
)
def test_what_a_failure_leaves(
    kind: Kind, state: State, results: dict[str, JSON], expected: Aftermath | None
) -> None:
    assert aftermath(operation(kind, state, results)) == expected
