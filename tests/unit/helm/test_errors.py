"""What helm 4.2.4 says, and what it means. The texts are helm's own, as recorded."""

from __future__ import annotations

import pytest

from helmbroker.broker.domain.helm_errors import HelmFault
from helmbroker.broker.helm.errors import classify, detail

SAID = [
    (
        HelmFault.RENDER,
        (
            "Error: execution error at (c/templates/cm.yaml:1:35): text is default: ask for less\n\n"
            "Use --debug flag to render out invalid YAML\n"
        ),
        "execution error at (c/templates/cm.yaml:1:35): text is default: ask for less",
    ),
    (
        HelmFault.RENDER,
        (
            'Error: c/templates/cm.yaml:2:41\n  executing "c/templates/cm.yaml" at <.Values.a.b.c>:\n'
            "    nil pointer evaluating interface {}.b"
        ),
        (
            'c/templates/cm.yaml:2:41 executing "c/templates/cm.yaml" at <.Values.a.b.c>: '
            "nil pointer evaluating interface {}.b"
        ),
    ),
    (
        HelmFault.RENDER,
        (
            "Error: YAML parse error on c/templates/cm.yaml: error converting YAML to JSON: yaml: line 8: "
            "mapping values are not allowed in this context"
        ),
        None,
    ),
    *(
        (
            fault,
            (
                'Error: template: c/templates/s.yaml:16:41: executing "c/templates/s.yaml" at <lookup "v1" '
                f'"Secret" .Release.Namespace .Release.Name>: error calling lookup: {why}'
            ),
            None,
        )
        for fault, why in [
            (
                HelmFault.UNREACHABLE,
                (
                    'Get "https://127.0.0.1:9/api/v1/namespaces/n/secrets/s": dial tcp 127.0.0.1:9: connect: '
                    "connection refused"
                ),
            ),
            (
                HelmFault.UNREACHABLE,
                (
                    "unable to get apiresource from unstructured: /v1, Kind=Secret: "
                    'Get "https://127.0.0.1:45245/api/v1?timeout=32s": read tcp 127.0.0.1:1->127.0.0.1:2: read: '
                    "connection reset by peer"
                ),
            ),
            (
                HelmFault.RENDER,
                'secrets "s" is forbidden: User "u" cannot get resource "secrets" in the namespace "n"',
            ),
        ]
    ),
    (HelmFault.RENDER, "Error: parse error at (c/templates/cm.yaml:2): unclosed action started at :1", None),
    (
        HelmFault.VALUES,
        (
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n"
            "- at '/text': maxLength: got 24, want 20\n"
        ),
        (
            "values don't meet the specifications of the schema(s) in the following chart(s): c: "
            "- at '/text': maxLength: got 24, want 20"
        ),
    ),
    (
        HelmFault.INVALID,
        (
            'Error: server-side apply failed for object ns/Bad_Name /v1, Kind=ConfigMap: ConfigMap "Bad_Name" is '
            'invalid: metadata.name: Invalid value: "Bad_Name"'
        ),
        None,
    ),
    (
        HelmFault.INVALID,
        (
            "Error: server-side apply failed for object ns/db apps/v1, Kind=StatefulSet: failed to convert new "
            "object (ns/db; apps/v1, Kind=StatefulSet) to proper version: unable to convert unstructured object to "
            "apps/v1, Kind=StatefulSet: quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ),
        None,
    ),
    (
        HelmFault.INVALID,
        (
            'Error: StatefulSet in version "v1" cannot be handled as a StatefulSet: quantities must match the '
            "regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ),
        None,
    ),
    (
        HelmFault.INVALID,
        (
            "Error: unable to build kubernetes objects from release manifest: resource mapping not found for name: "
            '"x" namespace: "" from "": no matches for kind "Nothing" in version "nothing.example/v1"\n'
            "ensure CRDs are installed first"
        ),
        None,
    ),
    (
        HelmFault.INVALID,
        'Error: admission webhook "policy.example" denied the request: no latest tags',
        'admission webhook "policy.example" denied the request: no latest tags',
    ),
    (
        HelmFault.OWNERSHIP,
        (
            'Error: unable to continue with install: ConfigMap "owned" in namespace "ns" exists and cannot be '
            "imported into the current release: invalid ownership metadata; label validation error: missing key "
            '"app.kubernetes.io/managed-by": must be set to "Helm"'
        ),
        None,
    ),
    (
        HelmFault.HOOK,
        (
            "Error: failed post-install: resource Job/ns/h1-make not ready. status: Failed, message: Job Failed. "
            "failed: 1/1"
        ),
        None,
    ),
    (
        HelmFault.HOOK,
        "Error: resource Job/ns/h4-drop not ready. status: Failed, message: Job Failed. failed: 1/1",
        None,
    ),
    (HelmFault.NAMESPACE, 'Error: create: failed to create: namespaces "absent" not found', None),
    (HelmFault.NOT_DEPLOYED, 'Error: UPGRADE FAILED: "x" has no deployed releases', None),
    (HelmFault.NOT_DEPLOYED, "Error: release has no 0 version", None),
    (
        HelmFault.TERMINATING,
        (
            'Error: server-side apply failed for object ns/x /v1, Kind=ConfigMap: configmaps "x" is forbidden: '
            "unable to create new content in namespace ns because it is being terminated"
        ),
        None,
    ),
    (
        HelmFault.UNREACHABLE,
        (
            'Error: kubernetes cluster unreachable: Get "https://127.0.0.1:9/version": dial tcp 127.0.0.1:9: '
            "connect: connection refused"
        ),
        None,
    ),
    (
        HelmFault.UNREACHABLE,
        (
            'Error: kubernetes cluster unreachable: Get "https://nowhere.invalid/version": dial tcp: lookup '
            "nowhere.invalid: no such host"
        ),
        None,
    ),
    (
        HelmFault.UNREACHABLE,
        "Error: kubernetes cluster unreachable: the server has asked for the client to provide credentials",
        None,
    ),
    (HelmFault.SERVER, "Error: etcdserver: leader changed", None),
    (HelmFault.SERVER, "Error: failed to delete release: hb-58bfa58c1a24edfb641a-8e88ffdd28c88ec2", None),
    (
        HelmFault.FORBIDDEN,
        (
            'Error: unable to continue with install: could not get information about the resource ConfigMap "a" in '
            'namespace "ns": configmaps "a3" is forbidden: User "system:serviceaccount:ns:weak" cannot get '
            'resource "configmaps" in API group "" in the namespace "ns"'
        ),
        None,
    ),
    (
        HelmFault.QUOTA,
        (
            'Error: server-side apply failed for object ns/a5 /v1, Kind=ConfigMap: configmaps "a5" is forbidden: '
            "exceeded quota: q, requested: configmaps=1, used: configmaps=6, limited: configmaps=1"
        ),
        None,
    ),
    (
        HelmFault.QUOTA,
        'Error: pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
        None,
    ),
    (HelmFault.CHART, 'Error: path "/nowhere/chart" not found', None),
    (
        HelmFault.CHART,
        "Error: unable to detect chart at /x/Chart.yaml: open /x/Chart.yaml: no such file or directory",
        None,
    ),
    (HelmFault.CHART, "Error: chart requires kubeVersion: >=2.0.0 which is incompatible with v1.36.3", None),
    (
        HelmFault.PENDING,
        "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
        "another operation (install/upgrade/rollback) is in progress",
    ),
    (
        HelmFault.CONFLICT,
        (
            'level=WARN msg="upgrade failed" name=s1 error="conflict occurred while applying object"\n'
            "Error: UPGRADE FAILED: conflict occurred while applying object ns/s1 /v1, Kind=ConfigMap: Apply "
            'failed with 1 conflict: conflict with "other" using v1: .data.text'
        ),
        (
            "conflict occurred while applying object ns/s1 /v1, Kind=ConfigMap: Apply failed with 1 conflict: "
            'conflict with "other" using v1: .data.text'
        ),
    ),
    (HelmFault.TIMEOUT, "Error: failed post-install: context deadline exceeded", None),
    (HelmFault.STOPPED, "Error: context canceled", None),
    (HelmFault.STORAGE, "Error: open /data/cache/x: no space left on device", None),
    (HelmFault.OTHER, "Error: something nobody has seen before", "something nobody has seen before"),
    (HelmFault.OTHER, "", ""),
    (HelmFault.OTHER, "panic: runtime error\n\ngoroutine 1 [running]:\nmain.main()", "main.main()"),
]


@pytest.mark.parametrize(("fault", "stderr", "told"), SAID)
def test_what_helm_says(fault: HelmFault, stderr: str, told: str | None) -> None:
    error = classify(stderr)
    assert error.fault is fault
    if told is not None:
        assert error.detail == told
    assert "\n" not in error.detail


def test_helms_own_log_lines_are_left_out() -> None:
    said = 'Release "x" does not exist. Installing it now.\nlevel=WARN msg="a warning"\nError: the cause'
    assert detail(said) == "the cause"


def test_the_text_is_bounded_and_judged_whole() -> None:
    error = classify("Error: " + "x" * 5000 + " exceeded quota")
    assert error.fault is HelmFault.QUOTA
    assert len(error.detail) == 600
    assert error.detail.endswith("…")


def test_a_helm_that_was_killed_begins_anew() -> None:
    error = classify("", status=-9)
    assert (error.fault, error.retryable) == (HelmFault.STOPPED, True)
    assert error.detail == "it was ended by SIGKILL, perhaps for want of memory"


@pytest.mark.bug(86)
@pytest.mark.parametrize("fault", HelmFault)
def test_errors_show_no_detail_unasked(fault: HelmFault) -> None:
    """The text may repeat values; only who scrubs it may tell it."""
    error = classify("Error: the password is hunter22")
    assert "hunter22" not in f"{error} {error!r}"
