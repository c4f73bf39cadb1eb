"""OSB request + what is recorded -> what to do, for bindings. Pure; the state matrix (OSB 1.13) as code."""

from __future__ import annotations

from helmbroker.broker.domain.decisions import Decision, Exists, Same, Start, living, usable
from helmbroker.broker.domain.errors import BadRequest, ConcurrencyError, Conflict, Gone, NotFound, NotUsable
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.requests import BindRequest, RotateRequest


def bindable(record: InstanceRecord | None) -> InstanceRecord:
    """The instance that a binding may be made on; a busy one counts: the bind waits its turn.

    OSB items 102, 107. Raises NotFound, ConcurrencyError, NotUsable.
    """
    if record is None or record.phase is Phase.GONE:
        raise NotFound("There is no such service instance.")
    if record.phase is Phase.REMOVING:
        raise ConcurrencyError
    if not usable(record):
        raise NotUsable(f"The service instance cannot be bound ({record.phase}): {record.operation.description}")
    return record


def predecessor(
    request: RotateRequest, existing: BindingRecord | None, old: BindingRecord | None
) -> ServiceBinding:
    """The binding that says what a rotation leaves out: the old one, or of a repeat what the first one had made.

    Raises BadRequest for an old one that is not there, or whose credentials are not valid (OSB item 108).
    """
    made = existing is not None and existing.phase in (Phase.MAKING, Phase.READY) and not existing.expired
    if existing is not None and made and existing.binding.predecessor_id == request.predecessor_id:
        return existing.binding  # the old one may be gone by now
    if old is None or old.phase is Phase.GONE:
        raise BadRequest("predecessor_binding_id is not that of a binding of this service instance.")
    if old.expired:
        raise BadRequest("The binding that predecessor_binding_id names has expired; bind anew, without it.")
    if old.phase is not Phase.READY:
        raise BadRequest(f"The binding that predecessor_binding_id names cannot be rotated ({old.phase}).")
    return old.binding


def rotate(request: RotateRequest, old: ServiceBinding, instance: InstanceRecord) -> BindRequest:
    """What is asked for, whole (OSB item 108). Raises BadRequest when it contradicts the predecessor.

    The plan may be given as the predecessor has it, or as the instance has it since an update.
    """
    if request.service_id not in (None, old.service_id):
        raise BadRequest("service_id is not that of the binding that predecessor_binding_id names.")
    if request.plan_id not in (None, old.plan_id, instance.instance.plan_id):
        raise BadRequest("plan_id is neither that of the predecessor nor that of the service instance.")
    return BindRequest(
        instance_id=request.instance_id,
        binding_id=request.binding_id,
        service_id=old.service_id,
        plan_id=request.plan_id or old.plan_id,
        app_guid=request.app_guid or old.app_guid,
        parameters=old.parameters if request.parameters is None else request.parameters,
        context=old.context if request.context is None else request.context,
        accepts_incomplete=request.accepts_incomplete,
        predecessor_id=request.predecessor_id,
    )


def bind(record: BindingRecord | None, request: BindRequest) -> Decision:
    """OSB items 100, 109. Raises Conflict, ConcurrencyError."""
    if record is None or record.phase is Phase.GONE:
        return Start()
    if record.phase is Phase.REMOVING or record.expired:
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
    if record.expired:
        raise NotFound("The service binding has expired, and is being removed.")
    return owner, record


def _same_binding(record: BindingRecord, request: BindRequest) -> bool:
    binding = record.binding
    return (
        binding.service_id,
        binding.plan_id,
        binding.app_guid,
        binding.predecessor_id,
        binding.parameters,
    ) == (
        request.service_id,
        request.plan_id,
        request.app_guid,
        request.predecessor_id,
        request.parameters,
    )
