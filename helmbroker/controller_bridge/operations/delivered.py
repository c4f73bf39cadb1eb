"""What a binding delivers, also at a broker that cannot be asked for it."""

from __future__ import annotations

from helmbroker.controller_bridge.broker_port import BindingRef, BrokerError, Caller, Credentials
from helmbroker.controller_bridge.operations.work import Work


def delivered(work: Work, ref: BindingRef, caller: Caller, *, predecessor: str | None = None) -> Credentials:
    """By GET; by the same PUT again where there is no GET. Raises BrokerError (that of GET), Unreachable."""
    try:
        return work.ports.broker.credentials(ref)
    except BrokerError:
        _, given = work.acting.broker.bind(ref, caller, predecessor=predecessor)
        if given is None:
            raise
        return given
