"""/openapi.yaml: the description of what this API serves, as it is in the package."""

from __future__ import annotations

import hashlib
from importlib import resources

from flask import Response, request

NAME = "openapi.yaml"


class DocumentView:
    """Read once. Not parsed: that would cost every API process a few megabytes, and nobody here needs it."""

    def __init__(self, name: str = NAME) -> None:
        self._text = resources.files(__package__).joinpath(name).read_bytes()
        self._etag = hashlib.sha256(self._text).hexdigest()[:32]

    def __call__(self) -> Response:
        response = Response(self._text, content_type="application/yaml")
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(self._etag)
        response.make_conditional(request)
        return response
