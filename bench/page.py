"""A page of the documentation of which several programs write a section each."""

from __future__ import annotations

from pathlib import Path


def put(path: Path, name: str, section: str) -> None:
    """Replace the section `name` between its markers, or add it; the rest of the page is left as it is."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = path.read_text() if path.exists() else "# Durability: what was measured\n"
    marked = f"{begin}\n{section.strip()}\n{end}"
    if begin in text:
        before, rest = text.split(begin, 1)
        text = before + marked + rest.split(end, 1)[1]
    else:
        text = f"{text.rstrip()}\n\n{marked}\n"
    path.write_text(text)
