"""What `doctor` finds in the rows of the database, and among the rights of the broker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from helmbroker.broker.checkup_wiring import lacking
from helmbroker.broker.domain.overview import Numbers, Tracked
from helmbroker.broker.domain.sources import Provenance, SourceSeen
from helmbroker.broker.service.checkup import Area, look
from helmbroker.catalog.model import Fault
from helmbroker.catalog.sources.model import Listed, Reason, SourceKind, Standing
from helmbroker.durable import Operation, State
from helmbroker.kubeapi.rights import right
from helmbroker.status.numbers import WorkNumbers

WELL = Numbers(WorkNumbers(workers=1))
NOTHING = Provenance((), ())
NOW = 10_000.0
ROW = Operation(
    seq=1,
    id="update:1",
    kind="update",
    subject="i",
    params={"instance_id": "i"},
    state=State.QUEUED,
    description="the image cannot be pulled",
    results={},
    attempt=0,
    fence=0,
    cancel_requested=False,
    created_at=NOW - 5,
    deadline=NOW + 600,
    finished_at=None,
)


def tracked(**changed: Any) -> Tracked:
    times = {name: changed.pop(name) for name in ("lease_until", "run_at") if name in changed}
    return Tracked(replace(ROW, **changed), "h:1:a", **{"lease_until": 0.0, "run_at": NOW - 5, **times}, now=NOW)


def found(*going_on: Tracked, numbers: Numbers = WELL, where: Provenance = NOTHING) -> list[tuple[Area, str]]:
    return [(each.area, each.detail) for each in look(numbers, going_on, where)]


def test_nothing_is_wrong() -> None:
    assert (
        found(tracked(), numbers=Numbers(WorkNumbers(workers=1, schedules_due_s={"drift": -3.0, "expiry": 9.0})))
        == []
    )


def test_without_workers_that_is_all_there_is_to_say_of_operations() -> None:
    ((area, detail),) = found(tracked(run_at=0.0, created_at=0.0), numbers=Numbers())
    assert (area, "Start `helmbroker worker`" in detail) == (Area.WORKERS, True)


def test_a_schedule_that_is_late() -> None:
    ((area, detail),) = found(numbers=Numbers(WorkNumbers(workers=1, schedules_due_s={"drift": -500.0})))
    assert (area, detail[:16]) == (Area.SCHEDULES, "it is 500 s late")


def test_operations_that_are_stuck() -> None:
    details = [
        detail
        for each in (
            tracked(state=State.RUNNING, fence=1, lease_until=NOW - 300),
            tracked(attempt=4, fence=4, run_at=NOW + 60),
            tracked(created_at=NOW - 900, run_at=NOW - 900),
        )
        for _, detail in found(each)
    ]
    assert [detail.partition(".")[0] for detail in details] == [
        "its worker (h:1:a) is gone since 300 s, and nobody has taken it over",
        "it has failed 4 times: the image cannot be pulled",
        "it waits for its turn since 900 s",
    ]
    assert all(detail.endswith("`helmbroker operations show update:1` tells more") for detail in details)


def test_schedules_are_no_stuck_operations() -> None:
    """They are queued for ever."""
    old = tracked(id="schedule:drift", params={"every_s": 60}, created_at=0.0, run_at=NOW - 900)
    assert found(old) == []


def test_sources_and_addons() -> None:
    away = SourceSeen(
        Standing("far", SourceKind.OCI, "oci://x/y:1", None, Reason.FETCHING, "no connection"), 1.0, None
    )
    bad = Listed("shelf", "bad", None, None, None, Reason.VALIDATION, (Fault("addon.yaml", 3, "is wrong"),))
    told = found(where=Provenance((away,), (bad,)))
    assert told == [
        (Area.SOURCES, "no connection. What it had before is offered still"),
        (Area.ADDONS, "it is not taken: addon.yaml:3: is wrong. `helmbroker catalog check`"),
    ]


def test_rights() -> None:
    needed = [right("Secret", "get list", "why"), right("Job", "get create", "why"), right("Job", "delete", "why")]
    every = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    assert lacking(needed, [every]) == []
    assert lacking(needed, [{**every, "resourceNames": ["one"]}]) == [
        "get, create, delete jobs.batch",
        "get, list secrets",
    ]
    some = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}]
    some += [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "delete"]}]
    assert lacking(needed, some) == ["create jobs.batch"]
    named = replace(needed[0], names=frozenset({"one"}))
    assert lacking([named], [{**every, "resourceNames": ["one", "two"]}]) == []
