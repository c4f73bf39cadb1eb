"""Runs over the fleet: who is upgraded and when, what stops a run, and what becomes of whom the upgrade hurts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import BadRequest, Conflict, NotFound
from helmbroker.broker.domain.fleet import Asked
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.requests import UpdateRequest
from helmbroker.broker.service import Accepted
from helmbroker.durable import State
from tests.operations.broker.fleet import Harbour, client, release
from tests.operations.broker.test_update import newer
from tests.operations.broker.world import ADDON, World
from tests.operations.harness import Case, assert_same_end

IDS = ("a", "b", "c", "d", "e")
Make = Callable[..., Harbour]


@pytest.fixture
def make(either_world: World, tmp_path: Path) -> Make:
    return lambda *ids: Harbour(either_world, ids or IDS, newer(tmp_path / "newer"))


def test_all_are_upgraded_a_few_first_and_then_in_waves(make: Make) -> None:
    harbour = make()
    run_id = harbour.begin(wave="2")
    most = seen = 0
    while not harbour.world.hand.operation(run_id).state.finished:
        assert harbour.turn()
        states = list(harbour.outcomes().values())
        most = max(most, states.count("under way"))
        if states.count("upgraded") == 0:
            seen = max(seen, states.count("under way"))
    assert (seen, most) == (1, 2)
    run = harbour.fleet.run(run_id)
    assert (run.operation.state, run.operation.description) == (State.SUCCEEDED, "5 upgraded")
    assert harbour.versions(*IDS) == ["2.0.0"] * 5
    assert harbour.left() == []
    assert harbour.world.cluster.releases[release("a")].values["text"] == "of the new plan"


def test_each_is_an_update_as_a_platform_asks_for_it(make: Make) -> None:
    """Of the same kind, and the latest operation of its instance; the audit says who had begun it."""
    harbour = make("a")
    run = harbour.run(harbour.begin())
    with harbour.world.store.read() as records:
        record = records.instance("a")
    assert record is not None
    assert (record.operation.kind, record.operation.id) == ("update", run.members[0].operation_id)
    told = [each.event for each in harbour.world.store.entries(instance_id="a")]
    (begun,) = [each for each in told if (each.action, each.outcome) == ("update", "accepted")]
    assert begun.detail["fleet"] == run.operation.id
    assert begun.detail["changed"] == ["addon_digest"]


def test_a_client_tries_before_and_after_with_the_same_credentials(make: Make) -> None:
    harbour = make("a")
    harbour.run(harbour.begin())
    calls = [(call.verb, call.ref.name.removeprefix(release("a").name)[17:]) for call in harbour.world.helm.calls]
    told = [verb for verb, tail in calls if tail == "-client" and verb != "render"]
    assert told == ["deploy", "uninstall", "deploy", "uninstall"]


def test_only_what_touches_nobodys_data_is_run(make: Make) -> None:
    """The steps write and read of a contract are for empty instances."""
    harbour = make("a")
    given = []
    releases = harbour.world.cluster.releases
    harbour.world.helm.after = lambda call: given.append((call, releases.get(call.ref)))
    harbour.run(harbour.begin())
    values = [made.values for call, made in given if call.ref == client("a") and call.verb == "deploy" and made]
    assert [each["steps"] for each in values] == [["\ntrue", "\ntrue"]] * 2
    assert [sorted(each) for each in values] == [["credentials", "default", "image", "steps"]] * 2
    assert values[0]["credentials"] == values[1]["credentials"]


def test_without_trying_only_readiness_counts(make: Make) -> None:
    harbour = make("a")
    harbour.refuse("a")
    harbour.run(harbour.begin(tried=False))
    assert harbour.outcomes() == {"a": "upgraded"}


def test_a_canary_that_fails_goes_back_and_ends_the_run(make: Make) -> None:
    """Also without --stop-on-failure: that is what it is for."""
    harbour = make()
    before = harbour.world.cluster.releases[release("a")]
    harbour.refuse("a", newer_alone=True)
    run = harbour.run(harbour.begin())
    assert harbour.outcomes() == {"a": "failed"} | dict.fromkeys("bcde", "waiting")
    assert run.operation.state is State.FAILED
    assert run.operation.description == (
        "Stopped: 1 failed, 4 waiting. Instance a: A client of ours could not use the service instance after the "
        "upgrade: A Job of the chart failed: psql: no such host. Mend the cause, and try again. The instance runs "
        "again what it ran before. Mend the cause, and resume the run."
    )
    after = harbour.world.cluster.releases[release("a")]
    assert after.values == before.values
    assert harbour.versions(*IDS) == ["1.0.0"] * 5
    assert harbour.left() == []


def test_who_was_not_well_before_is_left_as_it_is_and_the_next_one_is_tried(make: Make) -> None:
    harbour = make()
    revision = harbour.world.cluster.releases[release("a")].revision
    harbour.refuse("a")
    run = harbour.run(harbour.begin())
    assert harbour.outcomes() == {"a": "skipped"} | dict.fromkeys("bcde", "upgraded")
    assert run.operation.description == "4 upgraded, 1 skipped"
    assert run.members[0].detail.endswith("Nothing was changed.")
    assert harbour.world.cluster.releases[release("a")].revision == revision
    assert harbour.left() == []


@pytest.mark.parametrize(("stop", "waiting"), [(True, 1), (False, 0)])
def test_a_failure_in_a_wave_stops_the_run_if_that_is_asked_for(make: Make, stop: bool, waiting: int) -> None:
    """Those of the same wave end by themselves."""
    harbour = make()
    harbour.refuse("b", newer_alone=True)
    run = harbour.run(harbour.begin(wave="3", stop=stop))
    states = list(harbour.outcomes().values())
    assert (states.count("failed"), states.count("waiting")) == (1, waiting)
    assert states.count("upgraded") == 4 - waiting
    assert run.operation.state is (State.FAILED if stop else State.SUCCEEDED)


def test_a_run_that_was_stopped_by_a_failure_is_resumed(make: Make) -> None:
    harbour = make()
    harbour.refuse("b", newer_alone=True)
    first = harbour.begin(wave="2", stop=True)
    harbour.run(first)
    harbour.world.helm.before = None
    resumed = harbour.fleet.resume()
    assert resumed.operation.params["resumes"] == first
    assert harbour.outcomes()["b"] == "waiting"
    run = harbour.run(resumed.operation.id)
    assert (run.operation.state, run.operation.description) == (State.SUCCEEDED, "5 upgraded")
    assert [each.instance_id for each in run.members] == list(IDS)
    with pytest.raises(Conflict, match="Nothing is left to do"):
        harbour.fleet.resume()


def test_a_run_is_stopped_and_resumed(make: Make) -> None:
    """What is under way ends by itself, and the run knows of it."""
    harbour = make()
    run_id = harbour.begin()
    assert harbour.turn()
    assert harbour.outcomes()["a"] == "under way"
    stopped = harbour.fleet.stop()
    assert stopped.operation.state is State.CANCELLED
    assert stopped.operation.description.startswith("stopped by an operator; ")
    while harbour.turn():
        """Whatever is due."""
    assert harbour.outcomes(run_id) == {"a": "upgraded"} | dict.fromkeys("bcde", "waiting")
    harbour.run(harbour.fleet.resume().operation.id)
    assert set(harbour.outcomes().values()) == {"upgraded"}
    with pytest.raises(Conflict, match="has ended already"):
        harbour.fleet.stop()


def test_who_is_deleted_meanwhile_is_gone(make: Make) -> None:
    """One before its turn, one in the middle of it: the deletion stops the update, and nothing is left."""
    harbour = make("a", "b", "c")
    run_id = harbour.begin(wave="1")
    while harbour.outcomes()["b"] != "under way":
        assert harbour.turn()
    deletions = [harbour.deprovision("b"), harbour.deprovision("c")]
    run = harbour.run(run_id)
    assert [harbour.world.run(each).state for each in deletions] == [State.SUCCEEDED] * 2
    assert harbour.outcomes() == {"a": "upgraded", "b": "gone", "c": "gone"}
    assert run.operation.state is State.SUCCEEDED
    assert set(harbour.world.cluster.releases) == {release("a")}


def test_a_deletion_in_the_middle_of_a_try_leaves_nothing(make: Make) -> None:
    harbour = make("a")
    harbour.begin()
    deletions: list[str] = []

    def delete(call: object) -> None:
        if getattr(call, "ref", None) == client("a") and not deletions:
            deletions.append(harbour.deprovision("a"))

    harbour.world.helm.after = delete
    while not deletions:
        assert harbour.turn()
    harbour.world.helm.after = None
    harbour.world.succeed(deletions[0])
    cluster = harbour.world.cluster
    assert (cluster.all(), cluster.releases, cluster.kept) == ([], {}, {})


def test_who_is_worked_on_is_waited_for(make: Make) -> None:
    harbour = make("a", "b")
    request = UpdateRequest("a", ADDON.id, None, Parameters({"text": "changed"}), None, None, True)
    answer = harbour.world.service.update(request)
    assert isinstance(answer, Accepted)
    busy = harbour.world.hand.claim()
    assert busy is not None
    run_id = harbour.begin(wave="100%")
    assert harbour.world.hand.turn()
    assert harbour.outcomes() == {"a": "waiting", "b": "under way"}
    harbour.world.hand.worker.perform(busy)
    harbour.run(run_id)
    assert set(harbour.outcomes().values()) == {"upgraded"}


def test_a_catalog_that_changes_meanwhile_ends_the_run(make: Make, tmp_path: Path) -> None:
    harbour = make()
    run_id = harbour.begin()
    harbour.offer(replace(harbour.newer, version="3.0.0", digest="3" * 64))
    run = harbour.run(run_id)
    assert run.operation.state is State.FAILED
    assert run.operation.description.startswith("Stopped, as the catalog has changed: maintenance_info.version of")
    with pytest.raises(Conflict, match=r"another version than 2\.0\.0"):
        harbour.fleet.resume(run_id)


def test_parameters_that_the_new_version_refuses_are_told_at_the_first_instance(make: Make) -> None:
    harbour = make("a", "b")
    strict = replace(
        harbour.newer,
        plans=tuple(
            replace(plan, parameters=replace(plan.parameters, create={"type": "object", "required": ["size"]}))
            for plan in harbour.newer.plans
        ),
    )
    harbour.offer(strict)
    run = harbour.run(harbour.begin())
    assert harbour.outcomes() == {"a": "failed", "b": "waiting"}
    assert "size" in run.members[0].detail


def test_who_is_meant(make: Make) -> None:
    harbour = make("a", "b")
    world = harbour.world
    harbour.fleet.begin(Asked("ledger", "small"))
    with pytest.raises(Conflict, match="goes on already"):
        harbour.fleet.begin(Asked("ledger", None))
    target = harbour.fleet.target(Asked(None, "small"))
    assert [(each.instance_id, each.plan, each.version) for each in target.candidates] == [
        ("a", "small", "1.0.0"),
        ("b", "small", "1.0.0"),
    ]
    assert harbour.fleet.target(Asked("ledger", "large")).candidates == []
    world.succeed(harbour.deprovision("a"))
    assert harbour.fleet.target(Asked("ledger", None)).instance_ids == ["b"]
    gone = replace(harbour.newer, plans=tuple(p for p in harbour.newer.plans if p.name != "small"))
    harbour.offer(gone)
    (left,) = harbour.fleet.target(Asked("ledger", None)).candidates
    assert left.left_out == "its plan is not in the catalog any more"


def test_who_cannot_be_updated_is_left_out(make: Make) -> None:
    harbour = make("a")
    harbour.world.cluster.releases[release("a")] = replace(harbour.world.cluster.releases[release("a")], labels={})
    harbour.deprovision("a")
    (left,) = harbour.fleet.target(Asked("ledger", None)).candidates
    assert (left.phase, left.left_out) == (Phase.REMOVING, "it cannot be updated (removing)")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Asked(None, None), "Name a service, or a plan"),
        (Asked("unknown", None), "There is no service unknown in the catalog; there are ledger"),
        (Asked("ledger", "huge"), "There is no plan huge of ledger"),
        (Asked("ledger", None, wave="0"), "wave must be a number of instances from 1"),
        (Asked("ledger", None, canary="101%"), "canary must be"),
        (Asked("ledger", None, canary="-1"), "canary must be"),
    ],
)
def test_what_cannot_be_meant(make: Make, asked: Asked, says: str) -> None:
    with pytest.raises(BadRequest) as found:
        make("a").fleet.begin(asked)
    assert found.value.description.startswith(says)


def test_there_is_no_run_at_first(make: Make) -> None:
    harbour = make("a")
    with pytest.raises(NotFound):
        harbour.fleet.run()
    assert harbour.fleet.runs() == []
    with pytest.raises(NotFound):
        harbour.fleet.run("update:1")


def test_nothing_to_upgrade_is_done_at_once(make: Make) -> None:
    harbour = make("a")
    harbour.run(harbour.begin())
    run = harbour.run(harbour.begin())
    assert (run.operation.description, run.members) == ("nothing to upgrade", [])


def test_a_run_may_be_disturbed_at_every_step(either_world: World, tmp_path: Path) -> None:
    """Each round with other instances, in the same world: all that is of those before is upgraded already."""
    harbour = Harbour(either_world, (), newer(tmp_path / "newer"))
    rounds = iter(range(100))

    def case() -> Case:
        harbour.clear()
        ids = [f"{each}{next(rounds)}" for each in ("a", "b", "c")]
        for each in ids:
            harbour.provision(each)
        harbour.offer(harbour.newer)
        run_id = harbour.begin(wave="2")
        return Case(
            harbour.world.hand, run_id, lambda: (sorted(harbour.outcomes(run_id).values()), harbour.versions(*ids))
        )

    assert_same_end(case)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
def test_an_update_that_is_tried_may_be_disturbed_at_every_step(
    either_world: World, tmp_path: Path, state: State
) -> None:
    """There, and back."""
    harbour = Harbour(either_world, (), newer(tmp_path / "newer"))
    ids = [f"i{number}" for number in range(200)]
    rounds = iter(ids)
    if state is State.FAILED:
        harbour.refuse(*ids, newer_alone=True)

    def case() -> Case:
        harbour.clear()
        instance_id = next(rounds)
        harbour.provision(instance_id)
        harbour.offer(harbour.newer)
        run_id = harbour.begin()
        assert harbour.turn()
        (member,) = harbour.fleet.run(run_id).members
        assert member.operation_id is not None
        harbour.fleet.stop(run_id)
        return Case(
            harbour.world.hand, member.operation_id, lambda: (harbour.versions(instance_id), harbour.left())
        )

    assert_same_end(case, state)
