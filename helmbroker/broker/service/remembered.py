"""What the cluster remembers, sealed, comes under another key as the database does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.helm_errors import ClusterUnavailable
from helmbroker.broker.domain.kept import place
from helmbroker.broker.domain.ports import Cluster
from helmbroker.sealing import KeyRingError, Keys, wrapped_by
from helmbroker.sealing.stored import Batch


class Remembered:
    """The port Holding (helmbroker.sealing), over record Secrets. Raises ClusterUnavailable, ClusterRefused."""

    name = "records in the cluster"

    def __init__(self, cluster: Cluster, broker_id: str, namespaces: Sequence[str]) -> None:
        self._cluster, self._broker_id, self._namespaces = cluster, broker_id, namespaces

    def key_ids(self) -> Iterator[str]:
        return (wrapped_by(record.sealed) for record in self._records())

    def rewrap(self, keys: Keys) -> Iterator[Batch]:
        for record in self._records():
            try:
                sealed = keys.rewrapped(record.sealed, place(record.ref))
            except KeyRingError as error:
                yield Batch(0, [f"Secret {naming.record_name(record.ref)}: {error}"])
                continue
            if sealed is not None:
                yield Batch(self._replace(record, sealed))

    def _replace(self, record: RecordSecret, sealed: bytes) -> int:
        """How many were replaced: none when a worker has written it meanwhile, or it is gone."""
        try:
            self._cluster.keep(replace(record, sealed=sealed), instead_of=record)
        except ClusterUnavailable:
            if self._cluster.record(record.ref) == record:
                raise
            return 0
        return 1

    def _records(self) -> Iterator[RecordSecret]:
        for namespace in self._namespaces:
            yield from self._cluster.records(namespace, {naming.LABEL_BROKER: self._broker_id})
