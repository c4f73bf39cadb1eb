"""What the broker has, for an operator who compares it with what the platform believes (OSB item 121)."""

from __future__ import annotations

from collections.abc import Iterator

from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.domain.store_ports import Records


def inventory(records: Records, *, gone: bool = False) -> Iterator[dict[str, str]]:
    """Instances, each before its bindings; `gone`: also what is deleted and only remembered. Nothing secret."""
    for instance_id in records.instance_ids():
        yield from lines(records, instance_id, gone=gone)


def lines(records: Records, instance_id: str, *, gone: bool = True) -> Iterator[dict[str, str]]:
    """One instance, then its bindings; nothing when there is no record."""
    for record in [records.instance(instance_id), *records.bindings(instance_id)]:
        if record is not None and (gone or record.phase is not Phase.GONE):
            yield _line(record)


def _line(record: InstanceRecord | BindingRecord) -> dict[str, str]:
    thing = record.instance if isinstance(record, InstanceRecord) else record.binding
    ids = {"instance": thing.id}
    if isinstance(thing, ServiceBinding):
        ids = {"instance": thing.instance_id, "binding": thing.id}
    return {
        **ids,
        "service_id": thing.service_id,
        "plan_id": thing.plan_id,
        "phase": record.phase,
        "description": record.operation.description,
        "operation": record.operation.id,
        "namespace": thing.release.namespace,
        "release": thing.release.name,
    }
