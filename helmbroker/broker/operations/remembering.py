"""The cluster is made to remember what is recorded, so that nothing is lost with the database.

Sealed, in one Secret for each instance and binding, written before the first effect and renewed at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.instance import ServiceBinding, ServiceInstance
from helmbroker.broker.domain.kept import (
    BINDING,
    INSTANCE,
    CannotRead,
    Kept,
    Stage,
    encode,
    fitting,
    opened,
    sealed,
)
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.operations.work import BindingWork, Work
from helmbroker.catalog import archive
from helmbroker.sealing import Keys


def instance_kept(work: Work, instance: ServiceInstance, stage: Stage) -> int | None:
    """The cluster remembers this instance, its addon revision and the Secrets that its chart has made.

    The newest revision of its Helm release, when it is MADE.
    """
    labels = {**work.labels, naming.LABEL_RECORD: INSTANCE}
    return _keep(work, _seen(work, instance, stage), labels, _packed(work, instance))


def binding_kept(work: BindingWork, binding: ServiceBinding, stage: Stage) -> int | None:
    """The cluster remembers this binding, its credentials and the Secrets that its chart has made."""
    labels = {**work.binding_labels, naming.LABEL_RECORD: BINDING}
    return _keep(work, _seen(work, binding, stage), labels, None)


def being_removed(work: Work, ref: ReleaseRef, labels: Mapping[str, str]) -> None:
    """Who restores the database in the middle of a removal learns that it had begun."""
    record = work.tools.cluster.record(ref)
    if record is None or not record.belongs_to(labels):
        return
    try:
        kept = opened(work.tools.keys, record)
    except CannotRead:
        return  # it goes with the rest
    if kept.stage is not Stage.REMOVING:
        _write(work, replace(kept, stage=Stage.REMOVING), record.labels, record.addon)


def _seen(work: Work, thing: ServiceInstance | ServiceBinding, stage: Stage) -> Kept:
    if stage is not Stage.MADE:
        return Kept(thing, stage)
    release = work.tools.cluster.release(thing.release)
    secrets = work.tools.cluster.made_secrets(thing.release)
    return Kept(thing, stage, None if release is None else release.revision, tuple(secrets))


def _keep(work: Work, kept: Kept, labels: Mapping[str, str], addon: bytes | None) -> int | None:
    """Write it, unless it is so already."""
    record = work.tools.cluster.record(kept.thing.release)
    kept, addon = fitting(kept, addon)
    if record is None or not record.belongs_to(labels) or not _says(work.tools.keys, record, kept, addon):
        _write(work, kept, labels, addon)
    return kept.revision


def _write(work: Work, kept: Kept, labels: Mapping[str, str], addon: bytes | None) -> None:
    ref = kept.thing.release
    work.ctx.still_ours()
    work.tools.cluster.keep(RecordSecret(ref, dict(labels), sealed(work.tools.keys, kept), addon))


def _says(keys: Keys, record: RecordSecret, kept: Kept, addon: bytes | None) -> bool:
    try:
        return record.addon == addon and encode(opened(keys, record)) == encode(kept)
    except CannotRead:
        return False


def _packed(work: Work, instance: ServiceInstance) -> bytes:
    return archive.pack(work.tools.revisions.addon(instance.addon_digest).folder)
