"""Sentences for users without the secrets that went in. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from helmbroker.catalog import parameters
from helmbroker.catalog.model import JSON, NOTHING, Object

HIDDEN = parameters.HIDDEN
_SECRET_NAME = re.compile(r"passw|passphrase|passwd|pwd|secret|token|credential|private|(api|access)[-_]?key", re.I)
_SHORT = 4  # a shorter secret is hidden as a whole word only: else half of every sentence would go
_CUT = "…"


def secrets_of(schema: Object | None, given: Object) -> set[str]:
    """The secrets among a user's parameters: those marked `writeOnly`, and those that are called like secrets."""
    open_texts = set(_scalars(parameters.shown(schema, given)))
    return (set(_scalars(given)) - open_texts) | set(named_like_secrets(given))


def named_like_secrets(values: Object) -> Iterator[str]:
    """Texts below keys such as password or token, at any depth: for values that have no schema."""
    for key, value in values.items():
        if _SECRET_NAME.search(key):
            yield from _scalars(value)
        elif isinstance(value, Mapping):
            yield from named_like_secrets(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield from named_like_secrets({str(i): v for i, v in enumerate(value)} if value else NOTHING)


def scrub(text: str, secrets: Collection[str]) -> str:
    """The text with every secret hidden, also one that is quoted, encoded or cut off at the text's end."""
    forms = {form for secret in secrets for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _SHORT:
            text = text.replace(form, HIDDEN)
        else:
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
    return _without_cut_off(text, forms) if text.endswith(_CUT) else text


def _forms(secret: str) -> Iterator[str]:
    """As it is; in JSON or Go quotes; as one line; as data of a Secret."""
    if secret.strip():
        yield secret
        yield json.dumps(secret)[1:-1]
        yield json.dumps(secret, ensure_ascii=False)[1:-1]
        yield " ".join(secret.split())
        yield base64.b64encode(secret.encode()).decode()


def _without_cut_off(text: str, forms: Collection[str]) -> str:
    kept = text.removesuffix(_CUT)
    beginnings = (form[:length] for form in forms for length in range(len(form) - 1, _SHORT - 1, -1))
    found = max((each for each in beginnings if kept.endswith(each)), key=len, default="")
    return kept.removesuffix(found) + (HIDDEN if found else "") + _CUT


def _scalars(value: JSON) -> Iterator[str]:
    """Every text and number, at any depth, as text; true, false and null are no secrets."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _scalars(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _scalars(inner)
    else:
        yield str(value)
