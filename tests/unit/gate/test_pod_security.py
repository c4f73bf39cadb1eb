"""The Pod Security Standards, control by control, wherever a field may be."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helmbroker.catalog.model import PodSecurity
from tests.unit.gate.manifests import (
    GROUPS,
    RESTRICTED_POD,
    WORKLOADS,
    container,
    found,
    path_of_pod,
    pod,
    told,
    workload,
)

BASELINE, RESTRICTED, PRIVILEGED = PodSecurity.BASELINE, PodSecurity.RESTRICTED, PodSecurity.PRIVILEGED
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/main"

# fields of a security context that pods and containers have, the field that is told, the control
BOTH: list[tuple[dict[str, Any], str, str]] = [
    ({"windowsOptions": {"hostProcess": True}}, "windowsOptions.hostProcess", "HostProcess"),
    ({"appArmorProfile": {"type": "Unconfined"}}, "appArmorProfile.type", "AppArmor"),
    ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile.type", "Seccomp"),
    ({"seLinuxOptions": {"type": "spc_t"}}, "seLinuxOptions.type", "SELinux"),
    ({"seLinuxOptions": {"user": "root"}}, "seLinuxOptions.user", "SELinux"),
    ({"seLinuxOptions": {"role": "x"}}, "seLinuxOptions.role", "SELinux"),
]
PODS: list[tuple[dict[str, Any], str, str]] = [
    ({"hostNetwork": True}, "hostNetwork", "Host Namespaces"),
    ({"hostPID": True}, "hostPID", "Host Namespaces"),
    ({"hostIPC": True}, "hostIPC", "Host Namespaces"),
    ({"hostNetwork": "true"}, "hostNetwork", "Host Namespaces"),
    (
        {"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}},
        "securityContext.sysctls[0].name",
        "Sysctls",
    ),
    *(({"securityContext": fields}, f"securityContext.{field}", control) for fields, field, control in BOTH),
]
_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "ALL")
CONTAINERS: list[tuple[dict[str, Any], str, str]] = [
    ({"securityContext": {"privileged": True}}, "securityContext.privileged", "Privileged Containers"),
    ({"securityContext": {"privileged": "true"}}, "securityContext.privileged", "Privileged Containers"),
    *(
        ({"securityContext": {"capabilities": {"add": [each]}}}, "securityContext.capabilities.add", "Capabilities")
        for each in _CAPABILITIES
    ),
    ({"securityContext": {"procMount": "Unmasked"}}, "securityContext.procMount", "/proc Mount Type"),
    ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "ports[0].hostPort", "Host Ports"),
    *(
        ({probe: {how: {"host": "10.0.0.1", "port": 80}}}, f"{probe}.{how}.host", "Host Probes / Lifecycle Hooks")
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for how in ("httpGet", "tcpSocket")
    ),
    *(
        (
            {"lifecycle": {hook: {how: {"host": "x"}}}},
            f"lifecycle.{hook}.{how}.host",
            "Host Probes / Lifecycle Hooks",
        )
        for hook in ("postStart", "preStop")
        for how in ("httpGet", "tcpSocket")
    ),
    *(({"securityContext": fields}, f"securityContext.{field}", control) for fields, field, control in BOTH),
]


@pytest.mark.bug(13)
@pytest.mark.parametrize(("fields", "field", "control"), PODS)
@pytest.mark.parametrize("kind", WORKLOADS)
def test_baseline_of_pods(kind: str, fields: dict[str, Any], field: str, control: str) -> None:
    (violation,) = found(workload(kind, pod(**fields)))
    assert violation.field == f"{path_of_pod(kind)}.{field}"
    assert violation.rule.endswith(f"(Pod Security Standards, baseline: {control})")
    assert violation.grant == "pod_security: privileged"


@pytest.mark.bug(13)
@pytest.mark.parametrize(("fields", "field", "control"), CONTAINERS)
@pytest.mark.parametrize("group", GROUPS)
def test_baseline_of_containers(group: str, fields: dict[str, Any], field: str, control: str) -> None:
    bad = {"containers": [container()], group: [container(), container(**fields)]}
    (violation,) = found(workload("Deployment", bad))
    assert violation.field == f"spec.template.spec.{group}[1].{field}"
    assert violation.rule.endswith(f"(Pod Security Standards, baseline: {control})")


@pytest.mark.parametrize("value", ["unconfined", "anything"])
def test_apparmor_by_annotation(value: str) -> None:
    (violation,) = found(workload("Deployment", pod(), {_APPARMOR: value}))
    assert violation.field == f"spec.template.metadata.annotations[{_APPARMOR}]"
    for allowed in ("runtime/default", "localhost/mine"):
        assert told(workload("Deployment", pod(), {_APPARMOR: allowed})) == []


@pytest.mark.parametrize(
    "capability",
    [
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    ],
)
def test_capabilities_that_baseline_lets_be_added(capability: str) -> None:
    security = {"securityContext": {"capabilities": {"add": [capability]}}}
    assert told(workload("Deployment", {"containers": [container(**security)]})) == []


def _restricted(**changes: Any) -> dict[str, Any]:
    """A pod that keeps to the level, with changes in its first container's security context."""
    changed = copy.deepcopy(RESTRICTED_POD)
    changed["containers"][0]["securityContext"] |= changes
    return changed


def _of_pod(**changes: Any) -> dict[str, Any]:
    changed = copy.deepcopy(RESTRICTED_POD)
    changed["securityContext"] |= changes
    return changed


_SECURITY = "containers[0].securityContext"


@pytest.mark.parametrize(
    ("bad", "field", "control"),
    [
        (
            _restricted(allowPrivilegeEscalation=True),
            f"{_SECURITY}.allowPrivilegeEscalation",
            "Privilege Escalation",
        ),
        (
            _restricted(allowPrivilegeEscalation=None),
            f"{_SECURITY}.allowPrivilegeEscalation",
            "Privilege Escalation",
        ),
        (_restricted(runAsNonRoot=False), f"{_SECURITY}.runAsNonRoot", "Running as Non-root"),
        (_of_pod(runAsNonRoot=None), f"{_SECURITY}.runAsNonRoot", "Running as Non-root"),
        (_restricted(runAsUser=0), f"{_SECURITY}.runAsUser", "Running as Non-root user"),
        (_of_pod(runAsUser=0), "securityContext.runAsUser", "Running as Non-root user"),
        (_of_pod(seccompProfile=None), f"{_SECURITY}.seccompProfile.type", "Seccomp"),
        (_restricted(capabilities={"drop": ["NET_RAW"]}), f"{_SECURITY}.capabilities.drop", "Capabilities"),
        (_restricted(capabilities=None), f"{_SECURITY}.capabilities.drop", "Capabilities"),
        (
            _restricted(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}),
            f"{_SECURITY}.capabilities.add",
            "Capabilities",
        ),
    ],
)
def test_restricted(bad: dict[str, Any], field: str, control: str) -> None:
    (violation,) = found(workload("StatefulSet", bad), level=RESTRICTED)
    assert violation.field == f"spec.template.spec.{field}"
    assert violation.rule.endswith(f"(Pod Security Standards, restricted: {control})")
    assert violation.grant == "pod_security: baseline"
    assert told(workload("StatefulSet", bad), level=BASELINE) == []


def test_restricted_has_its_own_volumes() -> None:
    bad = RESTRICTED_POD | {"volumes": [{"name": "v", "nfs": {"server": "x"}}]}
    rules = [rule for _, rule in told(workload("Job", bad), level=RESTRICTED)]
    assert "nfs volumes are not allowed (Pod Security Standards, restricted: Volume Types)" in rules


def test_what_a_container_says_counts_before_what_its_pod_says() -> None:
    profile = {"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}
    assert told(workload("Job", _restricted(**profile)), level=RESTRICTED) == []
    loose = _of_pod(runAsNonRoot=False) | {"containers": _restricted(runAsNonRoot=True)["containers"]}
    assert told(workload("Job", loose), level=RESTRICTED) == []


def test_privileged_has_to_be_granted() -> None:
    bad = workload("Deployment", pod(hostNetwork=True))
    assert [each.grant for each in found(bad, level=PRIVILEGED)] == ["pod_security: privileged"]


@given(
    kind=st.sampled_from(WORKLOADS),
    groups=st.lists(st.sampled_from(GROUPS), min_size=1, max_size=4),
    bad=st.sampled_from([*(("pod", *each) for each in PODS), *(("container", *each) for each in CONTAINERS)]),
    good=st.lists(st.sampled_from(RESTRICTED_POD["containers"]), max_size=3),
    place=st.integers(0, 10),
    level=st.sampled_from([BASELINE, RESTRICTED]),
)
def test_a_bad_field_is_found_wherever_it_is_nested(
    kind: str,
    groups: list[str],
    bad: tuple[str, dict[str, Any], str, str],
    good: list[dict[str, Any]],
    place: int,
    level: PodSecurity,
) -> None:
    """Among any containers, of any sort, in any workload, beside everything that is right."""
    where, fields, field, _ = bad
    made = copy.deepcopy(RESTRICTED_POD)
    for group in groups:
        made[group] = copy.deepcopy(good)
    if where == "pod":
        made = _merged(made, fields)
        expected = f"{path_of_pod(kind)}.{field}"
    else:
        group, index = groups[-1], place % (len(good) + 1)
        made[group].insert(index, _merged(RESTRICTED_POD["containers"][0], fields))
        expected = f"{path_of_pod(kind)}.{group}[{index}].{field}"
    assert expected in [each for each, _ in told(workload(kind, made), level=level)]


def _merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for key, value in more.items():
        known = result.get(key)
        result[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


MUTATIONS: tuple[Any, ...] = (None, "text", 7, True, [], ["x"], [None], {}, {"a": "b"})


def _mutants(value: Any) -> Any:
    """The value with each of its parts replaced, one at a time, by something of another shape."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: other} for other in (*MUTATIONS, *_mutants(inner)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for other in (*MUTATIONS, *_mutants(inner)):
                yield [*value[:index], other, *value[index + 1 :]]


def test_no_shape_gets_the_gate_to_stumble() -> None:
    for mutant in _mutants({**RESTRICTED_POD, "hostNetwork": True}):
        fields = [field for field, _ in told(workload("Deployment", mutant), level=RESTRICTED)]
        assert bool(mutant["hostNetwork"]) == ("spec.template.spec.hostNetwork" in fields)
