"""Records come back from what the cluster remembers: all of them into an empty database, or single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.instance import ServiceBinding, ServiceInstance
from helmbroker.broker.domain.kept import CannotRead, Kept, Stage, opened
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind, Phase
from helmbroker.broker.domain.ports import Cluster
from helmbroker.broker.domain.store_ports import Restorable, Transaction
from helmbroker.sealing import Keys

Words = Mapping[Stage, tuple[bool, str]]
"""Of each stage: whether the operation that stands for it has succeeded, and what it says."""

_HOW: Words = {
    Stage.MADE: (True, "restored from what the cluster remembers"),
    Stage.MAKING: (False, "it was being made when the database was lost; delete it, then ask for it again"),
    Stage.REMOVING: (False, "it was being removed when the database was lost; delete it again"),
}


class Refused(Exception):
    """It is not done, and nothing has changed. A sentence for the operator."""


@dataclass
class Restored:
    """What came back, in words; and what did not, each with the reason."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """A record that could be opened."""

    record: RecordSecret
    kept: Kept


class Restore:
    """`keys`: the key ring of the database that was lost. All may raise Unavailable, ClusterUnavailable."""

    def __init__(self, store: Restorable, cluster: Cluster, keys: Keys) -> None:
        self._store, self._cluster, self._keys = store, cluster, keys

    def rebuild(self, namespaces: Sequence[str], broker_id: str | None) -> Restored:
        """Everything that is remembered there, into an empty database. Raises Refused.

        broker_id: whose; None: the only one whose records the key ring opens.
        """
        if not self._store.is_empty():
            raise Refused("the database has records already; rebuild writes into an empty one only")
        restored = Restored()
        found: list[Found] = []
        for namespace in namespaces:
            found += self._opened(self._cluster.records(namespace, _of(broker_id)), restored)
        brokers = {each.record.labels.get(naming.LABEL_BROKER, "") for each in found}
        if len(brokers) > 1:
            raise Refused(
                f"several brokers are remembered; choose one with --broker-id: {', '.join(sorted(brokers))}"
            )
        if not brokers:
            seen = "".join(f"; {each}" for each in restored.left[:3])
            raise Refused(f"nothing in {', '.join(namespaces)} can be opened with this key ring{seen}")
        self._store.become(brokers.pop())
        write_all(self._store, found, restored)
        return restored

    def adopt(self, ref: ReleaseRef) -> Restored:
        """What has this Helm release, and its bindings, from which no record is left. Raises Refused."""
        broker = {naming.LABEL_BROKER: self._store.broker_id}
        record = self._cluster.record(ref)
        if record is None or not record.belongs_to(broker):
            raise Refused(f"{ref.name} in namespace {ref.namespace} is nothing that this broker remembers")
        restored = Restored()
        found = self._opened([record], restored)
        if not found:
            raise Refused(restored.left[0])
        thing = found[0].kept.thing
        if isinstance(thing, ServiceInstance):
            labels = naming.instance_labels(self._store.broker_id, thing.id)
            others = [each for each in self._cluster.records(ref.namespace, labels) if each.ref != ref]
            found += self._opened(others, restored)
        with self._store.read() as records:
            if isinstance(thing, ServiceInstance):
                known = records.instance(thing.id)
            else:
                known = records.binding(thing.instance_id, thing.id)  # type: ignore[assignment]
        if known is not None and known.phase is not Phase.GONE:
            raise Refused(f"{_words(thing)} has a record; `helmbroker doctor` tells whether it is as it should be")
        write_all(self._store, found, restored)
        if not restored.done:
            raise Refused(restored.left[0])
        return restored

    def _opened(self, records: Sequence[RecordSecret], restored: Restored) -> list[Found]:
        found = []
        for record in records:
            try:
                found.append(Found(record, opened(self._keys, record)))
            except CannotRead as error:
                restored.left.append(f"Secret {naming.record_name(record.ref)}: {error}")
        return found


def write_all(store: Restorable, found: Sequence[Found], restored: Restored) -> None:
    """Instances first, then bindings; each in a transaction of its own."""
    for each in found:
        thing = each.kept.thing
        if not isinstance(thing, ServiceInstance):
            continue
        if store.keep_revision(thing.addon_digest, each.record.addon):
            _try(store, each.kept, restored)
        else:
            restored.left.append(
                f"{_words(thing)}: its addon revision {thing.addon_digest[:12]} is neither remembered nor in the "
                "catalog; offer that revision, then adopt it"
            )
    for each in found:
        if not isinstance(each.kept.thing, ServiceInstance):
            _try(store, each.kept, restored)


def _try(store: Restorable, kept: Kept, restored: Restored) -> None:
    with store.transaction() as tx:
        reason = write(tx, kept, _HOW)
    if reason is None:
        restored.done.append(f"{_words(kept.thing)} ({kept.stage})")
    else:
        restored.left.append(f"{_words(kept.thing)}: {reason}")


def write(tx: Transaction, kept: Kept, how: Words) -> str | None:
    """Record it. Why not; None: it is written."""
    succeeded, text = how[kept.stage]
    removing = kept.stage is Stage.REMOVING
    thing = kept.thing
    if isinstance(thing, ServiceInstance):
        known = tx.instance(thing.id)
        if known is not None and known.phase is not Phase.GONE:
            return "it has a record"
        kind = Kind.DEPROVISION if removing else Kind.PROVISION
        operation = tx.ended(kind, thing.id, None, succeeded=succeeded, description=text)
        tx.save_instance(thing, operation)
        tx.deployed(thing.id, None, kept.revision)
        return None
    owner, bound = tx.instance(thing.instance_id), tx.binding(thing.instance_id, thing.id)
    if owner is None or owner.phase is Phase.GONE:
        return "its instance could not be restored"
    if bound is not None and bound.phase is not Phase.GONE:
        return "it has a record"
    kind = Kind.UNBIND if removing else Kind.BIND
    operation = tx.ended(kind, thing.instance_id, thing.id, succeeded=succeeded, description=text)
    tx.save_binding(thing, operation)
    tx.deliver_again(thing)
    tx.deployed(thing.instance_id, thing.id, kept.revision)
    return None


def _of(broker_id: str | None) -> Mapping[str, str]:
    return {} if broker_id is None else {naming.LABEL_BROKER: broker_id}


def _words(thing: ServiceInstance | ServiceBinding) -> str:
    if isinstance(thing, ServiceInstance):
        return f"instance {thing.id}"
    return f"binding {thing.instance_id}/{thing.id}"
