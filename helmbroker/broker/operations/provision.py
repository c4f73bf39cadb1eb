"""Provision: the addon's chart becomes a Helm release whose workloads are ready."""

from __future__ import annotations

from helmbroker.broker.operations import converge
from helmbroker.broker.operations.work import Work
from helmbroker.durable import Outcome, Step


def check(work: Work) -> Outcome:
    return converge.admit(work, work.addon.chart, work.values(), work.record.instance.release)


def install(work: Work) -> Outcome:
    release = work.record.instance.release
    work.tools.cluster.ensure_namespace(release.namespace)
    doing, claims = f"installing {work.addon.name}", work.deletes_data
    return converge.install(work, work.addon.chart, work.values(), release, work.labels, doing=doing, claims=claims)


def await_ready(work: Work) -> Outcome:
    return converge.await_ready(work, work.record.instance.release)


def summary(work: Work) -> str:
    """What the platform shows at the end."""
    return f"{work.addon.name} is ready"


STEPS = (
    Step("check", check),
    Step("install", install),
    Step("await ready", await_ready),
)
