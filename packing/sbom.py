"""`python3 -m packing.sbom ROOT FILE`: a CycloneDX 1.6 list of what is installed below ROOT.

It is read from what installed it: Debian's packages in dpkg's status, Python's in their METADATA, Go's modules in
what `go version -m` tells of a program, which the image has. The same files give the same list.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

_STATUS = "var/lib/dpkg/status"
MODULES = "go-modules"  # the last part of a name
Component = dict[str, str]


def told(name: str) -> bool:
    """Whether a file of this name (relative to the root) tells what is installed."""
    return name == _STATUS or name.endswith((".dist-info/METADATA", f"/{MODULES}"))


def bom(files: Iterable[tuple[str, str]]) -> Mapping[str, Any]:
    """The list. files: names and contents of those that are `told`."""
    found = [each for name, content in files for each in _components(name, content)]
    components = {each["purl"]: each for each in found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "helmbroker"}},
        "components": [components[purl] for purl in sorted(components)],
    }


def text(files: Iterable[tuple[str, str]]) -> str:
    """The list as JSON."""
    return json.dumps(bom(files), indent=1) + "\n"


def _components(name: str, content: str) -> Iterator[Component]:
    if name == _STATUS:
        for paragraph in content.strip().split("\n\n"):
            fields = HeaderParser().parsestr(paragraph)
            yield _component("deb/debian", fields["Package"], fields["Version"], f"?arch={fields['Architecture']}")
    elif name.endswith(f"/{MODULES}"):
        for path, version in re.findall(r"^\t(?:dep|mod)\t(\S+)\t(v\S+)", content, flags=re.MULTILINE):
            yield _component("golang", path, version)
    else:
        fields = HeaderParser().parsestr(content)
        yield _component("pypi", re.sub(r"[-_.]+", "-", fields["Name"]).lower(), fields["Version"])


def _component(kind: str, name: str, version: str, more: str = "") -> Component:
    purl = f"pkg:{kind}/{quote(name, safe='/')}@{quote(version, safe='')}{more}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _below(root: Path) -> Iterator[tuple[str, str]]:
    for pattern in (_STATUS, "opt/helmbroker/*.dist-info/METADATA", f"usr/local/share/*/{MODULES}"):
        for path in sorted(root.glob(pattern)):
            yield path.relative_to(root).as_posix(), path.read_text("utf-8", errors="replace")


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text(_below(Path(sys.argv[1]))))
