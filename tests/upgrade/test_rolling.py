"""A rolling upgrade: processes of the version before and of this one over one database, while operations go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from helmbroker.broker.store.schema import SCHEMA
from helmbroker.durable import State
from tests.postgresql import empty_database
from tests.upgrade.world import BOUND_S, Platform, World, world

KINDS = ("provision", "update", "deprovision", "bind", "unbind")
STATES = ("waiting", "running", "queued")
CANCELLED = ("provision", "update", "bind")  # each by the deprovision that follows it
CLIENTS, TURNS = 3, 2

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def brokers(request: pytest.FixtureRequest, tmp_path: Path, previous: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path}/helmbroker.db"
    if request.param == "postgresql":
        url = empty_database(request.getfixturevalue("postgresql_url"))
    with world(url, tmp_path, previous) as made:
        yield made


def all_of(work: Iterator[Future[None]]) -> None:
    for each in list(work):
        each.result(2 * BOUND_S)


def prepare(platform: Platform, kind: str, instance: str) -> None:
    """Whatever an operation of this kind needs to be there."""
    needed = {"provision": (), "unbind": ("provision", "bind")}.get(kind, ("provision",))
    for each in needed:
        poll = getattr(platform, each)(instance)
        assert platform.await_end(poll) == "succeeded", platform.call("GET", poll)


def ask(brokers: World, platform: Platform, state: str, kind: str) -> str:
    """Ask for an operation, and see it come into this state in the version before; the URL to poll it."""
    instance = f"{state}-{kind}"
    release = brokers.release(instance, "b" if kind in ("bind", "unbind") else None)
    if state == "waiting":
        brokers.helm.refuse(release)
    else:
        brokers.helm.hold(release)
    poll: str = getattr(platform, kind)(instance)
    if state != "queued":
        brokers.helm.await_(release)
    return poll


def load(here: Platform, there: Platform, client: int) -> None:
    """Whole lives of instances: each operation asked of one version, and polled at the other."""
    for turn in range(TURNS):
        instance = f"load-{client}-{turn}"
        for number, kind in enumerate(("provision", "bind", "update", "unbind", "deprovision")):
            asked, polled = (here, there) if (number + turn) % 2 else (there, here)
            assert polled.await_end(getattr(asked, kind)(instance)) in ("succeeded", "gone")


@pytest.mark.osb(97)
def test_what_the_version_before_has_begun_ends_under_this_one(brokers: World) -> None:
    old = Platform(brokers.start("api", old=True))
    old_worker = brokers.start("worker", old=True)
    asked = [(state, kind) for state in STATES for kind in KINDS]
    cancelled = [("cancelled", kind) for kind in CANCELLED]
    with ThreadPoolExecutor(8) as pool:
        all_of(pool.submit(prepare, old, kind, f"{state}-{kind}") for state, kind in [*asked, *cancelled])
    began = {case: ask(brokers, old, *case) for case in [*asked[:10], *cancelled, *asked[10:]]}

    new = Platform(brokers.start("api"))
    brokers.start("worker")
    for kind in CANCELLED:  # which takes effect within seconds: meanwhile the new version starts
        old.deprovision(f"cancelled-{kind}")
    assert new.call("GET", "/v2/catalog")[0] == 200
    assert brokers.revision() == SCHEMA.revisions[-1]
    for case, poll in began.items():
        if case not in cancelled:
            assert (old.state(poll), new.state(poll)) == ("in progress", "in progress"), case

    stopped = {new.await_end(began[case]) for case in cancelled}  # while helm is held: it does not end by itself
    assert stopped <= {"failed", "unknown"}  # the binding went with its instance

    again = Platform(brokers.start("api", old=True))  # the version before may also start on the new schema
    again_worker = brokers.start("worker", old=True)
    with ThreadPoolExecutor(CLIENTS) as pool:
        busy = [pool.submit(load, again, new, client) for client in range(CLIENTS)]
        brokers.helm.let_go()
        all_of(iter(busy))
    for process in (old.api, old_worker, again.api, again_worker):
        assert process.end() == 0, process.log[-3:]

    ends = {case: new.await_end(began[case]) for case in asked}
    assert set(ends.values()) <= {"succeeded", "gone"}
    assert {ends[state, kind] for state, kind in asked if kind in ("provision", "update", "bind")} == {"succeeded"}
    check_nothing_was_lost_or_doubled(brokers)
    promised = brokers.operations(old.promised + again.promised + new.promised)
    waited = {began["waiting", kind] for kind in KINDS}
    assert {poll for poll, operation in promised.items() if not operation.state.finished} == set()
    assert {poll for poll, operation in promised.items() if operation.attempt > 1} <= waited


def test_workers_are_replaced_under_load_and_no_operation_fails(brokers: World) -> None:
    """Two of this version, each while helm is at work: what they have in hand goes on in others, as no attempt."""
    platform = Platform(brokers.start("api"))
    assert platform.call("GET", "/v2/catalog")[0] == 200
    workers = [brokers.start("worker"), brokers.start("worker")]
    brokers.await_workers(2)
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        busy = [pool.submit(load, platform, platform, client) for client in range(CLIENTS)]
        held = []
        for number, old in enumerate(workers):
            brokers.start("worker")
            brokers.await_workers(3)
            release = brokers.release(f"held-{number}")
            brokers.helm.hold(release)
            held.append(platform.provision(f"held-{number}"))
            brokers.helm.await_(release)
            ending = pool.submit(old.end)
            brokers.await_workers(2)
            brokers.helm.let_go()
            assert ending.result(2 * BOUND_S) == 0, old.log[-3:]
        all_of(iter(busy))
    assert [platform.await_end(poll) for poll in held] == ["succeeded"] * 2
    ended = brokers.operations(platform.promised).values()
    assert {(operation.state, operation.attempt) for operation in ended} == {(State.SUCCEEDED, 1)}
    assert brokers.releases() == {brokers.release(f"held-{number}") for number in range(2)}
    assert brokers.helm.violations == []


def check_nothing_was_lost_or_doubled(brokers: World) -> None:
    """What is in the cluster is what was asked for, and no release was made twice for one operation."""
    kept = {f"{state}-{kind}" for state in STATES for kind in KINDS if kind != "deprovision"}
    bound = {instance for instance in kept if instance.endswith("-bind")}
    expected = {brokers.release(i) for i in kept} | {brokers.release(i, "b") for i in bound}
    assert brokers.releases() == expected
    assert brokers.helm.violations == []
    made = Counter(effect.operation for effect in brokers.helm.effects if effect.verb == "upgrade")
    assert set(made.values()) == {1}
