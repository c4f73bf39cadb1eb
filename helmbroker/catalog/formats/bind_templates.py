"""bind.yaml of Drycc and Kyma, looked at before anything renders it: what can be told of it already.

It is a template of Helm, so most of it is only known when it is rendered. Its actions are taken out here, and what
is left is read as the document that it will be: with all its branches, and with a mark where an action writes.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from helmbroker.catalog import bind_yaml, credentials, documents
from helmbroker.catalog.documents import Document, Unreadable
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import Fault
from helmbroker.catalog.references import FIELDS
from helmbroker.catalog.yaml_types import TextLoader

_END = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`]*`|\}\}')  # of an action; one inside a text is none
_MARK = "\ue000"
_SECRET = re.compile(r"passw|secret|token|credential|private", re.IGNORECASE)
_LISTS = ("credential", "credentialFrom")


class BindTemplates:
    """Looks at the bind.yaml of every plan; the same text is looked at once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._seen: dict[str, str] = {}

    def check(self, name: str) -> None:
        """Add what is wrong or doubtful."""
        try:
            text = documents.text(self._reading.folder / name, name)
        except Unreadable as error:
            self._reading.add([error.fault])
            return
        if self._seen.setdefault(text, name) == name:
            self._reading.add(credentials.written_faults(self._reading.folder, name))
            self._look(text, name)

    def _look(self, text: str, name: str) -> None:
        try:
            left = _without_actions(text)
        except _Open as action:
            line = text.count("\n", 0, action.args[0]) + 1
            self._reading.add([Fault(name, line, "a template action is not closed; write }} behind it")])
            return
        try:
            document = documents.parse(left, name, TextLoader)
        except Unreadable as error:
            if "{{" not in text:  # nothing can mend it; else it may give one key in two branches
                self._reading.add([error.fault])
            return
        if isinstance(document.data, dict):
            self._top(document, document.data)
        elif "{{" not in text:
            self._reading.warn(name, "has no `credential`, so a binding delivers nothing")

    def _top(self, document: Document, data: dict[str, Any]) -> None:
        self._reading.unknown(document, (), data, (*_LISTS, _MARK))
        for key in _LISTS:
            items = data.get(key) or []
            if not isinstance(items, list):
                if _MARK not in str(items):
                    self._reading.add([document.fault((key,), "must be a list of credentials")])
                continue
            for index, item in enumerate(items):
                if isinstance(item, dict) and key == "credential":
                    self._item(document, index, item)
        self._twice(document, data.get("credential"))

    def _item(self, document: Document, index: int, item: dict[str, Any]) -> None:
        where = ("credential", index)
        self._reading.unknown(document, where, item, (*bind_yaml.ITEM["properties"], _MARK))
        if "name" not in item and _MARK not in item:
            self._reading.add([document.fault(where, "missing: name")])
        name, value, source = str(item.get("name")), item.get("value"), item.get("valueFrom")
        if isinstance(value, str) and value and _MARK not in value and _SECRET.search(name):
            self._reading.warn(document, f"{name} is the same for every instance, so it is no secret", where)
        for kind, reference in source.items() if isinstance(source, dict) else ():
            at = (*where, "valueFrom", kind)
            if kind not in (*bind_yaml.KINDS, _MARK):
                kinds = ", ".join(bind_yaml.KINDS)
                self._reading.add([document.fault(at, f"is no source of a credential; there are: {kinds}")])
            elif isinstance(reference, dict):
                self._reading.unknown(document, at, reference, (*FIELDS["properties"], _MARK))
            elif isinstance(reference, str) and _MARK not in reference:
                self._reading.add([document.fault(at, "must be a mapping, with the name of the object")])

    def _twice(self, document: Document, items: Any) -> None:
        names = (
            [str(item.get("name")) for item in items or () if isinstance(item, dict)]
            if isinstance(items, list)
            else []
        )
        for name, times in Counter(name for name in names if _MARK not in name).items():
            if times > 1:
                self._reading.warn(document, f"{name} is given {times} times; the last one counts", ("credential",))


class _Open(Exception):
    """An action without an end; its position."""


def _without_actions(text: str) -> str:
    """A mark for every action, nothing for those that have a line to themselves; all lines stay where they are."""
    left, at = [], 0
    while (begin := text.find("{{", at)) >= 0:
        left.append(text[at:begin])
        at = _end(text, begin)
        left.append(_MARK + "\n" * text.count("\n", begin, at))
    lines = "".join([*left, text[at:]]).split("\n")
    return "\n".join("" if _MARK in line and not line.replace(_MARK, "").strip() else line for line in lines)


def _end(text: str, begin: int) -> int:
    inside = begin + 2
    if text[inside : inside + 4].lstrip("- \t\n").startswith("/*"):
        closed = text.find("*/", inside)
        inside = closed if closed >= 0 else len(text)
    while found := _END.search(text, inside):
        inside = found.end()
        if found[0] == "}}":
            return inside
    raise _Open(begin)
