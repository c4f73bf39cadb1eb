"""Release Secrets in the form in which Helm stores them."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field

import yaml

from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog.model import JSON
from helmbroker.kubeapi.port import Obj


@dataclass(frozen=True)
class StoredRelease:
    """One revision. workloads: objects of the manifest; jobs: names of its hook Jobs; client_side: of helm 3."""

    ref: ReleaseRef
    revision: int = 1
    status: HelmStatus = HelmStatus.DEPLOYED
    labels: dict[str, str] = field(default_factory=dict)
    values: dict[str, JSON] = field(default_factory=dict)
    workloads: list[Obj] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    client_side: bool = False


def stored_release(release: StoredRelease) -> Obj:
    """The Secret of the revision."""
    content = {
        "name": release.ref.name,
        "namespace": release.ref.namespace,
        "version": release.revision,
        "info": {"status": str(release.status), "first_deployed": "2026-11-23T12:00:00Z"},
        "chart": {"metadata": {"name": "probe", "version": "1.0.0", "apiVersion": "v2"}, "values": {}},
        "config": release.values,
        "manifest": yaml.safe_dump_all(release.workloads, explicit_start=True),
        **({} if release.client_side else {"apply_method": "ssa"}),
        "hooks": [{"kind": "Job", "name": name} for name in release.jobs],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode(), mtime=0))
    own = {"owner": "helm", "name": release.ref.name, "status": str(release.status)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.{release.ref.name}.v{release.revision}",
            "namespace": release.ref.namespace,
            "labels": {**release.labels, **own, "version": str(release.revision)},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }
