"""The loop: what is looked at when something changes, and what goes on after failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue

import pytest

from helmbroker.controller_bridge.watch.agenda import Agenda
from helmbroker.controller_bridge.watch.loop import Loop
from helmbroker.controller_bridge.watch.service_bindings import KIND
from helmbroker.kubeapi.errors import KubeError, Unreachable
from helmbroker.kubeapi.port import Obj
from tests.fakes.kube import FakeKube
from tests.unit.watch.objects import DATABASE, SHOP, binding, cluster, deployment

WAIT_S = 20.0


class Looks:
    """A Reconciler that tells of its looks."""

    kind = KIND

    def __init__(self) -> None:
        self.seen: Queue[str] = Queue()
        self.fails: list[Exception] = []

    def depends_on(self, binding: Obj) -> frozenset[str]:
        return frozenset({"Deployment", DATABASE, "Nothing.v1.example.com"})

    def reconcile(self, namespace: str, name: str) -> float | None:
        self.seen.put(f"{namespace}/{name}")
        if self.fails:
            raise self.fails.pop()
        return None

    def next(self) -> str:
        return self.seen.get(timeout=WAIT_S)


@contextmanager
def running(kube: FakeKube, looks: Looks, resync_s: float = 60.0) -> Iterator[Loop]:
    stop = threading.Event()
    loop = Loop(kube, [looks], namespaces=None, resync_s=resync_s, pause_s=0.01)
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        yield loop
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()
        kube.watches.fail(Unreachable("x", "over"))


@pytest.fixture
def kube() -> FakeKube:
    return cluster()


@pytest.fixture
def watched(kube: FakeKube) -> Callable[[str], None]:
    """Waits until a kind is watched."""
    asked: dict[str, threading.Event] = {}

    def after(verb: str, kind: str, *_: object) -> None:
        if verb == "list":
            asked.setdefault(kind, threading.Event()).set()

    kube.after = after

    def wait(kind: str) -> None:
        assert asked.setdefault(kind, threading.Event()).wait(WAIT_S)

    return wait


def test_what_is_there_and_what_comes_is_looked_at(kube: FakeKube) -> None:
    looks = Looks()
    kube.create(binding("early"))
    with running(kube, looks):
        assert looks.next() == "shop/early"
        kube.create(binding("late"))
        assert looks.next() == "shop/late"
        kube.delete(KIND, SHOP, "early")
        assert looks.next() == "shop/early"


def test_what_it_depends_on_has_it_looked_at_when_it_matters(
    kube: FakeKube, watched: Callable[[str], None]
) -> None:
    looks = Looks()
    kube.create(binding())
    with running(kube, looks):
        looks.next()
        watched("Deployment")
        kube.create(deployment())
        assert looks.next() == "shop/orders"
        kube.set_status("Deployment", SHOP, "web", {"replicas": 3})  # how pods fare is of no interest
        kube.create(binding("marker"))
        assert looks.next() == "shop/marker"
        kube.patch("Deployment", SHOP, "web", {"metadata": {"labels": {"tier": "front"}}})
        assert {looks.next(), looks.next()} == {"shop/orders", "shop/marker"}
        kube.delete("Deployment", SHOP, "web")
        assert {looks.next(), looks.next()} == {"shop/orders", "shop/marker"}


def test_it_tells_what_it_looks_after(kube: FakeKube) -> None:
    looks = Looks()
    looks.fails = [KubeError("get", "no", status=403)]
    kube.create(binding())
    with running(kube, looks) as loop:
        looks.next()  # which fails
        looks.next()
        kube.create(binding("late"))
        looks.next()  # the one before has ended
        told = loop.seen()[KIND]
    assert (told.bindings, told.failing, told.looks) == (2, 0, 3)


def test_a_service_that_exposes_its_secret_is_heard(kube: FakeKube, watched: Callable[[str], None]) -> None:
    looks = Looks()
    kube.create(binding())
    metadata = {"name": "main", "namespace": SHOP}
    with running(kube, looks):
        looks.next()
        watched(DATABASE)
        kube.create({"apiVersion": "example.com/v1", "kind": "Database", "metadata": metadata, "spec": {}})
        looks.next()
        kube.set_status(DATABASE, SHOP, "main", {"binding": "odd"})
        kube.set_status(DATABASE, SHOP, "main", {"binding": {"name": "db"}})
        assert looks.next() == "shop/orders"


@pytest.mark.parametrize("error", [KubeError("watch", "too old", status=410), Unreachable("watch", "cut")])
def test_a_watch_that_ends_begins_anew_with_a_list(kube: FakeKube, error: KubeError) -> None:
    looks = Looks()
    kube.create(binding())
    with running(kube, looks):
        looks.next()
        kube.watches.fail(error)
        assert looks.next() == "shop/orders"


def test_everything_is_looked_at_again_now_and_then(kube: FakeKube) -> None:
    looks = Looks()
    kube.create(binding())
    with running(kube, looks, resync_s=0.05):
        assert looks.next() == looks.next() == "shop/orders"


def test_a_kind_that_is_not_served_yet_is_waited_for() -> None:
    kube, looks = FakeKube(SHOP), Looks()
    refused = threading.Event()
    kube.after = lambda verb, *_: refused.set() if verb == "discovery" else None
    with running(kube, looks):
        assert refused.wait(WAIT_S)
        kube.serve(*cluster()._kinds.values())
        kube.create(binding())
        assert looks.next() == "shop/orders"


@pytest.mark.parametrize("error", [Unreachable("x", "no answer"), KeyError("nobody foresaw")])
def test_a_look_that_fails_is_made_again_and_stops_nothing(
    kube: FakeKube, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    looks = Looks()
    looks.fails = [error]
    kube.create(binding("a"))
    with running(kube, looks):
        assert looks.next() == "shop/a"
        kube.create(binding("b"))
        assert {looks.next(), looks.next()} == {"shop/a", "shop/b"}
    assert len(caplog.records) >= 1


def test_the_agenda_has_each_thing_once_and_at_its_earliest() -> None:
    now = [0.0]
    agenda: Agenda[str] = Agenda(lambda: now[0])
    agenda.add("late", 30)
    agenda.add("soon", 10)
    agenda.add("late", 5)
    agenda.add("late", 60)
    now[0] = 20.0
    assert [agenda.take(0), agenda.take(0), agenda.take(0)] == ["late", "soon", None]
    agenda.close()
    agenda.add("x")
    assert agenda.take() is None
