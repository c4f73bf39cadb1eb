"""Provision: the addon's chart becomes a Helm release whose workloads are ready."""

from __future__ import annotations

from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.operations import converge
from helmbroker.broker.operations.work import Work
from helmbroker.durable import Done, Fail, Outcome, Step, Wait

_LOOK_AGAIN_S = 0.4


def check(work: Work) -> Outcome:
    return converge.admit(work, work.addon.chart, work.values(), work.record.instance.release)


def install(work: Work) -> Outcome:
    release = work.record.instance.release
    work.ctx.note(f"installing {work.addon.name}")
    work.tools.cluster.ensure_namespace(release.namespace)
    return converge.install(work, work.addon.chart, work.values(), release, work.labels)


def await_ready(work: Work) -> Outcome:
    state = work.tools.cluster.readiness(work.record.instance.release)
    if not isinstance(state, NotReady):
        return Done()
    if work.stuck(hopeless=state.hopeless):
        return Fail(state.reason)
    return Wait(_LOOK_AGAIN_S, state.reason)


STEPS = (
    Step("check", check),
    Step("install", install),
    Step("await ready", await_ready),
)
