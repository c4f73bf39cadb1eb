"""What the cluster remembers of an instance or a binding, so that it outlives the database. As JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.credentials import Credentials, Parameters
from helmbroker.broker.domain.instance import ServiceBinding, ServiceInstance
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.sealing import KeyRingError, Keys

FORMAT = 1
MOST_BYTES = 700_000  # of a record with its addon revision: in base64 it must fit into an object of etcd
INSTANCE, BINDING = "instance", "binding"  # values of the label LABEL_RECORD


class Stage(StrEnum):
    """How far the thing was in its life. The word is stored."""

    MAKING = "making"
    MADE = "made"
    REMOVING = "removing"


class CannotRead(Exception):
    """The text is no record of this format. A sentence for the operator."""


@dataclass(frozen=True)
class MadeSecret:
    """A Secret that a Helm release has made: passwords that must fit the data in its volumes. Values in base64."""

    name: str
    type: str
    labels: Mapping[str, str]
    data: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Kept:
    """One record. `revision`: of the Helm release that runs it; None: none was seen to do so yet."""

    thing: ServiceInstance | ServiceBinding
    stage: Stage
    revision: int | None = None
    secrets: Sequence[MadeSecret] = field(default=(), repr=False)

    def same_thing(self, thing: ServiceInstance | ServiceBinding) -> bool:
        """Whether it tells of this very thing; names in `context` may be changed without Helm, and do not count."""
        return _plain(self.thing) | {"context": None} == _plain(thing) | {"context": None}


def sealed(keys: Keys, kept: Kept) -> bytes:
    """As it lies in its Secret, and opens only there."""
    return keys.seal(encode(kept), place(kept.thing.release))


def fitting(kept: Kept, addon: bytes | None) -> tuple[Kept, bytes | None]:
    """What of a record and its packed addon revision has room in one object: see decision 0020."""
    size = len(encode(kept))
    if size > MOST_BYTES:
        kept = replace(kept, secrets=())
        size = len(encode(kept))
    return kept, addon if addon is None or size + len(addon) <= MOST_BYTES else None


def opened(keys: Keys, record: RecordSecret) -> Kept:
    """What a record Secret tells. Raises CannotRead."""
    try:
        return decode(keys.open(record.sealed, place(record.ref)))
    except KeyRingError as error:
        raise CannotRead(str(error)) from None


def encode(kept: Kept) -> bytes:
    """As it is sealed."""
    word = INSTANCE if isinstance(kept.thing, ServiceInstance) else BINDING
    secrets = [
        {"name": each.name, "type": each.type, "labels": dict(each.labels), "data": dict(each.data)}
        for each in kept.secrets
    ]
    content = {"format": FORMAT, "stage": kept.stage, "revision": kept.revision, "secrets": secrets}
    return json.dumps({**content, word: _plain(kept.thing)}, sort_keys=True).encode()


def decode(text: bytes) -> Kept:
    """What was encoded. Raises CannotRead."""
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise CannotRead(f"has format {content['format']!r}; this program reads {FORMAT}")
        thing = instance(content["instance"]) if "instance" in content else binding(content["binding"])
        secrets = tuple(MadeSecret(**each) for each in content["secrets"])
        return Kept(thing, Stage(content["stage"]), content["revision"], secrets)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotRead(f"is no record ({type(error).__name__})") from None


def plain_instance(thing: ServiceInstance) -> dict[str, Any]:
    """As JSON, with its parameters open."""
    return {
        "id": thing.id,
        "service_id": thing.service_id,
        "plan_id": thing.plan_id,
        "organization_guid": thing.organization_guid,
        "space_guid": thing.space_guid,
        "parameters": thing.parameters.reveal(),
        "context": thing.context,
        "namespace": thing.release.namespace,
        "release": thing.release.name,
        "addon_digest": thing.addon_digest,
    }


def plain_binding(thing: ServiceBinding) -> dict[str, Any]:
    """As JSON, with its parameters and credentials open."""
    return {
        "id": thing.id,
        "instance_id": thing.instance_id,
        "service_id": thing.service_id,
        "plan_id": thing.plan_id,
        "app_guid": thing.app_guid,
        "parameters": thing.parameters.reveal(),
        "context": thing.context,
        "namespace": thing.release.namespace,
        "release": thing.release.name,
        "predecessor_id": thing.predecessor_id,
        "credentials": None if thing.credentials is None else thing.credentials.reveal(),
        "endpoints": list(thing.endpoints),
        "expires_at": thing.expires_at,
        "renew_before": thing.renew_before,
    }


def instance(plain: Mapping[str, Any]) -> ServiceInstance:
    """Of `plain_instance`. Raises KeyError, TypeError."""
    rest = {key: value for key, value in plain.items() if key not in ("parameters", "namespace", "release")}
    release = ReleaseRef(plain["namespace"], plain["release"])
    return ServiceInstance(**rest, parameters=Parameters(plain["parameters"]), release=release)


def binding(plain: Mapping[str, Any]) -> ServiceBinding:
    """Of `plain_binding`. Raises KeyError, TypeError."""
    changed = ("parameters", "credentials", "namespace", "release")
    rest = {key: value for key, value in plain.items() if key not in changed}
    given = plain["credentials"]
    return ServiceBinding(
        **rest,
        parameters=Parameters(plain["parameters"]),
        credentials=None if given is None else Credentials(given),
        release=ReleaseRef(plain["namespace"], plain["release"]),
    )


def _plain(thing: ServiceInstance | ServiceBinding) -> dict[str, Any]:
    return plain_instance(thing) if isinstance(thing, ServiceInstance) else plain_binding(thing)


def place(ref: ReleaseRef) -> str:
    return json.dumps(["cluster.record", ref.namespace, naming.record_name(ref)])
