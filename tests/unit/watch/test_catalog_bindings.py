"""ServiceBindings of service-catalog: their Secrets reach apps, and leave them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from helmbroker.controller_bridge.apps.port import AppsUnavailable, ConfigChange, ReleaseState
from helmbroker.controller_bridge.watch.catalog_bindings import FINALIZER, KIND, CatalogBindings
from tests.fakes.app_releases import FakeAppReleases
from tests.fakes.kube import FakeKube
from tests.unit.watch.objects import SHOP, cluster, found, secret

GROUP = "addon__my_db"


class World:
    """A binding of service-catalog, and an app, in one namespace."""

    def __init__(self) -> None:
        self.kube: FakeKube = cluster()
        self.apps = FakeAppReleases()
        self.apps.add_app(SHOP)

    def bind(self, ready: bool = True, name: str = "my-db", **entries: str) -> None:
        metadata = {"name": name, "namespace": SHOP}
        described = {"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding", "metadata": metadata}
        self.kube.create({**described, "spec": {"secretName": f"{name}-secret"}})
        self.kube.create(secret(f"{name}-secret", **(entries or {"host": "db.shop", "password": "canary-pw"})))
        self.tell(name, ready=ready)

    def tell(self, name: str = "my-db", *, ready: bool) -> None:
        conditions = [{"type": "Ready", "status": str(ready)}]
        self.kube.set_status(KIND, SHOP, name, {"conditions": conditions})

    def look(self, name: str = "my-db") -> float | None:
        return CatalogBindings(self.kube, self.apps).reconcile(SHOP, name)

    def look_until_still(self, name: str = "my-db") -> float | None:
        looks = [again for _ in range(10) if (again := self.look(name)) in (None, 30)]
        assert looks
        return looks[0]

    @property
    def running(self) -> dict[str, str]:
        return self.apps.apps[SHOP].running

    @property
    def versions(self) -> list[tuple[int, ReleaseState, str]]:
        return [(each.version, each.state, each.summary) for each in self.apps.releases(SHOP)]

    @property
    def complaints(self) -> list[str]:
        return [each["message"] for each in self.kube.list("Event", SHOP)]


@pytest.fixture
def world() -> World:
    return World()


def test_a_ready_binding_reaches_the_app(world: World) -> None:
    world.bind()
    assert world.look() == 2
    assert world.look_until_still() is None
    assert world.running == {"MY_DB_HOST": "db.shop", "MY_DB_PASSWORD": "canary-pw"}
    newest = world.apps.releases(SHOP)[0]
    assert (newest.state, newest.author, newest.summary) == (
        ReleaseState.SUCCEEDED,
        "service-catalog",
        "bind my-db",
    )
    assert set(newest.config) == {GROUP}
    assert found(world.kube, KIND, "my-db")["metadata"]["finalizers"] == [FINALIZER]


def test_again_makes_no_release(world: World) -> None:
    world.bind()
    world.look_until_still()
    before = world.versions
    assert world.look() is None
    assert world.versions == before


def test_what_is_not_ready_waits(world: World) -> None:
    world.bind(ready=False)
    assert world.look() is None
    assert world.versions == []
    assert "finalizers" not in found(world.kube, KIND, "my-db")["metadata"]
    world.tell(ready=True)
    world.kube.delete("Secret", SHOP, "my-db-secret")
    assert world.look() == 30


def test_a_namespace_without_an_app_is_left_alone(world: World) -> None:
    world.apps.apps.clear()
    world.bind()
    assert world.look() is None
    assert "finalizers" not in found(world.kube, KIND, "my-db")["metadata"]


def test_another_secret_is_another_release(world: World) -> None:
    world.bind()
    world.look_until_still()
    data = {"data": {"password": base64.b64encode(b"new-pw").decode()}}
    world.kube.patch("Secret", SHOP, "my-db-secret", data)
    world.look_until_still()
    assert world.running["MY_DB_PASSWORD"] == "new-pw"


def test_deleted_it_leaves_the_app_and_then_goes(world: World) -> None:
    world.bind()
    world.look_until_still()
    world.kube.delete(KIND, SHOP, "my-db")
    assert world.look() == 2
    assert world.kube.get(KIND, SHOP, "my-db") is not None
    assert world.look_until_still() is None
    assert world.kube.get(KIND, SHOP, "my-db") is None
    assert world.running == {}
    assert world.versions[0][1:] == (ReleaseState.SUCCEEDED, "unbind my-db")


def test_deleted_with_the_app_it_goes(world: World) -> None:
    world.bind()
    world.look_until_still()
    world.apps.apps.clear()
    world.kube.delete(KIND, SHOP, "my-db")
    assert world.look() is None
    assert world.kube.get(KIND, SHOP, "my-db") is None


def test_an_app_that_breaks_goes_back_once_and_the_reason_is_told(world: World) -> None:
    world.bind(key="BREAK")
    world.apps._breaks = lambda variables: "no such host" if variables else None
    assert world.look_until_still() is None
    states = [state for _, state, _ in world.versions]
    assert states == [ReleaseState.SUCCEEDED, ReleaseState.FAILED, ReleaseState.SUCCEEDED]
    assert world.running == {}
    assert world.complaints == ["bind my-db: v2 of app shop failed: no such host"]
    assert world.look() is None
    assert len(world.versions) == 3


def test_a_person_who_went_back_is_not_overruled(world: World) -> None:
    world.bind()
    world.look_until_still()
    world.apps.rollback(SHOP, 1, author="alice", key="by-hand")
    while world.running != {}:
        world.apps.rollout(SHOP, 3)
    world.apps.settle(SHOP, 3)
    assert world.look_until_still() is None
    assert world.running == {}
    assert len(world.versions) == 3


def test_what_collides_is_told_once_as_an_event_of_the_binding(world: World) -> None:
    change = ConfigChange({"addon_other": {"MY_DB_HOST": "mine"}})
    world.apps.change_config(SHOP, change, author="alice", summary="set", key="k")
    world.bind()
    assert [world.look(), world.look()] == [30, 30]
    (event,) = world.kube.list("Event", SHOP)
    assert "both set MY_DB_HOST" in event["message"]
    assert (event["involvedObject"]["name"], event["type"], event["reason"]) == ("my-db", "Warning", "NotInjected")
    assert "canary-pw" not in str(event)


def test_what_no_variable_can_hold_is_told(world: World) -> None:
    world.bind()
    data = {"data": {"keystore": base64.b64encode(b"\xff\xfe").decode()}}
    world.kube.patch("Secret", SHOP, "my-db-secret", data)
    assert world.look() == 30
    (said,) = world.complaints
    assert said == "entry keystore of Secret shop/my-db-secret is no text: no variable can hold it"


def test_it_is_no_group_of_a_resource_of_that_name(world: World) -> None:
    change = ConfigChange({"addon_my_db": {"OWN_HOST": "mine"}})
    world.apps.change_config(SHOP, change, author="alice", summary="bind", key="k")
    world.bind()
    world.look_until_still()
    world.kube.delete(KIND, SHOP, "my-db")
    world.look_until_still()
    assert set(world.apps.releases(SHOP)[0].config) == {"addon_my_db"}


@pytest.mark.parametrize("method", ["change_config", "rollout", "settle", "recover", "releases"])
@pytest.mark.parametrize("breaks", [False, True])
def test_interrupted_anywhere_it_ends_the_same(world: World, method: str, breaks: bool) -> None:
    world.bind()
    if breaks:
        world.apps._breaks = lambda variables: "no such host" if variables else None
    failing = [True]

    def interrupt(name: str, _app: str) -> Any:
        if name == method and failing[0]:
            failing[0] = False
            raise AppsUnavailable("killed")

    if method == "releases":
        world.apps.before = interrupt
    else:
        world.apps.after = interrupt
    interrupted = 0
    for _ in range(12):
        try:
            world.look()
        except AppsUnavailable:
            interrupted += 1
    assert interrupted == (0 if (method, breaks) in {("recover", False)} else 1)
    assert bool(world.running) is not breaks
    newest = world.versions[0]
    assert newest[1] is ReleaseState.SUCCEEDED
    assert len(world.versions) == (3 if breaks else 2)
