"""All faults of an addon at once: its files, and what its charts would make for every plan."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.validators import validator_for

from helmbroker.broker import gate
from helmbroker.broker.author import schemas
from helmbroker.broker.author.findings import Finding, Rule
from helmbroker.broker.author.rendering import INSTANCE, Rendering
from helmbroker.broker.author.revised import revised
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.gate import NO_GRANTS, Grants, Scope
from helmbroker.broker.helm.releases import HelmCli
from helmbroker.catalog import contract, credentials
from helmbroker.catalog.contract import Contract
from helmbroker.catalog.documents import Unreadable
from helmbroker.catalog.formats.native import TEMPLATE
from helmbroker.catalog.model import Addon, AddonFaults, Fault, Object, Plan, Severity
from helmbroker.catalog.overrides import of
from helmbroker.catalog.sources.model import Repository

_PINNED = re.compile(r"[^/]*(/[^/]+)*(@sha256:[0-9a-f]{64}|:(?!latest$)[\w][\w.-]*)")
_SHORTEST_README = 200  # characters


@dataclass(frozen=True)
class Operator:
    """What the operator has said that concerns addons, by their names; where chart dependencies are fetched."""

    overrides: Mapping[str, Object]
    grants: Mapping[str, Grants]
    repositories: Sequence[Repository] = ()


def lint(folder: Path, helm: HelmCli, operator: Operator) -> list[Finding]:
    """Every finding, errors first. Raises HelmError when helm cannot be used at all; OSError."""
    helm.version()
    found = [*_readme(folder)]
    agreed: Contract | None = None
    try:
        agreed = contract.load(folder)
    except AddonFaults as error:
        found += [Finding(Rule.CONTRACT, fault) for fault in error.faults]
    try:
        with tempfile.TemporaryDirectory() as place:
            addon = revised(folder, Path(place), operator.repositories)
            found += [Finding(Rule.FORMAT, fault) for fault in addon.warnings]
            rendering = Rendering(addon, helm, of(addon, operator.overrides))
            found += _Charts(rendering, operator.grants.get(addon.name, NO_GRANTS), agreed).findings()
    except AddonFaults as error:
        found += [Finding(Rule.FORMAT, fault) for fault in error.faults]
    return sorted(dict.fromkeys(found), key=lambda each: each.fault.severity is not Severity.ERROR)


class _Charts:
    """What is found when the charts are looked at; what several plans have in common is told once."""

    def __init__(self, rendering: Rendering, grants: Grants, agreed: Contract | None) -> None:
        self._rendering, self._grants, self._agreed = rendering, grants, agreed
        self._found: dict[Finding, list[str]] = {}

    def findings(self) -> list[Finding]:
        addon = self._rendering.addon
        own = any(_has_binding_chart(plan) for plan in addon.plans)
        for chart in (addon.chart, *([addon.binding_chart] if own else [])):
            self._add("", _chart(addon, chart))
        if addon.bindable and self._agreed is None and not (addon.folder / contract.FILE).exists():
            self._add("", [_warn(Rule.CONTRACT, contract.FILE, "is missing, so that nothing can be proved")])
        for plan in addon.plans:
            self._plan(plan)
        every = len(addon.plans)
        return [_told(finding, plans, every) for finding, plans in self._found.items()]

    def _plan(self, plan: Plan) -> None:
        rendering, addon = self._rendering, self._rendering.addon
        values = rendering.values(plan)
        self._look(plan, addon.chart, lambda: values, lambda: rendering.instance(plan))
        if _has_binding_chart(plan):
            self._look(
                plan, addon.binding_chart, lambda: rendering.binding_values(plan), lambda: rendering.binding(plan)
            )
        if plan.bindable:
            self._add(plan.name, self._delivered(plan))

    def _look(self, plan: Plan, chart: Path, values: Callable[[], Object], manifest: Callable[[], str]) -> None:
        """One chart for one plan: helm's own opinion, what it renders, what Kubernetes and the gate say of that."""
        name = f"{chart.relative_to(self._rendering.addon.folder)}/"
        try:
            said = self._rendering.helm.lint(chart, values())
            self._add(plan.name, [_fail(Rule.CHART, name, text) for text in said])
            objects = gate.objects(manifest())
        except HelmError as error:
            self._add(plan.name, [_fail(Rule.RENDER, name, f"{error.fault.value}: {error.detail}")])
        except Unreadable as error:
            self._add(plan.name, [Finding(Rule.RENDER, error.fault)])
        except gate.BadManifest as error:
            self._add(plan.name, [_fail(Rule.RENDER, name, str(error))])
        else:
            told = [Finding(Rule.KUBERNETES, Fault(name, 0, text, how)) for how, text in schemas.problems(objects)]
            self._add(plan.name, told)
            scope = Scope(INSTANCE.namespace, INSTANCE.name, plan.pod_security, self._grants)
            broken = gate.violations(objects, scope)
            self._add(plan.name, [_fail(Rule.GATE, name, str(each)) for each in broken])
            loose = sorted({image for obj in objects for image in _images(obj) if not _PINNED.fullmatch(image)})
            text = "image {} can become another one at any time; name a tag (not latest) or a digest"
            self._add(plan.name, [_warn(Rule.IMAGE, name, text.format(image)) for image in loose])

    def _delivered(self, plan: Plan) -> list[Finding]:
        """The credentials template, and whether it delivers what the contract says."""
        file = plan.credentials_template or TEMPLATE
        try:
            delivered = credentials.read(self._rendering.delivery(plan)).credentials
        except HelmError as error:
            return [_fail(Rule.CREDENTIALS, file, f"{error.fault.value}: {error.detail}")]
        except Unreadable as error:
            return [Finding(Rule.CREDENTIALS, error.fault)]
        except AddonFaults as error:
            return [Finding(Rule.CREDENTIALS, fault) for fault in error.faults]
        names = {each.name for each in delivered if each.name is not None}
        whole = any(each.name is None for each in delivered)  # each key of an object that is made later is a name
        if self._agreed is None or whole:
            return []
        promised = set(self._agreed.credentials)
        lacking, more = sorted(promised - names), sorted(names - promised)
        found = [_fail(Rule.CONTRACT, contract.FILE, f"{name} is promised and not delivered") for name in lacking]
        return found + [
            _warn(Rule.CONTRACT, contract.FILE, f"{name} is delivered and not promised") for name in more
        ]

    def _add(self, plan: str, found: list[Finding]) -> None:
        for finding in found:
            self._found.setdefault(finding, []).append(plan)


def _has_binding_chart(plan: Plan) -> bool:
    return plan.bindable and plan.credentials_template is None


def _told(finding: Finding, plans: list[str], every: int) -> Finding:
    """With the plans that it is about, if not all of them."""
    if "" in plans or len(set(plans)) == every:
        return finding
    fault = finding.fault
    message = f"{fault.message} (plan {', '.join(dict.fromkeys(plans))})"
    return Finding(finding.rule, replace(fault, message=message))


def _readme(folder: Path) -> Iterator[Finding]:
    path = folder / "README.md"
    if not path.is_file():
        yield _warn(Rule.README, "README.md", "is missing; tell those who choose the addon what they get")
    elif len(path.read_text("utf-8", errors="replace")) < _SHORTEST_README:
        yield _warn(Rule.README, "README.md", "says next to nothing; tell those who choose the addon what they get")


def _chart(addon: Addon, chart: Path) -> list[Finding]:
    """What is wrong with a chart whatever the plan."""
    name = chart.relative_to(addon.folder)
    found = []
    if any(path.parent.name == "crds" for path in chart.rglob("*.yaml")):
        found.append(_warn(Rule.CHART, f"{name}/", "CRDs in crds/ are never made; the operator has to"))
    path, file = chart / "values.schema.json", f"{name}/values.schema.json"
    if not path.is_file():
        return [
            *found,
            _warn(Rule.SCHEMA, file, "is missing: a typo in an override would do nothing instead of fail"),
        ]
    try:
        schema: Any = json.loads(path.read_text("utf-8"))
        validator_for(schema).check_schema(schema)
    except json.JSONDecodeError as error:
        found.append(Finding(Rule.SCHEMA, Fault(file, error.lineno, f"is not valid JSON: {error.msg}")))
    except jsonschema.SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "schema"
        found.append(_fail(Rule.SCHEMA, file, f"{where}: is no valid JSON Schema"))
    return found


def _images(value: object) -> Iterator[str]:
    """Every image of an object's containers, at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("containers", "initContainers") and isinstance(inner, list):
                yield from (str(each["image"]) for each in inner if isinstance(each, dict) and "image" in each)
            yield from _images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner)


def _fail(rule: Rule, file: str, message: str) -> Finding:
    return Finding(rule, Fault(file, 0, message))


def _warn(rule: Rule, file: str, message: str) -> Finding:
    return Finding(rule, Fault(file, 0, message, Severity.WARNING))
