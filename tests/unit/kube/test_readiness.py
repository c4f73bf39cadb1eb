"""Why workloads are not ready: judged over what a real cluster (1.36) showed a minute after they were made.

observed.json: workload, pods and events by case, cut down to what is looked at.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain.cluster import NotReady, Ready
from helmbroker.broker.kube.readiness import Observed, claims_of, job_failure, judge, satisfied
from helmbroker.kubeapi import room
from helmbroker.kubeapi.pods import Around

CASES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "observed.json").read_text())


def observed(case: str) -> Observed:
    found = copy.deepcopy(CASES[case])
    claims = {claim["metadata"]["name"]: claim for claim in found.get("claims", ())}
    free = room.free(found["nodes"], []) if "nodes" in found else None
    return Observed(found["workload"], found["pods"], found["events"], Around(claims, free))


MAKE_IT = "Make it, or correct what names it"
RAISE = "Raise the quota, choose a smaller plan, or remove what is not needed"
UNREACHABLE = "The registry cannot be reached: check its name, and the node's network or mirror"
HOPELESS = {
    "image": (
        "image nowhere.invalid/x:1 for container main of pod image-0 cannot be pulled: failed to pull and unpack",
        f"connect: network is unreachable. {UNREACHABLE}",
    ),
    "image-never": (
        (
            "image nowhere.invalid/x:1 for container main of pod image-never-0 cannot be pulled: "
            'Container image "nowhere.invalid/x:1" is not present with pull policy of Never'
        ),
        "Bring it to the node, or let its pull policy fetch it",
    ),
    **{
        f"image-{case}": (
            f"image localhost:{port} for container main of pod image-{case}-0 cannot be pulled: ",
            end,
        )
        for case, port, end in (
            (
                "absent",
                "5999/absent:1",
                "The registry does not have it: correct its name and tag, or push it",
            ),
            ("private", "5999/private:1", "401 Unauthorized. The registry refuses access: check the pull secret"),
            ("forbidden", "5999/forbidden:1", "403 Forbidden. The registry refuses access: check the pull secret"),
            ("broken", "5999/broken:1", "Server Error. The registry does not work: tell who runs it"),
            ("busy", "5999/busy:1", "The registry wants fewer requests: wait, log in, or use a mirror"),
            ("refused", "5998/x:1", f"connect: connection refused. {UNREACHABLE}"),
        )
    },
    "image-invalid": (
        "image Not/Valid:1 for container main of pod image-invalid-0 ",
        "must be lowercase. Correct the name",
    ),
    "too-big": (
        (
            "pod too-big-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu, "
            "1 Insufficient memory; it asks 80 CPU and 400 GiB, "
            "and the node with most room has 2 CPU and 23.35 GiB free. "
        ),
        "Ask for less, or give the cluster room for it",
    ),
    "too-big-memory": (
        "pod too-big-memory-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient memory; it asks 400 GiB",
        "Ask for less, or give the cluster room for it",
    ),
    "pinned": (
        "pod pinned-0 cannot be scheduled: 0/1 nodes are available: 1 node(s) didn't match Pod's node ",
        "Change where it may run, or give the cluster such a node",
    ),
    "claim-quota": (
        (
            'StatefulSet claim-quota: persistentvolumeclaims "data-claim-quota-0" may not be made: quota q '
            "is exceeded (persistentvolumeclaims: 1 asked, 1 of 1 used). "
        ),
        RAISE,
    ),
    "unstated": (
        (
            'StatefulSet evicted: pods "evicted-0" may not be made: quota q wants every container '
            "to say its requests.memory. "
        ),
        "Let the plan or the chart say them, or give the namespace a LimitRange with defaults",
    ),
    "limit-range": (
        (
            'StatefulSet limit-range: pods "limit-range-0" may not be made: a LimitRange of the namespace '
            "does not allow it "
            "(maximum memory usage per Container is 64Mi, but limit is 128Mi). "
        ),
        "Choose a plan within these limits, or change the LimitRange",
    ),
    "pod-security": (
        (
            'StatefulSet pod-security: pods "pod-security-0" may not be made: Pod Security level restricted '
            "of the namespace "
            "forbids it (allowPrivilegeEscalation != false "
        ),
        "The addon's author has to mend the chart, or the operator to lower that level",
    ),
    "oom": (
        "container main of pod oom-0 was killed, as it used more than its memory limit of 32Mi (OOMKilled). ",
        "Choose a larger plan, or raise the limit",
    ),
    "liveness": (
        "container main of pod liveness-0 was stopped, as it does not live: Liveness probe failed: no pulse",
        "",
    ),
    "startup": (
        "container main of pod startup-0 was stopped, as it does not live: Startup probe failed: not up",
        "",
    ),
    "unschedulable": (
        "pod unschedulable-0 cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu.",
        "Ask for less, or give the cluster room for it",
    ),
    "crash": ("container main of pod crash-0 ended with exit code 7 (Error): it cannot work", ""),
    "init": ("container first of pod init-0 ended with exit code 2 (Error): no way", ""),
    "config": ('container main of pod config-0 cannot be started: secret "absent" not found', MAKE_IT),
    "mount": ('Pod mount-0: MountVolume.SetUp failed for volume "s" : secret "absent" not found', MAKE_IT),
    "no-class": (
        (
            "pod no-class-0 waits for its volume: PersistentVolumeClaim data-no-class-0: "
            'storageclass.storage.k8s.io "absent" not found'
        ),
        "Make the StorageClass absent, or name another one in the plan",
    ),
    "no-provisioner": (
        (
            "pod no-provisioner-0 waits for its volume: PersistentVolumeClaim data-no-provisioner-0: "
            "no persistent volumes available for this claim and no storage class is set"
        ),
        "Name a StorageClass in the plan, or make one the default",
    ),
    "quota": (
        (
            'StatefulSet quota: pods "quota-0" may not be made: quota q is exceeded '
            "(requests.memory: 900Gi asked, 224Mi of 100Gi used)"
        ),
        RAISE,
    ),
    "quota-deployment": ("Deployment quota-deployment: ", RAISE),
    "job-failed": ("Job job-failed: the reason (exit code 4)", ""),
    "job-late": ("Job job-late: Job was active longer than specified deadline", ""),
    "job-image": ("Job job-image: Pod job-image-lml8s: Failed to pull image", ""),
    "job-pulls": ("image nowhere.invalid/x:1 for container main of pod job-pulls-r7vdf cannot be pulled: ", ""),
}
HOPEFUL = {
    "not-ready": "container main of pod not-ready-0 runs and is not ready yet: Readiness probe failed",
    "job-runs": "Job job-runs runs",
    "claim-provisioner": "pod claim-provisioner-0 waits for its volume, which nobody.example/none has to make",
}


@pytest.mark.parametrize("case", HOPELESS)
def test_what_waiting_cannot_mend(case: str) -> None:
    state = judge([observed(case)])
    assert isinstance(state, NotReady)
    assert state.hopeless
    beginning, end = HOPELESS[case]
    assert state.reason.startswith(beginning)
    assert state.reason.endswith(end)


@pytest.mark.parametrize("case", HOPEFUL)
def test_what_needs_time(case: str) -> None:
    assert judge([observed(case)]) == NotReady(HOPEFUL[case], hopeless=False)


@pytest.mark.parametrize("case", ["ready", "ready-deployment", "job-ok"])
def test_what_is_ready(case: str) -> None:
    assert judge([observed(case)]) == Ready()


def test_every_case_is_judged() -> None:
    assert set(CASES) == {*HOPELESS, *HOPEFUL, "ready", "ready-deployment", "job-ok"}


def test_the_worst_is_told() -> None:
    state = judge([observed("ready"), observed("not-ready"), observed("crash")])
    assert isinstance(state, NotReady)
    assert "crash-0" in state.reason
    assert judge([]) == Ready()


@pytest.mark.parametrize("case", ["ready", "ready-deployment"])
@pytest.mark.parametrize(
    "change",
    [
        {"observedGeneration": 0},
        {"readyReplicas": 0},
        {"readyReplicas": 2},
        {"updatedReplicas": 0},
    ],
)
def test_it_is_ready_only_when_its_status_is_whole_and_new(case: str, change: dict[str, int]) -> None:
    workload = observed(case).workload
    assert satisfied(workload)
    workload["status"] |= change
    assert not satisfied(workload)


def test_a_workload_without_pods_is_ready_when_it_wants_none() -> None:
    workload = observed("ready").workload
    workload["spec"]["replicas"] = 0
    workload["status"] = {"observedGeneration": workload["metadata"]["generation"]}
    assert satisfied(workload)


def test_a_fresh_workload_has_no_pods_yet() -> None:
    workload = observed("ready").workload
    workload["status"] = {}
    assert judge([Observed(workload)]) == NotReady("StatefulSet ready has no pods yet")


def test_a_pod_that_stops_is_no_trouble() -> None:
    """What a predecessor of the same name left: its events and its pod say nothing about this one."""
    case = observed("crash")
    case.pods[0]["metadata"]["deletionTimestamp"] = "2026-11-23T17:00:00Z"
    assert judge([case]) == NotReady("pod crash-0 is being stopped")


def test_events_of_a_predecessor_are_not_told() -> None:
    case = observed("quota")
    case.workload["metadata"]["uid"] = "another"
    assert judge([case]) == NotReady("StatefulSet quota has no pods yet")


def test_a_refusal_is_over_when_the_pods_are_there() -> None:
    quota, ready = observed("quota"), observed("not-ready")
    both = Observed(quota.workload, ready.pods, [*quota.events, *ready.events])
    state = judge([both])
    assert isinstance(state, NotReady)
    assert not state.hopeless


@pytest.mark.parametrize("case", ["job-ok", "job-runs"])
def test_a_job_that_gets_on_has_no_failure(case: str) -> None:
    assert job_failure(observed(case)) is None


def test_the_last_pod_of_a_job_says_why() -> None:
    case = observed("job-failed")
    first = copy.deepcopy(case.pods[0])
    first["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    first["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = "an older reason"
    assert (
        job_failure(Observed(case.workload, [first, *case.pods], [])) == "Job job-failed: the reason (exit code 4)"
    )


def test_claims_are_of_interest_until_there_is_a_node() -> None:
    assert claims_of(observed("no-class").pods) == {"data-no-class-0"}
    (pod,) = observed("no-class").pods
    pod["spec"]["nodeName"] = "node1"
    assert claims_of([pod]) == set()
