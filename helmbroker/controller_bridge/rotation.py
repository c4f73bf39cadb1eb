"""Rotations that are due: begun by the schedule, in one worker of all; carried out as if a user had asked."""

from __future__ import annotations

from helmbroker.controller_bridge.beginning import begin_revocation, tries_due
from helmbroker.controller_bridge.service import Service
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import Context, Handler


def rotate_due(service: Service, store: Store, at_once: int) -> Handler:
    """The handler of the schedule; it begins none that would make more than `at_once` rotations go on.

    What rotations have left at brokers is revoked once more as well: no app gets a release of that.
    """

    def run(_ctx: Context) -> str:
        begun, waiting = service.rotate_due(at_once)
        revoked = _revoke_left(store)
        told = [f"{begun} resources get new credentials"] if begun + waiting else []
        told += [f"{waiting} wait: {at_once} rotations go on at a time"] if waiting else []
        told += [f"the old ones of {revoked} resources are revoked once more"] if revoked else []
        return ", ".join(told) or "no credentials are due to be replaced"

    return run


def _revoke_left(store: Store) -> int:
    """Begin it where it is time to; of how many resources."""
    begun = 0
    with store.writing() as conn:
        now = store.now(conn)
        for resource in store.left(conn):
            last = store.queue.get(conn, str(resource.binding_operation))
            tries = None if last is None else tries_due(last, now)
            if tries is not None:
                begin_revocation(conn, store, resource, tries)
                begun += 1
    return begun
