"""Helm releases as Helm keeps them: Secrets of type helm.sh/release.v1. Far cheaper to read than a run of helm."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from helmbroker.broker import gate
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus
from helmbroker.broker.domain.naming import LABEL_CLAIM, ReleaseRef
from helmbroker.broker.kube.objects import CLAIM
from helmbroker.catalog.model import Object
from helmbroker.catalog.values import coalesce
from helmbroker.kubeapi.port import Obj

_WORKLOADS = frozenset({"StatefulSet", "Deployment", "DaemonSet", "Job"})
_STATUSES = {status.value: status for status in HelmStatus}
_SERVER_SIDE = "ssa"  # releases of helm 3 do not say
_OWN_LABELS = frozenset({"name", "owner", "status", "version", "createdAt", "modifiedAt"})


@dataclass(frozen=True)
class ObjectName:
    """An object of a release, in the release's namespace."""

    kind: str
    name: str


def selector(ref: ReleaseRef) -> dict[str, str]:
    """Labels that find all revisions of a release."""
    return {"owner": "helm", "name": ref.name}


def latest(secrets: list[Obj], ref: ReleaseRef) -> HelmRelease | None:
    """The newest revision, compared with the one before."""
    found = sorted(secrets, key=lambda secret: int(secret["metadata"]["labels"]["version"]))[-2:]
    if not found:
        return None
    claims = [secret["metadata"]["labels"].get(LABEL_CLAIM) for secret in found]
    carried = len(claims) > 1 and claims[0] is not None and claims[0] == claims[1]
    return replace(read(found[-1], ref), by_others=carried)


def numbered(secrets: list[Obj], revision: int) -> Obj | None:
    """The Secret of a revision."""
    return next((each for each in secrets if each["metadata"]["labels"]["version"] == str(revision)), None)


def newest(secrets: list[Obj]) -> Obj | None:
    """The Secret of the newest revision."""
    return max(secrets, key=lambda secret: int(secret["metadata"]["labels"]["version"]), default=None)


def read(secret: Obj, ref: ReleaseRef) -> HelmRelease:
    """The revision that a release Secret holds."""
    labels: dict[str, str] = secret["metadata"]["labels"]
    content, status = _content(secret), _STATUSES.get(labels.get("status", ""), HelmStatus.UNKNOWN)
    given, chart = content.get("config") or {}, content.get("chart") or {}
    about = chart.get("metadata") or {}
    return HelmRelease(
        ref=ref,
        revision=int(labels["version"]),
        status=status if content else HelmStatus.UNREADABLE,
        labels={key: value for key, value in labels.items() if key not in _OWN_LABELS},
        values=coalesce(chart.get("values") or {}, given),
        given=given,
        chart=f"{about['name']}-{about['version']}" if about else "",
        client_side=bool(content) and content.get("apply_method") != _SERVER_SIDE,
    )


def manifest(secret: Obj) -> list[Obj]:
    """What the release has made, as its chart says it, hooks left out."""
    return [obj for obj in yaml.load_all(text(secret), Loader=yaml.CSafeLoader) if obj]


def text(secret: Obj) -> str:
    """The manifest as Helm keeps it."""
    return str(_content(secret).get("manifest") or "")


def asking(secret: Obj, sizes: Mapping[str, str]) -> Obj:
    """A change of the Secret: its claims of these names ask for these sizes. Raises BadManifest."""
    content = _content(secret)
    objects = gate.objects(content["manifest"])
    content["manifest"] = gate.packed(_sized(each, sizes) for each in objects)
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    return {"data": {"release": base64.b64encode(packed).decode()}}


def workloads(secret: Obj) -> list[ObjectName]:
    """What of the release runs pods, hooks left out."""
    made = [ObjectName(obj["kind"], obj["metadata"]["name"]) for obj in manifest(secret)]
    return [each for each in made if each.kind in _WORKLOADS]


def secrets(secret: Obj) -> list[str]:
    """Names of the Secrets of the release, hooks left out."""
    return [str(obj["metadata"]["name"]) for obj in manifest(secret) if obj["kind"] == "Secret"]


def hook_jobs(secret: Obj) -> list[str]:
    """Names of the Jobs that are hooks of the release."""
    hooks = _content(secret).get("hooks") or ()
    return [str(hook["name"]) for hook in hooks if hook.get("kind") == "Job"]


def readable(secret: Obj) -> bool:
    """Whether it holds what Helm has written: it may have been cut short, or edited by hand."""
    return bool(_content(secret))


def _sized(obj: Object, sizes: Mapping[str, str]) -> Object:
    claim: Any = obj
    if claim["kind"] != CLAIM or claim["metadata"]["name"] not in sizes:
        return obj
    resources = claim["spec"]["resources"]
    requests = {**resources["requests"], "storage": sizes[claim["metadata"]["name"]]}
    return {**claim, "spec": {**claim["spec"], "resources": {**resources, "requests": requests}}}


def _content(secret: Obj) -> dict[str, Any]:
    """Empty when it cannot be read."""
    try:  # Helm encodes in base64, and so does the Kubernetes API
        packed = base64.b64decode(base64.b64decode((secret.get("data") or {})["release"]))
        content = json.loads(gzip.decompress(packed))
    except (KeyError, ValueError, OSError, EOFError, zlib.error):
        return {}
    return content if isinstance(content, dict) else {}
