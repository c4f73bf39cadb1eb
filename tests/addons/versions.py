"""Which version of each addon has which content: a change of what an addon does is another version.

`python -m tests.addons.versions` writes versions.yaml; a test fails while it says something else. A version that
nobody has had yet may change once more: take its entry out of the file first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import yaml

from helmbroker.catalog import archive
from tests.addons.tree import ADDONS, NAMES, document

FILE = Path(__file__).with_name("versions.yaml")
_HEAD = "# Made by `python -m tests.addons.versions`. sha256: of all files of the addon but README.md.\n"
Versions: TypeAlias = dict[str, dict[str, str]]  # of each addon: version, sha256


def written() -> Versions:
    """What the file says."""
    found: Versions = yaml.safe_load(FILE.read_text())
    return found


def present() -> Versions:
    """What this checkout has. A README changes nothing for who runs the addon, so it has no part in it."""
    return {
        name: {
            "version": document(name, "addon.yaml")["version"],
            "sha256": archive.digest(ADDONS / name, {"README.md": None}),
        }
        for name in NAMES
    }


def unraised(before: Versions, now: Versions) -> list[str]:
    """A sentence about each addon that has another content under the same version."""
    return [
        f"{name}: files have changed, and its version is {now[name]['version']} as before. Raise it in addon.yaml "
        "and chart/Chart.yaml, see whether upgrade_notes are still true, then run "
        "`python -m tests.addons.rendering`, `make addons-page` and `python -m tests.addons.versions`"
        for name in sorted(before.keys() & now.keys())
        if before[name] != now[name] and before[name]["version"] == now[name]["version"]
    ]


if __name__ == "__main__":
    found = present()
    if faults := unraised(written(), found):
        raise SystemExit("\n".join(faults))
    FILE.write_text(_HEAD + yaml.safe_dump(found, sort_keys=False))
