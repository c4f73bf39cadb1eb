"""One DNS question, to see that names resolve. As a program: exit 0 when the name has an address."""

import secrets
import socket
import sys

HEADER_BYTES = 12


def question(name: str, number: int) -> bytes:
    """A query for the A records of a name."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    header = number.to_bytes(2, "big") + bytes.fromhex("0100 0001 0000 0000 0000")
    return header + labels + b"\0" + bytes.fromhex("0001 0001")


def has_answer(reply: bytes, number: int) -> bool:
    """Whether a reply belongs to our question, is without error and has at least one record."""
    if len(reply) < HEADER_BYTES or reply[:2] != number.to_bytes(2, "big"):
        return False
    return reply[3] & 0x0F == 0 and int.from_bytes(reply[6:8], "big") > 0


def resolves(server: str, name: str, timeout_seconds: float = 1.0) -> bool:
    """Ask once."""
    number = secrets.randbelow(1 << 16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout_seconds)
        try:
            client.sendto(question(name, number), (server, 53))
            return has_answer(client.recv(4096), number)
        except OSError:
            return False


if __name__ == "__main__":
    sys.exit(0 if resolves(sys.argv[1], sys.argv[2]) else 1)
