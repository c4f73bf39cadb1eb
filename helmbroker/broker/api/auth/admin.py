"""Who may use /admin and look at /metrics: logins of operators, which are none of platforms, nor the other way."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from flask import Request

from helmbroker.broker.api.auth.bearer import CHALLENGE, BearerTokens
from helmbroker.broker.api.auth.chain import Authentication, Caller, Unauthenticated
from helmbroker.broker.domain.errors import OsbError

_LOOKS = frozenset({"GET", "HEAD"})


class NotAdmin(OsbError):
    """403: known, but as a platform, or as somebody who only looks. caller: who it is, for the log."""

    status: ClassVar[HTTPStatus] = HTTPStatus.FORBIDDEN
    word: ClassVar[str] = "Forbidden"

    def __init__(self, description: str, caller: Caller) -> None:
        super().__init__(description)
        self.caller = caller


class Admins:
    """The bearer tokens that `helmbroker admin add` has made, and those of `watcher add`; constant time."""

    def __init__(self, tokens: BearerTokens, watchers: BearerTokens, platforms: Authentication) -> None:
        self._tokens, self._watchers, self._platforms = tokens, watchers, platforms

    def caller(self, request: Request) -> Caller:
        """Raises Unauthenticated; NotAdmin for a platform's login, and a watcher's that wants more than to look."""
        found = self._tokens.caller(request)
        if found is not None:
            return found
        watcher = self._watchers.caller(request)
        if watcher is not None and request.method in _LOOKS:
            return watcher
        if watcher is not None:
            text = "This login may only look; an admin's is required for this: `helmbroker admin add` makes one."
            raise NotAdmin(text, watcher)
        try:
            platform = self._platforms.caller(request)
        except Unauthenticated as error:
            text = "An admin's bearer token is required; `helmbroker admin add` makes one."
            raise Unauthenticated(text, [CHALLENGE], error.fault) from None
        raise NotAdmin("This login is one of a platform; an admin's is required here.", platform)
