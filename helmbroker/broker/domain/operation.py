"""Kinds of operations, and what they mean for the thing that they work on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from helmbroker.durable import Operation, State


class Kind(StrEnum):
    """The asynchronous pieces of work. The word is stored, and stands in operation ids."""

    PROVISION = "provision"
    UPDATE = "update"
    DEPROVISION = "deprovision"
    BIND = "bind"
    UNBIND = "unbind"
    # asked for by the operator: they are never the latest operation of an instance
    REPAIR = "repair"
    PURGE = "purge"
    REFRESH = "refresh"  # of the catalog
    FLEET = "fleet"  # updates of many instances, one after the other

    def new_id(self) -> str:
        """An id that tells its kind even when the row is long gone (OSB item 92)."""
        return f"{self}:{uuid.uuid4()}"


class Schedule(StrEnum):
    """What is done again and again, of no instance. The word is stored."""

    EXPIRY = "expiry"
    RETENTION = "retention"
    DRIFT = "drift"
    CATALOG = "catalog"


DELETIONS = frozenset({Kind.DEPROVISION, Kind.UNBIND})


def deletes(operation_id: str) -> bool:
    """Whether an operation id is that of a deletion."""
    return operation_id.partition(":")[0] in DELETIONS


class Phase(StrEnum):
    """Where an instance or a binding is in its life. Derived from its latest operation, never stored."""

    MAKING = "making"  # being provisioned or bound
    MAKE_FAILED = "make failed"
    READY = "ready"
    UPDATING = "updating"
    UPDATE_FAILED = "update failed"  # what was in force before is in force
    REMOVING = "removing"
    REMOVE_FAILED = "remove failed"
    GONE = "gone"


def phase(operation: Operation) -> Phase:
    """The phase that the latest operation of an instance or binding means."""
    return phase_of(operation.kind, operation.state)


def phase_of(kind: str, state: State) -> Phase:
    """The phase that an operation of this kind means in this state, if it is the latest one."""
    running, failed, succeeded = _PHASES[Kind(kind)]
    if not state.finished:
        return running
    return succeeded if state is State.SUCCEEDED else failed


_MADE = Phase.MAKING, Phase.MAKE_FAILED, Phase.READY
_REMOVED = Phase.REMOVING, Phase.REMOVE_FAILED, Phase.GONE
_PHASES = {
    Kind.PROVISION: _MADE,
    Kind.BIND: _MADE,
    Kind.UPDATE: (Phase.UPDATING, Phase.UPDATE_FAILED, Phase.READY),
    Kind.DEPROVISION: _REMOVED,
    Kind.UNBIND: _REMOVED,
}


# results of an update: from here on the Helm release may be changed; what was changed is looked after
BEGUN, SETTLED = "remember", "settle"


# results of an update that tries the contract: the new revision may be deployed; it was well before
ADMITTED, WELL_BEFORE = "check", "try before"
TRIED = "contract"  # parameter of an update: a client tries the instance before and after, as the contract says
FLEET_RUN = "fleet"  # parameter of an update: the run that has begun it


REDEPLOYED = "releases"  # parameter of a repair: names of the Helm releases that are to be deployed again


@dataclass(frozen=True)
class Aftermath:
    """What an operation that failed has left of an instance (OSB items 13, 77, 86)."""

    usable: bool
    repeatable: bool | None = None  # of an update alone: the same may be asked for again, with hope

    def plain(self) -> dict[str, bool | None]:
        """As it is stored."""
        return {"usable": self.usable, "repeatable": self.repeatable}


def aftermath(operation: Operation) -> Aftermath | None:
    """What a failed update or deprovision has left; None: it is no question, or not answered yet (OSB item 96)."""
    if operation.state not in (State.FAILED, State.CANCELLED):
        return None
    match Kind(operation.kind):
        case Kind.DEPROVISION:
            return Aftermath(usable=False)  # nothing can be bound to it
        case Kind.UPDATE if operation.state is State.CANCELLED:
            return Aftermath(usable=False, repeatable=False)  # it is being removed
        case Kind.UPDATE:
            settled = operation.results.get(SETTLED)
            if isinstance(settled, Mapping):
                return Aftermath(usable=bool(settled["usable"]), repeatable=bool(settled["repeatable"]))
            # its workers died again and again: nobody has looked after what they left
            return Aftermath(usable=BEGUN not in operation.results, repeatable=True)
        case _:
            return None
