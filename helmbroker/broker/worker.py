"""Durable operations -> the steps of broker.operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from helmbroker.broker.domain.fleet import Orders
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import FLEET_RUN, TRIED, Kind, Schedule
from helmbroker.broker.domain.requests import UpdateRequest
from helmbroker.broker.domain.store_ports import Store, Transaction
from helmbroker.broker.operations import bind, deprovision, fleet, provision, purge, refresh, repair, unbind, update
from helmbroker.broker.operations.outages import outlasted, outlasting
from helmbroker.broker.operations.work import BindingWork, Tools, UpdateWork, Work
from helmbroker.broker.service import Accepted, Expiry
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.service.instances import InstanceUseCases
from helmbroker.broker.service.refresh import Refresh
from helmbroker.catalog.model import AddonFaults
from helmbroker.durable import Context, Failed, Handler, Operation, Step, run_steps

if TYPE_CHECKING:
    import sqlalchemy as sa


PERIODS_S: Mapping[str, float] = {Schedule.EXPIRY: 10.0, Schedule.RETENTION: 3600.0}
W = TypeVar("W", bound=Work)


class FencedStore(Store, Protocol):
    """A store that can also work in the transaction of an operation."""

    def on(self, conn: sa.Connection, *, decides: bool = False) -> Transaction: ...


def handlers(store: FencedStore, tools: Tools) -> dict[str, Handler]:
    """What runs each kind of operation."""

    def on_instance(steps: Sequence[Step[Work]], summary: Callable[[Work], str]) -> Handler:
        return lambda ctx: _run(ctx, steps, summary, _work(store, tools, ctx))

    def on_binding(steps: Sequence[Step[BindingWork]], summary: Callable[[BindingWork], str]) -> Handler:
        return lambda ctx: _run(ctx, steps, summary, _binding_work(store, tools, ctx))

    return {
        Kind.PROVISION: on_instance(provision.STEPS, provision.summary),
        Kind.UPDATE: lambda ctx: update.run(_update_work(store, tools, ctx)),
        Kind.DEPROVISION: on_instance(deprovision.STEPS, deprovision.summary),
        Kind.BIND: on_binding(bind.STEPS, bind.summary),
        Kind.UNBIND: on_binding(unbind.STEPS, unbind.summary),
        Kind.REPAIR: on_instance(repair.STEPS, repair.summary),
        Kind.PURGE: lambda ctx: _purge(ctx, _purge_work(store, tools, ctx)),
    }


def scheduled(expiry: Expiry, forget_old: Callable[[Callable[[], None]], Mapping[str, int]]) -> dict[str, Handler]:
    """What runs each schedule; what it returns is told until the next run."""

    def revoke(_ctx: Context) -> str:
        number = expiry.revoke_due()
        return f"{number} bindings have expired and are being revoked" if number else "nothing has expired"

    def forget(ctx: Context) -> str:
        deleted = ", ".join(f"{number} {name}" for name, number in forget_old(ctx.check).items())
        return f"deleted: {deleted or 'nothing'}"

    return {Schedule.EXPIRY: revoke, Schedule.RETENTION: forget}


def checked(check: DriftCheck) -> dict[str, Handler]:
    """What runs the schedule that compares records and cluster."""

    def look(_ctx: Context) -> str:
        number = len(check.check())
        return f"found {number}: run `helmbroker doctor`" if number else "records and cluster agree"

    return {Schedule.DRIFT: look}


def refreshed(catalog: Refresh) -> dict[str, Handler]:
    """What reads the catalog anew, by schedule and by command."""

    def look(ctx: Context) -> str:
        try:
            return catalog.run(check=ctx.check)
        except AddonFaults as error:
            raise Failed(f"The file of sources is wrong, so the catalog stays as it is: {error}") from None

    def asked(ctx: Context) -> str:
        work = refresh.RefreshWork(ctx, look)
        run_steps(ctx, refresh.STEPS, work)
        return refresh.summary(work)

    return {Schedule.CATALOG: look, Kind.REFRESH: asked}


def upgraded(store: FencedStore, look: Callable[[], object], instances: InstanceUseCases) -> dict[str, Handler]:
    """What runs over the fleet. `look`: for the catalog by which `instances` decide, at every claim."""

    def run(ctx: Context) -> str:
        look()
        work = fleet.FleetWork(ctx, _fenced(store, ctx, decides=True), partial(_upgrade, ctx.operation, instances))
        run_steps(ctx, fleet.STEPS, work)
        return fleet.summary(work)

    return {Kind.FLEET: run}


def _upgrade(run: Operation, instances: InstanceUseCases, tx: Transaction, instance_id: str) -> str | None:
    """An update as a platform may ask for it; None: there is nothing to do."""
    service_id, version = str(run.params["service_id"]), str(run.params["version"])
    request = UpdateRequest(instance_id, service_id, None, None, None, version, accepts_incomplete=True)
    answer = instances.update_in(tx, request, {TRIED: Orders.of(run.params).tried, FLEET_RUN: run.id})
    return answer.operation_id if isinstance(answer, Accepted) else None


def _purge(ctx: Context, work: purge.PurgeWork) -> str:
    run_steps(ctx, purge.STEPS, work)
    return purge.summary(work)


def _run(ctx: Context, steps: Sequence[Step[W]], summary: Callable[[W], str], work: W) -> str:
    run_steps(ctx, outlasting(steps), work)
    return summary(work)


def _work(store: FencedStore, tools: Tools, ctx: Context) -> Work:
    def read() -> InstanceRecord | None:
        with store.read() as records:
            return records.instance(str(ctx.operation.params["instance_id"]))

    record = outlasted(ctx, read)
    if record is None:
        raise Failed("There is no record of the service instance.")
    return Work(ctx, tools, record, _fenced(store, ctx))


def _update_work(store: FencedStore, tools: Tools, ctx: Context) -> UpdateWork:
    work = _work(store, tools, ctx)
    # in its last step, what is wanted comes into force
    wanted = replace(work.record, instance=work.record.wanted or work.record.instance)
    return UpdateWork(ctx, tools, wanted, work.transaction, before=work.record)


def _binding_work(store: FencedStore, tools: Tools, ctx: Context) -> BindingWork:
    instance_id, binding_id = (str(ctx.operation.params[name]) for name in ("instance_id", "binding_id"))

    def read() -> tuple[InstanceRecord | None, BindingRecord | None]:
        with store.read() as records:
            return records.instance(instance_id), records.binding(instance_id, binding_id)

    record, binding = outlasted(ctx, read)
    if record is None or binding is None:
        raise Failed("There is no record of the service binding.")
    return BindingWork(ctx, tools, record, _fenced(store, ctx), binding=binding)


def _purge_work(store: FencedStore, tools: Tools, ctx: Context) -> purge.PurgeWork:
    ref = ReleaseRef(str(ctx.operation.params["namespace"]), str(ctx.operation.params["release"]))
    with_data = bool(ctx.operation.params["with_data"])
    return purge.PurgeWork(ctx, tools, ref, with_data, _fenced(store, ctx))


def _fenced(
    store: FencedStore, ctx: Context, *, decides: bool = False
) -> Callable[[], AbstractContextManager[Transaction]]:
    @contextmanager
    def transaction() -> Iterator[Transaction]:
        with ctx.transaction() as conn:
            yield store.on(conn, decides=decides)

    return transaction
