"""Repair: what is recorded is so in the cluster again, after somebody else has changed or removed it.

Begun by an operator's command alone. The record is what is in force, and stays as it is; so do volumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from helmbroker.broker.domain.decisions import usable
from helmbroker.broker.domain.instance import BindingRecord
from helmbroker.broker.domain.kept import CannotRead, Kept, Stage, opened
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import REDEPLOYED, Phase
from helmbroker.broker.operations import converge, remembering
from helmbroker.broker.operations.admission import admit
from helmbroker.broker.operations.work import BindingWork, Work
from helmbroker.durable import Done, Fail, Outcome, Step

_PUT_BACK = "put back"


def check(work: Work) -> Outcome:
    """The instance may have changed while the repair waited its turn."""
    record = work.record
    settled = record.phase in (Phase.READY, Phase.UPDATE_FAILED) and record.return_to is None
    if not settled or not usable(record):
        return Fail(f"There is nothing to repair: the service instance is {record.phase}.")
    if not _concerns(work, record.instance.release):
        return Done()
    return admit(work, work.addon.chart, work.values(), record.instance.release, force=True)


def put_back(work: Work) -> Outcome:
    """The Secrets of the charts: their passwords are in volumes, in the server, and with the apps.

    The result: bindings of which the Secret is lost for good.
    """
    instance = work.record.instance
    if _concerns(work, instance.release) and not _secrets_are_back(work, instance.release, work.labels):
        left = work.tools.cluster.leftovers(instance.release, claims=True)
        volumes = [name for name in left if not name.startswith("Pod ")]
        if volumes:
            return Fail(
                "The passwords that the chart has made are lost with its Secrets, and new ones would not fit the "
                f"volumes that are still there ({', '.join(volumes)}). Bring the Secrets back from a backup, or "
                "delete the service instance."
            )
    lost = [each for each in _bindings(work) if not _secrets_are_back(each, _ref(each), each.binding_labels)]
    return Done([each.binding.binding.id for each in lost])


def redeploy(work: Work) -> Outcome:
    """Without a restart where nothing differs."""
    ref, addon = work.record.instance.release, work.addon
    if not _concerns(work, ref):
        return Done()
    work.tools.cluster.ensure_namespace(ref.namespace)
    doing = f"repairing {addon.name}"
    labels, again = work.labels, partial(_secrets_are_back, work, ref, work.labels)
    return converge.install(work, addon.chart, work.values(), ref, labels, doing=doing, claims=False, again=again)


def await_ready(work: Work) -> Outcome:
    return converge.await_ready(work, work.record.instance.release)


def redeploy_bindings(work: Work) -> Outcome:
    """With the passwords that they had, so that what was delivered is good again."""
    for each in _bindings(work):
        if each.binding.binding.id in _lost(work):
            continue
        chart, values, ref = each.addon.binding_chart, each.chart_values(), _ref(each)
        labels, doing = each.binding_labels, "making users again"
        again = partial(_secrets_are_back, each, ref, labels)
        outcome = converge.install(each, chart, values, ref, labels, doing=doing, claims=False, again=again)
        if not isinstance(outcome, Done):
            return outcome
    return Done()


def confirm(work: Work) -> Outcome:
    """The cluster remembers everything of the instance as it is recorded."""
    instance = work.record.instance
    revisions: dict[str | None, int | None] = {}
    revisions[None] = remembering.instance_kept(work, instance, Stage.MADE)
    for each in _all_bindings(work):
        if each.binding.binding.id not in _lost(work):
            revisions[each.binding.binding.id] = remembering.binding_kept(each, each.binding.binding, Stage.MADE)
    with work.transaction() as tx:
        for binding_id, revision in revisions.items():
            tx.deployed(instance.id, binding_id, revision)
    return Done()


def summary(work: Work) -> str:
    """What the operator is told at the end."""
    lost = _lost(work)
    text = f"{work.addon.name} is as it is recorded"
    if lost:
        text += f", but what was delivered to these bindings is lost, so bind anew: {', '.join(lost)}"
    return text


STEPS = (
    Step("check", check),
    Step(_PUT_BACK, put_back),
    Step("redeploy", redeploy),
    Step("await ready", await_ready),
    Step("redeploy bindings", redeploy_bindings),
    Step("confirm", confirm),
)


def _concerns(work: Work, ref: ReleaseRef) -> bool:
    """Whether this Helm release was found to differ."""
    named = work.ctx.operation.params.get(REDEPLOYED)
    return isinstance(named, Sequence) and ref.name in named


def _all_bindings(work: Work) -> Iterator[BindingWork]:
    with work.transaction() as tx:
        records: list[BindingRecord] = tx.bindings(work.record.instance.id)
    for record in records:
        if record.phase is Phase.READY:
            yield BindingWork(work.ctx, work.tools, work.record, work.transaction, binding=record)


def _bindings(work: Work) -> Iterator[BindingWork]:
    return (each for each in _all_bindings(work) if _concerns(work, _ref(each)))


def _ref(work: BindingWork) -> ReleaseRef:
    return work.binding.binding.release


def _lost(work: Work) -> list[str]:
    found = work.ctx.results.get(_PUT_BACK)
    return [str(each) for each in found] if isinstance(found, Sequence) else []


def _secrets_are_back(work: Work, ref: ReleaseRef, labels: dict[str, str]) -> bool:
    """Whether the Secrets of a Helm release are known, and there; without a release nobody else knows them."""
    kept = _remembered(work, ref, labels)
    if kept is not None:
        work.ctx.still_ours()
        work.tools.cluster.put_back(ref, kept.secrets)
        return True
    return work.tools.cluster.release(ref) is not None


def _remembered(work: Work, ref: ReleaseRef, labels: dict[str, str]) -> Kept | None:
    record = work.tools.cluster.record(ref)
    if record is None or not record.belongs_to(labels):
        return None
    try:
        kept = opened(work.tools.keys, record)
    except CannotRead:
        return None
    return kept if kept.stage is Stage.MADE else None
