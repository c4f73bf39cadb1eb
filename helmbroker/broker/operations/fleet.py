"""A run over the fleet: instances are upgraded, a few first, and then in waves. Each by an update of its own.

The run itself touches neither helm nor the cluster. It begins updates, each in one transaction with the note that
it has, looks how they end, and holds no thread meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from helmbroker.broker.domain import fleet
from helmbroker.broker.domain.errors import (
    ConcurrencyError,
    Gone,
    MaintenanceInfoConflict,
    NotFound,
    OsbError,
    Unavailable,
)
from helmbroker.broker.domain.fleet import Member, Orders, Outcome
from helmbroker.broker.domain.store_ports import Transaction
from helmbroker.durable import Context, Done, Fail, Step, Wait
from helmbroker.durable import Outcome as StepOutcome

AGAIN_S = 5.0  # so long that it gives its thread to the updates that it waits for


@dataclass
class FleetWork:
    """One claim of a run. `begin`: the update of an instance, in that transaction; None: it is there already.

    Raises OsbError as the platform would be told.
    """

    ctx: Context
    transaction: Callable[[], AbstractContextManager[Transaction]]
    begin: Callable[[Transaction, str], str | None]

    @property
    def orders(self) -> Orders:
        return Orders.of(self.ctx.operation.params)


def canary(work: FleetWork) -> StepOutcome:
    """So many have been upgraded well, or there are no more. One that fails ends the run."""
    members = _looked_at(work)
    if stopped := _stopped(members, stop=True):
        return stopped
    missing = work.orders.canary - sum(each.outcome is Outcome.UPGRADED for each in members)
    if missing <= 0:
        return Done()
    return _go_on(work, members, missing, "the first of them")


def waves(work: FleetWork) -> StepOutcome:
    """All others, so many at a time."""
    members = _looked_at(work)
    if stopped := _stopped(members, stop=work.orders.stop_on_failure):
        return stopped
    return _go_on(work, members, work.orders.wave, "the next wave")


def summary(work: FleetWork) -> str:
    """What the operator is told at the end."""
    return fleet.told(_members(work))


STEPS = (Step("canary", canary), Step("waves", waves))


def _looked_at(work: FleetWork) -> Sequence[Member]:
    """All of them, as they are now; what has ended is noted."""
    with work.transaction() as tx:
        members = []
        for known in tx.members(work.ctx.operation.id):
            seen = fleet.ended(known, tx.operation(known.operation_id)) if known.operation_id else known
            if seen != known:
                tx.note_member(work.ctx.operation.id, seen)
            members.append(seen)
    return members


def _stopped(members: Sequence[Member], *, stop: bool) -> StepOutcome | None:
    """When one has failed no other is begun; those that are under way go on."""
    failed = [each for each in members if each.outcome is Outcome.FAILED]
    if not failed or not stop:
        return None
    if any(each.under_way for each in members):
        return Wait(AGAIN_S, f"stopping, as an instance has failed: {fleet.told(members)}")
    first = failed[0]
    return Fail(
        f"Stopped: {fleet.told(members)}. Instance {first.instance_id}: {first.detail} "
        "Mend the cause, and resume the run."
    )


def _go_on(work: FleetWork, members: Sequence[Member], most: int, what: str) -> StepOutcome:
    waiting = [each for each in members if each.waits]
    if any(each.under_way for each in members):
        return Wait(AGAIN_S, fleet.told(members))
    if not waiting:
        return Done()
    begun: list[Member] = []
    for each in waiting:
        work.ctx.check()
        after = _begin(work, each)
        if isinstance(after, Fail):
            return after
        begun += [after] if after.under_way else []
        if after.outcome is Outcome.FAILED or len(begun) == most:
            break
    told = fleet.told(_members(work))
    return Wait(AGAIN_S, f"{what}: {told}" if begun else f"{told}; those that wait are being worked on by others")


def _begin(work: FleetWork, member: Member) -> Member | Fail:
    """How it stands then; its update and the note that it has begun in one transaction."""
    with work.transaction() as tx:
        try:
            operation_id = work.begin(tx, member.instance_id)
        except ConcurrencyError:
            return member  # somebody else works on it, and that ends
        except MaintenanceInfoConflict as error:
            return Fail(f"Stopped, as the catalog has changed: {error.description} Begin a new run.")
        except Unavailable:
            raise
        except OsbError as error:
            gone = isinstance(error, NotFound | Gone)
            after = Member(member.instance_id, None, Outcome.GONE if gone else Outcome.FAILED, error.description)
        else:
            after = Member(member.instance_id, operation_id, None if operation_id else Outcome.UPGRADED)
        tx.note_member(work.ctx.operation.id, after)
    return after


def _members(work: FleetWork) -> Sequence[Member]:
    with work.transaction() as tx:
        return tx.members(work.ctx.operation.id)
