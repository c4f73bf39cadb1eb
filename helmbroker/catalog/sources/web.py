"""HTTP for sources: bounded in size and time, TLS unless it is said otherwise, logins for one place alone."""

from __future__ import annotations

import base64
import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from helmbroker.catalog.sources.model import Access, Reason, SourceError

MAX_ARCHIVE_BYTES = 20 << 20
MAX_INDEX_BYTES = 8 << 20
_CONNECT_S, _SILENT_S, TOTAL_S = 10.0, 15.0, 120.0
_MAX_REDIRECTS = 5
_PIECE_BYTES = 64 << 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Answer:
    """A complete answer; names of headers in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Web:
    """Requests to the place of a URL, and to wherever it redirects.

    The login is sent to the scheme, host and port of `home` alone. `total_s`: for one answer, redirects and all.
    """

    def __init__(
        self, access: Access, home: str, *, total_s: float = TOTAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._access, self._home, self._total_s, self._clock = access, _origin(home), total_s, clock
        # nobody else may lead us to what listens on this machine
        here = access.insecure is not None or loopback(self._home[1] or "")
        self._insecure = access.insecure if here else False
        self._session = requests.Session()
        self._session.auth = _unchanged  # or requests would look for logins in ~/.netrc
        self._verify = True if access.ca_file is None else str(_existing(access.ca_file))

    def get(self, url: str, *, most: int, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer, whatever its status. Raises SourceError: not reached, too slow, larger than `most` bytes."""
        return self.call("GET", url, most=most, headers=headers)

    def fetch(self, url: str, *, most: int) -> bytes:
        """The body of a 200. Raises SourceError."""
        answer = self.get(url, most=most)
        if answer.status != 200:
            raise SourceError(Reason.FETCHING, refusal(url, answer.status))
        return answer.body

    def call(
        self,
        method: str,
        url: str,
        *,
        most: int = 1 << 20,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Any request; only GET and HEAD follow redirects. Raises SourceError."""
        end = self._clock() + self._total_s
        for _ in range(_MAX_REDIRECTS + 1):
            check_transport(url, self._insecure)
            sent = {"Accept-Encoding": "identity", **(headers or {})}
            if _origin(url) == self._home:
                sent = {**self._login(), **sent}
            else:
                sent.pop("Authorization", None)
            answer = self._once(method, url, sent, body, most, end)
            if answer.status not in _REDIRECTS or method not in ("GET", "HEAD") or "Location" not in answer.headers:
                return answer
            url = urljoin(url, answer.headers["Location"])
        raise SourceError(Reason.FETCHING, f"{shown(url)}: redirects more than {_MAX_REDIRECTS} times")

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, most: int, end: float
    ) -> Answer:
        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                timeout=(_CONNECT_S, _SILENT_S),
                allow_redirects=False,
                stream=True,
                verify=self._verify,  # said here, or REQUESTS_CA_BUNDLE would win
            ) as response:
                return Answer(response.status_code, response.headers, self._body(url, response, most, end))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise SourceError(Reason.FETCHING, f"{shown(url)}: {_cause(error)}") from None

    def _body(self, url: str, response: requests.Response, most: int, end: float) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise SourceError(Reason.FETCHING, f"{shown(url)}: answers with an encoding that was not asked for")
        pieces, size = [], 0
        for piece in response.raw.stream(_PIECE_BYTES, decode_content=False):
            size += len(piece)
            if size > most:
                raise SourceError(Reason.FETCHING, f"{shown(url)}: has more than {most} bytes, which is the most")
            if self._clock() > end:
                raise SourceError(Reason.FETCHING, f"{shown(url)}: took longer than {self._total_s:.0f} s")
            pieces.append(piece)
        return b"".join(pieces)

    def _login(self) -> dict[str, str]:
        if self._access.login_file is not None:
            pair = base64.b64encode(secret_line(self._access.login_file).encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        if self._access.token_file is not None:
            return {"Authorization": f"Bearer {secret_line(self._access.token_file)}"}
        return {}


def check_transport(url: str, insecure: bool | None) -> None:
    """Raises SourceError when the URL is no HTTP, or is HTTP without TLS where that is not allowed."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise SourceError(Reason.FETCHING, f"{shown(url)} is no http(s) URL of a host, without a login")
    plain = insecure or (insecure is None and loopback(parts.hostname))
    if parts.scheme == "http" and not plain:
        raise SourceError(
            Reason.FETCHING, f"{shown(url)}: HTTP without TLS is refused; use https, or say insecure: true"
        )


def loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone: nothing is asked."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown(url: str) -> str:
    """A URL for logs and errors: what follows `?` may be a signature that gives access."""
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])


def refusal(url: str, status: int) -> str:
    """A status that is no success, with its cure."""
    cures = {401: "a login is needed, or it is wrong", 403: "the login may not", 404: "there is nothing; mistyped?"}
    cures[429] = "too many requests; it is tried again"
    return f"{shown(url)}: the server answers {status} ({cures.get(status, 'its log may say why')})"


def secret_line(path: Path) -> str:
    """The one line of a file that holds a secret. Raises SourceError."""
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise SourceError(Reason.FETCHING, f"the file {path} cannot be read; it must hold one line") from None
    if not text.isprintable() or not text:
        raise SourceError(Reason.FETCHING, f"the file {path} must hold one printable line")
    return text


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SourceError(Reason.FETCHING, f"there is no file {path}; set ca_file to certificates in PEM")
    return path


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise SourceError(Reason.FETCHING, f"{shown(url)} has no valid port") from None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)


def _unchanged(request: Any) -> Any:
    return request


def _cause(error: Exception) -> str:
    """In words, never the exception's own: it repeats the URL."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not vouched for; set ca_file to the authority of that server"
        case requests.exceptions.ConnectTimeout():
            return f"no connection within {_CONNECT_S:.0f} s"
        case requests.exceptions.Timeout():
            return f"silent for {_SILENT_S:.0f} s"
        case requests.exceptions.ConnectionError():
            return "no connection: refused, cut off, or the name is unknown"
        case _ if "Timeout" in type(error).__name__:
            return f"silent for {_SILENT_S:.0f} s"
    return f"the answer is cut off or damaged ({type(error).__name__})"
