"""Finalizers: an object that we did something for stays until that is undone, also when it is deleted meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from helmbroker.kubeapi.errors import NotFound
from helmbroker.kubeapi.port import Kube, Obj


def is_going(obj: Obj) -> bool:
    """Whether it is being deleted."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def claim(kube: Kube, kind: str, obj: Obj, finalizer: str, notes: Mapping[str, str] | None = None) -> Obj:
    """Put finalizer and annotations on the object, before anything is done for it; the object as it is then.

    Raises Conflict when it has changed since it was read, NotFound.
    """
    metadata = obj["metadata"]
    wanted: Obj = {}
    if finalizer not in (metadata.get("finalizers") or ()):
        wanted["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]
    if missing := dict((notes or {}).items() - (metadata.get("annotations") or {}).items()):
        wanted["annotations"] = missing
    if not wanted:
        return obj
    patch = {"metadata": wanted}
    return kube.patch(
        kind, metadata["namespace"], metadata["name"], patch, resource_version=metadata["resourceVersion"]
    )


def let_go(kube: Kube, kind: str, obj: Obj, finalizer: str) -> None:
    """Take the finalizer off, once all is undone. Raises Conflict when the object has changed since it was read."""
    metadata = obj["metadata"]
    held = metadata.get("finalizers") or []
    if finalizer not in held:
        return
    patch = {"metadata": {"finalizers": [each for each in held if each != finalizer]}}
    try:
        kube.patch(
            kind, metadata["namespace"], metadata["name"], patch, resource_version=metadata["resourceVersion"]
        )
    except NotFound:
        return
