"""What is about to be applied passes the gate, and is rehearsed on the cluster before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from helmbroker.broker import gate
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.operations.failures import CURES, Unrepeatable, begun, failure
from helmbroker.broker.operations.pending import HALF_CHANGED, OF_NO_USE
from helmbroker.broker.operations.work import Admitted, Work
from helmbroker.catalog.model import Object
from helmbroker.durable import Done, Outcome

_MOST_VIOLATIONS = 5


def admit(work: Work, chart: Path, values: Object, ref: ReleaseRef, *, force: bool = False) -> Outcome:
    """Render, let the result pass the gate, and rehearse it on the cluster. Nothing is applied.

    A release that is half made or half changed, or cannot be read, is put right first, and what is to follow
    admitted then.
    `force`: fields that others have set would be set back.
    """
    release = work.tools.cluster.release(ref)
    if release is None or release.status not in OF_NO_USE | HALF_CHANGED:
        admitted(work, chart, values, ref, force=force)
    return Done()


def admitted(work: Work, chart: Path, values: Object, ref: ReleaseRef, *, force: bool = False) -> str:
    """The manifest that may be applied now, exactly as it was checked. Raises Failed, Transient.

    What a step before has admitted in this claim is not rendered again, as long as nothing was changed since:
    charts look up what is there.
    """
    source = chart, values, ref
    if work.admitted is not None and work.admitted.source == source:
        return work.admitted.manifest
    try:
        found = gate.objects(work.makers_helm.render(chart, values, ref, stop=work.ctx.stop))
        _check_policy(work, gate.violations(found, work.scope()))
        work.tools.cluster.rehearse(ref, found, force=force, user=work.user)
    except gate.BadManifest as error:
        raise Unrepeatable(work.public(f"{begun(str(error))}. {CURES[HelmFault.CHART]}")) from error
    except HelmError as error:
        raise failure(work, error) from error
    work.admitted = Admitted(source, gate.packed(found))
    return work.admitted.manifest


def _check_policy(work: Work, found: Sequence[gate.Violation]) -> None:
    """Raise Unrepeatable, with the first of the violations, when there are any."""
    if not found:
        return
    more = f"; and {len(found) - _MOST_VIOLATIONS} more" if len(found) > _MOST_VIOLATIONS else ""
    told = "; ".join(map(str, found[:_MOST_VIOLATIONS]))
    cure = "The addon's author has to mend the chart"
    if any(each.grant for each in found):
        cure += ", or the operator grants what can be granted (HELMBROKER_GRANTS_FILE)"
    raise Unrepeatable(
        work.public(f"The broker's policy refuses what the chart would create: {told}{more}. {cure}.")
    )
