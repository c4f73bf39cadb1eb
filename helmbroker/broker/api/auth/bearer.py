"""Bearer tokens that this broker has made, kept as digests."""

from __future__ import annotations

from flask import Request

from helmbroker.broker.api.auth.chain import REALM, Caller, How, authorization
from helmbroker.broker.api.auth.logins import LoginFile, proven

CHALLENGE = f'Bearer realm="{REALM}"'


def shown(request: Request) -> str | None:
    """The bearer token of a request."""
    given = authorization(request)
    return given.token if given is not None and given.type == "bearer" else None


class BearerTokens:
    """The tokens of a file; constant time."""

    def __init__(self, file: LoginFile) -> None:
        self._file = file

    def challenge(self) -> str | None:
        return CHALLENGE if self._file.logins() else None

    def caller(self, request: Request) -> Caller | None:
        token = shown(request)
        name = None if token is None else proven(self._file.logins(), token)
        return None if name is None else Caller(name, How.TOKEN)
