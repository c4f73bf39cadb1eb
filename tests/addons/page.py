"""The catalogue page: what the addons of this checkout offer, as their files say.

`make addons-page` writes docs/reference/addons.md; a test fails while the page says something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helmbroker.catalog.load import load
from helmbroker.catalog.model import Addon, DataPolicy, Plan
from tests.addons.tree import ADDONS, document, leaves

PAGE = ADDONS.parent / "docs" / "reference" / "addons.md"
_HEAD = """\
# The addons of this checkout

Made by `make addons-page` from the folders in `addons/`; not edited by hand. What a binding may do, what unbinding
ends, images, volumes, certificates and upgrades are in the README of each addon. Every contract is tried on a real
cluster by the tests. How to write another: [the native addon format](addon-format.md).

"""


_PLAN = ("plan", "what it gives", "price", "changes to", "volumes of a deleted instance", "id")
_PARAMETER = ("parameter", "when", "values", "what it is")


def page() -> str:
    """The whole page, in Markdown."""
    addons = load([ADDONS]).addons
    rows = [(f"[{addon.name}](#{addon.name})", addon.version, addon.description) for addon in addons]
    return _HEAD + _table(("addon", "version", "what it is"), rows) + "".join(map(_section, addons))


def _section(addon: Addon) -> str:
    told = document(addon.name, "addon.yaml")
    contract = document(addon.name, "contract.yaml")
    delivered = ", ".join(f"`{name}`" for name in contract["credentials"])
    lasts = "outlives restarts and updates" if contract.get("durable", True) else "is lost in a restart"
    return (
        f"\n## {addon.name}\n\n{told['metadata']['longDescription'].strip()}\n\n"
        f"[README](../../addons/{addon.name}/README.md). Service id `{addon.id}`.\n"
        f"A binding delivers {delivered}. What a client writes {lasts}.\n"
        f"Upgrading to this version: {addon.upgrade_notes}\n\n"
        + _table(_PLAN, _plans(addon))
        + "\n"
        + _table(_PARAMETER, _parameters(told["parameters"]))
    )


def _plans(addon: Addon) -> Iterator[tuple[str, ...]]:
    for plan in sorted(addon.plans, key=_size):
        others = ", ".join(other.name for other in addon.updates_to(plan)) or "-"
        kept = "deleted" if plan.data is DataPolicy.DELETE else "kept"
        yield plan.name, plan.description, "free" if plan.free else "not free", others, kept, f"`{plan.id}`"


def _parameters(schemas: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Each parameter once, with the requests that take it."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    taken: dict[tuple[str, ...], list[str]] = {}
    for request, schema in schemas.items():
        for path, part in leaves(schema):
            found[path] = part
            taken.setdefault(path, []).append(request)
    for path, part in found.items():
        yield f"`{'.'.join(path)}`", ", ".join(taken[path]), _values(part), part["description"]


def _values(part: dict[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "minimum" in part:
        return f"{part['minimum']} to {part['maximum']}"
    return str(part["type"]) if "pattern" not in part else f"`{part['pattern']}`"


def _size(plan: Plan) -> tuple[bool, str]:
    return not plan.free, plan.name


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
