"""The contract of the port AppReleases: on the fake, on both adapters in memory, and on real pods."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    Broken,
    CannotRelease,
    ConfigChange,
    Healthy,
    ReleaseState,
    Rolling,
)
from tests.cluster.shop import IMAGE, OTHER_IMAGE
from tests.contract.app_worlds import (
    CACHE,
    DATABASE,
    World,
    change,
    changed,
    newest,
    out,
    states,
    verdict,
    world_named,
)

ON_KUBERNETES = ("fake", "adapter", pytest.param("cluster", marks=pytest.mark.cluster))


@pytest.fixture(params=[*ON_KUBERNETES, "drycc"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with world_named(request.param) as found:
        yield found


@pytest.fixture(params=ON_KUBERNETES)
def kubernetes(request: pytest.FixtureRequest) -> Iterator[World]:
    """Where releases roll out beside each other and the bridge writes Secrets: with Drycc there is neither."""
    with world_named(request.param) as found:
        yield found


def test_an_app_that_is_not_there_is_told_in_every_way(world: World) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: change(world, "no-such-app", "k", addon_db=DATABASE),
        lambda: world.apps.rollback("no-such-app", 1, author="ann", key="k"),
        lambda: world.apps.recover("no-such-app", 1, reason="r", key="k"),
        lambda: world.apps.rollout("no-such-app", 1),
        lambda: world.apps.settle("no-such-app", 1),
        lambda: world.apps.releases("no-such-app"),
        lambda: world.apps.page("no-such-app", limit=1, offset=0),
        lambda: world.apps.release("no-such-app", 1),
        lambda: world.apps.releases("../kube-system"),
    ]
    for attempt in attempts:
        with pytest.raises(AppNotFound, match="app"):
            attempt()


def test_the_first_change_records_what_ran_before(world: World) -> None:
    app = world.new_app()
    number = changed(world, app, "bind-1", addon_db=DATABASE)
    after, before = world.apps.releases(app)[:2]
    assert (before.version, before.state, before.config) == (number - 1, ReleaseState.SUCCEEDED, {})
    assert before.images == {"web": world.told(IMAGE), "worker": world.told(IMAGE)}
    assert (after.version, after.state, after.config) == (
        number,
        ReleaseState.PENDING,
        {"addon_db": ("DATABASE_URL",)},
    )
    assert (after.images, after.author, after.summary) == (before.images, "ann", "summary of bind-1")
    assert (after.key, before.key) == ("bind-1", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", after.created)


def test_a_change_reaches_every_pod_and_is_settled(world: World) -> None:
    app = world.new_app()
    number = changed(world, app, "bind-1", addon_db=DATABASE)
    assert isinstance(world.apps.rollout(app, number), Rolling)
    assert verdict(world, app, number) == Healthy()
    assert world.environments(app) == [DATABASE] * 3
    world.apps.settle(app, number)
    world.apps.settle(app, number)
    assert newest(world, app).state is ReleaseState.SUCCEEDED
    assert world.apps.rollout(app, number) == Healthy()
    assert world.environments(app) == [DATABASE] * 3


def test_a_change_of_nothing_makes_no_release(world: World) -> None:
    app = world.new_app()
    assert change(world, app, "unbind-0", addon_db=None) is None
    number = out(world, app, "bind-1", addon_db=DATABASE)
    assert change(world, app, "bind-2", addon_db=dict(DATABASE)) is None
    assert newest(world, app).version == number


def test_a_repeated_change_is_the_same_release(world: World) -> None:
    app = world.new_app()
    first = changed(world, app, "bind-1", addon_db=DATABASE)
    assert changed(world, app, "bind-1", addon_db=DATABASE) == first
    assert verdict(world, app, first) == Healthy()
    world.apps.settle(app, first)
    second = changed(world, app, "bind-2", addon_cache=CACHE)
    assert changed(world, app, "bind-1", addon_db=DATABASE) == first
    assert newest(world, app).version == second


def test_groups_are_set_whole_and_removed_whole(world: World) -> None:
    app = world.new_app()
    out(world, app, "bind-1", addon_db={**DATABASE, "DATABASE_NAME": "shop"}, addon_cache=CACHE)
    out(world, app, "bind-2", addon_db=DATABASE)
    assert world.environments(app) == [{**DATABASE, **CACHE}] * 3
    out(world, app, "unbind-1", addon_db=None)
    assert world.environments(app) == [CACHE] * 3
    out(world, app, "unbind-2", addon_cache=None)
    assert world.environments(app) == [{}] * 3
    assert newest(world, app).config == {}


CANNOT_BE: tuple[dict[str, dict[str, str]], ...] = (
    {"addon_other": DATABASE},
    {"addon_other": {"lower": "1"}},
    {"addon_other": {"WITH-HYPHEN": "1"}},
    {"addon_other": {"1ST": "1"}},
    {"addon_other": {"NUL": "a\0b"}},
    {"addon_other": {"HUGE": "x" * 600_000}},
    {"Addon Other": {"FINE": "1"}},
)


def test_config_that_cannot_be_changes_nothing(world: World) -> None:
    app = world.new_app()
    number = changed(world, app, "bind-1", addon_db=DATABASE)
    for groups in CANNOT_BE:
        with pytest.raises(CannotRelease) as caught:
            change(world, app, "bind-2", **groups)
        assert "s3cr3t-pw" not in str(caught.value)
        with pytest.raises(CannotRelease) as checked:
            world.apps.check_config(app, ConfigChange(groups))
        assert str(checked.value) == str(caught.value)
    world.apps.check_config(app, ConfigChange({"addon_cache": CACHE}))
    assert newest(world, app).version == number


def test_a_broken_release_harms_nobody_and_the_app_returns(world: World) -> None:
    app = world.new_app()
    good = out(world, app, "bind-1", addon_db=DATABASE)
    bad = changed(world, app, "bind-2", addon_cache={**CACHE, "BREAK": "canary-break"})
    lost = verdict(world, app, bad)
    assert isinstance(lost, Broken)
    assert "process type w" in lost.reason
    assert "canary" not in lost.reason
    assert len([given for given in world.environments(app) if given == DATABASE]) == 3
    back = world.apps.recover(app, bad, reason=lost.reason, key="bind-2-back")
    assert back == bad + 1
    assert world.apps.recover(app, bad, reason=lost.reason, key="bind-2-back") == back
    assert verdict(world, app, back) == Healthy()
    world.apps.settle(app, back)
    assert world.environments(app) == [DATABASE] * 3
    assert {number: state for number, state in states(world, app).items() if number >= good - 1} == {
        good - 1: ReleaseState.SUCCEEDED,
        good: ReleaseState.SUCCEEDED,
        bad: ReleaseState.FAILED,
        back: ReleaseState.SUCCEEDED,
    }
    after, failed = world.apps.releases(app)[:2]
    assert failed.reason == lost.reason
    assert after.summary == f"returned to v{good} after v{bad} failed: {lost.reason}"
    assert after.config == {"addon_db": ("DATABASE_URL",)}
    assert world.apps.rollout(app, bad) == Broken(lost.reason)
    with pytest.raises(CannotRelease, match="failed"):
        world.apps.settle(app, bad)


def test_the_first_release_can_be_the_one_to_return_to(world: World) -> None:
    app = world.new_app()
    bad = changed(world, app, "bind-1", addon_db={"BREAK": "it"})
    assert isinstance(verdict(world, app, bad), Broken)
    with pytest.raises(CannotRelease, match=f"v{bad - 1}"):
        world.apps.recover(app, bad - 1, reason="no", key="back-1")
    back = world.apps.recover(app, bad, reason="it broke", key="back")
    assert verdict(world, app, back) == Healthy()
    assert world.environments(app) == [{}] * 3


def test_a_change_after_a_failure_starts_from_what_works(world: World) -> None:
    app = world.new_app()
    out(world, app, "bind-1", addon_db=DATABASE)
    bad = changed(world, app, "bind-2", addon_bad={"BREAK": "it"})
    world.apps.recover(app, bad, reason="it broke", key="back")
    number = out(world, app, "bind-3", addon_cache=CACHE)
    assert number == bad + 2
    assert world.environments(app) == [{**DATABASE, **CACHE}] * 3


def test_rollback_brings_config_and_build_back(world: World) -> None:
    app = world.new_app()
    first = out(world, app, "bind-1", addon_db=DATABASE)
    world.deploy(app, OTHER_IMAGE)
    out(world, app, "bind-2", addon_cache=CACHE)
    assert world.images(app) == {OTHER_IMAGE}
    number = world.apps.rollback(app, first, author="bob", key="rollback-1")
    assert world.apps.rollback(app, first, author="bob", key="rollback-1") == number
    assert verdict(world, app, number) == Healthy()
    world.apps.settle(app, number)
    assert world.environments(app) == [DATABASE] * 3
    assert world.images(app) == {IMAGE}
    release = newest(world, app)
    assert (release.version, release.author, release.summary) == (number, "bob", f"rolled back to v{first}")
    assert (release.config, release.images["web"]) == ({"addon_db": ("DATABASE_URL",)}, world.told(IMAGE))


def test_rollback_keeps_the_newest_credentials(world: World) -> None:
    """A rotation has revoked those that the app had then."""
    app, rotated = world.new_app(), {"DATABASE_URL": "postgres://u:rotated@db/app"}
    first = out(world, app, "bind-1", addon_db=DATABASE, own={"GREETING": "hello"})
    out(world, app, "bind-2", addon_cache=CACHE, own={"GREETING": "good morning"})
    out(world, app, "rotate-1", addon_db=rotated)
    number = world.apps.rollback(app, first, author="bob", key="rollback-1")
    assert verdict(world, app, number) == Healthy()
    world.apps.settle(app, number)
    assert world.environments(app) == [{**rotated, "GREETING": "hello"}] * 3


def test_rollback_refuses_what_did_not_work_or_is_not_there(world: World) -> None:
    app = world.new_app()
    good = out(world, app, "bind-1", addon_db=DATABASE)
    bad = changed(world, app, "bind-2", addon_bad={"BREAK": "it"})
    with pytest.raises(CannotRelease, match="pending"):
        world.apps.rollback(app, bad, author="bob", key="r1")
    back = world.apps.recover(app, bad, reason="it broke", key="back")
    assert verdict(world, app, back) == Healthy()
    world.apps.settle(app, back)
    with pytest.raises(CannotRelease, match=f"v{bad}.*failed.*it broke"):
        world.apps.rollback(app, bad, author="bob", key="r2")
    with pytest.raises(CannotRelease, match="v99"):
        world.apps.rollback(app, 99, author="bob", key="r3")
    with pytest.raises(CannotRelease, match=f"v{back}"):
        world.apps.rollback(app, back, author="bob", key="r4")
    assert newest(world, app).version == back
    assert world.apps.rollback(app, good, author="bob", key="r5") == back + 1


def test_a_release_within_a_newer_one_shares_its_rollout(world: World) -> None:
    app = world.new_app()
    first = changed(world, app, "bind-1", addon_db=DATABASE)
    second = changed(world, app, "bind-2", addon_cache=CACHE)
    assert verdict(world, app, first) == Healthy()
    assert world.environments(app) == [{**DATABASE, **CACHE}] * 3
    world.apps.settle(app, first)
    assert verdict(world, app, second) == Healthy()
    world.apps.settle(app, second)
    assert world.environments(app) == [{**DATABASE, **CACHE}] * 3
    assert {states(world, app)[number] for number in (first, second)} == {ReleaseState.SUCCEEDED}


def test_a_release_goes_down_with_a_newer_one_that_contains_it(kubernetes: World) -> None:
    world = kubernetes
    app = world.new_app()
    first = changed(world, app, "bind-1", addon_db=DATABASE)
    second = changed(world, app, "bind-2", addon_bad={"BREAK": "it"})
    back = world.apps.recover(app, second, reason="it broke", key="back-2")
    undone = world.apps.rollout(app, first)
    assert isinstance(undone, Broken)
    assert f"v{back}" in undone.reason
    assert world.apps.recover(app, first, reason=undone.reason, key="back-1") == back
    assert verdict(world, app, back) == Healthy()
    assert world.environments(app) == [{}] * 3
    assert states(world, app)[first] is ReleaseState.FAILED


def test_recovering_an_older_release_takes_what_contains_it_along(kubernetes: World) -> None:
    world = kubernetes
    app = world.new_app()
    first = changed(world, app, "bind-1", addon_bad={"BREAK": "it"})
    second = changed(world, app, "bind-2", addon_db=DATABASE)
    back = world.apps.recover(app, first, reason="it broke", key="back-1")
    assert back == second + 1
    assert isinstance(world.apps.rollout(app, second), Broken)
    assert world.apps.recover(app, second, reason="same", key="back-2") == back
    assert verdict(world, app, back) == Healthy()
    assert world.environments(app) == [{}] * 3


def test_a_build_deployed_by_others_is_recorded_and_kept(world: World) -> None:
    app = world.new_app()
    good = out(world, app, "bind-1", addon_db=DATABASE)
    world.deploy(app, OTHER_IMAGE)
    bad = changed(world, app, "bind-2", addon_bad={"BREAK": "it"})
    assert bad == good + 2
    found = world.apps.releases(app)[1]
    other = world.told(OTHER_IMAGE)
    assert (found.version, found.state, found.images["web"]) == (bad - 1, ReleaseState.SUCCEEDED, other)
    assert found.config == {"addon_db": ("DATABASE_URL",)}
    back = world.apps.recover(app, bad, reason="it broke", key="back")
    assert verdict(world, app, back) == Healthy()
    assert world.images(app) == {OTHER_IMAGE}
    assert world.environments(app) == [DATABASE] * 3


def test_releases_never_show_values(world: World) -> None:
    app = world.new_app()
    number = changed(world, app, "bind-1", addon_db=DATABASE, addon_cache=CACHE)
    shown = (
        repr(world.apps.releases(app)) + repr(world.apps.rollout(app, number)) + repr(ConfigChange({"a": CACHE}))
    )
    assert "CACHE_PASSWORD" in shown
    for value in (*DATABASE.values(), *CACHE.values(), "s3cr3t-pw"):
        assert value not in shown


def test_one_page_one_release_and_the_release_of_an_operation(world: World) -> None:
    app = world.new_app()
    first = out(world, app, "bind-1", addon_db=DATABASE)
    second = out(world, app, "bind-2", addon_cache=CACHE)
    everything = world.apps.releases(app)
    for limit, offset in ((1, 0), (2, 1), (100, 0), (5, 100)):
        page = world.apps.page(app, limit=limit, offset=offset)
        assert page == (len(everything), everything[offset : offset + limit])
    assert world.apps.release(app, first) == everything[1]
    assert world.apps.release(app, 99) is None
    assert [world.apps.of_key(app, key) for key in ("bind-1", "bind-2", "bind-3")] == [first, second, None]


def test_an_unknown_release_is_told(world: World) -> None:
    app = world.new_app()
    changed(world, app, "bind-1", addon_db=DATABASE)
    for attempt in (
        lambda: world.apps.rollout(app, 9),
        lambda: world.apps.settle(app, 9),
        lambda: world.apps.recover(app, 9, reason="r", key="k"),
    ):
        with pytest.raises(CannotRelease, match="no release v9"):
            attempt()


def test_a_secret_is_offered_changed_and_taken_away(kubernetes: World) -> None:
    world = kubernetes
    app = world.new_app()
    world.apps.offer(app, "db-binding", {"type": "postgresql", "uri": "a", "old": "x"})
    world.apps.offer(app, "db-binding", {"type": "postgresql", "uri": "b"})
    assert world.offered(app) == {"db-binding": {"type": "postgresql", "uri": "b"}}
    world.apps.offer(app, "db-binding", {"type": "mysql", "uri": "c"})
    assert world.offered(app) == {"db-binding": {"type": "mysql", "uri": "c"}}
    for _ in range(2):
        world.apps.offer(app, "db-binding", None)
        assert world.offered(app) == {}
    world.apps.offer("no-such-app", "db-binding", None)
    with pytest.raises(AppNotFound):
        world.apps.offer("no-such-app", "db-binding", {"type": "postgresql"})


def test_a_secret_of_others_is_left_alone(kubernetes: World) -> None:
    world = kubernetes
    app = world.new_app()
    world.add_secret(app, "db-binding")
    with pytest.raises(CannotRelease, match=f"Secret {app}/db-binding was not made by the bridge"):
        world.apps.offer(app, "db-binding", {"type": "postgresql"})
    world.apps.offer(app, "db-binding", None)
    with pytest.raises(CannotRelease, match="not made by the bridge"):
        world.apps.offer(app, "db-binding", {"type": "postgresql"})
