"""Secrets in which the cluster remembers records, and the Secrets that Helm releases have made."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable, HelmFault
from helmbroker.broker.domain.kept import MadeSecret
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube.translated import translated
from helmbroker.kubeapi.errors import AlreadyExists, Conflict, Forbidden, NotFound
from helmbroker.kubeapi.port import Kube, Obj

TYPE = "helmbroker.io/record.v1"  # Secrets of other types are not ours, whatever they are called
_SUFFIX = naming.record_name(ReleaseRef("", ""))
_HELM_OWNER = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_MANAGED_BY = {"app.kubernetes.io/managed-by": "Helm"}


class KubeRecords:
    """That part of the port Cluster (broker.domain.ports)."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def record(self, ref: ReleaseRef) -> RecordSecret | None:
        found = self._get(ref.namespace, naming.record_name(ref))
        return None if found is None else _read(found)

    def keep(self, record: RecordSecret, *, instead_of: RecordSecret | None = None) -> None:
        name, namespace = naming.record_name(record.ref), record.ref.namespace
        current = self._get(namespace, name)
        metadata: Obj = {"name": name, "namespace": namespace, "labels": dict(record.labels)}
        data = {"record": record.sealed} | ({} if record.addon is None else {"addon": record.addon})
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        wanted = {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata, "data": encoded}
        if instead_of is not None and (current is None or _read(current) != instead_of):
            raise ClusterUnavailable(f"The Secret {name} was changed meanwhile.")
        with translated():
            try:
                if current is None:
                    self._kube.create(wanted)
                    return
                if not _read(current).belongs_to(record.labels):
                    raise ClusterRefused(
                        f"The Secret {name} in namespace {namespace} is not this broker's and is left alone. "
                        "Remove it, or give the broker a namespace of its own."
                    )
                metadata["resourceVersion"] = current["metadata"]["resourceVersion"]
                self._kube.replace(wanted)
            except (AlreadyExists, Conflict) as error:
                raise ClusterUnavailable(f"The Secret {name} was changed meanwhile.") from error
            except Forbidden as error:
                if not error.terminating:
                    raise
                text = f"{_begun(HelmFault.TERMINATING)}. Wait until it is gone, and try again."
                raise ClusterRefused(text) from error
            except NotFound as error:
                if current is not None:
                    raise ClusterUnavailable(f"The Secret {name} was removed meanwhile.") from error
                raise ClusterRefused(
                    f"{_begun(HelmFault.NAMESPACE)}: {error.message}. "
                    "Make the namespace, or give the broker's service account the right to make it."
                ) from error

    def forget(self, namespace: str, labels: Mapping[str, str]) -> None:
        for secret in self._labelled(namespace, labels):
            metadata = secret["metadata"]
            with translated():
                try:
                    self._kube.delete("Secret", namespace, metadata["name"], uid=metadata["uid"])
                except Conflict:
                    continue  # this very one is gone; what has its name now is another one

    def records(self, namespace: str, labels: Mapping[str, str]) -> list[RecordSecret]:
        return [_read(secret) for secret in self._labelled(namespace, labels)]

    def made(self, ref: ReleaseRef, names: Sequence[str]) -> list[MadeSecret]:
        """Those Secrets of these names that the Helm release has made."""
        found = [self._get(ref.namespace, name) for name in names]
        owner = (ref.name, ref.namespace)
        return [_made(secret) for secret in found if secret is not None and _owner(secret) == owner]

    def put_back(self, ref: ReleaseRef, secrets: Sequence[MadeSecret]) -> None:
        """See the port."""
        for each in secrets:
            if self._get(ref.namespace, each.name) is not None:
                continue
            metadata = {
                "name": each.name,
                "namespace": ref.namespace,
                "labels": {**each.labels, **_MANAGED_BY},
                "annotations": dict(zip(_HELM_OWNER, (ref.name, ref.namespace), strict=True)),
            }
            wanted = {"apiVersion": "v1", "kind": "Secret", "type": each.type, "metadata": metadata}
            with translated():
                try:
                    self._kube.create({**wanted, "data": dict(each.data)})
                except AlreadyExists:
                    continue

    def _get(self, namespace: str, name: str) -> Obj | None:
        with translated():
            return self._kube.get("Secret", namespace, name)

    def _labelled(self, namespace: str, labels: Mapping[str, str]) -> list[Obj]:
        asked = [naming.LABEL_RECORD, *(f"{key}={value}" for key, value in sorted(labels.items()))]
        with translated():
            found = self._kube.list("Secret", namespace, labels=",".join(asked))
        return [secret for secret in found if secret.get("type") == TYPE]


def _begun(fault: HelmFault) -> str:
    return f"{fault[:1].upper()}{fault[1:]}"


def _read(secret: Obj) -> RecordSecret:
    metadata, data = secret["metadata"], secret.get("data") or {}
    ours = secret.get("type") == TYPE  # then nobody else's hand has made its labels by chance
    return RecordSecret(
        ref=ReleaseRef(metadata["namespace"], metadata["name"].removesuffix(_SUFFIX)),
        labels=(metadata.get("labels") or {}) if ours else {},
        sealed=base64.b64decode(data.get("record", "")),
        addon=base64.b64decode(data["addon"]) if "addon" in data else None,
    )


def _owner(secret: Obj) -> tuple[str | None, ...]:
    annotations = secret["metadata"].get("annotations") or {}
    return tuple(annotations.get(name) for name in _HELM_OWNER)


def _made(secret: Obj) -> MadeSecret:
    metadata = secret["metadata"]
    return MadeSecret(
        metadata["name"], secret.get("type", "Opaque"), metadata.get("labels") or {}, secret.get("data") or {}
    )
