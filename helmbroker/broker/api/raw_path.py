"""Ids with any character in URLs (OSB item 19).

A WSGI server decodes %2F before routing, so an id with a slash would look like two path segments. This
middleware rebuilds PATH_INFO from the raw target, each segment encoded in one way; the URL converter `osb`
decodes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from werkzeug.exceptions import BadRequest
from werkzeug.routing import BaseConverter

from helmbroker.broker.api import ids

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class RawPath:
    """Wraps a WSGI application."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        if raw:
            # a proxy may send the whole URL; what is no URL at all cannot be routed either
            path = raw if raw.startswith("/") else f"/{raw.partition('://')[2].partition('/')[2]}"
            environ["PATH_INFO"] = "/".join(map(_kept, path.partition("?")[0].split("/")))
        return self._app(environ, start_response)


def _kept(segment: str) -> str:
    # all of it in ASCII: what is not UTF-8 would be replaced on its way to the router, and ids would become one
    return quote(unquote_to_bytes(segment.encode("latin-1")), safe="")


class IdConverter(BaseConverter):
    """`<osb:name>`: one path segment, decoded; 400 when it cannot be an id (B2, B88)."""

    regex = "[^/]+"
    part_isolating = True

    def to_python(self, value: str) -> Any:
        text = unquote_to_bytes(value).decode(errors="surrogateescape")
        if not ids.is_id(text):
            raise BadRequest(f"An id in the path must be UTF-8 and {ids.RULE.removeprefix('must ')}.")
        return text
