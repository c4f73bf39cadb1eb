"""FakeCluster: the port Cluster in memory. FakeHelm (helm.py) makes its releases and objects.

Modelled: newest revisions only, objects by kind with the release that they are labelled with, texts in Secrets and
ConfigMaps with the release that made them, and that a size which is no quantity is refused. Not modelled:
controllers; what is ready is what a test says.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import (
    Capabilities,
    HelmRelease,
    HelmStatus,
    NotReady,
    Readiness,
    Ready,
    RecordSecret,
)
from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable, HelmError, HelmFault
from helmbroker.broker.domain.kept import MadeSecret
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.references import value_of
from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.references import Ref
from helmbroker.kubeapi import room
from tests.fakes.kube_rules import NO_QUANTITY, has_odd_quantity

CLAIM = "PersistentVolumeClaim"


@dataclass(frozen=True)
class Thing:
    """An object in the cluster. label: the release that app.kubernetes.io/instance names."""

    kind: str
    namespace: str
    name: str
    label: str | None = None
    owner: str | None = None  # the release that made it, as Helm has written down
    kept: bool = False  # helm.sh/resource-policy: keep
    texts: dict[str, str] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)  # of a Service: spec and status; of a claim: its size


class FakeCluster:
    """See broker.domain.ports.Cluster. Tests read and change the attributes.

    refuses: what a rehearsal says. states: what readiness says of a release, one after the other, the last one for
    ever. asked: sizes of claims by name, as a revision of a release has them. leaving: objects that are being
    deleted, and how often `leftovers` still finds them. terminating: namespaces that are being deleted.
    before_removal: called by `sweep` before each object that it deletes; may raise.
    """

    def __init__(self, *namespaces: str) -> None:
        self.namespaces = set(namespaces)
        self.terminating: set[str] = set()
        self.releases: dict[ReleaseRef, HelmRelease] = {}
        self.states: dict[ReleaseRef, list[Readiness]] = {}
        self.failed_jobs: dict[ReleaseRef, str] = {}
        self.leaving: dict[tuple[str, str, str], int] = {}
        self.kept: dict[ReleaseRef, RecordSecret] = {}
        self.asked: dict[tuple[ReleaseRef, int], dict[str, str]] = {}
        self.rehearsed_as: list[str | None] = []
        self.refuses: HelmError | None = None
        self.down = False
        self.before_removal: Callable[[], None] = lambda: None
        self._things: dict[tuple[str, str, str], Thing] = {}

    def put(self, thing: Thing) -> None:
        """Make an object, or replace it."""
        self._things[(thing.kind, thing.namespace, thing.name)] = thing

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Take an object away, if it is there."""
        self._things.pop((kind, namespace, name), None)

    def all(self) -> list[Thing]:
        """Every object."""
        return list(self._things.values())

    def thing(self, kind: str, namespace: str, name: str) -> Thing | None:
        """One object."""
        return self._things.get((kind, namespace, name))

    def release(self, ref: ReleaseRef) -> HelmRelease | None:
        self._answer()
        return self.releases.get(ref)

    def rehearse(
        self, ref: ReleaseRef, objects: Sequence[Object], *, force: bool = False, user: str | None = None
    ) -> None:
        self._answer()
        self.rehearsed_as.append(user)
        if ref.namespace not in self.namespaces:
            return  # it is made later
        if self.refuses is not None:
            raise self.refuses
        if any(map(has_odd_quantity, objects)):
            raise HelmError(HelmFault.INVALID, NO_QUANTITY)

    def readiness(self, ref: ReleaseRef) -> Readiness:
        self._answer()
        if ref not in self.releases:
            return NotReady("the Helm release is gone. Somebody else removed it", hopeless=True)
        if self.releases[ref].status is HelmStatus.UNREADABLE:
            return NotReady("the Helm release cannot be read: its Secret is damaged", hopeless=True)
        states = self.states.get(ref, [Ready()])
        return states.pop(0) if len(states) > 1 else states[0]

    def failed_job(self, ref: ReleaseRef) -> str | None:
        self._answer()
        return self.failed_jobs.get(ref)

    def values(self, namespace: str, refs: Sequence[Ref], owners: frozenset[str]) -> dict[Ref, JSON | NotReady]:
        self._answer()
        found: dict[Ref, JSON | NotReady] = {}
        for ref in refs:
            thing = self.thing(ref.kind, namespace, ref.name)
            seen = None if thing is None else {"data": thing.texts, **thing.content}
            found[ref] = value_of(ref, seen, None if thing is None else thing.owner, owners)
        return found

    def capabilities(self) -> Capabilities:
        self._answer()
        return Capabilities("v1.34.0", ("v1", "apps/v1"))

    def sweep(self, ref: ReleaseRef, *, claims: bool, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._answer()
        found = self._of(ref)
        meanwhile()
        for thing in found:
            if thing.kind != "Pod" and (claims or (thing.kind != CLAIM and not thing.kept)):
                self.before_removal()
                self.remove(thing.kind, thing.namespace, thing.name)

    def drop_unreadable(self, ref: ReleaseRef, meanwhile: Callable[[], None]) -> None:
        self._answer()
        found = self.releases.get(ref)
        if found is not None and found.status is HelmStatus.UNREADABLE:
            meanwhile()
            del self.releases[ref]

    def leftovers(self, ref: ReleaseRef, *, claims: bool) -> list[str]:
        self._answer()
        kinds = {"Pod", CLAIM} if claims else {"Pod"}
        for key in list(self.leaving):
            self.leaving[key] -= 1
            if self.leaving[key] < 0:
                del self.leaving[key]
                self._things.pop(key, None)
        return sorted(f"{thing.kind} {thing.name}" for thing in self._of(ref) if thing.kind in kinds)

    def grown(self, ref: ReleaseRef, revision: int) -> dict[str, str]:
        self._answer()
        found = {}
        for name, size in self.asked.get((ref, revision), {}).items():
            claim = self.thing(CLAIM, ref.namespace, name)
            if claim is not None and room.quantity(claim.content["size"]) > room.quantity(size):
                found[name] = claim.content["size"]
        return found

    def keep_grown(self, ref: ReleaseRef, revision: int, meanwhile: Callable[[], None]) -> None:
        if sizes := self.grown(ref, revision):
            meanwhile()
            self.asked[ref, revision] |= sizes

    def ensure_namespace(self, name: str) -> None:
        self._answer()
        self.namespaces.add(name)

    def record(self, ref: ReleaseRef) -> RecordSecret | None:
        self._answer()
        return self.kept.get(ref)

    def keep(self, record: RecordSecret, *, instead_of: RecordSecret | None = None) -> None:
        self._answer()
        name, namespace = naming.record_name(record.ref), record.ref.namespace
        known = self.kept.get(record.ref)
        if instead_of is not None and known != instead_of:
            raise ClusterUnavailable(f"The Secret {name} was changed meanwhile.")
        if known is not None and not known.belongs_to(record.labels):
            raise ClusterRefused(
                f"The Secret {name} in namespace {namespace} is not this broker's and is left alone. "
                "Remove it, or give the broker a namespace of its own."
            )
        if namespace not in self.namespaces:
            raise ClusterRefused(
                f'The namespace for instances is not there: namespaces "{namespace}" not found. '
                "Make the namespace, or give the broker's service account the right to make it."
            )
        if known is None and namespace in self.terminating:  # which takes in nothing new, but changes
            fault = str(HelmFault.TERMINATING)
            raise ClusterRefused(f"{fault[:1].upper()}{fault[1:]}. Wait until it is gone, and try again.")
        self.kept[record.ref] = record

    def forget(self, namespace: str, labels: Mapping[str, str]) -> None:
        for record in self.records(namespace, labels):
            del self.kept[record.ref]

    def records(self, namespace: str, labels: Mapping[str, str]) -> list[RecordSecret]:
        self._answer()
        found = [each for ref, each in self.kept.items() if ref.namespace == namespace]
        return [each for each in found if naming.LABEL_RECORD in each.labels and each.belongs_to(labels)]

    def made_secrets(self, ref: ReleaseRef) -> list[MadeSecret]:
        self._answer()
        made = [each for each in self.all() if each.kind == "Secret" and each.owner == ref.name]
        here = [each for each in made if each.namespace == ref.namespace and ref in self.releases]
        return [MadeSecret(each.name, "Opaque", _labels(each), _encoded(each.texts)) for each in here]

    def put_back(self, ref: ReleaseRef, secrets: Sequence[MadeSecret]) -> None:
        self._answer()
        for each in secrets:
            if self.thing("Secret", ref.namespace, each.name) is None:
                texts = {key: base64.b64decode(value).decode() for key, value in each.data.items()}
                label = each.labels.get("app.kubernetes.io/instance")
                self.put(Thing("Secret", ref.namespace, each.name, label, ref.name, texts=texts))

    def _of(self, ref: ReleaseRef) -> list[Thing]:
        found = [each for each in self.all() if (each.namespace, each.label) == (ref.namespace, ref.name)]
        own = naming.fullname(ref.name)
        return [each for each in found if naming.is_ours(ref.name) or own in each.name]

    def _answer(self) -> None:
        if self.down:
            raise ClusterUnavailable("The cluster cannot be used now: nobody is at home.")


def _labels(thing: Thing) -> dict[str, str]:
    return {} if thing.label is None else {"app.kubernetes.io/instance": thing.label}


def _encoded(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
