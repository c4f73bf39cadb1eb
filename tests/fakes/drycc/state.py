"""What a controller knows: users, workspaces, apps with their releases, and what their pods run with."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.fakes.drycc.config import Config
from tests.fakes.drycc.lock import CacheLock

CREATED = "2026-01-02T03:04:05Z"
VIEWER, MEMBER, ADMIN = "viewer", "member", "admin"
_ROLES = (VIEWER, MEMBER, ADMIN)


@dataclass(frozen=True)
class User:
    """Who has a token."""

    username: str
    is_superuser: bool = False
    is_staff: bool = False

    @property
    def passes(self) -> bool:
        """Whether every object check lets this one through."""
        return self.is_superuser or self.is_staff


@dataclass(frozen=True)
class Build:
    """Images by process type. `dryccfile`: the config that the repository brings, or None when it brings none."""

    uuid: str
    images: Mapping[str, str]
    dryccfile: Mapping[str, object] | None = None


@dataclass
class Release:
    """One row; `exception` says why it crashed. pipeline: what is deployed; None: nobody has begun to."""

    version: int
    config: Config
    build: Build | None
    summary: str
    state: str = "created"
    exception: str = ""
    created: str = CREATED
    deployed_ptypes: list[str] = field(default_factory=list)
    pipeline: list[str] | None = None
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def failed(self) -> bool:
        return self.state == "crashed"


@dataclass
class App:
    """One app; releases oldest first."""

    id: str
    workspace: str
    releases: list[Release] = field(default_factory=list)
    configs: list[Config] = field(default_factory=list)
    pods: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)  # process type -> image, environment
    locked: set[str] = field(default_factory=set)  # process types in a pipeline
    lock: CacheLock = field(default_factory=CacheLock)
    autodeploy: bool = True
    autorollback: bool = True
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def good(self) -> Release:
        """The newest that has not failed: where changes start from."""
        return next(each for each in reversed(self.releases) if not each.failed)

    def environment(self, ptype: str) -> dict[str, str]:
        """What the pods of a process type run with."""
        return self.pods[ptype][1]


@dataclass
class People:
    """Users by token, and roles by workspace."""

    tokens: dict[str, User] = field(default_factory=dict)
    members: dict[str, dict[str, str]] = field(default_factory=dict)  # workspace -> user -> role

    def add(self, username: str, *, superuser: bool = False, staff: bool = False, **roles: str) -> str:
        """A user with these roles by workspace; the token."""
        token = f"{username}-{uuid.uuid4().hex}"
        self.tokens[token] = User(username, superuser, staff)
        for workspace, role in roles.items():
            self.members.setdefault(workspace, {})[username] = role
        return token

    def may(self, user: User, workspace: str, least: str) -> bool:
        """Whether the user's role is at least that one."""
        role = self.members.get(workspace, {}).get(user.username)
        return role is not None and _ROLES.index(role) >= _ROLES.index(least)
