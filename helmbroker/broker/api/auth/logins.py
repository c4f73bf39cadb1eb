"""Files of logins: one line `name:secret` each, the secret as it is or as the SHA-256 of it.

Secrets that this program makes have 256 random bits, so one round of SHA-256 keeps them as safe as a slow hash
would, and no stranger can keep the processor busy by guessing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helmbroker.runtime.files import write_private

_LOG = logging.getLogger("helmbroker.auth")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
NAME_RULE = "a name has 1 to 64 letters, digits and . _ @ -, the first of them a letter or digit"
_MAX_FILE_BYTES = 1 << 20


class LoginsError(Exception):
    """A file of logins that cannot be used; a sentence for the operator, without any secret."""


@dataclass(frozen=True)
class Login:
    """A name, and the SHA-256 of the secret that proves it."""

    name: str
    digest: bytes = field(repr=False)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def plain(path: Path, secret: str) -> bytes:
    """The format of a file that holds secrets as they are."""
    if not secret:
        raise LoginsError(f"{path} must hold one line user:password")
    return digest(secret)


def hashed(path: Path, secret: str) -> bytes:
    """The format of a file that holds digests."""
    if not re.fullmatch("[0-9a-f]{64}", secret):
        raise LoginsError(f"{path}: after the name and a colon comes a SHA-256, 64 hexadecimal digits")
    return bytes.fromhex(secret)


class LoginFile:
    """The logins in a file. The file may come, change and go: it is read again when it is another one."""

    def __init__(self, path: Path, form: Callable[[Path, str], bytes]) -> None:
        self.path = path
        self._form = form
        self._current: tuple[tuple[int, int, int] | None, tuple[Login, ...]] = (None, ())
        self._lock = threading.Lock()

    def logins(self) -> tuple[Login, ...]:
        """Those in the file now; none without a file. A file that is broken is logged and changes nothing."""
        try:
            stat = self.path.stat()
            now = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if now != self._current[0]:
                with self._lock:  # nobody is judged by logins that another thread has not read yet
                    self._renew(now)
        except FileNotFoundError:
            if self.path.parent.is_dir():  # else a volume is away, and nobody has been thrown out
                self._current = (None, ())
        except OSError as error:
            _LOG.error("%s cannot be read: %s; the logins before stay valid", self.path, error.strerror)
        except LoginsError as error:
            _LOG.error("%s; the logins before stay valid", error)
        return self._current[1]

    def _renew(self, now: tuple[int, int, int]) -> None:
        seen, known = self._current
        if seen == now:
            return  # another thread was faster
        try:
            self._current = (now, self.read())
        except (LoginsError, OSError):
            self._current = (now, known)  # a broken file is told once
            raise

    def read(self) -> tuple[Login, ...]:
        """The logins in the file. Raises LoginsError, OSError."""
        if self.path.stat().st_size > _MAX_FILE_BYTES:
            raise LoginsError(f"{self.path} is larger than {_MAX_FILE_BYTES} bytes")
        try:
            text = self.path.read_text("utf-8")
        except UnicodeDecodeError:
            raise LoginsError(f"{self.path} is not UTF-8 text") from None
        found = []
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                name, _, secret = line.strip().partition(":")
                if not name:
                    raise LoginsError(f"{self.path} has a line without a name")
                found.append(Login(name, self._form(self.path, secret)))
        return tuple(found)


def proven(logins: Sequence[Login], secret: str, name: str | None = None) -> str | None:
    """Whose secret it is, among those of `name` or among all. Takes the same time whatever fits."""
    found = None
    shown = digest(secret)
    for login in logins:
        same_name = name is None or _called(login, name)
        if hmac.compare_digest(login.digest, shown) & same_name:
            found = login.name
    return found


def named(logins: Sequence[Login], name: str) -> bool:
    """Whether one of them has this name. Takes the same time whether or not."""
    return bool(sum(_called(login, name) for login in logins))  # of all of them, and not until one is found


def _called(login: Login, name: str) -> bool:
    return hmac.compare_digest(login.name.encode(), name.encode("utf-8", "surrogateescape"))


def add(path: Path, name: str) -> str:
    """Make a secret for a new name, keep its digest, and return it: it is nowhere else. Raises LoginsError."""
    if not _NAME.fullmatch(name):
        raise LoginsError(NAME_RULE)
    if not path.parent.is_dir():
        raise LoginsError(f"there is no folder {path.parent}; `helmbroker init` makes it")
    logins = names(path)
    if name in logins:
        raise LoginsError(f"{name} is in {path} already; remove it first, or take another name")
    secret = secrets.token_urlsafe(32)
    text = path.read_text("utf-8") if path.exists() else ""
    newline = "" if not text or text.endswith("\n") else "\n"
    write_private(path, f"{text}{newline}{name}:{digest(secret).hex()}\n")
    return secret


def names(path: Path) -> list[str]:
    """Who is in a file of digests. Raises LoginsError."""
    return [login.name for login in LoginFile(path, hashed).read()] if path.exists() else []


def remove(path: Path, name: str) -> None:
    """Take all lines of a name out of a file of digests. Raises LoginsError."""
    if name not in names(path):
        raise LoginsError(f"{name} is not in {path}")
    lines = path.read_text("utf-8").splitlines(keepends=True)
    write_private(path, "".join(line for line in lines if line.strip().partition(":")[0] != name))
