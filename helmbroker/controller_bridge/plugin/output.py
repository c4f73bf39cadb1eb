"""Tables, times and JSON, as `drycc resources` has always printed them."""

from __future__ import annotations

import json
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

from helmbroker.controller_bridge.plugin.terminal import printable

GAP = 4
MESSAGE_COLUMNS = 64

TIMES = frozenset({"created", "updated"})

Row = Sequence[str]
OPERATION = ("BEGUN", "OPERATION", "STATE", "TOOK", "OWNER", "MESSAGE")


def width(text: str) -> int:
    """Columns of a terminal that `text` takes; East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def table(rows: Sequence[Row], header: Row = ()) -> str:
    """Rows in columns. Each cell is padded to its column and 4 more; the header's last cell to its column and 1.

    A row may have fewer cells and then ends after its last one; a cell of several lines makes several lines.
    """
    cells = [[printable(cell).expandtabs().split("\n") for cell in row] for row in rows]
    columns = [width(cell) for cell in header]
    for row in cells:
        columns.extend([0] * (len(row) - len(columns)))
        for index, lines in enumerate(row):
            columns[index] = max(columns[index], *(width(line) for line in lines))
    printed = []
    if header:
        last = len(header) - 1
        padded = [_pad(cell, columns[i] + (1 if i == last else GAP)) for i, cell in enumerate(header)]
        printed.append("".join(padded))
    for row in cells:
        for number in range(max(len(lines) for lines in row)):
            line = [lines[number] if number < len(lines) else "" for lines in row]
            printed.append("".join(_pad(cell, columns[i] + GAP) for i, cell in enumerate(line)))
    return "\n".join(printed)


def local_time(text: str) -> str:
    """An RFC 3339 time in the local zone; what is not one stays as it is."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    printed = moment.astimezone().isoformat(timespec="seconds")
    return printed.removesuffix("+00:00") + "Z" if printed.endswith("+00:00") else printed


def text_of(value: object) -> str:
    """A JSON value as a cell: strings as they are, null as nothing, the rest as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def cell(column: str, value: object) -> str:
    """A value in a list's column of that name."""
    text = text_of(value)
    if column in TIMES:
        return local_time(text)
    return f"v{text}" if column == "version" else text


def _pairs(values: object) -> list[Row]:
    if not isinstance(values, Mapping):
        return []
    return [("", f"{key}:", text_of(values[key])) for key in sorted(values)]


def _named(title: str, value: object) -> list[Row]:
    """What few resources have: a line of its own, or none."""
    text = ", ".join(map(text_of, value)) if isinstance(value, list) else text_of(value)
    return [(title, text)] if text else []


def description(resource: Mapping[str, object], *, details: bool) -> str:
    """What `describe` prints; `details` adds the options and the message."""
    rows: list[Row] = [
        ("App:", text_of(resource.get("app"))),
        ("UUID:", text_of(resource.get("uuid"))),
        ("Name:", text_of(resource.get("name"))),
        ("Plan:", text_of(resource.get("plan"))),
        *_named("Shared from:", resource.get("shared_from")),
        *_named("Shared with:", resource.get("shared_with")),
        ("Status:", text_of(resource.get("status"))),
        ("Binding:", text_of(resource.get("binding"))),
        ("Data:",),
        *_pairs(resource.get("data")),
    ]
    if details:
        message = textwrap.wrap(text_of(resource.get("message")), MESSAGE_COLUMNS)
        rows += [("Options:",), *_pairs(resource.get("options")), ("Message:", "\n".join(message) or "<none>")]
    rows += [
        ("Created:", local_time(text_of(resource.get("created")))),
        ("Updated:", local_time(text_of(resource.get("updated")))),
    ]
    return table(rows)


def operation(one: Mapping[str, object]) -> Row:
    """An operation as a row under OPERATION."""
    took = one.get("took_s")
    return (
        local_time(text_of(one.get("created"))),
        text_of(one.get("kind")),
        text_of(one.get("state")),
        f"{took:.1f}s" if isinstance(took, int | float) else "",
        text_of(one.get("owner")),
        "\n".join(textwrap.wrap(text_of(one.get("description")), MESSAGE_COLUMNS)),
    )


def json_text(value: object) -> str:
    """`value` as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)
