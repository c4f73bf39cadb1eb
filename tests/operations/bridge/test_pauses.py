"""How often the platform side looks at work that others do."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.operations.work import Pace, Ports, Work, step
from helmbroker.controller_bridge.store import OPERATIONS
from helmbroker.durable import Done, Outcome, Wait
from tests.operations.bridge.world import APP, DB, SEALER, World

PACE = Pace(first_s=0.15, longest_s=5.0, share=0.05)


def claimed(world: World, *, age_s: float) -> Work:
    """A bind that was asked for so long ago, in the hands of a worker that has just taken it."""
    world.created()
    operation = world.service.bind(APP, DB, "alice").binding_operation
    c = OPERATIONS.c
    older = {"created_at": c.created_at - age_s, "deadline": c.deadline - age_s}
    with world.store.writing() as conn:
        conn.execute(sa.update(OPERATIONS).where(c.id == operation).values(older))
    ctx = world.hand.claim()
    assert ctx is not None
    return Work(ctx, Ports(world.store, world.brokers, world.apps, SEALER, PACE))


def ended(work: Work, outcome: Outcome) -> None:
    assert step("some step", lambda _work: outcome).run(work) == outcome


def test_what_has_just_begun_is_looked_at_soon(tmp_path: Path) -> None:
    assert claimed(World(tmp_path), age_s=0.0).pause_s == PACE.first_s


def test_pauses_grow_with_the_step_and_not_with_the_steps_before_it(tmp_path: Path) -> None:
    work = claimed(World(tmp_path), age_s=40.0)
    assert work.pause_s == pytest.approx(2.0, abs=0.1), "as nobody here knows when the step began"
    ended(work, Wait(0.0, "not yet"))
    assert work.pause_s == pytest.approx(2.0, abs=0.1)
    ended(work, Done())
    assert work.pause_s == PACE.first_s


def test_no_pause_is_longer_than_the_longest(tmp_path: Path) -> None:
    assert claimed(World(tmp_path), age_s=1000.0).pause_s == PACE.longest_s
