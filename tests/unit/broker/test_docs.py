"""The reference of settings and errors says what the code says."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from helmbroker.broker.api import bodies, ids, wire
from helmbroker.broker.domain.errors import OsbError
from helmbroker.broker.settings import Settings as BrokerSettings
from helmbroker.broker.store.schema import SCHEMA
from helmbroker.controller_bridge.settings import Settings as BridgeSettings
from helmbroker.runtime import http_worker, serve
from helmbroker.runtime.environment import Variables

PAGE = Path(__file__).parents[3] / "docs/reference/settings.md"
ERRORS = PAGE.with_name("errors.md")


# what a variable is counted in, or what it names, is told by the end of its name
UNITS = {
    "_s": "s",
    "_per_minute": "1/min",
    "_file": "file",
    "_dir": "folder",
    "_url": "URL",
    "issuer": "URL",
    "listen": "host:port",
    "kubeconfig": "file",
}
TYPES: Mapping[object, str] = {
    bool: "true or false",
    int: "number",
    int | None: "number",
    str: "text",
    str | None: "text",
}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most"}


def unit(name: str, field: FieldInfo) -> str:
    """What may be given, with its bounds: `s, at least 5, at most 600`."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(field.annotation))
    kind = next((word for end, word in UNITS.items() if name.endswith(end)), None) or TYPES[field.annotation]
    bounds = [
        f"{word} {getattr(each, bound):.0f}"
        for each in field.metadata
        for bound, word in BOUNDS.items()
        if hasattr(each, bound)
    ]
    return ", ".join([kind, *bounds])


def rows(prefix: str, settings: type[Variables]) -> Iterator[str]:
    """How each row of a page begins: all but why the default is what it is, which people write."""
    for name, field in settings.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = "" if default in (None, "") else f"`{default}`"
        yield f"| `{prefix}{name.upper()}` | {unit(name, field)} | {shown} | {field.description} |"


@pytest.mark.parametrize(
    ("prefix", "title", "settings"),
    [("HELMBROKER_", "Broker", BrokerSettings), ("HELMBROKER_BRIDGE_", "Bridge", BridgeSettings)],
)
def test_every_variable_is_documented(prefix: str, title: str, settings: type[Variables]) -> None:
    """To mend it, put the row of the failure into the page, and behind it why the default is what it is."""
    section = PAGE.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    written = [re.fullmatch(r"(.*\|) \S[^|]* \|", line) for line in section.splitlines() if "| `" in line[:3]]
    assert [found[1] if found else "a row without a reason" for found in written] == [*rows(prefix, settings)]


def test_every_limit_is_documented() -> None:
    page = PAGE.read_text("utf-8")
    for limit in (
        f"| body | {bodies.MAX_BODY_BYTES} bytes | 413 |",
        f"| `parameters`, `context` | {wire.MAX_OBJECT_BYTES} bytes as JSON each | 400 |",
        f"| nesting of a body | {bodies.MAX_DEPTH} | 400 |",
        f"| ids | {ids.MAX_CHARACTERS} characters | 400 |",
        f"| request line | {serve.REQUEST_LINE_BYTES} bytes | 414 |",
        f"| header | {serve.HEADER_BYTES} bytes, {serve.HEADERS} of them | 431 |",
        f"| time for a request to arrive | {http_worker.REQUEST_S:.0f} s | 408 |",
    ):
        assert limit in page


importlib.import_module("helmbroker.broker.api.app")  # with every error that it answers with


def _kinds(error: type[OsbError]) -> Iterator[type[OsbError]]:
    for each in error.__subclasses__():
        if "word" in vars(each):
            yield each
        yield from _kinds(each)


KINDS = {each.word: each for each in _kinds(OsbError)}


@pytest.mark.parametrize("error", KINDS.values(), ids=KINDS)
def test_every_error_is_documented(error: type[OsbError]) -> None:
    rows = [line for line in ERRORS.read_text("utf-8").splitlines() if f"| `{error.word}` |" in line]
    assert len(rows) == 1
    assert rows[0].startswith(f"| {error.status} |")
    assert (f"({error.retry_after_s} s)" in rows[0]) == (error.retry_after_s is not None)
    assert all(f"`{name}: {str(value).lower()}`" in rows[0] for name, value in error.flags.items())


def test_the_page_of_upgrades_shows_the_schema_of_now() -> None:
    page = (PAGE.parents[1] / "how-to/upgrade-helmbroker.md").read_text("utf-8")
    assert f"(postgresql, revision {SCHEMA.revisions[-1]}, schema version 2)" in page


def test_the_table_of_contents_lists_a_page_once() -> None:
    pages = re.findall(r"\]\((.+?)\)", (PAGE.parents[1] / "README.md").read_text("utf-8"))
    assert [page for page in set(pages) if pages.count(page) > 1] == []
