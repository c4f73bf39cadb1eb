"""What a Helm error means for an operation, in words for the user: what, why, cure."""

from __future__ import annotations

from helmbroker.broker.domain.helm_errors import OUTAGES, HelmError, HelmFault, Outage
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.operations.work import Work
from helmbroker.durable import Failed, Transient

BY_A_JOB = frozenset({HelmFault.HOOK, HelmFault.TIMEOUT})
_UNREPEATABLE = frozenset({HelmFault.VALUES, HelmFault.RENDER, HelmFault.CHART, HelmFault.INVALID})
CURES = {
    HelmFault.OWNERSHIP: "Remove that object, or give the broker a namespace of its own.",
    HelmFault.CONFLICT: "Find who manages that field (kubectl get --show-managed-fields) and make it let go.",
    HelmFault.VALUES: "Correct the parameters, or the plan's values.",
    HelmFault.RENDER: "If the parameters are not to blame, the addon's author has to mend the chart.",
    HelmFault.CHART: "The addon's author has to mend the chart.",
    HelmFault.NAMESPACE: "Make the namespace, or give the broker's service account the right to make it.",
    HelmFault.TERMINATING: "Wait until it is gone (kubectl describe namespace says what keeps it), and try again.",
    HelmFault.FORBIDDEN: "Give the broker's service account this right.",
    HelmFault.QUOTA: "Raise the quota, choose a smaller plan, or remove what is not needed.",
    HelmFault.INVALID: "Correct the parameters; else the addon's author has to mend the chart.",
    HelmFault.HOOK: "Mend the cause, and try again.",
    HelmFault.TIMEOUT: "Look at the Job's pods, and try again.",
    HelmFault.NOT_DEPLOYED: "Ask the operator: `helm history` shows what is left of it.",
    HelmFault.MISSING: "Tell the operator.",
    HelmFault.STORAGE: "Free space on the broker's disk.",
    HelmFault.OTHER: "Ask the operator to look into the broker's log.",
}


class Unrepeatable(Failed):
    """The same cannot succeed when it is asked for again (OSB item 77)."""


def failure(work: Work, error: HelmError, ref: ReleaseRef | None = None) -> Failed | Transient:
    """`ref`: the release of which a Job may be to blame."""
    cause = work.tools.cluster.failed_job(ref) if ref is not None and error.fault in BY_A_JOB else None
    detail = work.public(cause or error.detail).strip().rstrip(".")
    sentence = begun(error.fault.value)
    if detail:
        sentence += f": {detail}"
    cure = CURES.get(error.fault)
    text = f"{sentence}. {cure}" if cure else f"{sentence}."
    if error.fault in OUTAGES:
        return Outage(text)
    if error.retryable:
        return Transient(text)
    return Unrepeatable(text) if error.fault in _UNREPEATABLE else Failed(text)


def begun(text: str) -> str:
    """As the beginning of a sentence."""
    return text[:1].upper() + text[1:]
