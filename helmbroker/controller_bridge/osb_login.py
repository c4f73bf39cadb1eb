"""How the platform side logs in to a service broker."""

from __future__ import annotations

import base64
import logging
import re
from pathlib import Path

import requests
from requests.auth import AuthBase

from helmbroker.controller_bridge.broker_port import BrokerError

_LOG = logging.getLogger("helmbroker.bridge")
_SHAPE = "it has to be one line of UTF-8, user:password or Bearer TOKEN"
_BEARER = re.compile(r"Bearer [A-Za-z0-9._~+/-]+=*")  # RFC 6750


class CredentialsFile(AuthBase):
    """The login from a file of one line, `user:password` or `Bearer TOKEN`; read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._header = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self.header()
        return request

    def header(self) -> str:
        """The value of the Authorization header. Raises BrokerError when the file is missing or malformed."""
        if why := self._wrong():
            _LOG.error("the file %s with the broker's login is not usable: %s", self._path, why)
            raise BrokerError(0, "Credentials", f"the file with its login is not usable: {why}")
        return self._header

    def fault(self) -> str | None:
        """What is wrong with the file, by its name, and what to do; None: it can be used."""
        why = self._wrong()
        return why and f"{self._path} is not usable as the login: {why}"

    def _wrong(self) -> str | None:
        """Read the file, if it has changed: what is wrong with it."""
        try:
            stat = self._path.stat()
            if self._seen == (stat.st_mtime_ns, stat.st_ino):
                return None
            line = self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            return f"{error.strerror or 'it cannot be read'}; {_SHAPE}"
        except UnicodeDecodeError:
            return _SHAPE
        user, separator, password = line.partition(":")
        bearer = _BEARER.fullmatch(line) is not None
        if not (bearer or (user and separator and password)) or "\n" in line:
            return _SHAPE
        self._header = line if bearer else "Basic " + base64.b64encode(line.encode()).decode("ascii")
        self._seen = (stat.st_mtime_ns, stat.st_ino)
        return None
