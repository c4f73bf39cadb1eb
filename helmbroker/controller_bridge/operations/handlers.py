"""The table of operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from helmbroker.controller_bridge.model import Kind
from helmbroker.controller_bridge.operations.bind import bind
from helmbroker.controller_bridge.operations.create import create
from helmbroker.controller_bridge.operations.destroy import destroy
from helmbroker.controller_bridge.operations.reinject import reinject
from helmbroker.controller_bridge.operations.release import release
from helmbroker.controller_bridge.operations.rollback import rollback
from helmbroker.controller_bridge.operations.rotate import revoke, rotate, rotate_now
from helmbroker.controller_bridge.operations.rotate_admin import rotate_admin
from helmbroker.controller_bridge.operations.unbind import unbind
from helmbroker.controller_bridge.operations.update import update
from helmbroker.controller_bridge.operations.work import Ports
from helmbroker.durable import Context, Handler

_KINDS: Mapping[Kind, Callable[[Context, Ports], str]] = {
    Kind.CREATE: create,
    Kind.UPDATE: update,
    Kind.BIND: bind,
    Kind.UNBIND: unbind,
    Kind.DESTROY: destroy,
    Kind.ROLLBACK: rollback,
    Kind.REINJECT: reinject,
    Kind.RELEASE: release,
    Kind.ROTATE: rotate,
    Kind.ROTATE_ADMIN: rotate_admin,
    Kind.ROTATE_NOW: rotate_now,
    Kind.REVOKE: revoke,
}


def handlers(ports: Ports) -> dict[str, Handler]:
    """Handlers by kind, for a `durable.Worker`."""

    def with_ports(run: Callable[[Context, Ports], str]) -> Handler:
        return lambda ctx: run(ctx, ports)

    return {kind: with_ports(run) for kind, run in _KINDS.items()}
