"""The state matrix of the specification (OSB 1.13), row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from helmbroker.broker.domain import binding_decisions, decisions
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.decisions import Exists, Same, Start
from helmbroker.broker.domain.errors import ConcurrencyError, Conflict, Gone, NotFound, NotUsable, OsbError
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding, ServiceInstance
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind, Phase, deletes, phase
from helmbroker.broker.domain.requests import BindRequest, ProvisionRequest
from helmbroker.durable import Operation, State

REF = ReleaseRef("ns", "hb-1")
INSTANCE = ServiceInstance("i", "service", "plan", "org", "space", Parameters({"a": 1}), {}, REF, "digest")
BINDING = ServiceBinding("b", "i", "service", "plan", "app", Parameters({"a": 1}), {}, REF)
PROVISION = ProvisionRequest("i", "service", "plan", "org", "space", Parameters({"a": 1}), {}, None, True)
BIND = BindRequest("i", "b", "service", "plan", "app", Parameters({"a": 1}), {}, True)

MAKING, READY, REMOVING = Phase.MAKING, Phase.READY, Phase.REMOVING
MAKE_FAILED, REMOVE_FAILED, GONE = Phase.MAKE_FAILED, Phase.REMOVE_FAILED, Phase.GONE
ABSENT = None

# phase -> the kind of the latest operation (made, removed) and its state
OPERATIONS = {
    MAKING: (0, State.RUNNING),
    MAKE_FAILED: (0, State.FAILED),
    READY: (0, State.SUCCEEDED),
    REMOVING: (1, State.QUEUED),
    REMOVE_FAILED: (1, State.FAILED),
    GONE: (1, State.SUCCEEDED),
}


def operation(kind: Kind, state: State) -> Operation:
    return Operation(1, f"{kind}:1", kind, "i", {}, state, "because", {}, 0, 0, False, 0.0, 0.0, None)


def instance(at: Phase | None) -> InstanceRecord | None:
    if at is None:
        return None
    which, state = OPERATIONS[at]
    return InstanceRecord(INSTANCE, operation((Kind.PROVISION, Kind.DEPROVISION)[which], state))


def binding(at: Phase | None) -> BindingRecord | None:
    if at is None:
        return None
    which, state = OPERATIONS[at]
    return BindingRecord(BINDING, operation((Kind.BIND, Kind.UNBIND)[which], state))


def outcome(decide: Callable[[], Any]) -> object:
    """A decision's or a refusal's class; what is fetched is READY."""
    try:
        decision = decide()
    except OsbError as refusal:
        return type(refusal)
    return type(decision) if isinstance(decision, Start | Same | Exists) else READY


OTHER = replace(PROVISION, plan_id="another")
# the instance is:  PUT same, PUT other, GET, DELETE, bind, unbind of a ready binding
INSTANCE_MATRIX: dict[Phase | None, tuple[object, ...]] = {
    ABSENT: (Start, Start, NotFound, Gone, NotFound, Gone),
    MAKING: (Same, Conflict, NotFound, Start, READY, Start),  # a bind waits its turn instead of failing
    READY: (Exists, Conflict, READY, Start, READY, Start),
    MAKE_FAILED: (Start, Conflict, NotFound, Start, NotUsable, Start),
    REMOVING: (ConcurrencyError, ConcurrencyError, ConcurrencyError, Same, ConcurrencyError, ConcurrencyError),
    REMOVE_FAILED: (Conflict, Conflict, READY, Start, NotUsable, Start),
    GONE: (Start, Start, NotFound, Gone, NotFound, Gone),
}


@pytest.mark.parametrize(("at", "row"), INSTANCE_MATRIX.items(), ids=str)
def test_instance(at: Phase | None, row: tuple[object, ...]) -> None:
    """OSB items 46-48, 54, 55, 60, 62, 81-83, 86, 87, 102, 107; B65, B66."""
    record = instance(at)
    assert row == (
        outcome(lambda: decisions.provision(record, PROVISION)),
        outcome(lambda: decisions.provision(record, OTHER)),
        outcome(lambda: decisions.fetch_instance(record)),
        outcome(lambda: decisions.deprovision(decisions.existing_instance(record))),
        outcome(lambda: binding_decisions.bindable(record)),
        outcome(lambda: binding_decisions.unbind(*binding_decisions.existing_binding(record, binding(READY)))),
    )


def test_what_failed_to_be_made_does_not_pass_for_something_that_exists() -> None:
    with pytest.raises(Conflict, match="failed; delete it"):
        decisions.provision(instance(MAKE_FAILED), OTHER)


OTHER_BIND = replace(BIND, app_guid="another")
# the binding is (its instance is ready):  PUT same, PUT other, GET, DELETE
BINDING_MATRIX: dict[Phase | None, tuple[object, ...]] = {
    ABSENT: (Start, Start, NotFound, Gone),
    MAKING: (Same, Conflict, NotFound, Start),
    READY: (Exists, Conflict, READY, Start),
    MAKE_FAILED: (Start, Conflict, NotFound, Start),
    REMOVING: (ConcurrencyError, ConcurrencyError, NotFound, Same),
    REMOVE_FAILED: (Conflict, Conflict, READY, Start),
    GONE: (Start, Start, NotFound, Gone),
}


@pytest.mark.parametrize(("at", "row"), BINDING_MATRIX.items(), ids=str)
def test_binding(at: Phase | None, row: tuple[object, ...]) -> None:
    """OSB items 100, 110, 112, 113; B21, B22, B24."""
    record, owner = binding(at), instance(READY)
    assert row == (
        outcome(lambda: binding_decisions.bind(record, BIND)),
        outcome(lambda: binding_decisions.bind(record, OTHER_BIND)),
        outcome(lambda: binding_decisions.fetch_binding(owner, record)),
        outcome(lambda: binding_decisions.unbind(*binding_decisions.existing_binding(owner, record))),
    )


@pytest.mark.bug(23)
@pytest.mark.parametrize(
    ("owner", "expected"),
    [(READY, READY), (REMOVE_FAILED, READY), (REMOVING, NotFound), (GONE, NotFound), (None, NotFound)],
)
def test_a_binding_goes_with_its_instance(owner: Phase | None, expected: object) -> None:
    """What is just being revoked is not handed out."""
    assert outcome(lambda: binding_decisions.fetch_binding(instance(owner), binding(READY))) == expected


@pytest.mark.osb(48, 49)
@pytest.mark.parametrize(
    "change",
    [
        {"service_id": "x"},
        {"plan_id": "x"},
        {"organization_guid": "x"},
        {"space_guid": "x"},
        {"parameters": Parameters({"a": 2})},
        {"parameters": Parameters({})},
        {"parameters": Parameters({"a": True})},
        {"parameters": Parameters({"a": "1"})},
        {"parameters": Parameters({"a": 1, "b": None})},
    ],
    ids=str,
)
def test_each_attribute_alone_makes_another_instance(change: dict[str, Any]) -> None:
    """One attribute at a time."""
    assert outcome(lambda: decisions.provision(instance(READY), replace(PROVISION, **change))) == Conflict
    assert not decisions.repeats(instance(READY), replace(PROVISION, **change))


@pytest.mark.osb(48)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"context": {"instance_name": "x"}},
        {"maintenance_version": "2.0.0"},
        {"parameters": Parameters({"a": 1.0})},
    ],
    ids=str,
)
def test_what_is_no_attribute_makes_no_other_instance(change: dict[str, Any]) -> None:
    """Names in the context may change."""
    assert outcome(lambda: decisions.provision(instance(READY), replace(PROVISION, **change))) == Exists
    assert decisions.repeats(instance(READY), replace(PROVISION, **change))


@pytest.mark.osb(100)
@pytest.mark.parametrize(
    "change",
    [{"service_id": "x"}, {"plan_id": "x"}, {"app_guid": None}, {"parameters": Parameters({"a": [1]})}],
    ids=str,
)
def test_each_attribute_alone_makes_another_binding(change: dict[str, Any]) -> None:
    assert outcome(lambda: binding_decisions.bind(binding(READY), replace(BIND, **change))) == Conflict


def test_a_tombstone_is_repeated_by_nothing() -> None:
    assert not decisions.repeats(instance(GONE), PROVISION)
    assert decisions.living(instance(GONE)) is None


@pytest.mark.osb(46, 82, 100, 112)
def test_the_same_work_is_answered_with_its_operation() -> None:
    assert decisions.provision(instance(MAKING), PROVISION) == Same(operation(Kind.PROVISION, State.RUNNING))
    removing = instance(REMOVING)
    assert removing is not None
    assert decisions.deprovision(removing) == Same(operation(Kind.DEPROVISION, State.QUEUED))


def test_why_it_cannot_be_bound_is_told() -> None:
    with pytest.raises(NotUsable, match=r"cannot be bound \(make failed\): because"):
        binding_decisions.bindable(instance(MAKE_FAILED))


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        (Kind.PROVISION, State.QUEUED, MAKING),
        (Kind.PROVISION, State.CANCELLED, MAKE_FAILED),
        (Kind.BIND, State.RUNNING, MAKING),
        (Kind.DEPROVISION, State.RUNNING, REMOVING),
        (Kind.UNBIND, State.CANCELLED, REMOVE_FAILED),
        (Kind.UNBIND, State.SUCCEEDED, GONE),
    ],
)
def test_the_phase_follows_from_the_latest_operation(kind: Kind, state: State, expected: Phase) -> None:
    assert phase(operation(kind, state)) is expected


@pytest.mark.osb(92)
@pytest.mark.parametrize(
    ("operation_id", "expected"),
    [
        ("deprovision:8c461fb8-ac25-4265-8a61-2e18c79689bd", True),
        ("unbind:8c461fb8-ac25-4265-8a61-2e18c79689bd", True),
        ("provision:8c461fb8-ac25-4265-8a61-2e18c79689bd", False),
        ("deprovision", True),
        ("deprovisioned:1", False),
        ("", False),
    ],
)
def test_an_operation_id_tells_its_kind_when_the_row_is_long_gone(operation_id: str, expected: bool) -> None:
    assert deletes(operation_id) is expected


@pytest.mark.osb(52)
def test_operation_ids_are_unique_and_short() -> None:
    """At most 10 000 characters."""
    made = {Kind.PROVISION.new_id() for _ in range(100)}
    assert len(made) == 100
    assert max(map(len, made)) < 100
    assert [deletes(kind.new_id()) for kind in Kind] == [kind in (Kind.DEPROVISION, Kind.UNBIND) for kind in Kind]
