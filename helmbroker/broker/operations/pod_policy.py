"""What a pod may be: "baseline" of the Pod Security Standards, no added rights, no foreign objects. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Has = Callable[[str, str], bool]  # kind, name -> whether the object is the instance's own

_HOST_FLAGS = ("hostNetwork", "hostPID", "hostIPC")
_VOLUMES = frozenset(
    {"configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def breaches_of_pod(template: object, has: Has) -> Iterator[str]:
    """Every rule that a pod template breaks, one phrase each."""
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        yield "its pod template cannot be read"
        return
    pod = template["spec"]
    yield from (f"{flag} is not allowed" for flag in _HOST_FLAGS if pod.get(flag))
    account = pod.get("serviceAccountName") or pod.get("serviceAccount")
    if account and not has("ServiceAccount", str(account)):
        yield f"service account {account} is not its own"
    if str(pod.get("priorityClassName") or "").startswith("system-"):
        yield f"priority class {pod['priorityClassName']} is not allowed"
    annotations = _dict(_dict(template.get("metadata")).get("annotations"))
    if any(str(key).startswith(_APPARMOR) and value == "unconfined" for key, value in annotations.items()):
        yield "AppArmor cannot be switched off"
    security = _dict(pod.get("securityContext"))
    yield from _breaches_of_security(security)
    for sysctl in _dicts(security.get("sysctls")):
        if str(sysctl.get("name")) not in _SYSCTLS:
            yield f"sysctl {sysctl.get('name')} is not allowed"
    for volume in _dicts(pod.get("volumes")):
        yield from (
            f"{kind} volumes are not allowed" for kind in sorted(set(map(str, volume)) - _VOLUMES - {"name"})
        )
        yield from _foreign(_volume_references(volume), has)
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in _dicts(pod.get(group)):
            yield from (f"container {container.get('name')}: {what}" for what in _container(container, has))


def _container(container: dict[str, Any], has: Has) -> Iterator[str]:
    security = _dict(container.get("securityContext"))
    if security.get("privileged"):
        yield "privileged is not allowed"
    if security.get("allowPrivilegeEscalation"):
        yield "allowPrivilegeEscalation is not allowed"
    if _dict(security.get("capabilities")).get("add"):
        yield "added capabilities are not allowed"
    if security.get("procMount", "Default") != "Default":
        yield "procMount is not allowed"
    yield from _breaches_of_security(security)
    if any(port.get("hostPort") for port in _dicts(container.get("ports"))):
        yield "hostPort is not allowed"
    handlers = [container.get(probe) for probe in _PROBES] + list(_dict(container.get("lifecycle")).values())
    if any(_dict(_dict(each).get(how)).get("host") for each in handlers for how in ("httpGet", "tcpSocket")):
        yield "probes of other hosts are not allowed"
    yield from _foreign(_environment_references(container), has)


def _breaches_of_security(security: dict[str, Any]) -> Iterator[str]:
    """What holds for the security context of pods and of containers."""
    if _dict(security.get("windowsOptions")).get("hostProcess"):
        yield "hostProcess is not allowed"
    for field, name in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        if _dict(security.get(field)).get("type") == "Unconfined":
            yield f"{name} cannot be switched off"
    selinux = _dict(security.get("seLinuxOptions"))
    if selinux.get("user") or selinux.get("role") or str(selinux.get("type") or "") not in _SELINUX_TYPES:
        yield "these seLinuxOptions are not allowed"


def _volume_references(volume: dict[str, Any]) -> Iterator[tuple[str, object]]:
    yield "Secret", _dict(volume.get("secret")).get("secretName")
    yield "ConfigMap", _dict(volume.get("configMap")).get("name")
    yield "PersistentVolumeClaim", _dict(volume.get("persistentVolumeClaim")).get("claimName")
    for source in _dicts(_dict(volume.get("projected")).get("sources")):
        yield "Secret", _dict(source.get("secret")).get("name")
        yield "ConfigMap", _dict(source.get("configMap")).get("name")


def _environment_references(container: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for variable in _dicts(container.get("env")):
        source = _dict(variable.get("valueFrom"))
        yield "Secret", _dict(source.get("secretKeyRef")).get("name")
        yield "ConfigMap", _dict(source.get("configMapKeyRef")).get("name")
    for source in _dicts(container.get("envFrom")):
        yield "Secret", _dict(source.get("secretRef")).get("name")
        yield "ConfigMap", _dict(source.get("configMapRef")).get("name")


def _foreign(references: Iterator[tuple[str, object]], has: Has) -> Iterator[str]:
    for kind, name in references:
        if name is not None and not has(kind, str(name)):
            yield f"{kind} {name} is not its own"


def _dict(value: object) -> dict[str, Any]:
    """What the API server would refuse anyway must not get by as something unread: it reads as empty there too."""
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
