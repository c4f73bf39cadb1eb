"""Which kinds of objects the charts of an addon can make, and which they look up: read from their templates.

Not from what they render: an object behind a condition is made only with some values, and those come later.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helmbroker.catalog.model import Addon

_PART = re.compile(r"^---|\{\{-?\s*define\b", re.MULTILINE)  # a document, or a helper that has one
_KIND = re.compile(r"^kind:[ \t]*(\S.*?)[ \t]*(?:#.*)?$", re.MULTILINE)
_API_VERSION = re.compile(r"^apiVersion:[ \t]*(\S.*?)[ \t]*(?:#.*)?$", re.MULTILINE)
_PLAIN = re.compile(r"""["']?([A-Za-z][A-Za-z0-9]*)["']?""")
_PLAIN_VERSION = re.compile(r"""["']?(?:([a-z0-9.-]+)/)?v[0-9][a-z0-9]*["']?""")
_LOOKUP = re.compile(r"""\blookup\s+"(?:([a-z0-9.-]+)/)?v[0-9][a-z0-9]*"\s+"([A-Za-z0-9]+)\"""")
_HOOK = "helm.sh/hook"


@dataclass(frozen=True)
class MadeKind:
    """A kind, its API group (None: the template works it out), and whether objects of it may be hooks."""

    name: str
    group: str | None
    hook: bool


@dataclass(frozen=True)
class Made:
    """Of one addon. unclear: some template works out the kind itself, so it may be any; then hooks too."""

    kinds: frozenset[MadeKind]
    looked_up: frozenset[tuple[str, str]]  # API group, kind
    unclear: bool


def made(addon: Addon) -> Made:
    """By all charts of the addon, their dependencies too. Raises OSError, tarfile.TarError."""
    parts = [part for text in _templates(addon.folder) for part in _PART.split(text)]
    kinds = [found for part in parts if (found := _kind(part)) is not None]
    # annotations that a helper makes may be put on anything
    anywhere = any(_HOOK in part and _KIND.search(part) is None for part in parts)
    plain = {MadeKind(each.name, each.group, each.hook or anywhere) for each in kinds if each.name}
    looked_up = {(group, kind) for part in parts for group, kind in _LOOKUP.findall(part)}
    return Made(frozenset(plain), frozenset(looked_up), unclear=any(not each.name for each in kinds))


def _kind(part: str) -> MadeKind | None:
    """What a document makes, if it says so at its outermost level. An empty name: that depends."""
    said = _KIND.search(part)
    if said is None:
        return None
    name = _PLAIN.fullmatch(said[1])
    version = _API_VERSION.search(part)
    group = None if version is None else _PLAIN_VERSION.fullmatch(version[1])
    return MadeKind("" if name is None else name[1], None if group is None else group[1] or "", _HOOK in part)


def _templates(folder: Path) -> Iterator[str]:
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if "templates" in path.relative_to(folder).parts[:-1]:
            yield path.read_text("utf-8", errors="replace")
        elif path.suffix == ".tgz" and path.parent.name == "charts":
            yield from _packed(path)


def _packed(path: Path) -> Iterator[str]:
    """Templates of a chart that is packed as Helm packs it."""
    with tarfile.open(path) as chart:
        for member in chart:
            content = chart.extractfile(member) if "templates" in Path(member.name).parts[:-1] else None
            if content is not None:
                yield content.read().decode("utf-8", errors="replace")
