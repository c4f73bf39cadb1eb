"""A helm that plays: its program hands over what it was asked; releases live in a FakeKube, as Helm keeps them.

A release can be held (its command does not go on) and refused (its command ends with "cluster unreachable"), until
it is let go. What was done to which release is kept, and so is everything that real helms must never do.
"""

from __future__ import annotations

import json
import select
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.naming import LABEL_OPERATION, ReleaseRef
from helmbroker.kubeapi.port import Obj
from tests.fakes.kube import FakeKube
from tests.fakes.release_secrets import StoredRelease, stored_release

_PROGRAM = f"""#!{sys.executable} -IS
import json, socket, sys
data = sys.stdin.read() if "-" in sys.argv else ""
with socket.socket(socket.AF_UNIX) as conn:
    conn.connect({{place!r}})
    conn.sendall(json.dumps([sys.argv[1:], data]).encode() + b"\\n")
    code, out, err = json.loads(conn.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""
_VALUED = {
    *("--labels", "--namespace", "--values", "--history-max", "--timeout", "--show-only", "--template"),
    *("--kube-version", "--api-versions", "--output"),
}
_PENDING = frozenset({HelmStatus.PENDING_INSTALL, HelmStatus.PENDING_UPGRADE, HelmStatus.PENDING_ROLLBACK})
_POLL_S = 0.05
BOUND_S = 60.0


class Refused(Exception):
    """Helm ends with this on its stderr."""


@dataclass
class Effect:
    """What one command did to one release."""

    verb: str
    release: str
    operation: str  # the digest that the broker marks its releases with
    ended: bool = False


class PlayHelm:
    """The releases, and the server that the program asks."""

    def __init__(self, kube: FakeKube, folder: Path) -> None:
        self.kube = kube
        self.effects: list[Effect] = []
        self.violations: list[str] = []
        self._changed = threading.Condition()
        self._held: set[str] = set()
        self._refused: dict[str, int] = {}
        self.program = folder / "helm"
        place = folder / "helm.sock"
        self.program.write_text(_PROGRAM.format(place=str(place)))
        self.program.chmod(0o755)
        self._server = socketserver.ThreadingUnixStreamServer(str(place), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.let_go()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hold(self, release: str) -> None:
        self._held.add(release)

    def refuse(self, release: str) -> None:
        self._refused[release] = 0

    def let_go(self) -> None:
        """Everything goes on."""
        with self._changed:
            self._held.clear()
            self._refused.clear()
            self._changed.notify_all()

    def await_(self, release: str) -> None:
        """Until a command for the release is held, or was refused."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._met(release), BOUND_S), f"{release}: {self.effects}"

    def _met(self, release: str) -> bool:
        held = release in self._held and any(e.release == release and not e.ended for e in self.effects)
        return held or self._refused.get(release, 0) > 0

    def run(self, argv: list[str], data: str, asks: socket.socket) -> str:
        """One command; its stdout. Raises Refused."""
        verb, *rest = argv
        options, words = _parsed(rest)
        if verb == "version":
            return "v4.2.4"
        if verb == "template":
            return "".join(f"---\n# Source: {name}\n{(Path(words[1]) / name).read_text()}" for name in _shown(rest))
        if "--dry-run=server" in rest:
            return json.dumps({"manifest": "", "hooks": []})
        ref = ReleaseRef(options["--namespace"], words[0])
        with self._doing(verb, ref, options, asks):
            if verb == "uninstall":
                for secret in self._revisions(ref):
                    self.kube.delete("Secret", ref.namespace, secret["metadata"]["name"])
            else:
                self._finish(ref)
        return ""

    @contextmanager
    def _doing(self, verb: str, ref: ReleaseRef, options: dict[str, str], asks: socket.socket) -> Iterator[None]:
        labels = dict(each.split("=", 1) for each in options.get("--labels", "").split(",") if each)
        effect = Effect(verb, ref.name, labels.get(LABEL_OPERATION, ""))
        with self._changed:
            if ref.name in self._refused:
                self._refused[ref.name] += 1
                self._changed.notify_all()
                raise Refused("Error: Kubernetes cluster unreachable: connection refused")
            if any(e.release == ref.name and not e.ended for e in self.effects):
                self.violations.append(f"{verb} of {ref.name} beside {self.effects}")
            self._begin(verb, ref, labels)
            self.effects.append(effect)
            self._changed.notify_all()
        try:
            self._wait(ref.name, asks)
            yield
        except ConnectionAbortedError:
            effect.verb = f"killed {verb}"
            raise
        finally:
            with self._changed:
                effect.ended = True
                self._changed.notify_all()

    def _wait(self, release: str, asks: socket.socket) -> None:
        """Raises ConnectionAbortedError when helm was killed meanwhile."""
        with self._changed:
            while release in self._held:
                self._changed.wait(_POLL_S)
                if select.select([asks], [], [], 0)[0]:
                    raise ConnectionAbortedError

    def _begin(self, verb: str, ref: ReleaseRef, labels: dict[str, str]) -> None:
        revisions = self._revisions(ref)
        newest = revisions[-1] if revisions else None
        status = None if newest is None else HelmStatus(newest["metadata"]["labels"]["status"])
        if verb != "uninstall":
            if status in _PENDING:
                raise Refused("Error: another operation (install/upgrade/rollback) is in progress")
            number = len(revisions) and int(revisions[-1]["metadata"]["labels"]["version"])
            kind = HelmStatus.PENDING_INSTALL if newest is None else HelmStatus.PENDING_UPGRADE
            self.kube.create(stored_release(StoredRelease(ref, number + 1, kind, labels)))
        elif newest is not None:
            self._mark(newest, HelmStatus.UNINSTALLING)

    def _finish(self, ref: ReleaseRef) -> None:
        *before, newest = self._revisions(ref)
        for secret in before:
            self._mark(secret, HelmStatus.SUPERSEDED)
        self._mark(newest, HelmStatus.DEPLOYED)

    def _mark(self, secret: Obj, status: HelmStatus) -> None:
        labels = {"metadata": {"labels": {"status": str(status)}}}
        self.kube.patch("Secret", secret["metadata"]["namespace"], secret["metadata"]["name"], labels)

    def _revisions(self, ref: ReleaseRef) -> list[Obj]:
        found = self.kube.list("Secret", ref.namespace, labels={"owner": "helm", "name": ref.name})
        return sorted(found, key=lambda secret: int(secret["metadata"]["labels"]["version"]))


def _shown(argv: list[str]) -> list[str]:
    return [name for option, name in pairwise(argv) if option == "--show-only"]


def _parsed(rest: list[str]) -> tuple[dict[str, str], list[str]]:
    options, words, given = {}, [], iter(rest)
    for each in given:
        if each in _VALUED:
            options[each] = next(given)
        elif not each.startswith("-"):
            words.append(each)
    return options, words


def _handler(helm: PlayHelm) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            argv, data = json.loads(self.rfile.readline())
            answer: list[Any]
            try:
                answer = [0, helm.run(argv, data, self.connection), ""]
            except Refused as error:
                answer = [1, "", f"{error}\n"]
            except ConnectionAbortedError:
                return  # it was killed
            try:
                self.wfile.write(json.dumps(answer).encode() + b"\n")
            except OSError:
                return  # it was killed, too

    return Handler
