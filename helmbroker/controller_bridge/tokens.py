"""Who may call where no platform knows users: tokens in a file, as SHA-256 only; read again when it changes."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from helmbroker.controller_bridge.model import Role
from helmbroker.controller_bridge.settings import SetupError
from helmbroker.runtime.files import write_private

EVERY_APP = "*"
_ROLES = {role.name.lower(): role for role in Role}


class TokensError(SetupError):
    """A tokens file that cannot be used; a sentence."""


@dataclass(frozen=True)
class TokenOwner:
    """The owner of a token: `apps` are the ids of apps, or `*`; the role is the same in all of them."""

    user: str
    apps: frozenset[str]
    role: Role

    def role_in(self, app: str) -> Role | None:
        """See access.port.Identity.role_in."""
        return self.role if EVERY_APP in self.apps or app in self.apps else None

    def workspace_of(self, _app: str) -> None:
        """See access.port.Identity.workspace_of: there are no workspaces."""


class Tokens:
    """`{"tokens": [{"token_sha256", "user", "apps": [..], "role": "viewer" | "member" | "admin"}]}`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._known: Sequence[tuple[bytes, TokenOwner]] = ()

    def identify(self, token: str) -> TokenOwner | None:
        """Whose token it is. Takes the same time for every token. Raises TokensError."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known, identity in self._current():
            if hmac.compare_digest(known, digest):
                found = identity
        return found

    def add(self, user: str, apps: Sequence[str], role: Role) -> str:
        """Make a token, store its digest, and return it: it is shown nowhere else, ever. Raises TokensError."""
        token = secrets.token_urlsafe(48)
        entry = {
            "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
            "user": user,
            "apps": sorted(set(apps)),
            "role": role.name.lower(),
        }
        entries = self._entries() if self._path.exists() else []
        text = json.dumps({"tokens": [*entries, entry]}, indent=1) + "\n"
        write_private(self._path, text)
        return token

    def _current(self) -> Sequence[tuple[bytes, TokenOwner]]:
        try:
            stat = self._path.stat()
        except OSError as error:
            raise TokensError(f"cannot read the tokens file {self._path} ({error.strerror})") from None
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        with self._lock:
            if seen != self._seen:
                self._known = [_entry(self._path, entry) for entry in self._entries()]
                self._seen = seen
            return self._known

    def _entries(self) -> list[Mapping[str, object]]:
        try:
            if self._path.stat().st_mode & 0o077:
                raise TokensError(f"{self._path} can be read by others: chmod 600 {self._path}")
            entries = json.loads(self._path.read_text(encoding="utf-8"))["tokens"]
        except OSError as error:
            raise TokensError(f"cannot read the tokens file {self._path} ({error.strerror})") from None
        except (ValueError, KeyError, TypeError):
            raise TokensError(f"{self._path} is not a tokens file as `helmbroker-bridge init` makes it") from None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise TokensError(f'{self._path}: "tokens" has to be a list of objects')
        return entries


def role(name: str) -> Role:
    """The role of this name. Raises TokensError."""
    if name not in _ROLES:
        raise TokensError(f"{name!r} is no role: use one of {', '.join(_ROLES)}")
    return _ROLES[name]


def _entry(path: Path, entry: Mapping[str, object]) -> tuple[bytes, TokenOwner]:
    digest, user, apps = entry.get("token_sha256"), entry.get("user"), entry.get("apps")
    if not (isinstance(digest, str) and isinstance(user, str) and isinstance(apps, list)):
        raise TokensError(f"{path}: every token needs token_sha256, user and apps")
    try:
        return bytes.fromhex(digest), TokenOwner(user, frozenset(map(str, apps)), role(str(entry.get("role"))))
    except ValueError:
        raise TokensError(f"{path}: the token_sha256 of {user} is not hexadecimal") from None
