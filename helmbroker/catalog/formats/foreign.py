"""What the addons of Drycc and Kyma have in common: a meta.yaml, a chart below chart/, a folder for each plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jsonschema.protocols import Validator

from helmbroker.catalog import archive
from helmbroker.catalog.documents import Document
from helmbroker.catalog.formats import charts, hooks, versions
from helmbroker.catalog.formats.bind_templates import BindTemplates
from helmbroker.catalog.formats.reading import Reading
from helmbroker.catalog.model import NOTHING, Addon, AddonFaults, DataPolicy, Object, ParameterSchemas, Plan
from helmbroker.catalog.schemas import validator

FILE = "meta.yaml"
SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"], "pattern": r"\S"}  # taken as it is written
ID: dict[str, Any] = {"type": ["string", "number"], "pattern": "^[!-~]{1,255}$"}
NAME: dict[str, Any] = {"type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9.-]{1,255}$"}  # OSB item 24
FLAG: dict[str, Any] = {"type": ["boolean", "null"]}
TAGS: dict[str, Any] = {"type": ["string", "array", "null"], "items": SCALAR}  # B79
ADDON: dict[str, Any] = {
    "id": ID,
    "name": NAME,
    "version": SCALAR,
    "description": SCALAR,
    "tags": TAGS,
    "bindable": FLAG,
}
PLAN: dict[str, Any] = {
    "id": ID,
    "name": NAME,
    "description": SCALAR,
    "displayName": SCALAR,
    "bindable": FLAG,
    "free": FLAG,
    "data": {"enum": [policy.value for policy in DataPolicy]},
}
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SHORTEST_S, _LONGEST_S, _USUAL_S = 10, 86400, 600


def text(document: Document, key: str) -> str:
    """A scalar of the top as it is written: `3.10` is not 3.1. What `<<` brings in is as it is read."""
    data: Any = document.data
    return document.texts.get(key, str(data[key])).strip()


def tags(value: Any) -> tuple[str, ...]:
    """From a list, or from a text with commas (B79); each once."""
    listed = value.split(",") if isinstance(value, str) else value or ()
    return tuple(dict.fromkeys(str(tag).strip() for tag in listed if str(tag).strip()))


def version(reading: Reading, document: Document) -> str:
    """SemVer for platforms; what is no version at all is lower than every other."""
    written = text(document, "version")
    made = versions.coerced(written)
    if made is None:
        reading.warn(
            document, f"{written} cannot be put in order, so instances cannot be upgraded to it", ("version",)
        )
    return made or "0.0.0"


def check_id(reading: Reading, document: Document) -> None:
    """Ids are opaque; those that look mistyped are told."""
    if not _UUID.fullmatch(text(document, "id")):
        reading.warn(document, "is no UUID; taken as it is", ("id",))


def profile(reading: Reading, document: Document, found: Mapping[str, Any], rules: Object) -> dict[str, Any]:
    """Metadata without what has not the shape that the OSB profile wants of it (OSB item 39)."""
    metadata = {key: value for key, value in found.items() if value not in (None, "", [], {})}
    checker = validator(rules)
    for key in sorted({str(error.absolute_path[0]) for error in checker.iter_errors(metadata)}):
        reading.warn(document, f"metadata {key} has not the form of the OSB profile; left out")
        del metadata[key]
    return metadata


PlanFile = tuple[str, Document, dict[str, Any]]
"""The folder of a plan, its meta.yaml, and what that holds."""


class PlanFolders:
    """Reads plans/NAME/; names and ids are those of the files in it (B80)."""

    def __init__(self, reading: Reading, rules: Validator) -> None:
        self._reading, self._rules = reading, rules
        self._templates = BindTemplates(reading)

    def all(self) -> list[PlanFile]:
        """Every plan that can be used; faults for the others."""
        folders = [f"plans/{name}" for name in self._reading.children("plans")]
        if not folders:
            self._reading.fault("plans", "has no plan: add plans/NAME/meta.yaml")
        found = []
        for folder in folders:
            made = self._reading.mapping(f"{folder}/{FILE}", self._rules, strict=False)
            if made is not None:
                check_id(self._reading, made[0])
                found.append((folder, *made))
        for key in ("id", "name"):
            first: dict[str, str] = {}
            for folder, document, _ in found:
                other = first.setdefault(text(document, key), folder)
                if other != folder:
                    self._reading.add([document.fault((key,), f"is that of {other} too; make it unique")])
        return found

    def values(self, folder: str) -> Object:
        """values.yaml; nothing when it is not there, or is empty."""
        name = f"{folder}/values.yaml"
        if name not in self._reading.names:
            self._reading.warn(name, "is missing; the plan is what the chart is by itself")
            return NOTHING
        document = self._reading.yaml(name)
        if document is not None and document.data is not None and not isinstance(document.data, dict):
            self._reading.fault(name, "must be a mapping of Helm values")
        return document.data if document is not None and isinstance(document.data, dict) else NOTHING

    def credentials_template(self, folder: str) -> str | None:
        """bind.yaml of a plan that can be bound."""
        name = f"{folder}/bind.yaml"
        if name not in self._reading.names:
            self._reading.fault(name, "is missing; the plan says that it can be bound (bindable)")
            return None
        self._templates.check(name)
        return name


def read(
    reading: Reading, rules: Validator, plan_rules: Validator
) -> tuple[Document, dict[str, Any], PlanFolders, list[PlanFile]]:
    """meta.yaml and what it holds, and the plans. Raises AddonFaults when nothing more can be found out."""
    made = reading.mapping(FILE, rules, strict=False)
    folders = PlanFolders(reading, plan_rules)
    plans = folders.all()
    if made is None:
        raise AddonFaults(reading.found)
    return (*made, folders, plans)


def plan(
    document: Document,
    data: Mapping[str, Any],
    *,
    metadata: Object,
    values: Object,
    parameters: ParameterSchemas,
    template: str | None,
    updates_to: tuple[str, ...] | None = None,
) -> Plan:
    """`template`: that of the credentials; without one the plan cannot be bound."""
    seconds = data.get("maximum_polling_duration")
    return Plan(
        id=text(document, "id"),
        name=text(document, "name"),
        description=text(document, "description"),
        free=data.get("free") is not False,
        metadata=metadata,
        data=DataPolicy(data.get("data", DataPolicy.DELETE)),
        timeout_s=min(max(seconds or _USUAL_S, _SHORTEST_S), _LONGEST_S),
        values=values,
        parameters=parameters,
        bindable=template is not None,
        updates_to=updates_to,
        credentials_template=template,
    )


def addon(reading: Reading, document: Document, plans: Mapping[str, Plan], **given: Any) -> Addon:
    """The addon with what is the same in both formats. Raises AddonFaults with everything that was found.

    `plans`: by their folders. `hooks` among the others: the image that those of Drycc's plans run in.
    """
    check_id(reading, document)
    made_version = version(reading, document)
    chart = charts.located(reading, text(document, "name"))
    charts.check(reading, chart)
    mended = charts.mended(reading, chart)
    if "hooks" in given:
        jobs, plans = hooks.added(reading, chart, plans, given.pop("hooks"))
        mended |= jobs
    warnings = reading.end()
    return Addon(
        id=text(document, "id"),
        name=text(document, "name"),
        version=made_version,
        description=text(document, "description"),
        plans=tuple(plans.values()),
        folder=reading.folder,
        digest=archive.digest(reading.folder, mended),
        chart_folder=chart,
        mended=mended,
        warnings=warnings,
        **given,
    )
