"""The Pod Security Standards, control by control, in their order and under their names.

Source: kubernetes.io/docs/concepts/security/pod-security-standards, as of Kubernetes 1.34. Two differences, both
stricter: fields that Windows would ignore count there too, and hostPath volumes are granted path by path (pods.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from helmbroker.broker.gate.violation import Breach, dig, mapping, mappings, texts
from helmbroker.catalog.model import PodSecurity

CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
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
_PROFILES = frozenset({"RuntimeDefault", "Localhost"})
RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

Finding = tuple[str, str, str]  # field, rule, name of the control


def breaches(template: Mapping[str, Any], field: str, level: PodSecurity) -> Iterator[Breach]:
    """What of a pod template is above the level. field: where it lies, such as spec.template."""
    if level is PodSecurity.PRIVILEGED:
        return
    for breach in _baseline(template, field):
        yield _named(breach, PodSecurity.BASELINE, PodSecurity.PRIVILEGED)
    if level is PodSecurity.RESTRICTED:
        for breach in _restricted(mapping(template.get("spec")), f"{field}.spec" if field else "spec"):
            yield _named(breach, PodSecurity.RESTRICTED, PodSecurity.BASELINE)


def containers(pod: Mapping[str, Any], field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every container of a pod, with its path: those that start it up and those that debug it too."""
    for group in CONTAINERS:
        yield from mappings(pod.get(group), f"{field}.{group}")


def _named(found: Finding, level: PodSecurity, cure: PodSecurity) -> Breach:
    field, rule, control = found
    return Breach(field, f"{rule} (Pod Security Standards, {level}: {control})", f"pod_security: {cure}")


def _baseline(template: Mapping[str, Any], field: str) -> Iterator[Finding]:
    """Controls of the level baseline."""
    pod, at = mapping(template.get("spec")), f"{field}.spec" if field else "spec"
    for flag in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(flag):
            yield (f"{at}.{flag}", "namespaces of the host are not allowed", "Host Namespaces")
    metadata = f"{field}.metadata" if field else "metadata"
    for key, value in mapping(dig(template, "metadata", "annotations")).items():
        if str(key).startswith(_APPARMOR) and not _is_profile(value):
            yield (f"{metadata}.annotations[{key}]", "AppArmor cannot be switched off", "AppArmor")
    security = mapping(pod.get("securityContext"))
    yield from _of_security(security, f"{at}.securityContext")
    for where, sysctl in mappings(security.get("sysctls"), f"{at}.securityContext.sysctls"):
        if str(sysctl.get("name")) not in _SYSCTLS:
            yield (f"{where}.name", f"sysctl {sysctl.get('name')} is not allowed", "Sysctls")
    for where, container in containers(pod, at):
        yield from _of_container(container, where)


def _is_profile(value: object) -> bool:
    return value in ("", "runtime/default") or str(value).startswith("localhost/")


def _of_container(container: Mapping[str, Any], at: str) -> Iterator[Finding]:
    security, where = mapping(container.get("securityContext")), f"{at}.securityContext"
    if security.get("privileged"):
        yield (f"{where}.privileged", "privileged containers are not allowed", "Privileged Containers")
    added = texts(dig(security, "capabilities", "add"))
    if more := sorted(set(added) - _BASELINE_CAPABILITIES):
        yield (f"{where}.capabilities.add", f"adding {', '.join(more)} is not allowed", "Capabilities")
    if security.get("procMount") not in (None, "", "Default"):
        yield (f"{where}.procMount", "only Default is allowed", "/proc Mount Type")
    yield from _of_security(security, where)
    for port_at, port in mappings(container.get("ports"), f"{at}.ports"):
        if port.get("hostPort"):
            yield (f"{port_at}.hostPort", "ports of the host are not allowed", "Host Ports")
    lifecycle = mapping(container.get("lifecycle"))
    handlers = [(f"{at}.{name}", container.get(name)) for name in _PROBES]
    handlers += [(f"{at}.lifecycle.{name}", handler) for name, handler in lifecycle.items()]
    for handler_at, handler in handlers:
        for how in ("httpGet", "tcpSocket"):
            if dig(handler, how, "host"):
                field, control = f"{handler_at}.{how}.host", "Host Probes / Lifecycle Hooks"
                yield (field, "requests to other hosts are not allowed", control)


def _of_security(security: Mapping[str, Any], at: str) -> Iterator[Finding]:
    """What holds for the security context of pods and of containers."""
    if dig(security, "windowsOptions", "hostProcess"):
        yield (f"{at}.windowsOptions.hostProcess", "processes of the host are not allowed", "HostProcess")
    for field, control in (("appArmorProfile", "AppArmor"), ("seccompProfile", "Seccomp")):
        kind = dig(security, field, "type")
        if kind is not None and str(kind) not in _PROFILES:
            yield (f"{at}.{field}.type", "must be RuntimeDefault or Localhost", control)
    selinux = mapping(security.get("seLinuxOptions"))
    if str(selinux.get("type") or "") not in _SELINUX_TYPES:
        yield (f"{at}.seLinuxOptions.type", "must be one of the container types", "SELinux")
    for field in ("user", "role"):
        if selinux.get(field):
            yield (f"{at}.seLinuxOptions.{field}", "may not be set", "SELinux")


def _restricted(pod: Mapping[str, Any], at: str) -> Iterator[Finding]:
    """Controls that the level restricted adds."""
    for where, volume in mappings(pod.get("volumes"), f"{at}.volumes"):
        for kind in sorted(set(map(str, volume)) - RESTRICTED_VOLUMES - {"name", "hostPath"}):
            yield (f"{where}.{kind}", f"{kind} volumes are not allowed", "Volume Types")
    of_pod = mapping(pod.get("securityContext"))
    if _is_root(of_pod.get("runAsUser")):
        yield (f"{at}.securityContext.runAsUser", "must not be 0", "Running as Non-root user")
    for where, container in containers(pod, at):
        security, field = mapping(container.get("securityContext")), f"{where}.securityContext"
        if security.get("allowPrivilegeEscalation") is not False:
            yield (f"{field}.allowPrivilegeEscalation", "must be false", "Privilege Escalation")
        if security.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
            yield (f"{field}.runAsNonRoot", "must be true, here or for the pod", "Running as Non-root")
        if _is_root(security.get("runAsUser")):
            yield (f"{field}.runAsUser", "must not be 0", "Running as Non-root user")
        profile = dig(security, "seccompProfile", "type") or dig(of_pod, "seccompProfile", "type")
        if str(profile) not in _PROFILES:
            rule = "must be RuntimeDefault or Localhost, here or for the pod"
            yield (f"{field}.seccompProfile.type", rule, "Seccomp")
        capabilities = mapping(security.get("capabilities"))
        if "ALL" not in texts(capabilities.get("drop")):
            yield (f"{field}.capabilities.drop", "must have ALL", "Capabilities")
        if more := sorted(set(texts(capabilities.get("add"))) - {"NET_BIND_SERVICE"}):
            yield (f"{field}.capabilities.add", f"adding {', '.join(more)} is not allowed", "Capabilities")


def _is_root(user: object) -> bool:
    return user is not None and str(user) in ("0", "0.0", "False")
