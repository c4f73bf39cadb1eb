"""What belongs to a service instance among all that share a namespace. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from helmbroker.broker.domain import naming
from helmbroker.broker.gate.violation import Breach, dig, mapping

CLAIM = "PersistentVolumeClaim"
INSTANCE_LABEL = "app.kubernetes.io/instance"
_PUBLIC = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})  # there is one everywhere


@dataclass(frozen=True)
class Own:
    """What a manifest may refer to: what it makes itself, what is named after the instance (the names are hashes,
    or begin like nobody else's: nobody else's object is called so), and what the operator has granted.

    release: the Helm release of the instance, as labels have it.
    """

    made: frozenset[tuple[str, str]]
    release: str
    granted: Collection[tuple[str, str]]

    def named(self, name: object) -> bool:
        """Whether the name is that of the instance's objects, or begins with it."""
        known = naming.fullname(self.release)
        return isinstance(name, str) and (name == known or name.startswith(f"{known}-"))

    def labelled(self, value: object) -> bool:
        """Whether a label's value says that something is of the instance."""
        return value == self.release or self.named(value)

    def has(self, kind: str, name: str) -> bool:
        """Whether the object is the instance's own."""
        return self.named(name) or (kind, name) in self.made | _PUBLIC or (kind, name) in self.granted

    def foreign(self, references: Iterable[tuple[str, str, object]]) -> Iterator[Breach]:
        """References (path, kind, name) to objects of others."""
        for field, kind, name in references:
            if name is not None and not self.has(kind, str(name)):
                yield Breach(field, f"{kind} {name} is not the instance's own", f"uses: [{kind}/{name}]")

    def foreign_label(self, labelled: object, field: str) -> Iterator[Breach]:
        """With the label of another instance a pod would get what is sent to that one, passwords too."""
        value = dig(labelled, "metadata", "labels", INSTANCE_LABEL)
        if value is not None and not self.labelled(value):
            at = f"{field}.metadata" if field else "metadata"
            yield Breach(f"{at}.labels[{INSTANCE_LABEL}]", f"must be the Helm release, not {value}")

    def selects(self, labels: object) -> bool:
        """Whether labels to be matched are those of the instance: one of them is its Helm release."""
        return any(self.labelled(value) for value in mapping(labels).values())


def claim_sources(spec: object, field: str, own: Own) -> Iterator[Breach]:
    """A claim for a volume must not be a copy of somebody else's, nor that volume itself."""
    claim = mapping(spec)
    if claim.get("volumeName"):
        yield Breach(f"{field}.volumeName", "a claim cannot choose its volume, which may have been another's")
    for key in ("dataSource", "dataSourceRef"):
        source = mapping(claim.get(key))
        if source and not own.has(str(source.get("kind")), str(source.get("name"))):
            found = f"{source.get('kind')}/{source.get('name')}"
            yield Breach(f"{field}.{key}", f"{found} is not the instance's own", f"uses: [{found}]")
        elif source.get("namespace"):
            yield Breach(f"{field}.{key}.namespace", "a claim cannot be copied from another namespace")
