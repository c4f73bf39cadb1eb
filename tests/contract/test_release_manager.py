"""The contract of the port ReleaseManager: on the fake, on the Kubernetes adapter in memory, and on real pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from helmbroker.controller_bridge.apps.manager import ReleaseManager
from helmbroker.controller_bridge.apps.port import AppNotFound, Broken, CannotRelease, ConfigChange, Healthy
from tests.cluster.shop import IMAGE, OTHER_IMAGE
from tests.contract.app_worlds import CACHE, DATABASE, World, newest, out, verdict, world_named


@pytest.fixture(params=["fake", "adapter", pytest.param("cluster", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with world_named(request.param) as found:
        yield found


def deploy(world: World, app: str, key: str, **images: str) -> int | None:
    return world.apps.deploy(app, images, author="ann", summary=f"deployed for {key}", key=key)


def attach(
    world: World,
    app: str,
    key: str,
    groups: Mapping[str, Mapping[str, str] | None],
    attached: Mapping[str, Sequence[str] | None],
) -> int | None:
    change = ConfigChange(groups, attached)
    return world.apps.change_config(app, change, author="ann", summary=f"summary of {key}", key=key)


def settled(world: World, app: str, number: int | None) -> int:
    assert number is not None
    assert verdict(world, app, number) == Healthy()
    world.apps.settle(app, number)
    return number


def test_it_is_known_by_its_methods(world: World) -> None:
    assert isinstance(world.apps, ReleaseManager)


def test_an_app_that_is_not_there_is_told(world: World) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: deploy(world, "no-such-app", "k", web=IMAGE),
        lambda: world.apps.config("no-such-app"),
        lambda: world.apps.changes("no-such-app", 1),
    ]
    for attempt in attempts:
        with pytest.raises(AppNotFound, match="app"):
            attempt()


def test_a_build_is_deployed_once_and_keeps_the_config(world: World) -> None:
    app = world.new_app()
    out(world, app, "bind-1", addon_db=DATABASE)
    number = deploy(world, app, "build-1", web=OTHER_IMAGE)
    assert number == deploy(world, app, "build-1", web=OTHER_IMAGE) == 3
    settled(world, app, number)
    assert world.images(app) == {OTHER_IMAGE}
    assert newest(world, app).images == {"web": OTHER_IMAGE, "worker": IMAGE}
    assert world.environments(app) == [DATABASE] * 3
    assert deploy(world, app, "build-2", web=OTHER_IMAGE, worker=IMAGE) is None


def test_a_build_that_does_not_run_is_left_again(world: World) -> None:
    app = world.new_app()
    out(world, app, "bind-1", addon_db=DATABASE)
    bad = deploy(world, app, "build-1", web="sandbox.local/missing:1")
    assert bad == 3
    lost = verdict(world, app, bad)
    assert isinstance(lost, Broken)
    assert "image sandbox.local/missing:1" in lost.reason
    settled(world, app, world.apps.recover(app, bad, reason=lost.reason, key="back"))
    assert world.images(app) == {IMAGE}
    assert world.environments(app) == [DATABASE] * 3


@pytest.mark.parametrize("images", [{"clock": IMAGE}, {"web": ""}, {"web": "two words"}])
def test_a_build_that_cannot_be_changes_nothing(world: World, images: dict[str, str]) -> None:
    app = world.new_app()
    with pytest.raises(CannotRelease):
        deploy(world, app, "build-1", **images)
    assert [release.version for release in world.apps.releases(app)] == [1]


def test_a_group_reaches_whom_it_is_attached_to(world: World) -> None:
    app = world.new_app()
    settled(world, app, attach(world, app, "1", {"addon_db": DATABASE, "queue": CACHE}, {"queue": ["worker"]}))
    assert world.environments_of(app, "web") == [DATABASE] * 2
    assert world.environments_of(app, "worker") == [{**DATABASE, **CACHE}]
    settled(world, app, attach(world, app, "2", {}, {"queue": None, "addon_db": ["web"]}))
    assert world.environments_of(app, "web") == [{**DATABASE, **CACHE}] * 2
    assert world.environments_of(app, "worker") == [CACHE]
    back = world.apps.rollback(app, 2, author="bob", key="back")
    settled(world, app, back)
    assert world.environments_of(app, "worker") == [{**DATABASE, **CACHE}]
    assert attach(world, app, "3", {}, {"queue": ["worker"]}) is None


def test_what_is_more_special_wins_but_over_no_credentials(world: World) -> None:
    app = world.new_app()
    settings = {"global": {"LEVEL": "info", "SIZE": "1"}, "ptype:worker": {"LEVEL": "debug"}}
    settled(world, app, attach(world, app, "1", settings, {}))
    assert world.environments_of(app, "web") == [{"LEVEL": "info", "SIZE": "1"}] * 2
    assert world.environments_of(app, "worker") == [{"LEVEL": "debug", "SIZE": "1"}]
    with pytest.raises(CannotRelease, match="addon_db and global both set SIZE"):
        attach(world, app, "2", {"addon_db": {"SIZE": "2"}}, {})


def test_the_config_of_a_release_is_told_with_its_values(world: World) -> None:
    app = world.new_app()
    before = world.apps.config(app)
    assert (before.version, before.groups, before.process_types) == (0, {}, ("web", "worker"))
    out(world, app, "bind-1", addon_db=DATABASE)
    settled(world, app, attach(world, app, "2", {"queue": CACHE}, {"queue": ["worker"]}))
    now = world.apps.config(app)
    assert (now.version, now.groups) == (3, {"addon_db": DATABASE, "queue": CACHE})
    assert {group: list(who) for group, who in now.attached.items()} == {"queue": ["worker"]}
    assert world.apps.config(app, 2).groups == {"addon_db": DATABASE}
    assert "s3cr3t" not in repr(now)
    with pytest.raises(CannotRelease, match="no release v9"):
        world.apps.config(app, 9)


def test_what_is_other_is_told_without_values(world: World) -> None:
    app = world.new_app()
    out(world, app, "bind-1", addon_db=DATABASE)
    settled(world, app, attach(world, app, "2", {"addon_db": {"DATABASE_URL": "x" * 9}}, {"addon_db": ["web"]}))
    settled(world, app, deploy(world, app, "build-1", worker=OTHER_IMAGE))
    assert world.apps.changes(app, 2) == ("DATABASE_URL of config group addon_db is new",)
    assert world.apps.changes(app, 3) == (
        "DATABASE_URL of config group addon_db has another value",
        "config group addon_db is for web, was for all",
    )
    assert world.apps.changes(app, 4, 2) == (
        f"image of process type worker: {IMAGE} -> {OTHER_IMAGE}",
        *world.apps.changes(app, 3),
    )
    assert world.apps.changes(app, 2, 2) == ()
    with pytest.raises(CannotRelease, match="no release v9"):
        world.apps.changes(app, 4, 9)
