"""What a pod may be beyond the Pod Security Standards: whose objects it uses, and which of the node. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from helmbroker.broker.gate import pod_security
from helmbroker.broker.gate.grants import Grants
from helmbroker.broker.gate.ownership import CLAIM, Own, claim_sources
from helmbroker.broker.gate.violation import Breach, dig, mapping, mappings
from helmbroker.catalog.model import PodSecurity

_VOLUMES = pod_security.RESTRICTED_VOLUMES - {"csi"}  # drivers of others may hand out anything


def breaches(template: object, field: str, own: Own, grants: Grants, level: PodSecurity) -> Iterator[Breach]:
    """Every rule that a pod template breaks. field: its path; empty when it is a pod itself."""
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield Breach(field, "the pod template cannot be read")
        return
    pod, at = template["spec"], f"{field}.spec" if field else "spec"
    yield from pod_security.breaches(template, field, level)
    yield from own.foreign_label(template, field)
    yield from _of_node(pod, at)
    yield from _of_others(pod, at, own)
    for where, volume in mappings(pod.get("volumes"), f"{at}.volumes"):
        yield from _volume(volume, where, grants)
        yield from own.foreign(_volume_references(volume, where))
        claim = dig(volume, "ephemeral", "volumeClaimTemplate", "spec")
        yield from claim_sources(claim, f"{where}.ephemeral.volumeClaimTemplate.spec", own)
    for where, container in pod_security.containers(pod, at):
        yield from own.foreign(_environment_references(container, where))


def _of_node(pod: Mapping[str, Any], at: str) -> Iterator[Breach]:
    if pod.get("nodeName"):
        yield Breach(f"{at}.nodeName", "pods do not choose their node past the scheduler; use nodeSelector")
    priority = str(pod.get("priorityClassName") or "")
    if priority.startswith("system-"):
        yield Breach(f"{at}.priorityClassName", f"priority class {priority} is the cluster's own")
    if pod.get("resourceClaims"):
        yield Breach(f"{at}.resourceClaims", "devices cannot be claimed")


def _of_others(pod: Mapping[str, Any], at: str, own: Own) -> Iterator[Breach]:
    for key in ("serviceAccountName", "serviceAccount"):
        yield from own.foreign([(f"{at}.{key}", "ServiceAccount", pod.get(key) or None)])
    for where, secret in mappings(pod.get("imagePullSecrets"), f"{at}.imagePullSecrets"):
        yield from own.foreign([(f"{where}.name", "Secret", secret.get("name"))])


def _volume(volume: Mapping[str, Any], at: str, grants: Grants) -> Iterator[Breach]:
    for kind in sorted(set(map(str, volume)) - _VOLUMES - {"name"} - grants.volume_types):
        if kind == "hostPath":
            yield from _host_path(mapping(volume[kind]).get("path"), at, grants)
        else:
            yield Breach(f"{at}.{kind}", f"{kind} volumes are not allowed", f"volume_types: [{kind}]")


def _host_path(path: object, at: str, grants: Grants) -> Iterator[Breach]:
    text = str(path)
    normal = posixpath.normpath(text)
    inside = any(normal == each or normal.startswith(f"{each.rstrip('/')}/") for each in grants.host_paths)
    if not inside or ".." in text.split("/"):
        rule = f"the folder {text} of the node is not allowed (Pod Security Standards, baseline: HostPath Volumes)"
        yield Breach(f"{at}.hostPath.path", rule, f"host_paths: [{normal}]")


def _volume_references(volume: Mapping[str, Any], at: str) -> Iterator[tuple[str, str, object]]:
    yield f"{at}.secret.secretName", "Secret", dig(volume, "secret", "secretName")
    yield f"{at}.configMap.name", "ConfigMap", dig(volume, "configMap", "name")
    yield f"{at}.persistentVolumeClaim.claimName", CLAIM, dig(volume, "persistentVolumeClaim", "claimName")
    for where, source in mappings(dig(volume, "projected", "sources"), f"{at}.projected.sources"):
        yield f"{where}.secret.name", "Secret", dig(source, "secret", "name")
        yield f"{where}.configMap.name", "ConfigMap", dig(source, "configMap", "name")
    for kind in sorted(set(map(str, volume)) - _VOLUMES):  # granted ones may log in somewhere with a Secret
        for key, value in mapping(volume.get(kind)).items():
            if str(key).endswith("secretRef") or str(key).endswith("SecretRef"):
                yield f"{at}.{kind}.{key}.name", "Secret", mapping(value).get("name")


def _environment_references(container: Mapping[str, Any], at: str) -> Iterator[tuple[str, str, object]]:
    for where, variable in mappings(container.get("env"), f"{at}.env"):
        for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            yield f"{where}.valueFrom.{key}.name", kind, dig(variable, "valueFrom", key, "name")
    for where, source in mappings(container.get("envFrom"), f"{at}.envFrom"):
        yield f"{where}.secretRef.name", "Secret", dig(source, "secretRef", "name")
        yield f"{where}.configMapRef.name", "ConfigMap", dig(source, "configMapRef", "name")
