"""Provision: the addon's chart becomes a Helm release whose workloads are ready."""

from __future__ import annotations

from helmbroker.broker.domain.kept import Stage
from helmbroker.broker.operations import converge, remembering
from helmbroker.broker.operations.admission import admit
from helmbroker.broker.operations.work import Work
from helmbroker.durable import Done, Outcome, Step


def check(work: Work) -> Outcome:
    return admit(work, work.addon.chart, work.values(), work.record.instance.release)


def remember(work: Work) -> Outcome:
    """Before the first effect: what is made from here on can be found again without the database."""
    work.tools.cluster.ensure_namespace(work.record.instance.release.namespace)
    remembering.instance_kept(work, work.record.instance, Stage.MAKING)
    return Done()


def install(work: Work) -> Outcome:
    release = work.record.instance.release
    work.tools.cluster.ensure_namespace(release.namespace)
    doing, claims = f"installing {work.addon.name}", work.deletes_data
    return converge.install(work, work.addon.chart, work.values(), release, work.labels, doing=doing, claims=claims)


def await_ready(work: Work) -> Outcome:
    return converge.await_ready(work, work.record.instance.release)


def confirm(work: Work) -> Outcome:
    """The cluster remembers that it is made; the record, by which revision of the Helm release."""
    instance = work.record.instance
    revision = remembering.instance_kept(work, instance, Stage.MADE)
    with work.transaction() as tx:
        tx.deployed(instance.id, None, revision)
    return Done()


def summary(work: Work) -> str:
    """What the platform shows at the end."""
    return f"{work.addon.name} is ready"


STEPS = (
    Step("check", check),
    Step("remember", remember),
    Step("install", install),
    Step("await ready", await_ready),
    Step("confirm", confirm),
)
