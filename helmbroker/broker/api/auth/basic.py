"""Basic authentication: the way that every platform has (OSB item 1)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Request

from helmbroker.broker.api.auth.chain import REALM, Caller, How, Refused, authorization
from helmbroker.broker.api.auth.logins import LoginFile, named, proven
from helmbroker.runtime.journal import LoginFault


class BasicUsers:
    """The users of these files. Constant time: neither name nor password can be guessed from how long it takes."""

    def __init__(self, files: Sequence[LoginFile]) -> None:
        self._files = files

    def challenge(self) -> str | None:
        return f'Basic realm="{REALM}", charset="UTF-8"' if any(file.logins() for file in self._files) else None

    def caller(self, request: Request) -> Caller | None:
        given = authorization(request)
        if given is None or given.type != "basic":
            return None
        logins = [login for file in self._files for login in file.logins()]
        name = proven(logins, given.password or "", given.username or "")
        if name is None:
            raise Refused("", LoginFault.PASSWORD if named(logins, given.username or "") else LoginFault.USER)
        return Caller(name, How.PASSWORD)
