"""OSB request + what is recorded -> what to do, for instances. Pure; the state matrix (OSB 1.13) as code."""

from __future__ import annotations

from dataclasses import dataclass, replace

from helmbroker.broker.domain.errors import ConcurrencyError, Conflict, Gone, NotFound, NotUsable
from helmbroker.broker.domain.instance import InstanceRecord, ServiceInstance
from helmbroker.broker.domain.operation import Phase, aftermath
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


@dataclass(frozen=True)
class Note:
    """Only names of the context differ: record them, nothing else is to be done."""


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
        if record.phase is Phase.MAKE_FAILED:
            raise Conflict("An attempt to make it with other attributes has failed; delete it, then ask again.")
        raise Conflict("A service instance with this id exists with other attributes; choose another id.")
    match record.phase:
        case Phase.UPDATING:
            raise ConcurrencyError
        case Phase.MAKING:
            return Same(record.operation)
        case Phase.MAKE_FAILED:
            return Start()  # every step converges, so a fresh attempt may begin on what the failed one left
        case _:
            return Exists()


def updatable(record: InstanceRecord | None) -> InstanceRecord:
    """What can be updated, or is being updated (OSB item 78). Raises NotFound, ConcurrencyError, NotUsable."""
    known = living(record)
    if known is None:
        raise NotFound("There is no such service instance.")
    if known.phase in (Phase.MAKING, Phase.REMOVING):
        raise ConcurrencyError
    if known.phase in (Phase.MAKE_FAILED, Phase.REMOVE_FAILED):
        raise NotUsable(f"The service instance cannot be updated ({known.phase}): {known.operation.description}")
    return known


def update(record: InstanceRecord, wanted: ServiceInstance) -> Start | Same | Exists | Note:
    """OSB items 67, 69, 70, 73, 77; `wanted`: what it would lead to. Raises ConcurrencyError.

    An update that failed and could not be undone is repaired by any other one, also by one that changes nothing.
    """
    if record.phase is Phase.UPDATING:
        if wanted == (record.wanted or record.instance):  # its last step has made them one
            return Same(record.operation)
        raise ConcurrencyError
    if usable(record) and wanted == replace(record.instance, context=wanted.context):
        return Exists() if wanted == record.instance else Note()
    return Start()


def usable(record: InstanceRecord) -> bool:
    """Whether an instance is there to be bound; one that is busy counts: its bindings wait their turn."""
    left = aftermath(record.operation)
    return record.phase is not Phase.MAKE_FAILED and (left is None or left.usable)


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
    """OSB items 59-62, 77. Raises NotFound, ConcurrencyError."""
    if record is None or record.phase in (Phase.GONE, Phase.MAKING, Phase.MAKE_FAILED):
        raise NotFound("There is no such service instance, or it is not provisioned yet.")
    if record.phase in (Phase.REMOVING, Phase.UPDATING):
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
