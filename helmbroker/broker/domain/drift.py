"""Where the records and the cluster differ. Pure: two looks at the records, and between them one at the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.decisions import usable
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceBinding
from helmbroker.broker.domain.kept import Kept, Stage
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase

_MOST_NAMED = 5
_REPAIR = "`helmbroker doctor --repair` {}"


class FindingKind(StrEnum):
    """What differs. The word is stored, and is the label of the metric."""

    LOST = "lost"  # a record, and its Helm release or objects of it are gone
    CHANGED = "changed"  # a Helm release that is not as we have left it
    FOREIGN = "foreign"  # somebody else's Helm release under our name
    ORPHAN = "orphan"  # a Helm release of ours without a record
    UNREMEMBERED = "unremembered"  # a record that could not be restored from the cluster
    STRAY = "stray"  # something remembered that has neither record nor Helm release


@dataclass(frozen=True)
class Finding:
    """One difference. `detail`: a public sentence with the cure; `instance_id`: of the record, if there is one."""

    kind: FindingKind
    subject: str
    detail: str
    instance_id: str | None = None
    release: ReleaseRef | None = field(default=None, compare=False)  # of what has no record


@dataclass(frozen=True)
class Seen:
    """A finding, and when it was seen first and last: seconds since the epoch, on the database's clock."""

    finding: Finding
    since: float
    seen: float


@dataclass(frozen=True)
class SeenRelease:
    """A Helm release of ours. missing: objects that it made and that are gone; changed: fields that others set."""

    ref: ReleaseRef
    revision: int
    status: HelmStatus
    labels: Mapping[str, str]
    missing: Sequence[str] = ()
    changed: Sequence[str] = ()


@dataclass(frozen=True)
class Sight:
    """One look at the cluster. kept: what it remembers, by Helm release; None: that cannot be opened.

    foreign: Helm releases of a name of ours without our labels.
    """

    releases: Mapping[ReleaseRef, SeenRelease]
    kept: Mapping[ReleaseRef, Kept | None] = field(repr=False)
    foreign: frozenset[ReleaseRef] = frozenset()


Record = InstanceRecord | BindingRecord


@dataclass(frozen=True)
class Snapshot:
    """One look at the records, tombstones left out. busy: ids of instances with unfinished operations."""

    records: Mapping[ReleaseRef, Record]
    busy: frozenset[str]


def find(broker_id: str, before: Snapshot, sight: Sight, after: Snapshot) -> list[Finding]:
    """What differs, in a stable order. Nothing is said of what was worked on meanwhile."""
    found: list[Finding] = []
    settled = {instance_of(each) for each in after.records.values() if _settled(each)}
    for ref, record in after.records.items():
        in_force = record.phase is Phase.READY or isinstance(record, InstanceRecord)
        if in_force and instance_of(record) in settled and _quiet(ref, before, after):
            found += _of_record(broker_id, ref, record, sight)
    known = before.records.keys() | after.records.keys()
    clients = {naming.client_release(ref) for ref in known}
    for ref, seen in sight.releases.items():
        if ref not in known | clients:
            found.append(_orphan(seen, sight.kept.get(ref)))
    for ref in sight.kept.keys() - known - sight.releases.keys():
        found.append(_stray(ref))
    return sorted(found, key=lambda each: (each.kind, each.subject))


def instance_of(record: Record) -> str:
    """The id of the instance that a record is of, or belongs to."""
    return record.instance.id if isinstance(record, InstanceRecord) else record.binding.instance_id


def _quiet(ref: ReleaseRef, before: Snapshot, after: Snapshot) -> bool:
    first, last = before.records.get(ref), after.records[ref]
    same = first is not None and (first.operation.id, first.deployed) == (last.operation.id, last.deployed)
    return same and instance_of(last) not in before.busy | after.busy


def _settled(record: Record) -> bool:
    """Whether it is an instance of which the record says what has to be in the cluster."""
    if not isinstance(record, InstanceRecord) or record.return_to is not None:
        return False
    return record.phase in (Phase.READY, Phase.UPDATE_FAILED) and usable(record)


def _of_record(broker_id: str, ref: ReleaseRef, record: Record, sight: Sight) -> Iterator[Finding]:
    words, labels = _thing(broker_id, record)
    instance_id = instance_of(record)
    seen = sight.releases.get(ref)
    if ref in sight.foreign or (seen is not None and not labels.items() <= seen.labels.items()):
        text = f"the Helm release {ref.name} is somebody else's. Remove or rename it, then run {_REPAIR.format('')}"
        yield Finding(FindingKind.FOREIGN, words, text.rstrip(), instance_id)
    elif seen is None and not _has_none(record):
        text = f"its Helm release {ref.name} is gone. {_REPAIR.format('makes it again')}"
        yield Finding(FindingKind.LOST, words, text, instance_id)
    elif seen is not None and seen.missing:
        text = f"gone from the cluster: {_listed(seen.missing)}. {_REPAIR.format('makes it again')}"
        yield Finding(FindingKind.LOST, words, text, instance_id)
    elif seen is not None and (differences := _differences(seen, record.deployed)):
        text = f"changed by somebody else: {_listed(differences)}. {_REPAIR.format('puts it back')}"
        yield Finding(FindingKind.CHANGED, words, text, instance_id)
    if ref not in sight.foreign and (reason := _unremembered(ref, record, sight)) is not None:
        text = f"the cluster could not restore it without the database: {reason}. {_REPAIR.format('mends that')}"
        yield Finding(FindingKind.UNREMEMBERED, words, text, instance_id)


def _has_none(record: Record) -> bool:
    """Whether it is a binding that was made without a Helm release: it shares the credentials of its instance."""
    return isinstance(record, BindingRecord) and record.deployed is None


def _thing(broker_id: str, record: Record) -> tuple[str, dict[str, str]]:
    if isinstance(record, InstanceRecord):
        instance = record.instance
        return f"instance {instance.id}", naming.instance_labels(broker_id, instance.id)
    binding: ServiceBinding = record.binding
    labels = naming.binding_labels(broker_id, binding.instance_id, binding.id)
    return f"binding {binding.instance_id}/{binding.id}", labels


def _differences(seen: SeenRelease, deployed: int | None) -> list[str]:
    found = list(seen.changed)
    if deployed is not None and seen.revision != deployed:
        found.insert(0, f"the Helm release {seen.ref.name} has revision {seen.revision}, not {deployed}")
    if seen.status is not HelmStatus.DEPLOYED:
        found.insert(0, f"the Helm release {seen.ref.name} is {seen.status}")
    return found


def _unremembered(ref: ReleaseRef, record: Record, sight: Sight) -> str | None:
    if ref not in sight.kept:
        return f"there is no Secret {naming.record_name(ref)}"
    kept = sight.kept[ref]
    if kept is None:
        return f"the Secret {naming.record_name(ref)} cannot be opened with the key ring"
    thing = record.instance if isinstance(record, InstanceRecord) else record.binding
    stale = kept.stage is not Stage.MADE or not kept.same_thing(thing) or kept.revision != record.deployed
    return f"the Secret {naming.record_name(ref)} tells of an earlier state" if stale else None


def _orphan(seen: SeenRelease, kept: Kept | None) -> Finding:
    text = "a Helm release of this broker without a record. "
    if kept is not None:
        text += f"`helmbroker adopt {seen.ref.name}` records it again; "
    text += f"`helmbroker purge {seen.ref.name}` removes it"
    return Finding(FindingKind.ORPHAN, f"release {seen.ref.namespace}/{seen.ref.name}", text, release=seen.ref)


def _stray(ref: ReleaseRef) -> Finding:
    text = f"remembered, but there is neither a record nor a Helm release. `helmbroker purge {ref.name}` removes it"
    return Finding(FindingKind.STRAY, f"secret {ref.namespace}/{naming.record_name(ref)}", text, release=ref)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
