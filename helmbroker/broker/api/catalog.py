"""GET /v2/catalog (OSB 1.2): a body and an ETag for each version, made once for every catalog."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response, g, request

from helmbroker.broker.api import gating
from helmbroker.catalog import offerings
from helmbroker.catalog.model import Catalog


@dataclass(frozen=True)
class _Body:
    text: str
    etag: str


class _Made:
    """The bodies of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.at = catalog, datetime.now(UTC)
        document = offerings.document(catalog)
        self.bodies = [
            _body(gating.visible(document, gating.Shape.CATALOG, minor))
            for minor in range(gating.OLDEST, gating.NEWEST + 1)
        ]


class CatalogView:
    """The catalog as each version of the API knows it.

    OSB items 23, 38. Platforms ask again with what they were given: unchanged is 304. It was last modified when
    this process has read it; ETags are those of the content, so they are the same in every process.
    """

    def __init__(self, offered: Callable[[], Catalog]) -> None:
        self._offered = offered
        self._made = _Made(offered())

    def __call__(self) -> Response:
        catalog, made = self._offered(), self._made
        if catalog is not made.catalog:
            made = self._made = _Made(catalog)
        body = made.bodies[min(max(g.api_minor, gating.OLDEST), gating.NEWEST) - gating.OLDEST]
        response = Response(body.text, mimetype="application/json")
        response.set_etag(body.etag)
        response.last_modified = made.at
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "X-Broker-API-Version"
        response.make_conditional(request)
        return response


def _body(document: dict[str, Any]) -> _Body:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return _Body(text, hashlib.sha256(text.encode()).hexdigest()[:32])
