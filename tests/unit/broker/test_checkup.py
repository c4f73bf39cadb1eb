"""What `doctor` finds in the rows of the database, and among the rights of the broker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from helmbroker.broker import catalog_wiring, wiring
from helmbroker.broker.checkup_wiring import lacking, needed, places, unallowed
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.instance import ServiceInstance
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.overview import Numbers, Tracked
from helmbroker.broker.domain.sources import Provenance, SourceSeen
from helmbroker.broker.service.checkup import Area, look
from helmbroker.broker.settings import Settings
from helmbroker.catalog.model import Fault
from helmbroker.catalog.sources.model import Listed, Reason, SourceKind, Standing
from helmbroker.durable import Operation, State
from helmbroker.kubeapi.port import Obj
from helmbroker.kubeapi.rights import right
from helmbroker.status.numbers import WorkNumbers
from tests.unit.broker.test_cli import Place, made, place
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before", "made", "place"]
pytestmark = pytest.mark.usefixtures("logs_as_before")

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


def test_rights_are_asked_for_in_every_namespace_with_instances() -> None:
    rules = {
        "new": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
        "migrated": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }

    def review(asked: Obj) -> Obj:
        return {"status": {"resourceRules": rules[asked["spec"]["namespace"]]}}

    wanted = [right("Secret", "get list", "why")]
    assert [(each.subject, each.detail) for each in unallowed(review, wanted, ["migrated", "new"])] == [
        (
            "rights in namespace migrated",
            "the broker may not: list secrets. `helmbroker rights` prints what it needs",
        )
    ]


def test_tenants_are_impersonated_and_migrated_instances_are_elsewhere(
    made: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made.data / "tenants.yaml").write_text("- account: tenants\n")
    for name, value in made.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HELMBROKER_TENANTS_FILE", str(made.data / "tenants.yaml"))
    settings = Settings()
    store = wiring.make_store(settings)
    catalog_wiring.refresh_folders(settings, store)
    (digest,) = (each.digest for each in store.listed())
    assert digest is not None
    with store.transaction() as tx:
        for instance_id, kind in (("here", Kind.PROVISION), ("gone", Kind.DEPROVISION)):
            ended = tx.ended(kind, instance_id, None, succeeded=True, description="")
            release = ReleaseRef(f"namespace-{instance_id}", "redis")
            ids = instance_id, "s", "p", "o", "s"
            tx.save_instance(ServiceInstance(*ids, Parameters({}), {}, release, digest), ended)
    assert places(settings, store) == ["helmbroker-instances", "namespace-here"]
    found = [(each.resource, each.names) for each in needed(settings, store) if "impersonate" in each.verbs]
    assert found == [("serviceaccounts", frozenset({"tenants"}))]
    store.close()
