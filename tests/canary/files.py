"""Every version of every file in some folders, also of those that are there for a moment only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from threading import Event, Thread

from tests.canary.evidence import Evidence
from tests.canary.places import Place

_AGAIN_S = 0.05
_DATABASE = ".db"
_PLACES = {
    "*/*keys.json*": Place.KEY_RINGS,
    "*/*platform-credentials*": Place.LOGIN_FILES,
    "*/*admin-token*": Place.LOGIN_FILES,
    "tmp/tmp*": Place.CLUSTER_FILES,
    "data/helm/rendering/*/*/manifest.yaml": Place.MANIFESTS,
}


class Files:
    """What broker and bridge write below `folder`, and what pods say.

    logs: the logs in it. pods: where the logs of pods are, as the kubelet names them, of the pods in `namespaces`.
    """

    def __init__(
        self, evidence: Evidence, folder: Path, *, logs: tuple[Path, ...], pods: Path, namespaces: tuple[str, ...]
    ) -> None:
        self._evidence, self._folder, self._logs = evidence, folder, logs
        self._pods, self._namespaces = pods, namespaces
        self._seen: dict[tuple[Path, int], tuple[int, int]] = {}
        self._said: dict[tuple[Path, int], bytes] = {}  # logs only grow: the last version has all

    def _look(self) -> None:
        for path in _below(self._folder):
            if path not in self._logs and _DATABASE not in path.name and (content := self._changed(path)):
                self._evidence.add(self._place(path), path.name, content)
        ours = tuple(f"{namespace}_" for namespace in self._namespaces)
        for pod in (each for each in self._pods.glob("*") if each.name.startswith(ours)):
            for path in (each for each in _below(pod) if ".log" in each.name):
                with suppress(FileNotFoundError):  # gone meanwhile
                    if content := self._changed(path):
                        self._said[path, path.stat().st_ino] = content

    def _place(self, path: Path) -> Place:
        below = path.relative_to(self._folder)
        return next((place for pattern, place in _PLACES.items() if fnmatch(str(below), pattern)), Place.FILES)

    def _changed(self, path: Path) -> bytes | None:
        """The content, when there is another than at the last look."""
        with suppress(FileNotFoundError):  # gone meanwhile
            status = path.stat()
            file, version = (path, status.st_ino), (status.st_mtime_ns, status.st_size)
            if path.is_file() and self._seen.get(file) != version:
                self._seen[file] = version
                return path.read_bytes()
        return None

    def look_at_databases(self) -> None:
        """Note their files as they are now, and what a dump has."""
        found = [path for path in _below(self._folder) if _DATABASE in path.name]
        for path in found:
            self._evidence.add(Place.DATABASE, path.name, path.read_bytes())
        for path in (each for each in found if each.name.endswith(_DATABASE)):
            with closing(sqlite3.connect(path)) as database:
                self._evidence.add(Place.DATABASE, f"dump of {path.name}", "\n".join(database.iterdump()))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look again and again until the end; then at the logs."""
        stop = Event()

        def watch() -> None:
            while not stop.wait(_AGAIN_S):
                self._look()

        thread = Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._look()
            for (path, _), content in self._said.items():
                self._evidence.add(Place.POD_LOGS, path.parent.parent.name, content)
            for log in self._logs:
                self._evidence.add(Place.LOGS, log.name, log.read_bytes())


def _below(folder: Path) -> Iterator[Path]:
    """Every file; folders that vanish meanwhile have none."""
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)
