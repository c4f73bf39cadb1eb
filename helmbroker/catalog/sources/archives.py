"""Archives and indexes of archives, as files or over HTTP."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from helmbroker.catalog import formats
from helmbroker.catalog.documents import Unreadable, parse
from helmbroker.catalog.sources import folders, signatures
from helmbroker.catalog.sources.model import Access, Fetched, Policy, Reason, Source, SourceError
from helmbroker.catalog.sources.versions import parsed
from helmbroker.catalog.sources.web import MAX_ARCHIVE_BYTES, MAX_INDEX_BYTES, Web, refusal, shown
from helmbroker.catalog.yaml_types import TextLoader

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,100}")
_DIGEST = re.compile(r"(sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True)
class Entry:
    """One version in an index. digest: 64 hex digits; None: the index says none. version: as it was written."""

    name: str
    version: str
    url: str
    digest: str | None


class Place:
    """Reads locations: URLs with the access of a source, paths as files."""

    def __init__(self, access: Access, home: str) -> None:
        self._web = Web(access, home) if _is_url(home) else None

    def read(self, location: str, most: int) -> bytes:
        """Raises SourceError: it cannot be had, or has more than `most` bytes."""
        content = self._read(location, most)
        if content is None:
            text = refusal(location, 404) if _is_url(location) else f"there is no file {location}"
            raise SourceError(Reason.FETCHING, text)
        return content

    def signature(self, location: str) -> str:
        """The text of the signature beside a file; empty: there is none. Raises SourceError."""
        content = self._read(f"{location}.sig", signatures.MAX_SIGNATURE_BYTES)
        return (content or b"").decode("ascii", "replace")

    def _read(self, location: str, most: int) -> bytes | None:
        if not _is_url(location):
            return _file(Path(location), most)
        if self._web is None:
            raise SourceError(Reason.FETCHING, f"{shown(location)}: an index in a file names files, no URLs")
        answer = self._web.get(location, most=most)
        if answer.status not in (200, 404):
            raise SourceError(Reason.FETCHING, refusal(location, answer.status))
        return answer.body if answer.status == 200 else None


def archive_source(source: Source, into: Path, seen: str | None) -> Fetched | None:
    """One archive: an addon, or folders of addons. None: it is what was `seen`. Raises SourceError."""
    if source.digest is not None and source.digest == seen:
        return None
    fetched = Fetched(None)
    place = Place(source.access, source.location)
    packed = place.read(source.location, MAX_ARCHIVE_BYTES)
    fetched.seen = f"sha256:{hashlib.sha256(packed).hexdigest()}"
    if fetched.seen == seen:
        return None
    _take(place, source, packed, (source.location, source.digest, folders.stem(source.location)), into, fetched)
    if not fetched.labels and not fetched.failed:
        raise SourceError(Reason.ARCHIVE, f"{shown(source.location)} holds no addon ({' or '.join(formats.FILES)})")
    return fetched


def index_source(source: Source, into: Path, seen: str | None, check: Callable[[], None]) -> Fetched | None:
    """Every version of every entry. None: the indexes are those that were `seen`. Raises SourceError."""
    place = Place(source.access, source.location)
    texts = [(each, place.read(each, MAX_INDEX_BYTES)) for each in (source.location, *source.more)]
    entries = [entry for location, text in texts for entry in read_index(location, text)]
    if len(entries) > folders.MAX_ADDONS:
        raise SourceError(Reason.FETCHING, f"there are more than {folders.MAX_ADDONS} addons; make several sources")
    told = hashlib.sha256(b"\0".join(text for _, text in texts)).hexdigest()
    fetched = Fetched(told if all(entry.digest for entry in entries) else None)
    if fetched.seen is not None and fetched.seen == seen:
        return None
    for entry in entries:
        check()
        name = f"{entry.name}-{entry.version}"
        try:
            packed = place.read(entry.url, MAX_ARCHIVE_BYTES)
            _take(place, source, packed, (entry.url, entry.digest, name), into, fetched)
            _supersede(entry.name, name, into, fetched)
        except SourceError as error:
            fetched.failed[name] = error
    return fetched


def _supersede(entry: str, name: str, into: Path, fetched: Fetched) -> None:
    """Of the versions of one addon the newest is offered: it came first. Those with ids of their own all are."""
    if name not in fetched.labels:
        return
    newer = [each for each in fetched.labels if each.startswith(f"{entry}-") and each != name]
    id_ = folders.identity(into / name)
    if id_ is not None and id_ in map(folders.identity, (into / each for each in newer)):
        fetched.labels.remove(name)
        shutil.rmtree(into / name)


def _take(
    place: Place, source: Source, packed: bytes, what: tuple[str, str | None, str], into: Path, fetched: Fetched
) -> None:
    """Check digest and signature of an archive (location, digest, label), and put its addons in their place."""
    location, digest, name = what
    check_digest(location, packed, digest)
    warning = judged(place, source.access, location, packed)
    fetched.warnings += [] if warning is None else [warning]
    with tempfile.TemporaryDirectory(dir=into) as temporary:
        folder = Path(temporary, name)
        folders.unpacked(packed, folder)
        folders.take(folders.only(folder), into, name, fetched)


def check_digest(location: str, content: bytes, expected: str | None) -> None:
    """Raises SourceError when it is not what was promised."""
    match = _DIGEST.fullmatch(expected) if expected is not None else None
    if expected is not None and match is None:
        raise SourceError(Reason.DIGEST, f"{shown(location)}: the digest that is given for it is no sha256")
    got = hashlib.sha256(content).hexdigest()
    if match is not None and match[2] != got:
        raise SourceError(
            Reason.DIGEST,
            f"{shown(location)}: has the digest sha256:{got}, not sha256:{match[2]}; it was changed or damaged",
        )


def read_index(location: str, content: bytes) -> Iterator[Entry]:
    """The entries of an index.yaml, the newest version of each first. Raises SourceError."""
    name = shown(location)
    try:
        data: Any = parse(content.decode("utf-8"), name, TextLoader).data
    except UnicodeDecodeError:
        raise SourceError(Reason.FETCHING, f"{name}: is not UTF-8 text") from None
    except Unreadable as error:
        raise SourceError(Reason.FETCHING, str(error)) from None
    entries = data.get("entries") if isinstance(data, dict) else None
    if not isinstance(entries, dict):
        raise SourceError(Reason.FETCHING, f"{name}: is no index; it must have `entries`")
    for key in sorted(entries):
        versions = entries[key] if isinstance(entries[key], list) else []
        if not _NAME.fullmatch(key) or not all(map(_is_version, versions)):
            raise SourceError(
                Reason.FETCHING, f"{name}: entry {key!r} must be a list of versions, each with a `version`"
            )
        for given in sorted(versions, key=lambda each: _order(each["version"]), reverse=True):
            yield Entry(key, given["version"], _url(location, key, given), given.get("digest") or None)


def _is_version(given: Any) -> bool:
    """The rest of an entry may be anything, and nobody reads it."""
    if not isinstance(given, dict) or not isinstance(given.get("version"), str):
        return False
    urls = given.get("urls") or []
    texts = isinstance(urls, list) and all(isinstance(each, str) for each in urls)
    return texts and isinstance(given.get("digest") or "", str) and bool(_NAME.fullmatch(given["version"]))


def _order(version: str) -> Any:
    found = parsed(version)
    return (found is not None, found, version) if found is not None else (False, version)


def _url(location: str, name: str, given: Any) -> str:
    """As the index says, else `<folder of the index>/<entry>-<version>.tgz` (Drycc, Kyma)."""
    urls = given.get("urls")
    target = str(urls[0]) if urls else f"{name}-{given['version']}.tgz"
    if _is_url(location) or _is_url(target):
        return urljoin(location, target)
    beside = Path(location).parent / target
    if Path(target).is_absolute() or ".." in Path(target).parts:
        raise SourceError(Reason.FETCHING, f"{location}: {target} is not beside the index")
    return str(beside)


def judged(place: Place, access: Access, location: str, packed: bytes) -> str | None:
    """What the policy says of the signature beside a file: a warning, or None. Raises SourceError."""
    if access.signatures is Policy.OFF:
        return None
    keys = signatures.public_keys(access.public_keys)
    signed = signatures.signs(packed, place.signature(location), keys)
    return signatures.judged(access, shown(location), signed)


def _is_url(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def _file(path: Path, most: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SourceError(Reason.FETCHING, f"{path}: {error.strerror}") from None
    if len(content) > most:
        raise SourceError(Reason.FETCHING, f"{path}: has more than {most} bytes, which is the most")
    return content
