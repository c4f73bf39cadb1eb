"""All instances of a data directory, one after the other."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.migration.directory import DataDirectory, Found
from helmbroker.broker.migration.staging import Staged, Stager
from helmbroker.broker.migration.taking import Outcome, Taking, Verdict
from helmbroker.broker.migration.told import OldInstance, State, Unclear


def migrate(directory: DataDirectory, stager: Stager, taking: Taking) -> Iterator[Outcome]:
    """What becomes of each, in the order of their ids. Raises as Taking."""
    found = list(directory.instances())
    shared = _shared(found)
    for each in found:
        old = each.old
        if isinstance(old, OldInstance) and old.release in shared and shared[old.release] != each.id:
            old = Unclear(
                f"another instance has the Helm release {old.release.name}, too, and nothing says that it is this "
                "one's; let the platform delete this one"
            )
        if isinstance(old, Unclear):
            yield Outcome(each.id, Verdict.LEFT, str(old))
        else:
            yield _taken(taking, stager, each, old)


def _taken(taking: Taking, stager: Stager, found: Found, old: OldInstance) -> Outcome:
    with tempfile.TemporaryDirectory() as place:

        def staged() -> Staged:
            return stager.stage(old, found.folder or Path(), Path(place))

        return taking.take(old, found.operator, staged)


def _shared(found: Sequence[Found]) -> Mapping[ReleaseRef, str | None]:
    """Helm releases that several instances say they have, and whose they are; None: nobody can tell."""
    olds = [each.old for each in found if isinstance(each.old, OldInstance)]
    times = Counter(each.release for each in olds)
    shared = [each for each in olds if times[each.release] > 1]
    made = [each for each in shared if each.state is State.SUCCEEDED and not each.removing]
    claims = Counter(each.release for each in made)
    nobodys: dict[ReleaseRef, str | None] = dict.fromkeys(each.release for each in shared)
    return nobodys | {each.release: each.id for each in made if claims[each.release] == 1}
