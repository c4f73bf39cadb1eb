"""Durable operations -> the steps of broker.operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.ports import Store, Transaction
from helmbroker.broker.operations import bind, deprovision, provision, unbind
from helmbroker.broker.operations.work import BindingWork, Tools, Work
from helmbroker.durable import Context, Failed, Handler, run_steps

if TYPE_CHECKING:
    import sqlalchemy as sa


class FencedStore(Store, Protocol):
    """A store that can also work in the transaction of an operation."""

    def on(self, conn: sa.Connection) -> Transaction: ...


def handlers(store: FencedStore, tools: Tools) -> dict[str, Handler]:
    """What runs each kind of operation."""

    def on_instance(run: Callable[[Context, Work], None]) -> Handler:
        return lambda ctx: run(ctx, _work(store, tools, ctx))

    def on_binding(run: Callable[[Context, BindingWork], None]) -> Handler:
        return lambda ctx: run(ctx, _binding_work(store, tools, ctx))

    return {
        Kind.PROVISION: on_instance(lambda ctx, work: run_steps(ctx, provision.STEPS, work)),
        Kind.DEPROVISION: on_instance(lambda ctx, work: run_steps(ctx, deprovision.STEPS, work)),
        Kind.BIND: on_binding(lambda ctx, work: run_steps(ctx, bind.STEPS, work)),
        Kind.UNBIND: on_binding(lambda ctx, work: run_steps(ctx, unbind.STEPS, work)),
    }


def _work(store: FencedStore, tools: Tools, ctx: Context) -> Work:
    with store.read() as records:
        record = records.instance(str(ctx.operation.params["instance_id"]))
    if record is None:
        raise Failed("There is no record of the service instance.")
    return Work(ctx, tools, record, _fenced(store, ctx))


def _binding_work(store: FencedStore, tools: Tools, ctx: Context) -> BindingWork:
    instance_id, binding_id = (str(ctx.operation.params[name]) for name in ("instance_id", "binding_id"))
    with store.read() as records:
        record, binding = records.instance(instance_id), records.binding(instance_id, binding_id)
    if record is None or binding is None:
        raise Failed("There is no record of the service binding.")
    return BindingWork(ctx, tools, record, _fenced(store, ctx), binding=binding)


def _fenced(store: FencedStore, ctx: Context) -> Callable[[], AbstractContextManager[Transaction]]:
    @contextmanager
    def transaction() -> Iterator[Transaction]:
        with ctx.transaction() as conn:
            yield store.on(conn)

    return transaction
