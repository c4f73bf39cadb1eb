"""Helm releases brought to where they should be, from whatever state they are found in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.operations.policy import violations
from helmbroker.broker.operations.work import Work
from helmbroker.catalog.model import Object
from helmbroker.catalog.parameters import texts
from helmbroker.durable import Done, Fail, Failed, Outcome, Transient

_HALF_MADE = frozenset({HelmStatus.PENDING_INSTALL, HelmStatus.UNINSTALLING})
_HALF_CHANGED = frozenset({HelmStatus.PENDING_UPGRADE, HelmStatus.PENDING_ROLLBACK})
_SHORTEST_SECRET = 4  # shorter texts are words like "yes": hiding them would only garble the sentence

_CURES = {
    HelmFault.OWNERSHIP: "Remove that object, or give the broker a namespace of its own.",
    HelmFault.CONFLICT: "Find who manages that field (kubectl get --show-managed-fields) and make it let go.",
    HelmFault.VALUES: "Correct the parameters, or the plan's values.",
    HelmFault.RENDER: "The addon's author has to mend the chart.",
    HelmFault.CHART: "The addon's author has to mend the chart.",
    HelmFault.FORBIDDEN: "Give the broker's service account this right.",
    HelmFault.QUOTA: "Raise the quota, choose a smaller plan, or remove what is not needed.",
    HelmFault.INVALID: "Correct the parameters; else the addon's author has to mend the chart.",
    HelmFault.HOOK: "Look at what the Job says, mend the cause, and try again.",
    HelmFault.TIMEOUT: "Look at the Job's pods, and try again.",
    HelmFault.MISSING: "Tell the operator.",
    HelmFault.STORAGE: "Free space on the broker's disk, and try again.",
    HelmFault.PENDING: "Try again.",
}


def admit(work: Work, chart: Path, values: Object, ref: ReleaseRef) -> Outcome:
    """Render, and let the result pass the gate. Nothing is applied."""
    try:
        manifest = work.tools.helm.render(chart, values, ref)
    except HelmError as error:
        raise failure(error, values) from error
    found = violations(manifest, ref.namespace)
    if found:
        return Fail(f"The broker's policy refuses what the chart would create: {'; '.join(found[:5])}.")
    return Done()


def install(work: Work, chart: Path, values: Object, ref: ReleaseRef, labels: dict[str, str]) -> Outcome:
    """The release as this operation wants it: made, or upgraded; done when it was done before."""
    release = work.tools.cluster.release(ref)
    mark = naming.digest(work.ctx.operation.id, length=40)
    check_ours(release, ref, labels)
    done = {**labels, naming.LABEL_OPERATION: mark}
    if release is not None and release.status is HelmStatus.DEPLOYED and release.belongs_to(done):
        return Done()
    timeout_s = max(1.0, work.ctx.remaining_s)
    deployment = Deployment(ref, chart, values, done, timeout_s)
    try:
        if release is not None and release.status in _HALF_MADE:
            work.tools.helm.uninstall(ref, hooks=False, timeout_s=timeout_s, stop=work.ctx.stop)
        elif release is not None and release.status in _HALF_CHANGED:
            work.tools.helm.rollback(ref, timeout_s=timeout_s, stop=work.ctx.stop)
        work.tools.helm.deploy(deployment, work.ctx.stop)
    except HelmError as error:
        raise failure(error, values, work.tools.cluster.failed_job(ref)) from error
    return Done()


def uninstall(work: Work, ref: ReleaseRef, labels: dict[str, str], *, hooks: bool) -> Outcome:
    """The release is gone, and so are the Jobs of its hooks; one that never was is done."""
    release = work.tools.cluster.release(ref)
    check_ours(release, ref, labels)
    if release is not None:
        timeout_s = max(1.0, work.ctx.remaining_s)
        try:
            work.tools.helm.uninstall(ref, hooks=hooks, timeout_s=timeout_s, stop=work.ctx.stop)
        except HelmError as error:
            raise failure(error, {}, work.tools.cluster.failed_job(ref)) from error
    work.tools.cluster.sweep(ref, claims=False)
    return Done()


def check_ours(release: HelmRelease | None, ref: ReleaseRef, labels: dict[str, str]) -> None:
    """Raise Failed when somebody else's release has our name: it is neither changed nor deleted."""
    if release is not None and not release.belongs_to(labels):
        raise Failed(
            f"A Helm release named {ref.name} exists in namespace {ref.namespace} and is not this broker's. "
            "It is left alone. Remove it, or give the broker a namespace of its own."
        )


def failure(error: HelmError, values: Object, cause: str | None = None) -> Failed | Transient:
    """A Helm error as what it means for the operation, in words for the user: what, why, cure."""
    detail = cause or scrub(error.detail, texts(values))
    sentence = f"{error.fault.value[0].upper()}{error.fault.value[1:]}"
    if detail:
        sentence += f": {detail.rstrip('.')}"
    if error.retryable:
        return Transient(f"{sentence}.")
    return Failed(f"{sentence}. {_CURES.get(error.fault, 'Remove the instance or binding, or try again.')}")


def scrub(text: str, secrets: Iterable[str]) -> str:
    """The text without any of the values that went in."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "<hidden>")
    return text
