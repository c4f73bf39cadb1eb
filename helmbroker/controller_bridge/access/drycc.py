"""Users of a Drycc controller, by their own tokens: it says who they are and what their role in an app is.

Their requests count for their own throttle, so answers are kept for half a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from helmbroker.controller_bridge.access.memory import Memory, digest
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.names import is_namespace
from helmbroker.controller_bridge.apps.port import AppsUnavailable
from helmbroker.controller_bridge.model import Role

_ROLES = {role.name.lower(): role for role in Role}


class _Known(NamedTuple):
    """What is remembered of a user: not the token."""

    user: str
    passes: bool


class _Standing(NamedTuple):
    """Where an app is, as its members see it, and the user's role there."""

    workspace: str | None
    role: Role | None


@dataclass(frozen=True)
class DryccUser:
    """Who has a token at the controller. Superusers and staff pass every check, as there."""

    user: str
    passes: bool
    standing: Callable[[str], _Standing] = field(repr=False)

    def role_in(self, app: str) -> Role | None:
        """See Identity.role_in."""
        return Role.ADMIN if self.passes else self.standing(app).role

    def workspace_of(self, app: str) -> str | None:
        """See Identity.workspace_of. Superusers are shown only the apps they are members of."""
        return None if self.passes else self.standing(app).workspace


class DryccAuthority:
    """The port Authority."""

    def __init__(self, client: ControllerClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._users: Memory[bytes, _Known | None] = Memory(clock)
        self._standings: Memory[tuple[bytes, str], _Standing] = Memory(clock)

    def identify(self, token: str) -> DryccUser | None:
        """See Authority.identify."""
        known = self._users.get(digest(token), lambda: self._whoami(token))
        if known is None:
            return None

        def standing(app: str) -> _Standing:
            return self._standings.get((digest(token), app), lambda: self._standing(token, known.user, app))

        return DryccUser(known.user, known.passes, standing)

    def _whoami(self, token: str) -> _Known | None:
        answer = self._client.call("GET", "/v2/auth/whoami/", token)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return None
        me = self._object(answer.status, answer.data)
        user = me.get("username") if me else None
        if me is None or not isinstance(user, str):
            raise self._strange("who has a token")
        return _Known(user, me.get("is_superuser") is True or me.get("is_staff") is True)

    def _standing(self, token: str, user: str, app: str) -> _Standing:
        """The app is in a workspace, and the user has a role there. Who is no member is not shown the app."""
        found = self._get(token, f"/v2/apps/{app}/") if is_namespace(app) else None
        workspace = found.get("workspace") if found else None
        if not isinstance(workspace, str):
            return _Standing(None, None)
        path = f"/v2/workspaces/{quote(workspace, safe='')}/members/{quote(user, safe='')}/"
        member = self._get(token, path) or {}
        return _Standing(workspace, _ROLES.get(str(member.get("role"))))

    def _get(self, token: str, path: str) -> Mapping[str, Any] | None:
        answer = self._client.call("GET", path, token)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            return None
        found = self._object(answer.status, answer.data)
        if found is None:
            raise self._strange("a role")
        return found

    def _object(self, status: int, data: object) -> Mapping[str, Any] | None:
        return data if status == HTTPStatus.OK and isinstance(data, Mapping) else None

    def _strange(self, what: str) -> AppsUnavailable:
        return AppsUnavailable(
            f"the controller at {self._client.place} does not tell {what} as the bridge knows it"
        )
