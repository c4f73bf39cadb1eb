"""Chart upgrades of running instances, as operators ask for them; operations/fleet.py carries a run out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from helmbroker.broker.domain import fleet
from helmbroker.broker.domain.errors import BadRequest, Conflict, NotFound
from helmbroker.broker.domain.fleet import AGAIN, Asked, Candidate, Member, Orders, Run, Running, Target
from helmbroker.broker.domain.operation import Kind, Phase
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.domain.store_ports import Records, Store
from helmbroker.broker.service.offered import chosen
from helmbroker.broker.service.targets import newer
from helmbroker.catalog.model import Addon, Catalog

STOPPED = "stopped by an operator; updates that had begun go on, and the run can be resumed"
_MOST_RUNS = 100
_SPARE_S = 86400.0  # of a run, for those that are worked on by others
_TAKEN = frozenset({Phase.READY, Phase.UPDATING, Phase.UPDATE_FAILED})


class Fleet:
    """Begins runs, stops and resumes them, and tells how they stand. `whole`: the catalog with what is retired."""

    def __init__(self, store: Store, whole: Callable[[], Catalog], revisions: AddonRevisions) -> None:
        self._store, self._whole, self._revisions = store, whole, revisions

    def target(self, asked: Asked) -> Target:
        """Whom a run would be about, and whom not. Raises BadRequest, Unavailable."""
        addon, plans = chosen(self._whole(), asked.service, asked.plan)
        with self._store.read() as records:
            found = [self._candidate(addon, each) for each in records.running(addon.id)]
        named = {plan.id for plan in plans}
        ids = None if asked.plan is None else named
        candidates = [each for each, plan_id in filter(None, found) if ids is None or plan_id in ids]
        limits = {plan.name: float(plan.timeout_s) for plan in addon.plans}
        needed_s = sum(limits.get(each.plan, 0.0) for each in candidates if each.left_out is None)
        return Target(addon.id, addon.name, addon.version, candidates, _SPARE_S + needed_s)

    def begin(self, asked: Asked) -> Run:
        """A run over all that are older than the catalog. Raises BadRequest, Conflict, Unavailable."""
        target = self.target(asked)
        total = len(target.instance_ids)
        canary, wave = _size("canary", asked.canary, total), _size("wave", asked.wave, total)
        orders = Orders(canary, wave, asked.stop_on_failure, asked.tried)
        about = {"service_id": target.service_id, "version": target.version, **orders.plain()}
        subject = f"{Kind.FLEET}/{target.service_id}"
        with self._store.transaction() as tx:
            if subject in tx.busy():
                raise Conflict(f"A run over the instances of {target.service} goes on already; stop it first.")
            operation = tx.start_run(subject, about, target.instance_ids, timeout_s=target.timeout_s)
            return Run(operation, tx.members(operation.id))

    def resume(self, run_id: str | None = None) -> Run:
        """The rest of a run that has ended, and what has failed again. Raises NotFound, Conflict, Unavailable."""
        with self._store.transaction() as tx:
            run = _run(tx, run_id)
            before = run.operation
            if not before.state.finished:
                raise Conflict(f"The run {before.id} goes on; there is nothing to resume.")
            addon = self._whole().addon(str(before.params["service_id"]))
            if addon is None or addon.version != before.params["version"]:
                raise Conflict(
                    f"The catalog has another version than {before.params['version']}, to which this run led. "
                    "Begin a new run."
                )
            if not any(each.waits or each.under_way or each.outcome in AGAIN for each in run.members):
                raise Conflict(f"Nothing is left to do for the run {before.id}.")
            if before.subject in tx.busy():
                raise Conflict(f"Another run over the instances of {addon.name} goes on already; stop it first.")
            timeout_s = before.deadline - before.created_at
            params = {**before.params, "resumes": before.id}
            operation = tx.start_run(before.subject, params, (), timeout_s=timeout_s)
            tx.move_members(before.id, operation.id)
            for each in run.members:
                tx.note_member(operation.id, Member(each.instance_id) if each.outcome in AGAIN else each)
            return Run(operation, tx.members(operation.id))

    def stop(self, run_id: str | None = None) -> Run:
        """No other update is begun. Raises NotFound, Conflict, Unavailable."""
        with self._store.transaction() as tx:
            run = _run(tx, run_id)
            if not tx.stop(run.operation.id, STOPPED):
                raise Conflict(f"The run {run.operation.id} has ended already ({run.operation.state}).")
            return replace(run, operation=tx.operation(run.operation.id) or run.operation)

    def run(self, run_id: str | None = None) -> Run:
        """How it stands; None: the newest. Raises NotFound, Unavailable."""
        with self._store.read() as records:
            return _run(records, run_id)

    def runs(self) -> list[Run]:
        """The newest first, a hundred at most. Raises Unavailable."""
        with self._store.read() as records:
            return [_run(records, each.id) for each in records.runs(_MOST_RUNS)]

    def _candidate(self, addon: Addon, each: Running) -> tuple[Candidate, str] | None:
        """None: it runs what the catalog has, or what is newer."""
        pinned = self._revisions.addon(each.addon_digest)
        if not newer(addon, pinned):
            return None
        plan = addon.plan(each.plan_id)
        left_out = None
        if plan is None:
            left_out = "its plan is not in the catalog any more"
        elif each.phase not in _TAKEN:
            left_out = f"it cannot be updated ({each.phase})"
        known = plan or pinned.plan(each.plan_id)
        name = each.plan_id if known is None else known.name
        return Candidate(each.instance_id, name, pinned.version, each.phase, left_out), each.plan_id


def _run(records: Records, run_id: str | None) -> Run:
    if run_id is None:
        found = records.runs(1)
        operation = found[0] if found else None
    else:
        operation = records.operation(run_id)
    if operation is None or operation.kind != Kind.FLEET:
        raise NotFound("There is no such run; those that ended long ago are forgotten.")
    members = [
        fleet.ended(each, records.operation(each.operation_id)) if each.under_way and each.operation_id else each
        for each in records.members(operation.id)
    ]
    return Run(operation, members)


def _size(name: str, text: str, total: int) -> int:
    found = fleet.size(text, total)
    if found is None:
        raise BadRequest(f"{name} must be a number of instances from 1, or from 1% to 100%; it is {text!r}.")
    return found
