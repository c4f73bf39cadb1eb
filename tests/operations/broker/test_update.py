"""Updates that succeed, and what happens around them."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus, NotReady
from helmbroker.broker.domain.errors import ConcurrencyError
from helmbroker.broker.domain.operation import Phase
from helmbroker.catalog.formats import native
from helmbroker.catalog.model import Addon
from helmbroker.durable import State
from tests.fakes.cluster import CLAIM
from tests.operations.broker.world import ADDON, BINDING_RELEASE, RELEASE, World
from tests.operations.harness import Fault


def newer(folder: Path) -> Addon:
    """The next version of the addon, with other values in its plan."""
    shutil.copytree(ADDON.folder, folder)
    for name, old, new in (
        ("addon.yaml", "1.0.0", "2.0.0"),
        ("plans/small.yaml", "of the plan", "of the new plan"),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return native.load(folder)


@pytest.mark.osb(66, 72)
@pytest.mark.bug(14, 40, 41, 45)
def test_values_after_an_update_are_those_of_the_new_plan_and_nothing_else(world: World) -> None:
    world.succeed(world.provision(text="given", drop=""))
    world.succeed(world.update(plan="large", drop=None))
    values = world.cluster.releases[RELEASE].values
    assert values == {"default": "of the chart", "size": "9Gi", "cache": True, "text": "given"}
    world.succeed(world.update(plan="small", text=None))
    values = world.cluster.releases[RELEASE].values
    assert values == {"default": "of the chart", "size": "1Gi", "text": "of the plan"}
    assert world.instance().instance.parameters.reveal() == {}
    assert world.instance().phase is Phase.READY


@pytest.mark.osb(72)
@pytest.mark.bug(16, 41)
def test_the_revision_changes_by_an_upgrade_alone(world: World, tmp_path: Path) -> None:
    world.succeed(world.provision())
    world.offer(newer(tmp_path / "newer"))
    world.succeed(world.update(make=""))
    assert world.cluster.releases[RELEASE].values["text"] == "of the plan"
    end = world.succeed(world.update(version="2.0.0"))
    assert end.description == "ledger is updated"
    assert world.cluster.releases[RELEASE].values["text"] == "of the new plan"
    world.succeed(world.bind())
    world.succeed(world.deprovision())


@pytest.mark.bug(73)
def test_what_names_the_objects_is_over_plan_user_and_operator(world: World) -> None:
    """Drycc's charts are named by a value: two instances with the same one would be one."""
    world.tools = replace(world.tools, overrides={"ledger": {"text": "of the operator"}})
    world.service_again()
    world.succeed(world.provision(text="of the user"))
    assert world.cluster.releases[RELEASE].values["text"] == "of the operator"
    world.revisions.put(replace(ADDON, fullname_value="text"))
    world.succeed(world.update(text="changed"))
    assert world.cluster.releases[RELEASE].values["text"] == RELEASE.name


@pytest.mark.osb(76)
def test_what_is_recorded_is_never_sent_back(world: World) -> None:
    """Something unexpected happens when the record is written already."""
    world.succeed(world.provision())
    operation = world.update(text="changed")
    ctx = world.hand.claim()
    assert ctx is not None
    ctx.fault = ("commit", Fault.EXCEPTION)
    ctx.spare = 1  # the step's own save, inside its transaction
    world.hand.worker.perform(ctx)
    assert world.instance().instance.parameters.reveal() == {"text": "changed"}
    world.succeed(operation)
    assert world.cluster.releases[RELEASE].values["text"] == "changed"
    assert world.helm.verbs(RELEASE) == ["deploy", "deploy"]


@pytest.mark.osb(83)
@pytest.mark.bug(26, 27)
@pytest.mark.parametrize("status", [HelmStatus.PENDING_UPGRADE, HelmStatus.FAILED, HelmStatus.DEPLOYED])
def test_a_deletion_does_not_care_what_an_update_has_left(world: World, status: HelmStatus) -> None:
    world.succeed(world.provision())
    update = world.update(plan="keeper", text="changed")
    world.cluster.releases[RELEASE] = replace(world.cluster.releases[RELEASE], status=status)
    world.succeed(world.deprovision())
    assert world.hand.operation(update).state is State.CANCELLED
    assert (world.cluster.releases, world.cluster.all()) == ({}, [])


@pytest.mark.bug(54)
def test_a_release_that_became_somebody_elses_is_neither_changed_nor_rolled_back(world: World) -> None:
    world.succeed(world.provision())
    theirs = HelmRelease(RELEASE, 7, HelmStatus.DEPLOYED, {"team": "other"}, {})
    world.cluster.releases[RELEASE] = theirs
    assert "is not this broker's and is left alone" in world.fail(world.update(text="changed"))
    assert world.cluster.releases[RELEASE] == theirs
    assert world.helm.verbs(RELEASE) == ["deploy"]


@pytest.mark.parametrize("status", [None, HelmStatus.PENDING_INSTALL, HelmStatus.UNINSTALLING])
def test_volumes_are_never_touched_by_an_update(world: World, status: HelmStatus | None) -> None:
    """A release that somebody has half removed is not made anew: its data may still be there."""
    world.succeed(world.provision())
    if status is None:
        del world.cluster.releases[RELEASE]
    else:
        world.cluster.releases[RELEASE] = replace(world.cluster.releases[RELEASE], status=status)
    operation = world.update(text="changed")
    assert "gone from the cluster. Ask the operator." in world.fail(operation)
    assert world.cluster.thing(CLAIM, RELEASE.namespace, f"data-{RELEASE.name}-0") is not None
    assert world.helm.verbs(RELEASE) == ["deploy"]


@pytest.mark.osb(18, 69, 70)
@pytest.mark.bug(8)
@pytest.mark.parametrize("same", [True, False], ids=["the same", "each another"])
def test_of_many_updates_at_once_one_begins(either_world: World, same: bool) -> None:
    either_world.succeed(either_world.provision())

    def patch(number: int) -> str:
        try:
            return either_world.update(text="same" if same else str(number))
        except ConcurrencyError:
            return "busy"

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(patch, range(24)))
    (operation,) = set(answers) - {"busy"}
    assert answers.count(operation) == (24 if same else 1)
    either_world.succeed(operation)
    assert not either_world.hand.turn()


def test_bindings_stay_as_they_are(world: World) -> None:
    world.succeed(world.provision())
    world.succeed(world.bind())
    binding, record = world.cluster.releases[BINDING_RELEASE], world.binding()
    world.succeed(world.update(plan="large", text="changed"))
    assert (world.cluster.releases[BINDING_RELEASE], world.binding()) == (binding, record)


def test_binds_and_updates_wait_for_each_other(world: World) -> None:
    world.succeed(world.provision())
    first, update, second = world.bind(), world.update(text="changed"), world.bind("another")
    for operation in (first, update, second):
        world.succeed(operation)
    assert world.helm.verbs(RELEASE) == ["deploy", "deploy"]


@pytest.mark.bug(51, 86)
def test_secrets_of_before_and_after_are_not_told(world: World) -> None:
    world.succeed(world.provision(pin="0ld-c4n4ry"))
    operation = world.update(pin="n3w-c4n4ry")
    both = NotReady("pod x says 0ld-c4n4ry and n3w-c4n4ry", hopeless=True)
    world.cluster.states[RELEASE] = [both]
    for _ in range(12):
        world.hand.pass_time()
        if not world.hand.turn():
            break
        world.clock.now += 50
    end = world.hand.operation(operation)
    assert end.state is State.FAILED
    with world.store.engine.connect() as conn:
        rows = str(conn.execute(sa.text("SELECT description, params, results FROM operations")).all())
    assert "c4n4ry" not in rows
    assert "od x says <hidden> and <hidden>" in rows


def test_labels_of_a_release_name_the_operation_that_made_it(world: World) -> None:
    """How an attempt sees that the one before it had already done the work."""
    world.succeed(world.provision())
    operation = world.update(text="changed")
    world.succeed(operation)
    mark = naming.digest(operation, length=40)
    assert world.cluster.releases[RELEASE].labels[naming.LABEL_OPERATION] == mark
