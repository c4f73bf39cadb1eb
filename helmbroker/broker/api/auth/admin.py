"""Who may look at /admin and /metrics: logins of operators, which are none of platforms, nor the other way."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from flask import Request

from helmbroker.broker.api.auth.bearer import CHALLENGE, BearerTokens
from helmbroker.broker.api.auth.chain import Authentication, Caller, Unauthenticated
from helmbroker.broker.domain.errors import OsbError


class NotAdmin(OsbError):
    """403: known, but as a platform."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    word: ClassVar[str] = "Forbidden"


class Admins:
    """The bearer tokens that `helmbroker admin add` has made; constant time."""

    def __init__(self, tokens: BearerTokens, platforms: Authentication) -> None:
        self._tokens, self._platforms = tokens, platforms

    def caller(self, request: Request) -> Caller:
        """Raises Unauthenticated; NotAdmin for a login of a platform."""
        found = self._tokens.caller(request)
        if found is not None:
            return found
        try:
            self._platforms.caller(request)
        except Unauthenticated:
            text = "An admin's bearer token is required; `helmbroker admin add` makes one."
            raise Unauthenticated(text, [CHALLENGE]) from None
        raise NotAdmin("This login is one of a platform; an admin's is required here.")
