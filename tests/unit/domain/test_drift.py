"""What differs between records and cluster, case by case; and what is not said while somebody works on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.drift import Finding, FindingKind, Record, SeenRelease, Sight, Snapshot, find
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding, ServiceInstance
from helmbroker.broker.domain.kept import Kept, Stage
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind
from helmbroker.durable import Operation, State

BROKER = "0123456789abcdef"
REF = naming.instance_release("instances", BROKER, "i")
BOUND = naming.binding_release(REF, "i", "b")
STRANGE = ReleaseRef("instances", "hb-strange")
INSTANCE = ServiceInstance("i", "s", "p", "o", "sp", Parameters({"pin": "c4n4ry"}), {}, REF, "0" * 64)
BINDING = ServiceBinding("b", "i", "s", "p", None, Parameters({}), {}, BOUND)


def operation(kind: Kind, state: State = State.SUCCEEDED, **more: Any) -> Operation:
    made = Operation(1, f"{kind}:1", kind, "i", {}, state, "", {}, 1, 1, False, 0.0, 900.0, None)
    return replace(made, **more)


MADE = InstanceRecord(INSTANCE, operation(Kind.PROVISION), deployed=3)
UNUSABLE = {"usable": False, "repeatable": True}
DELIVERED = BindingRecord(BINDING, operation(Kind.BIND), deployed=1)


@dataclass
class Case:
    """All is well, until a test changes something."""

    records: dict[ReleaseRef, Record] = field(default_factory=lambda: {REF: MADE, BOUND: DELIVERED})
    before: dict[ReleaseRef, Record] | None = None
    busy: frozenset[str] = frozenset()
    busy_before: frozenset[str] = frozenset()
    foreign: frozenset[ReleaseRef] = frozenset()
    releases: dict[ReleaseRef, SeenRelease] = field(
        default_factory=lambda: {
            REF: SeenRelease(REF, 3, HelmStatus.DEPLOYED, naming.instance_labels(BROKER, "i")),
            BOUND: SeenRelease(BOUND, 1, HelmStatus.DEPLOYED, naming.binding_labels(BROKER, "i", "b")),
        }
    )
    kept: dict[ReleaseRef, Kept | None] = field(
        default_factory=lambda: {REF: Kept(INSTANCE, Stage.MADE, 3), BOUND: Kept(BINDING, Stage.MADE, 1)}
    )

    def find(self) -> list[Finding]:
        first = Snapshot(self.records if self.before is None else self.before, self.busy_before)
        sight = Sight(self.releases, self.kept, self.foreign)
        return find(BROKER, first, sight, Snapshot(self.records, self.busy))

    def see(self, ref: ReleaseRef, **changes: Any) -> None:
        self.releases[ref] = replace(self.releases[ref], **changes)


def gone(case: Case) -> None:
    del case.releases[REF]


def objects_gone(case: Case) -> None:
    case.see(REF, missing=tuple(f"Secret {n}" for n in range(7)))


def binding_gone(case: Case) -> None:
    del case.releases[BOUND]


def newer(case: Case) -> None:
    case.see(REF, revision=4)


def failed(case: Case) -> None:
    case.see(REF, status=HelmStatus.FAILED)


def scaled(case: Case) -> None:
    case.see(REF, changed=("StatefulSet x: spec.replicas by kubectl",))


def foreign(case: Case) -> None:
    del case.releases[REF]
    case.foreign = frozenset({REF})


def other_instance(case: Case) -> None:
    case.see(REF, labels=naming.instance_labels(BROKER, "j"))


def orphan(case: Case) -> None:
    case.releases[STRANGE] = SeenRelease(STRANGE, 1, HelmStatus.DEPLOYED, {naming.LABEL_BROKER: BROKER})


def adoptable(case: Case) -> None:
    orphan(case)
    case.kept[STRANGE] = Kept(INSTANCE, Stage.MADE, 1)


def stray(case: Case) -> None:
    case.kept[STRANGE] = None


def forgotten(case: Case) -> None:
    del case.kept[REF]


def unreadable(case: Case) -> None:
    case.kept[REF] = None


def stale(case: Case) -> None:
    case.kept[REF] = Kept(replace(INSTANCE, plan_id="q"), Stage.MADE, 3)


def half_made(case: Case) -> None:
    case.kept[REF] = Kept(INSTANCE, Stage.MAKING)


def removed_once(case: Case) -> None:
    case.kept[BOUND] = Kept(BINDING, Stage.REMOVING, 1)


K = FindingKind
FOUND: dict[Callable[[Case], None], tuple[FindingKind, str, str]] = {
    gone: (K.LOST, "instance i", f"its Helm release {REF.name} is gone"),
    objects_gone: (K.LOST, "instance i", "Secret 4 and 2 more"),
    binding_gone: (K.LOST, "binding i/b", f"its Helm release {BOUND.name} is gone"),
    newer: (K.CHANGED, "instance i", "has revision 4, not 3"),
    failed: (K.CHANGED, "instance i", "is failed"),
    scaled: (K.CHANGED, "instance i", "StatefulSet x: spec.replicas by kubectl"),
    foreign: (K.FOREIGN, "instance i", "is somebody else's"),
    other_instance: (K.FOREIGN, "instance i", "is somebody else's"),
    orphan: (K.ORPHAN, "release instances/hb-strange", "`helmbroker purge hb-strange` removes it"),
    adoptable: (K.ORPHAN, "release instances/hb-strange", "`helmbroker adopt hb-strange` records it again"),
    stray: (K.STRAY, "secret instances/hb-strange-record", "neither a record nor a Helm release"),
    forgotten: (K.UNREMEMBERED, "instance i", "there is no Secret"),
    unreadable: (K.UNREMEMBERED, "instance i", "cannot be opened with the key ring"),
    stale: (K.UNREMEMBERED, "instance i", "tells of an earlier state"),
    half_made: (K.UNREMEMBERED, "instance i", "tells of an earlier state"),
    removed_once: (K.UNREMEMBERED, "binding i/b", "tells of an earlier state"),
}


def test_nothing_differs() -> None:
    assert Case().find() == []


@pytest.mark.parametrize("change", FOUND, ids=lambda change: change.__name__)
def test_each_difference_is_found_once(change: Callable[[Case], None]) -> None:
    case = Case()
    change(case)
    (found,) = case.find()
    kind, subject, detail = FOUND[change]
    assert (found.kind, found.subject, detail in found.detail) == (kind, subject, True), found
    assert found.instance_id == (None if kind in (K.ORPHAN, K.STRAY) else "i")
    assert "`helmbroker " in found.detail, "the cure is missing"


ABOUT_RECORDS = [each for each in FOUND if FOUND[each][0] not in (K.ORPHAN, K.STRAY)]


@pytest.mark.parametrize("change", ABOUT_RECORDS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("when", ["busy", "busy_before"])
def test_nothing_is_said_of_what_is_worked_on(change: Callable[[Case], None], when: str) -> None:
    case = Case()
    change(case)
    setattr(case, when, frozenset({"i"}))
    assert case.find() == []


def _with(record: Record, **changes: Any) -> Record:
    return replace(record, **changes)


MEANWHILE: Mapping[str, dict[ReleaseRef, Record]] = {
    "another operation": {
        REF: _with(MADE, operation=operation(Kind.UPDATE)),
        BOUND: _with(DELIVERED, operation=operation(Kind.BIND, id="bind:0")),
    },
    "a repair": {REF: _with(MADE, deployed=2), BOUND: _with(DELIVERED, deployed=None)},
    "made anew": {},
}


@pytest.mark.parametrize("what", MEANWHILE)
@pytest.mark.parametrize("change", ABOUT_RECORDS, ids=lambda change: change.__name__)
def test_nothing_is_said_of_what_was_worked_on_meanwhile(change: Callable[[Case], None], what: str) -> None:
    case = Case(before=dict(MEANWHILE[what]))
    change(case)
    assert case.find() == []


@pytest.mark.parametrize("when", ["only before", "only after"])
def test_what_is_just_made_or_just_removed_is_no_orphan(when: str) -> None:
    """Neither the release nor what is remembered of it."""
    case = Case()
    if when == "only before":
        case.before, case.records = case.records, {}
    else:
        case.before = {}
    assert case.find() == []


@pytest.mark.parametrize(
    "record",
    [
        _with(MADE, operation=operation(Kind.PROVISION, State.FAILED)),
        _with(MADE, operation=operation(Kind.DEPROVISION, State.FAILED)),
        _with(MADE, return_to=2),
        _with(MADE, operation=operation(Kind.UPDATE, State.FAILED, results={"settle": UNUSABLE})),
    ],
)
def test_what_is_not_in_force_is_not_looked_for(record: Record) -> None:
    case = Case(records={REF: record, BOUND: DELIVERED})
    case.releases, case.kept = {}, {}
    assert case.find() == []


def test_a_failed_update_that_was_undone_is_looked_after() -> None:
    settled = {"settle": {"usable": True, "repeatable": True}}
    case = Case(records={REF: _with(MADE, operation=operation(Kind.UPDATE, State.FAILED, results=settled))})
    case.releases = {}
    case.kept.pop(BOUND)
    assert [each.kind for each in case.find()] == [K.LOST]


def test_a_record_of_the_version_before_has_no_revision_to_compare() -> None:
    case = Case(records={REF: _with(MADE, deployed=None), BOUND: DELIVERED})
    case.see(REF, revision=9)
    assert [each.kind for each in case.find()] == [K.UNREMEMBERED], "and is not remembered whole"


def test_no_secret_is_told() -> None:
    assert "c4n4ry" not in repr([Case().records, Case().kept])
