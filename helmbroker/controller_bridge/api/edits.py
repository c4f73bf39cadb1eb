"""Changes of config as the Drycc controller takes them: variables of groups, and groups of process types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from helmbroker.controller_bridge.api.errors import Invalid, Unprocessable
from helmbroker.controller_bridge.apps.environment import GLOBAL, OWN
from helmbroker.controller_bridge.apps.manager import AppConfig
from helmbroker.controller_bridge.apps.port import CannotRelease, ConfigChange
from helmbroker.controller_bridge.naming import BINDING_GROUP
from helmbroker.durable import JSON

_VALUES = 'could not validate: it has to be a list of {"name", "value" (text or null), "group" or "ptype"}'
_REFS = "could not validate: it has to be an object of lists of groups by process type"


@dataclass(frozen=True)
class Edit:
    """One request. values: (group, variable, value; None removes it). refs: (process type, its groups)."""

    values: Sequence[tuple[str, str, str | None]] = field(default=(), repr=False)
    refs: Sequence[tuple[str, Sequence[str]]] = ()
    merge: bool = True  # False: groups that are named are replaced as a whole
    detach: bool = False  # refs are taken away

    @staticmethod
    def read(body: Mapping[str, JSON], *, merge: bool = True, detach: bool = False) -> Edit:
        """From a body. Raises Invalid, which shows nothing of the body: values are secrets."""
        values, refs = list(_values(body.get("values") or [])), list(_refs(body.get("values_refs") or {}))
        if not values and not refs:
            raise Invalid({"non_field_errors": ["values or values_refs is required."]})
        return Edit(values, refs, merge, detach)

    def change(self, config: AppConfig) -> ConfigChange:
        """What it changes of a config. Raises CannotRelease, Unprocessable."""
        groups: dict[str, dict[str, str]] = {}
        for group, name, value in self.values:
            if group.startswith(BINDING_GROUP):
                raise CannotRelease(f"config group {group} belongs to a resource: bind, unbind or rotate that")
            before = config.groups.get(group, {})
            after = groups.setdefault(group, dict(before) if self.merge else {})
            if value is None or (value == "" and name in before):
                after.pop(name, None)
            else:
                after[name] = value
        other = {group: after for group, after in groups.items() if after != config.groups.get(group, {})}
        return ConfigChange(other, self._attached(config, other))

    def _attached(self, config: AppConfig, groups: Mapping[str, object]) -> dict[str, list[str]]:
        """A new group is for whom it is attached to; one for all stays so until somebody is detached."""
        attachable = {group for group in (*config.groups, *groups) if group != GLOBAL and not group.startswith(OWN)}
        present = {group: config.attached.get(group, config.process_types) for group in config.groups}
        before = {group: set(present.get(group, ())) for group in attachable}
        whose = {group: set(process_types) for group, process_types in before.items()}
        for process_type, named in self.refs:
            for group in named:
                if group not in attachable:
                    raise CannotRelease(f"there is no config group {group} that could be attached or detached")
                if self.detach:
                    whose[group].discard(process_type)
                else:
                    whose[group].add(process_type)
            if not named and not self.detach:
                if not any(process_type in process_types for process_types in whose.values()):
                    raise Unprocessable(f"{process_type} does not exist under values_refs")
                for process_types in whose.values():
                    process_types.discard(process_type)
        other = {group for group in attachable if whose[group] != before[group] or group not in config.groups}
        return {group: sorted(whose[group]) for group in other}


def shown(config: AppConfig) -> dict[str, JSON]:
    """`{"values": [..], "values_refs": {..}}`, with the values."""
    values: list[JSON] = [
        {"name": name, "value": value, **_place(group)}
        for group, variables in sorted(config.groups.items())
        for name, value in sorted(variables.items())
    ]
    refs: dict[str, JSON] = {}
    known = {*config.process_types, *(kind for kinds in config.attached.values() for kind in kinds)}
    for process_type in sorted(known):
        named = [
            group
            for group in sorted(config.groups)
            if group != GLOBAL and not group.startswith(OWN)
            if process_type in config.attached.get(group, config.process_types)
        ]
        if named:
            refs[process_type] = list(named)
    return {"values": values, "values_refs": refs}


def _place(group: str) -> dict[str, JSON]:
    return {"ptype": group.removeprefix(OWN)} if group.startswith(OWN) else {"group": group}


def _values(given: JSON) -> Iterator[tuple[str, str, str | None]]:
    for item in given if isinstance(given, list) else [None]:
        place = set(item) - {"name", "value"} if isinstance(item, Mapping) else set()
        if not isinstance(item, Mapping) or "value" not in item or place not in ({"group"}, {"ptype"}):
            raise Invalid({"values": [_VALUES]})
        name, value, where = item.get("name"), item["value"], item[place.pop()]
        if not (isinstance(name, str) and isinstance(where, str) and isinstance(value, str | None)):
            raise Invalid({"values": [_VALUES]})
        if ":" in where:
            raise Invalid({"values": [_VALUES]})
        yield (where if "group" in item else f"{OWN}{where}"), name, value


def _refs(given: JSON) -> Iterator[tuple[str, Sequence[str]]]:
    if not isinstance(given, Mapping):
        raise Invalid({"values_refs": [_REFS]})
    for process_type, named in given.items():
        groups = [each for each in named if isinstance(each, str)] if isinstance(named, list) else None
        if groups is None or groups != named:
            raise Invalid({"values_refs": [_REFS]})
        yield process_type, groups
