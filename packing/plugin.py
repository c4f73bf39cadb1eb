"""`python -m packing.plugin [FILE]`: the command line of users as one file that needs Python 3.11 and nothing else.

A zip archive that Python runs: the plugin's modules, compiled as well for the Python that makes it (another one
compiles the sources beside them), and PyYAML without its C part.
"""

from __future__ import annotations

import py_compile
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

import helmbroker

FILE = Path("build") / "drycc-resources"
_ROOT = Path(helmbroker.__file__).parent.parent
_SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("Error: drycc-resources needs Python 3.11 or newer; this is %d.%d" % sys.version_info[:2])
from helmbroker.controller_bridge.plugin.cli import main

main()
"""


def build(path: Path) -> None:
    """Write the program to `path`, whole or not at all, and let everybody run it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(_SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(_contents()):
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    beside.chmod(0o755)
    beside.replace(path)


def _contents() -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", MAIN.encode()
    ours = distribution("helmbroker")
    yield f"helmbroker-{ours.version}.dist-info/METADATA", f"Name: helmbroker\nVersion: {ours.version}\n".encode()
    yield "helmbroker/LICENSE", (_ROOT / "LICENSE").read_bytes()
    bridge = _ROOT / "helmbroker" / "controller_bridge"
    modules = [bridge.parent / "__init__.py", bridge / "__init__.py", bridge / "naming.py"]
    for module in [*modules, *(bridge / "plugin").glob("*.py")]:
        yield from _module(module, _ROOT)
    library = Path(yaml.__file__).parent
    for module in library.glob("*.py"):
        yield from _module(module, library.parent)
    for each in distribution("PyYAML").files or ():
        if each.name == "LICENSE":
            yield "yaml/LICENSE", Path(str(each.locate())).read_bytes()


def _module(path: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    """A module as it is, and compiled; Python takes the compiled one when it is of its own version."""
    name = path.relative_to(root).as_posix()
    yield name, path.read_bytes()
    with TemporaryDirectory() as folder:
        compiled = Path(folder) / "compiled"
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(compiled), name, doraise=True, invalidation_mode=mode)
        yield f"{name}c", compiled.read_bytes()


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    build(target)
    print(f"made {target} ({target.stat().st_size} bytes); install it into a folder of PATH")
