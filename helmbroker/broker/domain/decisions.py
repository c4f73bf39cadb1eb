"""OSB request + what is recorded -> what to do, for instances. Pure; the state matrix (OSB 1.13) as code."""

from __future__ import annotations

from dataclasses import dataclass

from helmbroker.broker.domain.errors import ConcurrencyError, Conflict, Gone, NotFound
from helmbroker.broker.domain.instance import InstanceRecord
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.requests import ProvisionRequest
from helmbroker.durable import Operation


@dataclass(frozen=True)
class Start:
    """Begin a new operation."""


@dataclass(frozen=True)
class Same:
    """The same request is being worked on: answer with its operation."""

    operation: Operation


@dataclass(frozen=True)
class Exists:
    """What is asked for is there already."""


Decision = Start | Same | Exists


def provision(record: InstanceRecord | None, request: ProvisionRequest) -> Decision:
    """OSB items 46-49, 54, 55. Raises Conflict, ConcurrencyError."""
    if record is None or record.phase is Phase.GONE:
        return Start()
    if record.phase is Phase.REMOVING:
        raise ConcurrencyError
    if record.phase is Phase.REMOVE_FAILED:
        raise Conflict("The service instance with this id could not be removed; delete it again.")
    if not _same_instance(record, request):
        raise Conflict("A service instance with this id exists with other attributes; choose another id.")
    match record.phase:
        case Phase.MAKING:
            return Same(record.operation)
        case Phase.MAKE_FAILED:
            return Start()  # every step converges, so a fresh attempt may begin on what the failed one left
        case _:
            return Exists()


def living(record: InstanceRecord | None) -> InstanceRecord | None:
    """The instance, unless only its tombstone is left."""
    return None if record is None or record.phase is Phase.GONE else record


def repeats(record: InstanceRecord | None, request: ProvisionRequest) -> bool:
    """Whether exactly what is recorded is asked for: it was found valid then, whatever the catalog says now."""
    return record is not None and record.phase is not Phase.GONE and _same_instance(record, request)


def existing_instance(record: InstanceRecord | None) -> InstanceRecord:
    """What can be deprovisioned: an instance in whatever state (OSB items 81, 87). Raises Gone."""
    known = living(record)
    if known is None:
        raise Gone("There is no such service instance.")
    return known


def deprovision(record: InstanceRecord) -> Start | Same:
    """OSB items 82, 83, 86: accepted in every state."""
    return Same(record.operation) if record.phase is Phase.REMOVING else Start()


def fetch_instance(record: InstanceRecord | None) -> InstanceRecord:
    """OSB items 59-62. Raises NotFound, ConcurrencyError."""
    if record is None or record.phase in (Phase.GONE, Phase.MAKING, Phase.MAKE_FAILED):
        raise NotFound("There is no such service instance, or it is not provisioned yet.")
    if record.phase is Phase.REMOVING:
        raise ConcurrencyError
    return record


def _same_instance(record: InstanceRecord, request: ProvisionRequest) -> bool:
    """Item 48: these attributes, one by one; neither context nor maintenance_info."""
    instance = record.instance
    return (
        instance.service_id,
        instance.plan_id,
        instance.organization_guid,
        instance.space_guid,
        instance.parameters,
    ) == (
        request.service_id,
        request.plan_id,
        request.organization_guid,
        request.space_guid,
        request.parameters,
    )
