"""A measured number and the bound it was promised to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number. `limit` is the most it may be, in the same unit; None when nothing was promised."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether it is within its bound."""
        return self.limit is None or self.value <= self.limit

    def text(self) -> str:
        """The number with its unit and bound, for people."""
        bound = "" if self.limit is None else f" (at most {number(self.limit)} {self.unit})"
        return f"{number(self.value)} {self.unit}{bound}{f'; {self.note}' if self.note else ''}"

    def record(self) -> dict[str, object]:
        """The figure as JSON."""
        kept = {} if self.limit is None else {"limit": round(self.limit, 4), "kept": self.kept}
        note = {"note": self.note} if self.note else {}
        return {"name": self.name, "value": round(self.value, 4), "unit": self.unit, **kept, **note}


def table(found: Sequence[Figure]) -> str:
    """Figures and their bounds, for a page."""
    rows = [
        f"| {each.name} | {each.value:.2f} {each.unit} "
        f"| {'' if each.limit is None else f'{each.limit:.2f} {each.unit}'} "
        f"| {'' if each.kept else '**missed**'} | {each.note} |"
        for each in found
    ]
    return "\n".join(["| | measured | at most | | |", "|---|---:|---:|---|---|", *rows])


def number(value: float) -> str:
    """Three significant digits or so, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
