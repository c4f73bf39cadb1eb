"""HTTP to a Drycc controller: bounded times and sizes, no redirects, and nothing of a body in any log or error."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from helmbroker.controller_bridge.apps.port import AppsUnavailable, TokenFileUnusable
from helmbroker.controller_bridge.retry_after import retry_after_s

_CONNECT_S = 5.0
READ_S = 180.0
"""Seconds for an answer: the controller itself may hold a request for 120 s, until it gets a lock."""

_MAX_BODY_BYTES = 8 * 1024 * 1024
_MAX_RETRY_AFTER_S = 3600.0
_DEFAULT_RETRY_AFTER_S = 60.0  # the window of the controller's throttle


@dataclass(frozen=True)
class Answer:
    """Status and parsed body. The body may repeat what was sent, secrets too: it has no repr."""

    status: int
    data: Any

    def __repr__(self) -> str:
        return f"Answer({self.status})"


class ControllerClient:
    """One controller. Safe for threads: each has its own connections."""

    def __init__(self, url: str, *, ca_file: Path | None = None, read_s: float = READ_S) -> None:
        self._url = url.rstrip("/")
        self.place = urlsplit(url).netloc.rpartition("@")[2]
        self._verify: bool | str = str(ca_file) if ca_file else True
        self._read_s = read_s
        self._local = threading.local()

    def call(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> Answer:
        """One request as the owner of `token`. Statuses below 500 are answers, but 408 and 429.

        Raises AppsUnavailable: no answer, an overloaded controller, or something that is no controller. A write may
        have happened nevertheless.
        """
        if not (token.isascii() and token.isprintable()):
            return Answer(HTTPStatus.UNAUTHORIZED, None)  # no header can hold it, so it is nobody's
        try:
            response = self._session().request(
                method,
                self._url + path,
                json=body,
                headers={"Authorization": f"token {token}", "Accept": "application/json"},
                timeout=(_CONNECT_S, self._read_s),
                allow_redirects=False,
                stream=True,
            )
            with response:
                return self._answer(response)
        except requests.exceptions.SSLError:
            # No chain here and below: the library's text may quote the request.
            raise self._away("does not show an accepted certificate: set its CA file, or mend the URL") from None
        except requests.RequestException as error:
            timed_out = isinstance(error, requests.ReadTimeout)
            what = f"no answer within {self._read_s:.0f} s" if timed_out else "the connection failed"
            raise self._away(f"does not answer ({what})") from None

    def _answer(self, response: requests.Response) -> Answer:
        status = response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            said_s = retry_after_s(response.headers)
            after_s = _DEFAULT_RETRY_AFTER_S if said_s is None else min(said_s, _MAX_RETRY_AFTER_S)
            raise AppsUnavailable(
                f"the controller at {self.place} gets too many requests from this user: it wants {after_s:.0f} s "
                "of rest; raise DRYCC_CONTROLLER_THROTTLE_RATES_USER there if that happens often",
                after_s=after_s,
            )
        if status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT or status in range(300, 400):
            raise self._away(f"cannot answer now (HTTP {status})")
        return Answer(status, self._parsed(response))

    def _parsed(self, response: requests.Response) -> Any:
        raw = bytearray()
        for part in response.iter_content(65536):
            raw += part
            if len(raw) > _MAX_BODY_BYTES:
                raise self._away("answers at too great a length")
        if not raw:
            return None
        try:
            return json.loads(raw)
        except ValueError:
            raise self._away(
                f"answers HTTP {response.status_code} with something that is not JSON: is it a Drycc controller?"
            ) from None

    def _away(self, what: str) -> AppsUnavailable:
        return AppsUnavailable(f"the controller at {self.place} {what}")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False  # no proxy and no netrc between the bridge and its controller
            session.verify = self._verify
        return session


class TokenFile:
    """A secret word in a file of one line; read again when the file changes. what: for messages."""

    def __init__(self, path: Path, what: str) -> None:
        self.path, self._what = path, what
        self._seen: tuple[int, int] | None = None
        self._token = ""

    def __call__(self) -> str:
        """The token. Raises TokenFileUnusable."""
        try:
            stat = self.path.stat()
            if self._seen != (stat.st_mtime_ns, stat.st_ino):
                self._token = self.path.read_text(encoding="ascii").strip()
                self._seen = (stat.st_mtime_ns, stat.st_ino)
        except (OSError, UnicodeError):
            self._token, self._seen = "", None
        if not self._token or len(self._token.split()) != 1:
            raise TokenFileUnusable(f"{self.path} lacks {self._what}: write it there, in one line")
        return self._token
