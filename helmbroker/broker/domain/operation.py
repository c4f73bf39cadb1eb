"""Kinds of operations, and what they mean for the thing that they work on."""

from __future__ import annotations

import uuid
from enum import StrEnum

from helmbroker.durable import Operation, State


class Kind(StrEnum):
    """The asynchronous pieces of work. The word is stored, and stands in operation ids."""

    PROVISION = "provision"
    DEPROVISION = "deprovision"
    BIND = "bind"
    UNBIND = "unbind"

    def new_id(self) -> str:
        """An id that tells its kind even when the row is long gone (OSB item 92)."""
        return f"{self}:{uuid.uuid4()}"


DELETIONS = frozenset({Kind.DEPROVISION, Kind.UNBIND})


def deletes(operation_id: str) -> bool:
    """Whether an operation id is that of a deletion."""
    return operation_id.partition(":")[0] in DELETIONS


class Phase(StrEnum):
    """Where an instance or a binding is in its life. Derived from its latest operation, never stored."""

    MAKING = "making"  # being provisioned or bound
    MAKE_FAILED = "make failed"
    READY = "ready"
    REMOVING = "removing"
    REMOVE_FAILED = "remove failed"
    GONE = "gone"


def phase(operation: Operation) -> Phase:
    """The phase that the latest operation of an instance or binding means."""
    removing = Kind(operation.kind) in DELETIONS
    if not operation.state.finished:
        return Phase.REMOVING if removing else Phase.MAKING
    if operation.state is State.SUCCEEDED:
        return Phase.GONE if removing else Phase.READY
    return Phase.REMOVE_FAILED if removing else Phase.MAKE_FAILED
