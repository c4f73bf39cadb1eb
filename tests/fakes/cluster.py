"""FakeCluster: the port Cluster in memory. FakeHelm (helm.py) makes its releases and objects.

Modelled: newest revisions only, objects by kind with the release that they are labelled with, texts in Secrets and
ConfigMaps with the release that made them. Not modelled: controllers; what is ready is what a test says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from helmbroker.broker.domain.cluster import HelmRelease, NotReady, Readiness, Ready
from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog.credentials import Ref

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


class FakeCluster:
    """See broker.domain.ports.Cluster. Tests read and change the attributes.

    states: what readiness says of a release, one after the other, the last one for ever. leaving: objects that are
    being deleted, and how often `leftovers` still finds them.
    """

    def __init__(self, *namespaces: str) -> None:
        self.namespaces = set(namespaces)
        self.releases: dict[ReleaseRef, HelmRelease] = {}
        self.states: dict[ReleaseRef, list[Readiness]] = {}
        self.failed_jobs: dict[ReleaseRef, str] = {}
        self.leaving: dict[tuple[str, str, str], int] = {}
        self.down = False
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

    def readiness(self, ref: ReleaseRef) -> Readiness:
        self._answer()
        if ref not in self.releases:
            return NotReady("the Helm release is gone. Somebody else removed it", hopeless=True)
        states = self.states.get(ref, [Ready()])
        return states.pop(0) if len(states) > 1 else states[0]

    def failed_job(self, ref: ReleaseRef) -> str | None:
        self._answer()
        return self.failed_jobs.get(ref)

    def value(self, namespace: str, ref: Ref, owners: frozenset[str]) -> str | None:
        self._answer()
        found = self.thing(ref.kind, namespace, ref.name)
        if found is None:
            return None
        if found.owner not in owners:
            raise ClusterRefused(
                f"The credentials template refers to {ref.kind} {ref.name}, which its Helm releases did not make. "
                "The addon's author has to mend it."
            )
        return found.texts.get(ref.key)

    def sweep(self, ref: ReleaseRef, *, claims: bool) -> None:
        self._answer()
        for thing in self._of(ref):
            if thing.kind != "Pod" and (claims or (thing.kind != CLAIM and not thing.kept)):
                self.remove(thing.kind, thing.namespace, thing.name)

    def leftovers(self, ref: ReleaseRef, *, claims: bool) -> list[str]:
        self._answer()
        kinds = {"Pod", CLAIM} if claims else {"Pod"}
        for key in list(self.leaving):
            self.leaving[key] -= 1
            if self.leaving[key] < 0:
                del self.leaving[key]
                self._things.pop(key, None)
        return sorted(f"{thing.kind} {thing.name}" for thing in self._of(ref) if thing.kind in kinds)

    def ensure_namespace(self, name: str) -> None:
        self._answer()
        self.namespaces.add(name)

    def _of(self, ref: ReleaseRef) -> list[Thing]:
        return [each for each in self.all() if (each.namespace, each.label) == (ref.namespace, ref.name)]

    def _answer(self) -> None:
        if self.down:
            raise ClusterUnavailable("The cluster cannot be used now: nobody is at home.")
