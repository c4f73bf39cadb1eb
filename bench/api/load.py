"""`python -m bench.api.load`: a load generator in a process of its own, cheap enough for the machine it shares.

One line of JSON in (a Load), one out (a Result). Connections are kept alive; each sends the next request when its
answer is there. Understands just enough of HTTP for answers that have a Content-Length or no body.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

NUMBER = "{n}"
"""In the request's text: replaced by a number that no other request of this generator has."""
_RECEIVED_BYTES = 1 << 18
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Load:
    """`clients` connections send `request` (the whole text) to a port of this machine, for `seconds`."""

    port: int
    clients: int
    seconds: float
    request: str


@dataclass
class Result:
    """What came back. `took_ms`: of each request, from sending to the last byte. `seconds`: of all together."""

    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)


class _Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        self._received = b""
        self.began = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> str | None:
        """The status of the answer when all of it is there. Raises ConnectionError when the server hangs up."""
        data = self.socket.recv(_RECEIVED_BYTES)
        if not data:
            raise ConnectionResetError("the server has closed a connection before it answered")
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        fields = head.lower().split(b"\r\n")
        length = next((int(each[15:]) for each in fields if each.startswith(b"content-length:")), 0)
        status = fields[0].split()[1].decode()
        if len(body) < (0 if status == "304" else length):
            return None
        self.closing = b"connection: close" in fields
        return status

    def renew(self) -> None:
        """A new connection in place of one that the server closes."""
        self.socket.close()
        self._connect()


def run(load: Load, first: int) -> Result:
    """Send until the time is over, and take the answers that are still to come. `first`: the first number."""
    result, statuses, number = Result(), Counter[str](), first
    with selectors.EpollSelector() as selector:
        clients = [_Client(load.port) for _ in range(load.clients)]
        began = time.perf_counter()
        end = began + load.seconds
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(_numbered(load.request, number))
            number += 1
        open_requests = len(clients)
        while open_requests:
            for key, _events in selector.select(_PATIENCE_S):
                client = key.data
                status = client.receive()
                if status is None:
                    continue
                now = time.perf_counter()
                statuses[status] += 1
                result.took_ms.append(round((now - client.began) * 1000, 3))
                if now >= end:
                    open_requests -= 1
                    continue
                if client.closing:
                    selector.unregister(client.socket)
                    client.renew()
                    selector.register(client.socket, selectors.EVENT_READ, client)
                client.send(_numbered(load.request, number))
                number += 1
        result.seconds = time.perf_counter() - began
        for client in clients:
            client.socket.close()
    result.statuses = dict(statuses)
    return result


def _numbered(request: str, number: int) -> bytes:
    return request.replace(NUMBER, str(number)).encode()


def main() -> None:
    """Loads from standard input until it ends."""
    first = 0
    for line in sys.stdin:
        result = run(Load(**json.loads(line)), first)
        first += len(result.took_ms)
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
