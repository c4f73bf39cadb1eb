"""Addons and charts, packed as sources have them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from helmbroker.catalog import archive
from helmbroker.catalog.sources.fetch import fetch
from helmbroker.catalog.sources.model import Fetched, Source
from tests.unit.catalog.folders import FILES, write


def addon(name: str = "demo", version: str = "1.2.3", number: str = "aaaaaaaa") -> dict[str, str | None]:
    """Changes that make another addon of the usual one."""
    text = FILES["addon.yaml"].replace("name: demo", f"name: {name}").replace("1.2.3", version)
    plans = {name: FILES[name].replace("aaaaaaaa", number) for name in ("plans/small.yaml", "plans/large.yaml")}
    return {"addon.yaml": text.replace("aaaaaaaa", number), **plans}


def packed(changes: Mapping[str, str | None] | None = None) -> bytes:
    """A .tgz with the addon at its root."""
    with TemporaryDirectory() as folder:
        return archive.pack(write(Path(folder, "x"), changes))


def zipped(changes: Mapping[str, str | None] | None = None) -> bytes:
    """A .zip with the addon in one folder."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as made:
        for name, text in {**FILES, **(changes or {})}.items():
            if text is not None:
                made.writestr(f"demo-1.2.3/{name}", text)
    return raw.getvalue()


def chart(name: str, version: str, more: Mapping[str, str] | None = None) -> bytes:
    """A packaged chart: everything in one folder of its name."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as made:
        files = {"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n", **(more or {})}
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0)


def depending(*lines: str) -> dict[str, str | None]:
    """Changes that give the chart of an addon dependencies, each as YAML of one line."""
    listed = "".join(f"  - {line}\n" for line in lines)
    return {"chart/Chart.yaml": f"apiVersion: v2\nname: demo\nversion: 1.0.0\ndependencies:\n{listed}"}


def got(source: Source, into: Path, seen: str | None = None) -> Fetched:
    """What a source has that is new."""
    found = fetch(source, into, seen)
    assert found is not None
    return found
