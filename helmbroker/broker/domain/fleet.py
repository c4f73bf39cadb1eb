"""Chart upgrades of running instances: which are meant, in which order, and what became of each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from helmbroker.broker.domain.operation import ADMITTED, TRIED, WELL_BEFORE, Phase
from helmbroker.catalog.model import JSON, Object
from helmbroker.durable import Operation, State


class Outcome(StrEnum):
    """What became of an instance in a run. The word is stored."""

    UPGRADED = "upgraded"
    FAILED = "failed"  # it runs what it ran before, unless its own operation says otherwise
    SKIPPED = "skipped"  # it was not well before, and was left as it is
    GONE = "gone"  # deleted meanwhile


AGAIN = frozenset({Outcome.FAILED, Outcome.SKIPPED})  # what a run that is resumed tries again


@dataclass(frozen=True)
class Member:
    """One instance of a run. operation_id: its update, once that has begun; outcome None: it has not ended."""

    instance_id: str
    operation_id: str | None = None
    outcome: Outcome | None = None
    detail: str = ""

    @property
    def waits(self) -> bool:
        return self.outcome is None and self.operation_id is None

    @property
    def under_way(self) -> bool:
        return self.outcome is None and self.operation_id is not None


@dataclass(frozen=True)
class Running:
    """An instance as a run looks at it: no more than its row, so that there may be thousands."""

    instance_id: str
    plan_id: str
    addon_digest: str
    phase: Phase


@dataclass(frozen=True)
class Asked:
    """What an operator wants: names or ids; the numbers as text, of instances or in percent (`10%`)."""

    service: str | None
    plan: str | None
    canary: str = "1"
    wave: str = "10%"
    stop_on_failure: bool = False
    tried: bool = True


@dataclass(frozen=True)
class Orders:
    """How a run goes. canary, wave: numbers of instances. tried: by the addon's contract, before and after."""

    canary: int
    wave: int
    stop_on_failure: bool
    tried: bool = True

    def plain(self) -> dict[str, JSON]:
        """As they are stored."""
        return {**vars(self)}

    @classmethod
    def of(cls, stored: Object) -> Orders:
        numbers = {name: int(str(stored[name])) for name in ("canary", "wave")}
        return cls(**numbers, stop_on_failure=bool(stored["stop_on_failure"]), tried=bool(stored["tried"]))


@dataclass(frozen=True)
class Candidate:
    """An instance that runs an older version. left_out: why a run does not take it; None: it does."""

    instance_id: str
    plan: str
    version: str
    phase: Phase
    left_out: str | None = None


@dataclass(frozen=True)
class Target:
    """What a run leads to, and whom."""

    service_id: str
    service: str
    version: str
    candidates: Sequence[Candidate]
    timeout_s: float  # of the run

    @property
    def instance_ids(self) -> list[str]:
        return [each.instance_id for each in self.candidates if each.left_out is None]


@dataclass(frozen=True)
class Run:
    """A run as it is recorded, and those it is about, in their order."""

    operation: Operation
    members: Sequence[Member]

    @property
    def orders(self) -> Orders:
        return Orders.of(self.operation.params)


def ended(member: Member, operation: Operation | None) -> Member:
    """A member whose update may have ended by now."""
    found = _outcome(operation)
    if found is None or not member.under_way:
        return member
    outcome, detail = found
    return Member(member.instance_id, member.operation_id, outcome, detail)


def _outcome(operation: Operation | None) -> tuple[Outcome, str] | None:
    if operation is None:
        return Outcome.SKIPPED, "how its update ended is not known any more"
    if not operation.state.finished:
        return None
    if operation.state is State.SUCCEEDED:
        return Outcome.UPGRADED, ""
    if operation.state is State.CANCELLED:
        return Outcome.GONE, "it was deleted meanwhile"
    unwell = operation.params.get(TRIED) and ADMITTED in operation.results and WELL_BEFORE not in operation.results
    return (Outcome.SKIPPED if unwell else Outcome.FAILED), operation.description


def word(member: Member) -> str:
    """How it stands."""
    return "under way" if member.under_way else "waiting" if member.waits else str(member.outcome)


def counts(members: Sequence[Member]) -> Mapping[str, int]:
    """How many there are of each outcome, under way, and waiting; none that is 0."""
    words = Counter(map(word, members))
    order = [*map(str, Outcome), "under way", "waiting"]
    return {word: words[word] for word in order if words[word]}


def told(members: Sequence[Member]) -> str:
    """The same as a sentence."""
    return ", ".join(f"{number} {word}" for word, number in counts(members).items()) or "nothing to upgrade"


def size(text: str, total: int) -> int | None:
    """`10`, or `10%` of `total`, at least one; None: it is neither."""
    digits = text.removesuffix("%")
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits[:9]) <= (100 if digits != text else 10**9)):
        return None
    return int(digits) if digits == text else max(1, -(-total * int(digits) // 100))
