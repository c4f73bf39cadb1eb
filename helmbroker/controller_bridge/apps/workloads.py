"""The kinds of workloads that can be a process type of an app, and where they keep their pod template. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from helmbroker.controller_bridge.apps.names import PROCESS_TYPE
from helmbroker.kubeapi.port import Obj

DEPLOYMENT, STATEFUL_SET, CRON_JOB = "Deployment", "StatefulSet", "CronJob"
KINDS = (DEPLOYMENT, STATEFUL_SET, CRON_JOB)

Processes = Mapping[str, Obj]
"""Process type -> its workload."""


def process_type(workload: Obj) -> str:
    """The process type that the owner gave the workload; empty when the label is gone."""
    return str((workload["metadata"].get("labels") or {}).get(PROCESS_TYPE, ""))


def told(workload: Obj) -> str:
    """How sentences name it: `Deployment shop/web`."""
    metadata = workload["metadata"]
    return f"{workload['kind']} {metadata['namespace']}/{metadata['name']}"


def pod_template(workload: Obj) -> Obj:
    """What its pods are made from."""
    spec: Obj = workload["spec"]
    if workload["kind"] == CRON_JOB:
        spec = spec["jobTemplate"]["spec"]
    template: Obj = spec["template"]
    return template


def spec_patch(workload: Obj, template: Obj) -> Obj:
    """The merge patch of its spec, for one of its pod template."""
    spec: Obj = {"template": template}
    return {"jobTemplate": {"spec": spec}} if workload["kind"] == CRON_JOB else spec
