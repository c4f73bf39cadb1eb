"""A new addon that works, for its author to change piece by piece: `new-addon/`, with a name and new ids."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

_SKELETON = Path(__file__).with_name("new-addon")
_NAME = re.compile("[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?")
_IDS = ("__ADDON_ID__", "__SMALL_ID__", "__MEDIUM_ID__")


class CannotBegin(Exception):
    """A sentence without its full stop: why there is no new addon."""


def begin(name: str, folder: Path) -> list[Path]:
    """Write the addon `name` into `folder`, which must not be there yet; its files. Raises CannotBegin, OSError."""
    if not _NAME.fullmatch(name):
        raise CannotBegin(
            f"{name!r} is no name of an addon; use up to 50 of a-z, 0-9 and -, and begin with a letter"
        )
    if folder.exists():
        raise CannotBegin(f"{folder} is there already; choose another name, or remove it")
    words = {"__NAME__": name, **{each: str(uuid.uuid4()) for each in _IDS}}
    made = []
    for source in sorted(
        path for path in _SKELETON.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ):
        text = source.read_text("utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        target = folder / source.relative_to(_SKELETON)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        made.append(target)
    return made
