"""One reading of an addon folder: its files, and everything that is wrong or doubtful about them."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonschema.protocols import Validator

from helmbroker.catalog import archive, documents
from helmbroker.catalog.documents import Document, Unreadable, Where
from helmbroker.catalog.model import AddonFaults, Fault, Severity
from helmbroker.catalog.parameters import nested_deeper
from helmbroker.catalog.schemas import check
from helmbroker.catalog.yaml_tree import MAX_DEPTH


class Reading:
    """`names`: of all files below the folder; `found`: faults and warnings. `main`: the addon's first file.

    Whoever reads goes on after a fault: there may be more to find. Raises AddonFaults at once when there is
    something that must not even be opened.
    """

    def __init__(self, folder: Path, main: str) -> None:
        self.folder = folder
        self.found: list[Fault] = []
        try:
            self.names = frozenset(archive.entries(folder))
        except archive.BadArchive as error:
            raise AddonFaults([Fault(main, 0, str(error))]) from None

    def add(self, faults: Iterable[Fault]) -> None:
        """Reasons not to use the addon."""
        self.found += faults

    def fault(self, name: str, message: str) -> None:
        """A reason not to use the addon, about a whole file."""
        self.found.append(Fault(name, 0, message))

    def warn(self, place: Document | str, message: str, where: Where = ()) -> None:
        """Something doubtful."""
        self.doubt(place.fault(where, message) if isinstance(place, Document) else Fault(place, 0, message))

    def doubt(self, fault: Fault) -> None:
        """What would be wrong if it were used."""
        self.found.append(replace(fault, severity=Severity.WARNING))

    @property
    def sound(self) -> bool:
        """Whether nothing wrong has been found until now."""
        return all(fault.severity is Severity.WARNING for fault in self.found)

    def end(self) -> tuple[Fault, ...]:
        """The warnings. Raises AddonFaults with everything, when there is a reason not to use the addon."""
        if not self.sound:
            raise AddonFaults(self.found)
        return tuple(self.found)

    def children(self, folder: str) -> list[str]:
        """Names of the folders directly below a folder, in order; only those that hold files."""
        return sorted(
            {
                name[len(folder) + 1 :].split("/")[0]
                for name in self._below(folder)
                if "/" in name[len(folder) + 1 :]
            }
        )

    def _below(self, folder: str) -> list[str]:
        return [name for name in self.names if name.startswith(f"{folder}/")]

    def bytes(self, name: str) -> bytes:
        """A file as it is."""
        return (self.folder / name).read_bytes()

    def yaml(self, name: str, rules: Validator | None = None) -> Document | None:
        """A document, also when it breaks the rules. None: it is no YAML at all."""
        try:
            document = documents.read(self.folder / name, name)
        except Unreadable as error:
            self.found.append(error.fault)
            return None
        if rules is not None:
            self.add(check(document, rules))
        return document

    def mapping(
        self, name: str, rules: Validator, *, strict: bool = True
    ) -> tuple[Document, dict[str, Any]] | None:
        """A document that keeps the rules, and its data; None when it does not.

        Unless `strict`, keys that the rules do not name are warned of, at the top.
        """
        before = len(self.found)
        document = self.yaml(name, rules)
        if document is None or not isinstance(document.data, dict):
            return None
        if not strict:
            self.unknown(document, (), document.data, rules.schema["properties"])  # type: ignore[index]
        broken = any(fault.severity is Severity.ERROR for fault in self.found[before:])
        return None if broken else (document, document.data)

    def unknown(self, document: Document, where: Where, given: Mapping[str, Any], known: Iterable[str]) -> None:
        """Warn of keys that nobody reads, and of what they may have been meant to be."""
        names = list(known)
        for key in given:
            if key not in names:
                meant = difflib.get_close_matches(key, names, 1)
                cure = f"; did you mean {meant[0]}?" if meant else ""
                self.warn(document, f"unknown key, which is not read{cure}", (*where, key))

    def json(self, name: str) -> Any:
        """What a JSON file holds. Raises Unreadable."""
        text = documents.text(self.folder / name, name)
        try:
            data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
        except json.JSONDecodeError as error:
            raise Unreadable(Fault(name, error.lineno, f"is not valid JSON: {error.msg}")) from None
        except RecursionError:
            data = None
        except ValueError as error:
            raise Unreadable(Fault(name, 0, f"is not valid JSON: {error}")) from None
        if data is None or nested_deeper(data, MAX_DEPTH):
            raise Unreadable(Fault(name, 0, f"is null, or nested more than {MAX_DEPTH} deep"))
        return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in names if names.count(key) > 1)!r} twice")
    return made


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(digits)
