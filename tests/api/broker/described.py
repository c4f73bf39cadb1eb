"""The OpenAPI document as a judge of answers: is this one of those that it describes?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft202012Validator

_METHODS = ("get", "put", "patch", "delete", "post")


@cache
def document() -> dict[str, Any]:
    """The document of the package, read."""
    text = resources.files("helmbroker.broker.api").joinpath("openapi.yaml").read_bytes()
    made: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return made


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """(method, path) -> the operation."""
    return {
        (method.upper(), path): item[method]
        for path, item in document()["paths"].items()
        for method in _METHODS
        if method in item
    }


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` of the document points at; anything else as it is."""
    if "$ref" not in value:
        return value
    found: Any = document()
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(found)


def faults(method: str, target: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What the document does not allow in this answer. Paths and methods that it does not list get an Error."""
    path = _template("/" + target.partition("?")[0].lstrip("/"))  # the router takes several for one, too
    answer = _answer("GET" if method == "HEAD" else method, path, status)
    if answer is None:
        return [f"{method} {target[:200]!r} may not answer {status}"]
    found = [
        f"no header {name}"
        for name, each in answer.get("headers", {}).items()
        if resolved(each).get("required") and name.lower() not in {known.lower() for known in headers}
    ]
    content: Mapping[str, Any] = answer.get("content", {})
    mimetype = headers.get("Content-Type", "").partition(";")[0]
    if method == "HEAD" or not content:
        return found + (["a body"] if body else [])
    if mimetype not in content:
        return [*found, f"content of type {mimetype}"]
    if mimetype == "application/json":
        schema = json.dumps(content[mimetype]["schema"])
        found += [f"{each.json_path}: {each.message}" for each in _validator(schema).iter_errors(json.loads(body))]
    return [f"{method} {path} {status}: {each}" for each in found]


def _answer(method: str, path: str | None, status: int) -> dict[str, Any] | None:
    operation = operations().get((method, path or ""))
    if operation is None or status == HTTPStatus.METHOD_NOT_ALLOWED:
        names = {404: "NotFound"} if path is None else {405: "NotFound"}
        names |= {
            400: "BadRequest",
            401: "Unauthorized",
            412: "UnsupportedVersion",
            500: "InternalError",
            503: "Unavailable",
        }
        return {**document()["components"]["responses"][names[status]]} if status in names else None
    answer = operation["responses"].get(str(status))
    return None if answer is None else resolved(answer)


def _template(path: str) -> str | None:
    return next((name for name, pattern in _patterns() if pattern.fullmatch(path)), None)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(path, re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "/?")) for path in document()["paths"]]


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": document()["components"]})
