"""A door to the cluster's API server that a test can close and open: a TCP forwarder on the loopback."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.ports import free_port


class Door:
    """Closed at first: who connects is refused."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target, self.port = target, free_port()
        self._listener: socket.socket | None = None
        self._pipes: list[socket.socket] = []
        self._turn = threading.Lock()  # whoever comes while the door closes is cut, too
        self._flow = threading.Event()
        self._flow.set()

    def open(self) -> None:
        """From now on connections are forwarded."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Connections are cut, new ones refused."""
        with self._turn:
            listener, self._listener = self._listener, None
            pipes, self._pipes = self._pipes, []
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for each in pipes:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def stall(self) -> None:
        """From now on connections are accepted, and nothing comes through."""
        self._flow.clear()

    def resume(self) -> None:
        """What waited goes on."""
        self._flow.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            with self._turn:
                if listener is not self._listener:
                    near.close()
                    far.close()
                    return
                self._pipes += [near, far]
            threading.Thread(target=_pump, args=(near, far, self._flow), daemon=True).start()


def _pump(near: socket.socket, far: socket.socket, flow: threading.Event) -> None:
    with selectors.DefaultSelector() as selector, near, far:
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        with contextlib.suppress(OSError):
            while True:
                for key, _ in selector.select():
                    source: Any = key.fileobj
                    data = source.recv(1 << 16)
                    flow.wait()
                    if not data:
                        return
                    key.data.sendall(data)


@contextmanager
def door(kubeconfig: Path, target: Path) -> Iterator[Door]:
    """A door to the cluster of `kubeconfig`, and a kubeconfig at `target` that leads through it."""
    content: Any = yaml.safe_load(kubeconfig.read_text())
    server = urlsplit(content["clusters"][0]["cluster"]["server"])
    made = Door((server.hostname or "", server.port or 443))
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{made.port}"
    target.write_text(yaml.safe_dump(content))
    target.chmod(0o600)
    try:
        yield made
    finally:
        made.resume()
        made.close()
