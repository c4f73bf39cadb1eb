"""OSB request + what is recorded -> what to do, for bindings. Pure; the state matrix (OSB 1.13) as code."""

from __future__ import annotations

from helmbroker.broker.domain.decisions import Decision, Exists, Same, Start, living
from helmbroker.broker.domain.errors import ConcurrencyError, Conflict, Gone, NotFound, NotUsable
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.requests import BindRequest


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
    if record.phase is Phase.REMOVE_FAILED:
        raise Conflict("The service binding with this id could not be removed; delete it again.")
    if not _same_binding(record, request):
        raise Conflict("A service binding with this id exists with other attributes; choose another id.")
    match record.phase:
        case Phase.MAKING:
            return Same(record.operation)
        case Phase.MAKE_FAILED:
            return Start()
        case _:
            return Exists()


def existing_binding(
    instance: InstanceRecord | None, record: BindingRecord | None
) -> tuple[InstanceRecord, BindingRecord]:
    """What can be unbound: a binding in whatever state (OSB items 112, 116). Raises Gone."""
    owner = living(instance)
    if owner is None or record is None or record.phase is Phase.GONE:
        raise Gone("There is no such service binding.")
    return owner, record


def unbind(instance: InstanceRecord, record: BindingRecord) -> Start | Same:
    """OSB items 112, 113; an instance that is being removed takes its bindings along. Raises ConcurrencyError."""
    if instance.phase is Phase.REMOVING:
        raise ConcurrencyError
    return Same(record.operation) if record.phase is Phase.REMOVING else Start()


def fetch_binding(
    instance: InstanceRecord | None, record: BindingRecord | None
) -> tuple[InstanceRecord, BindingRecord]:
    """OSB item 110; credentials that are just being revoked are not handed out (B23). Raises NotFound."""
    owner = living(instance)
    if owner is None or record is None or record.phase is Phase.GONE:
        raise NotFound("There is no such service binding.")
    if Phase.REMOVING in (owner.phase, record.phase):
        raise NotFound("The service binding is being removed.")
    if record.phase in (Phase.MAKING, Phase.MAKE_FAILED):
        raise NotFound(f"The service binding is not there yet ({record.phase}).")
    return owner, record


def _same_binding(record: BindingRecord, request: BindRequest) -> bool:
    binding = record.binding
    return (binding.service_id, binding.plan_id, binding.app_guid, binding.parameters) == (
        request.service_id,
        request.plan_id,
        request.app_guid,
        request.parameters,
    )
