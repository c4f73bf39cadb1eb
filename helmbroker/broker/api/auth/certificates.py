"""Certificates of clients (mutual TLS). The TLS layer has verified them; here it is decided whose are logins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Request

from helmbroker.broker.api.auth.chain import REALM, Caller, How, Refused
from helmbroker.runtime.journal import LoginFault
from helmbroker.runtime.listening import PEER_CERTIFICATE


class ClientCertificates:
    """`subjects`: `CN:name`, `DNS:name` or `URI:name` of the certificates that may call."""

    def __init__(self, subjects: frozenset[str]) -> None:
        self._subjects = subjects

    def challenge(self) -> str | None:
        # no scheme is registered for TLS, and a 401 has to name one
        return f'ClientCertificate realm="{REALM}"'

    def caller(self, request: Request) -> Caller | None:
        certificate = request.environ.get(PEER_CERTIFICATE)
        if not certificate:
            return None
        for name in _names(certificate):
            if name in self._subjects:
                return Caller(name, How.CERTIFICATE)
        told = "The client certificate is valid, but its subject may not call this broker."
        raise Refused(told, LoginFault.NOT_HERE)


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for kind, value in certificate.get("subjectAltName", ()):
        yield f"{kind}:{value}"
    for part in certificate.get("subject", ()):
        for kind, value in part:
            if kind == "commonName":
                yield f"CN:{value}"
