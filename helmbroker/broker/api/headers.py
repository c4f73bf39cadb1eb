"""What is checked of every request, in this order: who, which API version, on whose behalf (OSB 1.12)."""

from __future__ import annotations

import base64
import hmac
import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar

from flask import Request, Response

from helmbroker.broker.domain.errors import BadRequest, OsbError

IDENTITY = "X-Broker-API-Request-Identity"
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_MAJOR = 2
_MAX_IDENTITY_CHARACTERS = 256


class Unauthenticated(OsbError):
    status: ClassVar[HTTPStatus] = HTTPStatus.UNAUTHORIZED
    word: ClassVar[str] = "Unauthorized"


class UnsupportedVersion(OsbError):
    status: ClassVar[HTTPStatus] = HTTPStatus.PRECONDITION_FAILED
    word: ClassVar[str] = "UnsupportedVersion"


@dataclass(frozen=True)
class BasicUser:
    """Who may call."""

    name: str
    password: str = field(repr=False)


def authenticate(request: Request, user: BasicUser) -> None:
    """OSB item 1. Constant time: neither name nor password can be guessed from how long it takes."""
    given = request.authorization
    name = (given.username or "") if given is not None and given.type == "basic" else ""
    password = (given.password or "") if given is not None and given.type == "basic" else ""
    name_fits = hmac.compare_digest(name.encode(), user.name.encode())
    password_fits = hmac.compare_digest(password.encode(), user.password.encode())
    if not (name_fits and password_fits):
        raise Unauthenticated("Basic authentication with a user of this broker is required.")


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


def check_originating_identity(request: Request) -> None:
    """OSB item 16: a platform and a JSON object, when it is given. Raises BadRequest."""
    value = request.headers.get("X-Broker-API-Originating-Identity")
    if value is None:
        return
    platform, _, encoded = value.strip().partition(" ")
    try:
        identity = json.loads(base64.b64decode(encoded, validate=True))
    except (ValueError, RecursionError):
        identity = None
    if not platform or not isinstance(identity, dict):
        raise BadRequest("X-Broker-API-Originating-Identity must be a platform and a base64 encoded JSON object.")


def request_identity(request: Request) -> str | None:
    """OSB item 15: what is echoed and logged; bounded, printable."""
    value = request.headers.get(IDENTITY)
    if value is None or len(value) > _MAX_IDENTITY_CHARACTERS or not value.isprintable():
        return None
    return value


def echo_identity(request: Request, response: Response) -> Response:
    """OSB item 15: on every answer, errors included."""
    value = request_identity(request)
    if value is not None:
        response.headers[IDENTITY] = value
    return response
