"""`python -m tests.charts.page`: writes the table of values into the README of the chart, from values.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.charts.product import CHART

README = CHART / "README.md"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->"
_LINE = re.compile(r"(?P<indent> *)(?P<key>[\w-]+):(?: (?P<value>.*))?")


def rows() -> Iterator[tuple[str, str, str]]:
    """Name, default and comment of every value that has no values below it on lines of their own.

    What is said of a group is said of its first value.
    """
    above: list[str] = []
    comment: list[str] = []
    for line in (CHART / "values.yaml").read_text().splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip(" #"))
        elif found := _LINE.fullmatch(line):
            above = [*above[: len(found["indent"]) // 2], found["key"]]
            if found["value"] is not None:
                yield ".".join(above), found["value"], " ".join(comment)
                comment = []
        else:
            comment = []


def table() -> str:
    """The table."""
    found = "".join(f"| `{name}` | `{value}` | {said} |\n" for name, value, said in rows())
    return f"| value | default | what it is |\n|---|---|---|\n{found}"


def page() -> str:
    """The README with the table of now."""
    before, _, rest = README.read_text().partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(page())
