"""What runs otherwise than the newest release says, as somebody has changed it by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from helmbroker.controller_bridge.apps.ledger import Entry
from helmbroker.controller_bridge.apps.names import number_in
from helmbroker.controller_bridge.apps.port import ReleaseState
from helmbroker.controller_bridge.apps.template import Wanted, image_of, strategy_patch, template_patch
from helmbroker.controller_bridge.apps.workloads import Processes, told
from helmbroker.kubeapi.port import Obj


def drift(entry: Entry, processes: Processes) -> tuple[str, ...]:
    """A sentence for each difference; none while the release is being given to the app, or has failed."""
    if entry.state is not ReleaseState.SUCCEEDED:
        return ()
    return tuple(_differences(entry, processes))


def _differences(entry: Entry, processes: Processes) -> Iterator[str]:
    for kind, workload in processes.items():
        where = f"process type {kind}: {told(workload)}"
        for difference in _of_one(kind, entry, workload):
            yield f"{where} {difference}"
    for kind in entry.images:
        if kind not in processes:
            yield f"process type {kind}: nothing in the namespace has this label any more"


def _of_one(kind: str, entry: Entry, workload: Obj) -> Iterator[str]:
    deployed, wanted = image_of(workload), entry.images.get(kind)
    if wanted is not None and deployed != wanted:
        yield f"has image {deployed}, v{entry.number} has {wanted}"
    given = number_in(workload["metadata"])
    if template_patch(workload, Wanted(entry.number, entry.stamp_of(kind), entry.secret_of(kind)), image=None):
        why = "it has joined since" if given is None else "its annotation or its envFrom was changed"
        yield f"lacks the environment of v{entry.number}: {why}"
    elif given is not None and strategy_patch(workload):
        yield "replaces its pods in another way: its strategy or minReadySeconds was changed"
