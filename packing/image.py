"""`python3 -m packing.image dependencies|program|traces ROOT`: what an image of helmbroker has on top of Debian.

Both ways to make the image run this, with the Python that the image has: the Dockerfile, and the sandbox by its
table of images. `dependencies` are fetched by pip and held against the hashes of constraints.txt; `program` is
this checkout; `traces` is for an image on top of that one, as docs/how-to/observe.md makes it. The standard library
is enough, with `venv`.
"""

from __future__ import annotations

import compileall
import json
import py_compile
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CHECKOUT = Path(__file__).parents[1]
LIBRARY = Path("opt/helmbroker")  # PYTHONPATH of the image
ADDONS = Path("usr/share/helmbroker/addons")
PROGRAMS = Path("usr/local/bin")
# Nothing of ours loads these, and they are half of all. Of the Kubernetes client we use the transport, neither its
# models, which are loaded when they are named, nor its second client for asyncio; what follows that one here is
# needed by it alone.
UNUSED = (
    "bin",
    "*/tests",
    "sqlalchemy/testing",
    *(f"sqlalchemy/dialects/{name}" for name in ("mssql", "mysql", "oracle")),
    "kubernetes/client/api/[!_]*",
    "kubernetes/client/models/[!_]*",
    "kubernetes/aio",
    *(
        f"{name}*"
        for name in ("aiohappyeyeballs", "aiohttp", "aiosignal", "frozenlist", "multidict", "propcache", "yarl")
    ),
)
# What must not miss any of it
LOADED = ("alembic", "flask", "kubernetes.client", "kubernetes.config", "psycopg", "sqlalchemy")
LOADED_BY_TRACES = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk.trace")
_PIN = re.compile(r"^([\w.-]+)==(\S+) +(--hash=.+)$", re.MULTILINE)
SCRIPT = """\
#!/usr/bin/python3
from {module} import {name}

{name}()
"""


def dependencies(root: Path) -> None:
    """What the project needs to run with both databases. Raises CalledProcessError: pip has said why."""
    _fetch(root / LIBRARY, _project()["dependencies"] + _project()["optional-dependencies"]["postgresql"], LOADED)


def traces(root: Path) -> None:
    """What sends traces, for who wants them. Raises CalledProcessError: pip has said why."""
    _fetch(root / LIBRARY, _project()["optional-dependencies"]["traces"], LOADED_BY_TRACES)


def program(root: Path) -> None:
    """This checkout: the package, its commands, the addons, the licence."""
    project = _project()
    library = root / LIBRARY
    without_compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "helmbroker", library / "helmbroker", ignore=without_compiled)
    shutil.copytree(CHECKOUT / "addons", root / ADDONS)
    about = library / f"helmbroker-{project['version']}.dist-info"
    about.mkdir()
    told = {"Metadata-Version": "2.4", "Name": "helmbroker", "Version": project["version"]}
    (about / "METADATA").write_text("".join(f"{name}: {value}\n" for name, value in told.items()))
    shutil.copy(CHECKOUT / "LICENSE", about)
    (root / PROGRAMS).mkdir(parents=True)
    for command, place in project["scripts"].items():
        module, _, name = place.partition(":")
        (root / PROGRAMS / command).write_text(SCRIPT.format(module=module, name=name))
        (root / PROGRAMS / command).chmod(0o755)
    _compile(library)


def _fetch(library: Path, needed: Sequence[str], loaded: Sequence[str]) -> None:
    """These requirements and theirs, without what is unused; `loaded` are modules that must not miss any of it."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        venv.create(here / "venv", with_pip=True)
        pip = [str(here / "venv" / "bin" / "pip"), "--quiet", "--disable-pip-version-check", "install"]
        wheels = ["--only-binary=:all:", "--ignore-installed"]
        pins = _pins()
        (here / "pins").write_text("".join(f"{name}=={version}\n" for name, (version, _) in pins.items()))
        resolve = ["--dry-run", "--report", str(here / "report"), "--constraint", str(here / "pins")]
        subprocess.run([*pip, *wheels, *resolve, *needed], check=True)
        found = [each["metadata"]["name"] for each in json.loads((here / "report").read_text())["install"]]
        hashed = [f"{name}=={pins[name][0]} {pins[name][1]}\n" for name in map(_normal, found)]
        (here / "hashed").write_text("".join(hashed))
        fetch = ["--require-hashes", "--no-deps", "--no-compile", "--requirement", str(here / "hashed")]
        subprocess.run([*pip, *wheels, *fetch, "--target", str(library)], check=True)
    for pattern in UNUSED:
        for path in library.glob(pattern):
            _remove(path)
    alone = {"PYTHONPATH": str(library)}
    subprocess.run([sys.executable, "-B", "-c", f"import {', '.join(loaded)}"], env=alone, check=True)
    _compile(library)


def _pins() -> dict[str, tuple[str, str]]:
    """By name: version and options `--hash=...` of constraints.txt, which has what tests need, too."""
    text = (CHECKOUT / "constraints.txt").read_text().replace("\\\n", "")
    return {_normal(name): (version, hashes) for name, version, hashes in _PIN.findall(text)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return found


def _compile(library: Path) -> None:
    """Its file system cannot be written later; times of files are not kept in images, so they are not looked at."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(
        library, quiet=2, invalidation_mode=unchecked, stripdir=library, prependdir=f"/{LIBRARY}"
    )


PARTS: Mapping[str, Callable[[Path], None]] = {
    "dependencies": dependencies,
    "program": program,
    "traces": traces,
}

if __name__ == "__main__":
    PARTS[sys.argv[1]](Path(sys.argv[2]))
