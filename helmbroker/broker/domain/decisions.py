"""OSB request + what is recorded -> what to do. Pure; the state matrix of the specification (1.13) as code."""

from __future__ import annotations

from dataclasses import dataclass

from helmbroker.broker.domain.errors import ConcurrencyError, Conflict, Gone, NotFound, NotUsable
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.requests import BindRequest, ProvisionRequest
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
    if record.phase is Phase.REMOVE_FAILED or not _same_instance(record, request):
        raise Conflict(f"A service instance with this id exists with other attributes ({record.phase}).")
    match record.phase:
        case Phase.MAKING:
            return Same(record.operation)
        case Phase.MAKE_FAILED:
            return Start()  # every step converges, so a fresh attempt may begin on what the failed one left
        case _:
            return Exists()


def deprovision(record: InstanceRecord | None) -> Decision:
    """OSB items 81-83, 86, 87: accepted in every state. Raises Gone."""
    if record is None or record.phase is Phase.GONE:
        raise Gone("There is no such service instance.")
    return Same(record.operation) if record.phase is Phase.REMOVING else Start()


def fetch_instance(record: InstanceRecord | None) -> InstanceRecord:
    """OSB items 59-62. Raises NotFound, ConcurrencyError."""
    if record is None or record.phase in (Phase.GONE, Phase.MAKING, Phase.MAKE_FAILED):
        raise NotFound("There is no such service instance, or it is not provisioned yet.")
    if record.phase is Phase.REMOVING:
        raise ConcurrencyError
    return record


def bindable(record: InstanceRecord | None) -> InstanceRecord:
    """The instance that a binding may be made on; one being provisioned counts: the bind waits its turn.

    OSB items 102, 107. Raises NotFound, ConcurrencyError, NotUsable.
    """
    if record is None or record.phase is Phase.GONE:
        raise NotFound("There is no such service instance.")
    if record.phase is Phase.REMOVING:
        raise ConcurrencyError
    if record.phase in (Phase.MAKE_FAILED, Phase.REMOVE_FAILED):
        raise NotUsable(f"The service instance cannot be bound ({record.phase}): {record.operation.description}")
    return record


def bind(record: BindingRecord | None, request: BindRequest) -> Decision:
    """OSB item 100. Raises Conflict, ConcurrencyError."""
    if record is None or record.phase is Phase.GONE:
        return Start()
    if record.phase is Phase.REMOVING:
        raise ConcurrencyError
    if record.phase is Phase.REMOVE_FAILED or not _same_binding(record, request):
        raise Conflict(f"A service binding with this id exists with other attributes ({record.phase}).")
    match record.phase:
        case Phase.MAKING:
            return Same(record.operation)
        case Phase.MAKE_FAILED:
            return Start()
        case _:
            return Exists()


def unbind(instance: InstanceRecord | None, record: BindingRecord | None) -> Decision:
    """OSB items 112, 113, 116. Raises Gone, ConcurrencyError."""
    if instance is None or instance.phase is Phase.GONE or record is None or record.phase is Phase.GONE:
        raise Gone("There is no such service binding.")
    if instance.phase is Phase.REMOVING:
        raise ConcurrencyError
    return Same(record.operation) if record.phase is Phase.REMOVING else Start()


def fetch_binding(instance: InstanceRecord | None, record: BindingRecord | None) -> BindingRecord:
    """OSB item 110. Raises NotFound."""
    if instance is None or instance.phase is Phase.GONE:
        raise NotFound("There is no such service binding.")
    if record is None or record.phase in (Phase.GONE, Phase.MAKING, Phase.MAKE_FAILED):
        raise NotFound("There is no such service binding, or it is not ready yet.")
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


def _same_binding(record: BindingRecord, request: BindRequest) -> bool:
    binding = record.binding
    return (binding.service_id, binding.plan_id, binding.app_guid, binding.parameters) == (
        request.service_id,
        request.plan_id,
        request.app_guid,
        request.parameters,
    )
