"""All sources read together -> what is to be offered. What cannot be had now stays as it was offered last."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from helmbroker.catalog import archive, formats
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Addon, Catalog, Fault, Legacy
from helmbroker.catalog.sources import folders
from helmbroker.catalog.sources.dependencies import vendor
from helmbroker.catalog.sources.fetch import fetch
from helmbroker.catalog.sources.model import (
    Fetched,
    Listed,
    Reason,
    Repository,
    Source,
    SourceError,
    Sources,
    Standing,
)


@dataclass(frozen=True)
class Reading:
    """What sources have, in their order. standings: of those that were asked.

    changed: whether `listed` is another list than before; if not, `catalog` may be empty, as nothing was loaded.
    The folders of `catalog` go with the place where it was read.
    """

    standings: tuple[Standing, ...]
    listed: tuple[Listed, ...]
    catalog: Catalog
    changed: bool


@dataclass(frozen=True)
class Before:
    """What was listed last; how each source stood, by its name; a revision by its digest, as it was packed."""

    listed: Sequence[Listed] = ()
    standings: Mapping[str, Standing] = field(default_factory=dict)
    packed: Callable[[str], bytes | None] = lambda _digest: None

    def of(self, source: str) -> list[Listed]:
        """The addons of a source."""
        return [each for each in self.listed if each.source == source]

    def restore(self, row: Listed, folder: Path) -> bool:
        """Make the folder that of the revision that is offered, if there is one."""
        packed = None if row.digest is None else self.packed(row.digest)
        if packed is not None:
            shutil.rmtree(folder, ignore_errors=True)
            archive.unpack(packed, folder)
        return packed is not None


def read(
    sources: Sources,
    place: Path,
    before: Before,
    *,
    asked: Callable[[Source], bool] = lambda _source: True,
    check: Callable[[], None] = lambda: None,
) -> Reading:
    """Read the sources below `place`, an empty folder. Those that are not `asked` stay as they are.

    `check` is called again and again, and may raise. Raises OSError: `place` cannot be written.
    """
    standings: list[Standing] = []
    candidates: list[_Candidate] = []
    for source in sources.sources:
        folder, fetched = place / source.name, None
        if asked(source):
            fetched = _look(source, folder, before, sources.legacy, standings, check)
        candidates += _candidates(source, folder, fetched, before)
    listed = [each.key for each in before.listed]
    if listed == [each.key for each in candidates] and not any(each.new for each in candidates):
        return Reading(tuple(standings), tuple(before.listed), Catalog(), changed=False)
    for each in candidates:
        check()
        each.prepare(before, sources.repositories, sources.legacy)
    tops = [place / source.name for source in sources.sources]
    catalog = _load(tops, candidates, sources.legacy)
    offered = {addon.id for addon in catalog.addons}
    fallen = [each for each in candidates if each.fall_back(before, offered)]
    if fallen:
        catalog = _load(tops, candidates, sources.legacy)
    rows = tuple(each.row() for each in candidates)
    told = tuple(_warned(each, candidates) for each in standings)
    return Reading(told, rows, catalog, changed=rows != tuple(before.listed))


def _look(
    source: Source,
    folder: Path,
    before: Before,
    legacy: Legacy,
    standings: list[Standing],
    check: Callable[[], None],
) -> Fetched | None:
    """Ask a source; None: it has nothing new, or cannot be had. How it stands is added to `standings`.

    Only one without any fault is asked whether it has something new; what failed is tried again.
    """
    check()
    old = before.standings.get(source.name)
    seen = None if old is None else old.seen
    standing = Standing(source.name, source.kind, source.location, seen)
    faulty = any(each.reason is not None for each in before.of(source.name))
    try:
        fetched = fetch(source, folder, None if faulty else seen, check, legacy.hooks)
    except SourceError as error:
        shutil.rmtree(folder, ignore_errors=True)
        standings.append(replace(standing, reason=error.reason, message=error.message))
        return None
    if fetched is not None:
        standing = replace(standing, seen=fetched.seen, message="; ".join(fetched.warnings))
    elif old is not None and old.reason is None:
        standing = replace(standing, message=old.message)  # its warnings are as true as before
    standings.append(standing)
    return fetched


@dataclass
class _Candidate:
    """One addon that may be offered. new: as the source has it now; else as it was listed.

    kept: what the source has now is what was listed; archived: it says that this is not offered any more.
    """

    source: str
    label: str
    folder: Path
    old: Listed | None
    new: bool
    reason: Reason | None = None
    told: tuple[Fault, ...] = ()
    raw: str | None = None
    id: str | None = None
    warnings: Sequence[str] = ()
    addon: Addon | None = None
    archived: bool = False
    kept: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.label

    def fail(self, error: SourceError) -> None:
        """What the source has is not taken; the loader must not see it."""
        self.reason, self.told = error.reason, (Fault(self.label, 0, error.message),)
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self, before: Before, repositories: Sequence[Repository], legacy: Legacy) -> None:
        """Make the folder complete. What was so once is taken as it was: its dependencies stay what they were."""
        if not self.new and self.old is not None:
            before.restore(self.old, self.folder)
        if not self.new or self.reason is not None:
            return
        try:
            self.raw, self.id = formats.raw_digest(self.folder, legacy), folders.identity(self.folder)
            if self.old is not None and self.old.raw == self.raw and before.restore(self.old, self.folder):
                self.kept = self.old.reason is None
            else:
                self.warnings = vendor(self.folder, repositories)
        except archive.BadArchive as error:
            self.fail(SourceError(Reason.ARCHIVE, str(error)))
        except SourceError as error:
            self.fail(error)

    def take(self, catalog: Catalog) -> None:
        """See what became of it. What failed before keeps its reason."""
        self.addon = next((addon for addon in catalog.addons if addon.folder == self.folder), None)
        self.archived = any(addon.folder == self.folder for addon in catalog.archived)
        if self.reason is not None:
            return
        if self.addon is not None or self.archived:
            self.told = catalog.warnings.get(str(self.folder), ())
        else:
            unknown = (Fault(self.label, 0, "is no addon of a format that is known here"),)
            self.reason, self.told = Reason.VALIDATION, catalog.quarantined.get(str(self.folder), unknown)

    def fall_back(self, before: Before, offered: set[str]) -> bool:
        """Put the last good revision in its place, if there is one that nobody has replaced."""
        if self.addon is not None or self.archived or not self.new:
            return False
        for row in before.of(self.source):
            same = row.label == self.label or (self.id is not None and row.service_id == self.id)
            if same and row.service_id not in offered and before.restore(row, self.folder):
                self.raw = row.raw
                offered.add(row.service_id or "")
                return True
        return False

    def row(self) -> Listed:
        same = not self.new or (self.kept and self.reason is None)
        if same and self.old is not None and (self.addon is not None or self.old.digest is None):
            return self.old  # with all that was told: in its revision some of that is mended
        if self.archived:
            return Listed(self.source, self.label, None, self.raw, self.id, None, self.told)
        if self.addon is None:
            return Listed(self.source, self.label, None, None, None, self.reason, self.told)
        digest, id_ = self.addon.digest, self.addon.id
        return Listed(self.source, self.label, digest, self.raw, id_, self.reason, self.told)


def _candidates(source: Source, folder: Path, fetched: Fetched | None, before: Before) -> list[_Candidate]:
    """By label. A source that was not had keeps what is listed of it."""
    old = {each.label: each for each in before.of(source.name)}
    labels = old.keys() if fetched is None else {*fetched.labels, *fetched.failed}
    found = [
        _Candidate(source.name, label, folder / label, old.get(label), new=fetched is not None)
        for label in sorted(labels)
    ]
    for each in found:
        if fetched is not None and each.label in fetched.failed:
            each.fail(fetched.failed[each.label])
    return found


def _warned(standing: Standing, candidates: Sequence[_Candidate]) -> Standing:
    """With what signatures of dependencies give reason to say."""
    warnings = [text for each in candidates if each.source == standing.name for text in each.warnings]
    return replace(standing, message="; ".join(filter(None, [standing.message, *warnings])))


def _load(tops: Sequence[Path], candidates: Sequence[_Candidate], legacy: Legacy) -> Catalog:
    for top in tops:
        top.mkdir(parents=True, exist_ok=True)
    catalog = load(tops, legacy)
    for each in candidates:
        each.take(catalog)
    return catalog
