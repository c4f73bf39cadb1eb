"""GET /v2/catalog (OSB 1.2): a body and an ETag for each version, made once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response, g, request

from helmbroker.broker.api import gating


@dataclass(frozen=True)
class _Body:
    text: str
    etag: str


class CatalogView:
    """The catalog as each version of the API knows it.

    OSB items 23, 38. Platforms ask again with what they were given: unchanged is 304. `loaded_at` is when this
    process read the addons; ETags are those of the content, so they are the same in every process.
    """

    def __init__(self, document: dict[str, Any], loaded_at: datetime | None = None) -> None:
        self._loaded_at = loaded_at or datetime.now(UTC)
        self._bodies = [
            _body(gating.visible(document, gating.Shape.CATALOG, minor))
            for minor in range(gating.OLDEST, gating.NEWEST + 1)
        ]

    def __call__(self) -> Response:
        body = self._bodies[min(max(g.api_minor, gating.OLDEST), gating.NEWEST) - gating.OLDEST]
        response = Response(body.text, mimetype="application/json")
        response.set_etag(body.etag)
        response.last_modified = self._loaded_at
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "X-Broker-API-Version"
        response.make_conditional(request)
        return response


def _body(document: dict[str, Any]) -> _Body:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return _Body(text, hashlib.sha256(text.encode()).hexdigest()[:32])
