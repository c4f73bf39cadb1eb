"""Users of the cluster: TokenReview says who they are, SubjectAccessReview what they may do in an app's namespace.

The rights are those on `resources.helmbroker.io`, of which there are no objects: get, update and delete stand for
viewer, member and admin. docs/how-to/who-may.md has the ClusterRoles.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from helmbroker.controller_bridge.access.memory import Memory, digest
from helmbroker.controller_bridge.apps.names import is_namespace
from helmbroker.controller_bridge.model import Role
from helmbroker.kubeapi.port import Kube, Obj

GROUP, RESOURCE = "helmbroker.io", "resources"
VERBS = {Role.VIEWER: "get", Role.MEMBER: "update", Role.ADMIN: "delete"}


@dataclass(frozen=True)
class KubeUser:
    """Who has a token at the cluster."""

    user: str
    allowed: Callable[[str], Role | None] = field(repr=False)

    def role_in(self, app: str) -> Role | None:
        """See Identity.role_in."""
        return self.allowed(app)

    def workspace_of(self, _app: str) -> None:
        """See Identity.workspace_of: there are no workspaces."""


class KubeAuthority:
    """The port Authority."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._users: Memory[bytes, KubeUser | None] = Memory(clock)
        self._roles: Memory[tuple[bytes, str], Role | None] = Memory(clock)

    def identify(self, token: str) -> KubeUser | None:
        """See Authority.identify."""
        return self._users.get(digest(token), lambda: self._review(token))

    def _review(self, token: str) -> KubeUser | None:
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        status = self._kube.review(asked).get("status") or {}
        subject = status.get("user") or {}
        if status.get("authenticated") is not True or not subject.get("username"):
            return None

        key = digest(token)  # what is remembered leads to no token

        def allowed(app: str) -> Role | None:
            return self._roles.get((key, app), lambda: self._role(subject, app))

        return KubeUser(str(subject["username"]), allowed)

    def _role(self, subject: Obj, app: str) -> Role | None:
        """The greatest whose verb is given."""
        if not is_namespace(app):
            return None
        return next((role for role in sorted(Role, reverse=True) if self._allowed(subject, app, VERBS[role])), None)

    def _allowed(self, subject: Obj, app: str, verb: str) -> bool:
        wanted = {"namespace": app, "group": GROUP, "resource": RESOURCE, "verb": verb}
        who: Obj = {key: subject[key] for key in ("uid", "groups", "extra") if key in subject}
        spec = {**who, "user": subject["username"], "resourceAttributes": wanted}
        asked: Obj = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        return (self._kube.review(asked).get("status") or {}).get("allowed") is True
