"""The chain of the ways to log in. It is asked before anything else is looked at (OSB item 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar, Protocol

from flask import Request
from werkzeug.datastructures import Authorization

from helmbroker.broker.domain.errors import OsbError
from helmbroker.runtime.journal import LoginFault

REALM = "helmbroker"


class How(StrEnum):
    """How a caller has shown who it is."""

    PASSWORD = "password"  # noqa: S105  # the name of a way, no password
    TOKEN = "token"  # noqa: S105
    OIDC = "oidc"
    CERTIFICATE = "certificate"


@dataclass(frozen=True)
class Caller:
    """Who calls, as logs and records name it. Holds no secret."""

    name: str
    how: How


class Refused(Exception):
    """What was shown is not accepted, and why: a sentence for the one who showed it; "": that is told nothing."""

    def __init__(self, sentence: str, fault: LoginFault) -> None:
        super().__init__(sentence)
        self.fault = fault


def authorization(request: Request) -> Authorization | None:
    """What the Authorization header says; None: nothing that can be read, whatever strangers send."""
    try:
        return request.authorization
    except ValueError:  # werkzeug lets base64 with other than ASCII characters through
        return None


class Method(Protocol):
    """A way to log in."""

    def challenge(self) -> str | None:
        """Its part of WWW-Authenticate; None: there is nobody who could log in this way."""
        ...

    def caller(self, request: Request) -> Caller | None:
        """Who calls; None: nothing of this kind was shown, or nobody has it. Raises Refused, Unavailable."""
        ...


class Unauthenticated(OsbError):
    """401, with a challenge for each way to log in. fault: for the log alone."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNAUTHORIZED
    word: ClassVar[str] = "Unauthorized"

    def __init__(self, description: str, challenges: Sequence[str], fault: LoginFault) -> None:
        super().__init__(description)
        self.challenges = challenges
        self.fault = fault


class Authentication:
    """All ways to log in to this broker; the first that knows the caller wins."""

    def __init__(self, methods: Sequence[Method]) -> None:
        self._methods = methods

    def challenges(self) -> list[str]:
        """What a client may answer with, each once, in the order of the ways; empty: nobody can log in."""
        return list(dict.fromkeys(each for each in (method.challenge() for method in self._methods) if each))

    def caller(self, request: Request) -> Caller:
        """OSB item 1. Raises Unauthenticated; Unavailable when it cannot be found out just now."""
        refusals = []
        for method in self._methods:
            try:
                found = method.caller(request)
            except Refused as reason:
                refusals.append(reason)
                continue
            if found is not None:
                return found
        wanted = "A login that this broker knows is required; WWW-Authenticate says which kinds it takes."
        sentences = [wanted, *filter(None, map(str, refusals))]
        fault = refusals[0].fault if refusals else _unknown(request)
        raise Unauthenticated(" ".join(sentences), self.challenges(), fault)


def _unknown(request: Request) -> LoginFault:
    """Why nobody knows the caller, where no way to log in says it."""
    if not request.headers.get("Authorization"):
        return LoginFault.NOTHING
    given = authorization(request)
    if given is None:
        return LoginFault.UNREADABLE
    return LoginFault.TOKEN if given.type == "bearer" else LoginFault.KIND
