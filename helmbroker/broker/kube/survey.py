"""The port Survey over the Kubernetes API: what there is of the broker, in few requests however much that is."""

from __future__ import annotations

from collections.abc import Iterator

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.drift import SeenRelease
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube import release_secret
from helmbroker.broker.kube.managed_fields import changed_fields
from helmbroker.broker.kube.objects import CLAIM, Objects
from helmbroker.broker.kube.translated import translated
from helmbroker.kubeapi.port import Kube, Obj


class KubeSurvey:
    """See broker.domain.operator_ports.Survey. `helm`: as what our helm manages fields, the name of its file."""

    def __init__(self, kube: Kube, helm: str = "helm") -> None:
        self._kube, self._helm = kube, helm

    def releases(self, namespace: str, broker_id: str) -> list[SeenRelease]:
        # without what is long past: a release has up to ten revisions, each with its whole chart
        labels = f"owner=helm,status!=superseded,{naming.LABEL_BROKER}={broker_id}"
        by_name: dict[str, list[Obj]] = {}
        with translated():
            for secret in self._kube.list("Secret", namespace, labels=labels):
                by_name.setdefault(secret["metadata"]["labels"]["name"], []).append(secret)
        there = Objects(self._kube, namespace)
        newest = [(ReleaseRef(namespace, name), release_secret.newest(found)) for name, found in by_name.items()]
        return [self._seen(secret, ref, there) for ref, secret in newest if secret is not None]

    def _seen(self, secret: Obj, ref: ReleaseRef, there: Objects) -> SeenRelease:
        release = release_secret.read(secret, ref)
        missing, changed = [], []
        for made in release_secret.manifest(secret):
            kind, name = made["kind"], made["metadata"]["name"]
            live = there.find(kind, name)
            if live is None:
                missing.append(f"{kind} {name}")
                continue
            changed += [f"{kind} {name}: {each}" for each in changed_fields(live, made, self._helm)]
            missing += [f"{CLAIM} {claim}" for claim in _claims(live) if there.find(CLAIM, claim) is None]
        return SeenRelease(ref, release.revision, release.status, release.labels, tuple(missing), tuple(changed))


def _claims(workload: Obj) -> Iterator[str]:
    """Names of the volume claims that a StatefulSet has for the pods it should run."""
    if workload["kind"] != "StatefulSet":
        return
    spec = workload.get("spec", {})
    for template in spec.get("volumeClaimTemplates") or ():
        for number in range(spec.get("replicas", 1)):
            yield f"{template['metadata']['name']}-{workload['metadata']['name']}-{number}"
