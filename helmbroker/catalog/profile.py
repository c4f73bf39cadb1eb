"""Metadata with a meaning of its own: what the OSB profile says of its shape (OSB item 39). Other keys are free."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_LINK: dict[str, Any] = {"type": "string", "pattern": "^https?://[^ ]+$"}
_COST: dict[str, Any] = {
    "type": "object",
    "required": ["amount", "unit"],
    "properties": {
        "amount": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "number", "minimum": 0},  # by currency: {usd: 9.95}
        },
        "unit": _TEXT,
    },
}

OFFERING: dict[str, Any] = {
    "type": "object",
    "properties": {
        "displayName": _TEXT,
        "imageUrl": {"type": "string", "pattern": "^(https?://|data:image/)[^ ]+$"},
        "longDescription": _TEXT,
        "providerDisplayName": _TEXT,
        "documentationUrl": _LINK,
        "supportUrl": _LINK,
        "shareable": {"type": "boolean"},
    },
}
PLAN: dict[str, Any] = {
    "type": "object",
    "properties": {
        "displayName": _TEXT,
        "bullets": {"type": "array", "items": _TEXT},
        "costs": {"type": "array", "items": _COST},
    },
}
