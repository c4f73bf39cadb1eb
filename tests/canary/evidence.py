"""What was seen in which place, kept until all secrets are known; then what is where it should not be."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.canary.places import Place
from tests.canary.secrets import Kind, Search, Secret


@dataclass(frozen=True)
class Finding:
    """A secret in a place. where: more exactly, for people."""

    place: Place
    where: str
    secret: Secret

    def __str__(self) -> str:
        return f"{self.secret.kind}, {self.secret.name}: in {self.place.value.words} ({self.where})"


class Evidence:
    """Takes what many threads have seen. The same in the same place is kept once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[Place, bytes], str] = {}

    def add(self, place: Place, where: str, content: bytes | str) -> None:
        """Keep it; `where`: of the first time."""
        plain = content.encode() if isinstance(content, str) else content
        if plain:
            with self._lock:
                self._seen.setdefault((place, plain), where)

    def count(self, place: Place) -> int:
        """How many different things were seen there."""
        return sum(1 for each, _ in self._seen if each is place)

    def findings(self, secrets: Iterable[Secret]) -> list[Finding]:
        """Every secret in every place, one of each kind for each thing that was seen."""
        search = Search(secrets)
        return [
            Finding(place, where, secret)
            for (place, content), where in self._seen.items()
            for secret in sorted(search(content), key=lambda one: one.name)
        ]


def misplaced(findings: Iterable[Finding]) -> list[str]:
    """Sentences: what is where the list does not have it."""
    return sorted({str(each) for each in findings if each.secret.kind not in each.place.value.holds})


def missing(findings: Iterable[Finding]) -> list[tuple[Place, Kind]]:
    """What the list says to be somewhere and is not: the list is wrong, or the search is blind there."""
    found = {(each.place, each.secret.kind) for each in findings}
    listed: Sequence[tuple[Place, Kind]] = [(place, kind) for place in Place for kind in place.value.holds]
    return [each for each in listed if each not in found]
