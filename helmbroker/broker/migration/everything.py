"""All instances of a data directory, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.migration.directory import DataDirectory, Written
from helmbroker.broker.migration.staging import Staged, Stager
from helmbroker.broker.migration.taking import Outcome, Taking, Verdict
from helmbroker.broker.migration.told import OldInstance, State, Unclear


def migrate(directory: DataDirectory, stager: Stager, taking: Taking) -> Iterator[Outcome]:
    """What becomes of each, in the order of their ids. Raises as Taking."""
    found = list(directory.instances())
    owners = _owners([each.written.old for each in found if isinstance(each.written, Written)])
    for each in found:
        written = each.written
        if isinstance(written, Unclear):
            yield Outcome(each.id, Verdict.LEFT, str(written))
        elif owners[written.old.release] != each.id:
            name = written.old.release.name
            why = f"another instance has the Helm release {name}, too, and nothing says that it is this one's"
            yield Outcome(each.id, Verdict.LEFT, f"{why}; let the platform delete this one")
        else:
            yield _taken(taking, stager, written)


def _taken(taking: Taking, stager: Stager, written: Written) -> Outcome:
    with tempfile.TemporaryDirectory() as place:

        def staged() -> Staged:
            return stager.stage(written.old, written.folder, Path(place))

        return taking.take(written.old, written.operator, staged)


def _owners(olds: Sequence[OldInstance]) -> Mapping[ReleaseRef, str | None]:
    """Whose each Helm release is: of several (B54), the one's that was made. None: nobody can tell."""
    every: dict[ReleaseRef, list[OldInstance]] = {}
    for each in olds:
        every.setdefault(each.release, []).append(each)
    owners: dict[ReleaseRef, str | None] = {}
    for ref, claiming in every.items():
        made = [each for each in claiming if each.state is State.SUCCEEDED and not each.removing]
        likely = claiming if len(claiming) == 1 else made
        owners[ref] = likely[0].id if len(likely) == 1 else None
    return owners
