"""What lies between an app's resources as they are and as a file wants them. Pure: nothing is asked or done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from helmbroker.controller_bridge.plugin.client import Json
from helmbroker.controller_bridge.plugin.manifest import Wanted
from helmbroker.controller_bridge.plugin.output import text_of
from helmbroker.controller_bridge.plugin.waiting import READY, Pending, settled

_BOUND = frozenset({READY, "Binding", "Rotating"})


class Step(StrEnum):
    """What is done with a resource, in this order."""

    CREATE = "create"
    UPDATE = "update"
    UNBIND = "unbind"
    BIND = "bind"
    SCHEDULE = "schedule"
    DESTROY = "destroy"


@dataclass(frozen=True)
class Change:
    """What one resource needs. `problem`: why it cannot be; then nothing at all is begun."""

    name: str
    wanted: Wanted | None = None
    steps: Mapping[Step, str] = field(default_factory=dict)  # in words
    options: Mapping[str, object] = field(default_factory=dict, repr=False)  # those that differ
    notes: Sequence[str] = ()
    new_plan: bool = False  # the service has to offer it
    problem: str = ""

    @property
    def mark(self) -> str:
        """One character for the beginning of its line."""
        if self.problem:
            return "!"
        marks = {Step.CREATE: "+", Step.DESTROY: "-"}
        return next((mark for step, mark in marks.items() if step in self.steps), "~" if self.steps else "=")

    def __str__(self) -> str:
        said = [self.problem] if self.problem else [*self.steps.values(), *self.notes]
        return "; ".join(said) or "as the file says"


def working(resource: Json | None) -> bool:
    """Whether something goes on with it."""
    return isinstance(settled(resource), Pending)


def change(wanted: Wanted, resource: Json | None, *, rebind: bool) -> Change:
    """What is between a resource and what the file says of it; `rebind`: unbind and bind for other variables."""
    if resource is None:
        made = {Step.CREATE: f"{'share' if wanted.source else 'create'} {wanted.plan_name}"}
        steps = made | _binding(wanted, {}, rebind=rebind) | _schedule(wanted, {})
        return Change(wanted.name, wanted, steps, wanted.options, new_plan=not wanted.source)
    if working(resource):
        going_on = f"it is {text_of(resource.get('binding')) or text_of(resource.get('status'))} still: apply again"
        return Change(wanted.name, wanted, notes=[going_on])
    if problem := _problem(wanted, resource, rebind=rebind):
        return Change(wanted.name, wanted, problem=problem)
    shown, given = resource.get("options_shown") is not False, _flat(resource.get("options"))
    differing = {key for key, text in _flat(wanted.options).items() if shown and given.get(key) != text}
    plan = text_of(resource.get("plan"))
    new_plan = not wanted.source and plan != wanted.plan_name
    told = [f"the plan from {plan} to {wanted.plan_name}"] if new_plan else []
    if differing:
        told.append(f"options {', '.join(sorted(differing))}")
    steps = {Step.UPDATE: f"update {' and '.join(told)}"} if told else {}
    return Change(
        wanted.name,
        wanted,
        steps | _binding(wanted, resource, rebind=rebind) | _schedule(wanted, resource),
        dict(_picked(wanted.options, differing)),
        [] if shown or not wanted.options else ["its options are not compared: the broker does not show them"],
        new_plan,
    )


def unnamed(resource: Json, *, prune: bool) -> Change:
    """What happens to a resource that the file does not name."""
    name = text_of(resource.get("name"))
    if text_of(resource.get("status")) == "Deprovisioning":
        return Change(name, notes=["it is being destroyed"])
    if not prune:
        return Change(name, notes=["not in the file, and kept: --prune would destroy it"])
    unbound = {Step.UNBIND: "unbind"} if _has_binding(resource) else {}
    return Change(name, steps={**unbound, Step.DESTROY: "destroy it with its data"})


def _problem(wanted: Wanted, resource: Json, *, rebind: bool) -> str:
    status, binding = text_of(resource.get("status")), text_of(resource.get("binding"))
    service = text_of(resource.get("plan")).partition(":")[0]
    if status != READY:
        message = text_of(resource.get("message"))
        return f"it is {status}{f' ({message})' if message else ''}: destroy it, and apply again"
    if (source := text_of(resource.get("shared_from"))) != wanted.source:
        has = f"shares {source}" if source else "has an instance of its own"
        return f"it {has}: take another name, or destroy it first"
    if service != wanted.service and not wanted.source:
        return f"it is a {service}, and cannot become a {wanted.service}: take another name, or destroy it first"
    if binding == "UnbindCallFailed" and wanted.bind:
        return "something of its last binding is left: unbind it, and apply again"
    if wanted.bind and binding in _BOUND and _env(resource) != wanted.env and not rebind:
        return (
            "its variables differ, and change only when it is bound anew: "
            "with --rebind it is, and the app is without them in between"
        )
    return ""


def _binding(wanted: Wanted, resource: Json, *, rebind: bool) -> dict[Step, str]:
    bound = text_of(resource.get("binding")) in _BOUND
    if not wanted.bind:
        return {Step.UNBIND: "unbind"} if _has_binding(resource) else {}
    if bound and rebind and _env(resource) != wanted.env:
        return {Step.UNBIND: "unbind", Step.BIND: "bind with other variables"}
    return {} if bound else {Step.BIND: "bind"}


def _schedule(wanted: Wanted, resource: Json) -> dict[Step, str]:
    every_s = wanted.rotate_every_s
    if every_s is None or (every_s or None) == resource.get("rotate_every_s"):
        return {}
    return {Step.SCHEDULE: f"rotate every {every_s:.0f} s" if every_s else "rotate no more"}


def _has_binding(resource: Json) -> bool:
    """One that failed is gone already."""
    return text_of(resource.get("binding")) not in ("", "Failed")


def _env(resource: Json) -> dict[str, object]:
    env = resource.get("env")
    return dict(env) if isinstance(env, Mapping) else {}


def _flat(values: object, prefix: str = "") -> dict[str, str]:
    """Options as the service shows them: dotted keys and texts. null is nothing."""
    flat: dict[str, str] = {}
    for key, value in values.items() if isinstance(values, Mapping) else ():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value)
    return flat


def _picked(values: Mapping[str, object], keys: set[str], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Those of `values` whose dotted key is one of `keys`, with their own types."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _picked(value, keys, f"{prefix}{key}.")
        elif f"{prefix}{key}" in keys:
            yield f"{prefix}{key}", value
