"""What is checked of every request after its login, in this order: version, on whose behalf (OSB 1.12)."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from flask import Request, Response

from helmbroker.broker.domain.errors import BadRequest, OsbError

IDENTITY = "X-Broker-API-Request-Identity"
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_MAJOR = 2
_MAX_IDENTITY_CHARACTERS = 256
_USER_KEYS = ("user_id", "uid", "username")  # of Cloud Foundry and of Kubernetes, as the OSB profile has them


class UnsupportedVersion(OsbError):
    status: ClassVar[HTTPStatus] = HTTPStatus.PRECONDITION_FAILED
    word: ClassVar[str] = "UnsupportedVersion"


@dataclass(frozen=True)
class OriginatingIdentity:
    """On whose behalf a platform calls: the kind of platform, and its id of the user, if it gave one."""

    platform: str
    user: str | None

    def __str__(self) -> str:
        return self.platform if self.user is None else f"{self.platform}:{self.user}"


def api_minor(request: Request, missing_version_status: int = HTTPStatus.BAD_REQUEST) -> int:
    """The minor of the version 2.x that the caller declares (OSB items 3-5); a newer one is fine.

    Raises BadRequest or UnsupportedVersion; for a missing one as `missing_version_status` (400 or 412) says.
    """
    value = request.headers.get("X-Broker-API-Version")
    if value is None:
        text = "The header X-Broker-API-Version is required, for example 2.17."
        raise BadRequest(text) if missing_version_status == HTTPStatus.BAD_REQUEST else UnsupportedVersion(text)
    found = _VERSION.fullmatch(value.strip())
    if found is None:
        raise BadRequest("The header X-Broker-API-Version must look like 2.17.")
    if int(found[1]) != _MAJOR:
        raise UnsupportedVersion("This broker supports versions 2.x of the Open Service Broker API, such as 2.17.")
    return int(found[2])


def originating_identity(request: Request) -> OriginatingIdentity | None:
    """OSB item 16: a platform and a JSON object; absent for orphan mitigation (119). Raises BadRequest."""
    value = request.headers.get("X-Broker-API-Originating-Identity")
    if value is None:
        return None
    platform, _, encoded = value.strip().partition(" ")
    try:
        identity = json.loads(base64.b64decode(encoded, validate=True))
    except (ValueError, RecursionError):
        identity = None
    if not isinstance(identity, dict):
        raise BadRequest("X-Broker-API-Originating-Identity must be a platform and a base64 encoded JSON object.")
    users = (_shown(identity.get(key)) for key in _USER_KEYS)
    return OriginatingIdentity(_shown(platform) or "unprintable", next(filter(None, users), None))


def request_identity(request: Request) -> str | None:
    """OSB item 15: what is echoed and logged; bounded, printable."""
    return _shown(request.headers.get(IDENTITY))


def echo_identity(request: Request, response: Response) -> Response:
    """OSB item 15: on every answer, errors included."""
    value = request_identity(request)
    if value is not None:
        response.headers[IDENTITY] = value
    return response


def _shown(value: object) -> str | None:
    """A text that can stand in a log and a header; None for any other."""
    usable = isinstance(value, str) and len(value) <= _MAX_IDENTITY_CHARACTERS and value.isprintable()
    return value if isinstance(value, str) and usable else None
