"""Why a pod does not run, where no recorded cluster says it (see also tests/unit/kube/test_readiness.py)."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.kubeapi import pods


def pod(*, node: str | None = "node1", scheduled: str | None = None, **status: Any) -> dict[str, Any]:
    conditions = [] if scheduled is None else [{"type": "PodScheduled", "status": "False", "message": scheduled}]
    spec = {} if node is None else {"nodeName": node}
    return {"metadata": {"name": "p"}, "spec": spec, "status": {"conditions": conditions, **status}}


def event(reason: str, message: str = "", *, kind: str = "Warning", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": "Pod", "name": "p"},
        **more,
    }


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "c", "image": "i:1", "ready": False, "restartCount": 0, "state": state, **more}


ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}
FULL = "0/3 nodes are available: 3 Insufficient memory."


@pytest.mark.parametrize("sign", ["TriggeredScaleUp", "Nominated"])
def test_an_autoscaler_at_work_is_hope(sign: str) -> None:
    found = pods.trouble(pod(node=None, scheduled=FULL), [event(sign, kind="Normal")])
    assert found == pods.Trouble(
        "pod p waits for a new node: 0/3 nodes are available: 3 Insufficient memory", hopeless=False
    )


def test_a_volume_that_is_being_made_is_hope() -> None:
    said = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    assert pods.trouble(pod(node=None, scheduled=said)) == pods.Trouble(
        "pod p waits for its volume to be made", hopeless=False
    )


def test_a_pod_that_nobody_has_looked_at_is_pending() -> None:
    assert pods.trouble(pod(node=None, phase="Pending")) == pods.Trouble("pod p is Pending", hopeless=False)
    assert pods.trouble(pod(phase="Running")) == pods.Trouble("pod p is Running", hopeless=False)


@pytest.mark.parametrize(
    ("restarts", "hopeless"),
    [(0, False), (1, False), (2, True), (9, True)],
)
@pytest.mark.parametrize(
    "state", [{"running": {}}, {"waiting": {"reason": "CrashLoopBackOff"}}, ENDED], ids=["runs", "waits", "ended"]
)
def test_who_crashes_again_and_again_is_given_up_on_also_while_it_runs(
    restarts: int, hopeless: bool, state: dict[str, Any]
) -> None:
    status = container(state, lastState=ENDED, restartCount=restarts)
    found = pods.trouble(pod(containerStatuses=[status]))
    assert found == pods.Trouble("container c of pod p ended with exit code 1 (Error)", hopeless)


def test_a_container_that_is_ready_is_not_to_blame() -> None:
    fine = container({"running": {}}, ready=True, lastState=ENDED, restartCount=5)
    slow = container({"running": {}}, name="slow")
    found = pods.trouble(pod(containerStatuses=[fine, slow]))
    assert found == pods.Trouble("container slow of pod p runs and is not ready yet", hopeless=False)


def test_volumes_are_history_once_a_container_has_run() -> None:
    late = [event("FailedMount", "secret is late")]
    waiting, running = container({"waiting": {"reason": "ContainerCreating"}}), container({"running": {}})
    assert pods.trouble(pod(containerStatuses=[waiting]), late).reason == "Pod p: secret is late"
    assert "runs and is not ready yet" in pods.trouble(pod(containerStatuses=[running]), late).reason


def test_a_mount_that_may_still_come_is_no_lost_cause() -> None:
    waiting = container({"waiting": {"reason": "ContainerCreating"}})
    lag = pods.trouble(pod(containerStatuses=[waiting]), [event("FailedMount", "failed to sync secret cache")])
    lost = pods.trouble(pod(containerStatuses=[waiting]), [event("FailedMount", 'secret "x" not found')])
    assert (lag.hopeless, lost.hopeless) == (False, True)


@pytest.mark.parametrize(
    "times",
    [
        ({"lastTimestamp": "2026-01-01T00:00:01Z"}, {"lastTimestamp": "2026-01-01T00:00:02Z"}),
        ({"eventTime": "2026-01-01T00:00:01.5Z"}, {"eventTime": "2026-01-01T00:00:02.5Z"}),
        (
            {"lastTimestamp": None, "eventTime": "2026-01-01T00:00:03Z"},
            {"eventTime": "2026-01-01T00:00:01Z", "series": {"lastObservedTime": "2026-01-01T00:00:04Z"}},
        ),
    ],
    ids=["old events", "new events", "series"],
)
def test_the_newest_event_is_told_first(times: tuple[dict[str, Any], dict[str, Any]]) -> None:
    older, newer = times
    events = [event("FailedMount", "older", **older), event("FailedMount", "newer", **newer)]
    assert list(pods.warnings(events)) == ["Pod p: newer", "Pod p: older"]
    assert list(pods.warnings(reversed(events))) == ["Pod p: newer", "Pod p: older"]


def test_only_a_refusal_is_a_refusal() -> None:
    """A name that its predecessor still has frees itself."""
    assert pods.refusal([event("FailedCreate", 'pods "x-0" already exists')]) is None
    refused = pods.refusal([event("FailedCreate", 'pods "x-0" is forbidden: exceeded quota: q.')])
    assert refused == 'pods "x-0" is forbidden: exceeded quota: q. Raise the quota, or remove what forbids it'


def test_texts_are_bounded_and_on_one_line() -> None:
    (told,) = pods.warnings([event("FailedMount", "a\n b  " + "x" * 1000)])
    assert told.startswith("Pod p: a b x")
    assert len(told) == len("Pod p: ") + 300


def test_a_job_says_its_last_words() -> None:
    ended = {"terminated": {"exitCode": 3, "message": "first\nthe cause.\n\n", "reason": "Error"}}
    assert pods.exit_message(pod(containerStatuses=[container(ended)])) == "the cause (exit code 3)"
    silent = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert pods.exit_message(pod(containerStatuses=[container(silent)])) == "OOMKilled (exit code 137)"
    assert pods.exit_message(pod(containerStatuses=[container({"terminated": {"exitCode": 0}})])) is None


@pytest.mark.parametrize(
    ("condition", "metadata", "expected"),
    [("True", {}, True), ("False", {}, False), ("True", {"deletionTimestamp": "2026-01-01T00:00:00Z"}, False)],
)
def test_ready(condition: str, metadata: dict[str, Any], expected: bool) -> None:
    found = {
        "metadata": {"name": "p", **metadata},
        "status": {"conditions": [{"type": "Ready", "status": condition}]},
    }
    assert pods.ready(found) is expected


def node(status: str, message: str) -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "message": message}
    return {"metadata": {"name": "node1"}, "status": {"conditions": [condition]}}


LOST = node("Unknown", "Kubelet stopped posting node status.")


def test_a_pod_whose_node_is_silent() -> None:
    fine = pod(containerStatuses=[container({"running": {}}, ready=True)], phase="Running")
    assert pods.doubts_its_node(fine)
    found = pods.trouble(fine, (), pods.Around(nodes={"node1": LOST}))
    assert found == pods.Trouble(
        "pod p cannot be reached: its node node1 is not ready (Kubelet stopped posting node status). "
        "Bring it back, or remove it from the cluster",
        hopeless=False,
    )
    assert pods.trouble(fine, (), pods.Around(nodes={"node1": node("True", "")})).reason == "pod p is Running"
    assert not pods.doubts_its_node(pod(containerStatuses=[container({"running": {}})]))
    assert not pods.doubts_its_node(pod(node=None))


def test_a_pod_that_does_not_go() -> None:
    leaving = pod(phase="Running")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pods.doubts_its_node(leaving)
    assert pods.trouble(leaving, (), pods.Around(nodes={"node1": LOST})).reason.startswith(
        "pod p is being stopped, but its node node1 is not ready (Kubelet stopped"
    )
    held = pod(phase="Failed")
    held["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/x"]}
    assert pods.trouble(held).reason == (
        "pod p is being stopped, but is held by the finalizer example.com/x: whoever set it has to remove it"
    )


@pytest.mark.parametrize(
    ("reason", "told"),
    [("Evicted", "pod p was evicted: low on memory"), ("NodeLost", "pod p was ended (NodeLost): low on memory")],
)
def test_a_pod_that_its_node_put_out(reason: str, told: str) -> None:
    gone = pod(phase="Failed", reason=reason, message="low on memory. ")
    assert pods.trouble(gone) == pods.Trouble(told, hopeless=False)


def test_memory_that_was_used_up_by_a_child_of_a_shell() -> None:
    """The shell itself ends well: the exit code is 0."""
    ended = {"terminated": {"exitCode": 0, "reason": "OOMKilled"}}
    found = pods.trouble(pod(containerStatuses=[container(ended, restartCount=2)]))
    assert found.reason.startswith(
        "container c of pod p was killed, as there was no memory left for it (OOMKilled)"
    )
    assert found.hopeless


def test_the_probe_of_another_container_is_not_told() -> None:
    ended = container(ENDED, lastState=ENDED)
    said = [event("Unhealthy", "Liveness probe failed: no"), event("Killing", "Container d failed liveness probe")]
    assert pods.trouble(pod(containerStatuses=[ended]), said).reason.endswith("ended with exit code 1 (Error)")


def test_a_provisioner_that_fails_is_told_before_one_that_is_waited_for() -> None:
    about = {"kind": "PersistentVolumeClaim", "name": "data"}
    waits = event("ExternalProvisioning", "by the external provisioner 'csi.example' or", kind="Normal")
    waits |= {"involvedObject": about, "lastTimestamp": "2026-01-01T00:00:01Z"}
    fails = event("ProvisioningFailed", "no space left")
    fails |= {"involvedObject": about, "lastTimestamp": "2026-01-01T00:00:02Z"}
    pending = pod(node=None, scheduled="pod has unbound immediate PersistentVolumeClaims")
    told = "pod p waits for its volume: PersistentVolumeClaim data: no space left. Check the storage class and "
    assert pods.trouble(pending, [waits, fails]) == pods.Trouble(f"{told}its provisioner", hopeless=True)
    assert pods.trouble(pending, [waits]).reason == "pod p waits for its volume, which csi.example has to make"


def test_a_volume_that_has_come_is_not_what_a_pod_waits_for() -> None:
    about = {"kind": "PersistentVolumeClaim", "name": "data"}
    waited = event("ExternalProvisioning", "by the external provisioner 'csi.example' or", kind="Normal")
    around = pods.Around(claims={"data": {"status": {"phase": "Bound"}}})
    pending = pod(node=None, scheduled="0/1 nodes are available: 1 Insufficient cpu.")
    found = pods.trouble(pending, [waited | {"involvedObject": about}], around)
    assert found.reason.startswith("pod p cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu")
    assert found.hopeless
