"""What has to be sent so that an app's config becomes what is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from helmbroker.controller_bridge.apps import environment
from helmbroker.controller_bridge.apps.drycc.wire import HeldConfig
from helmbroker.controller_bridge.apps.environment import OWN
from helmbroker.controller_bridge.apps.port import ConfigChange
from helmbroker.controller_bridge.naming import BINDING_GROUP


@dataclass(frozen=True)
class Post:
    """For POST: what is set, or removed by an explicit null, and the groups that process types get."""

    values: Sequence[Mapping[str, str | None]] = field(repr=False)
    refs: Mapping[str, Sequence[str]]

    def body(self) -> dict[str, object]:
        """As JSON."""
        return {"values": list(self.values), "values_refs": {ptype: list(gs) for ptype, gs in self.refs.items()}}


@dataclass(frozen=True)
class Detach:
    """For DELETE: the groups that process types lose. Every process type is named: v1.13.1 wipes the others."""

    refs: Mapping[str, Sequence[str]]

    def body(self) -> dict[str, object]:
        """As JSON."""
        return {"values_refs": {ptype: list(groups) for ptype, groups in self.refs.items()}}


def edit(held: HeldConfig, change: ConfigChange, ptypes: Iterable[str]) -> Post | Detach | None:
    """What makes `change` true for all these process types; None: it is. Raises CannotRelease as Kubernetes does.

    Removals alone begin with the references, which is one rollout; what they referred to is for `leftovers`.
    An empty text is left out: the controller takes one for a removal when the variable is there.
    """
    wanted = ConfigChange({group: _filled(variables) for group, variables in change.groups.items()})
    after = environment.changed(_compared_with(held, wanted), wanted)
    removed = [group for group, variables in wanted.groups.items() if variables is None]
    if len(removed) == len(wanted.groups) and (detach := _detach(held, removed)):
        return detach
    refs: dict[str, list[str]] = {}
    for ptype in sorted(ptypes):
        there = held.values_refs.get(ptype, ())
        if missing := [group for group in sorted(after) if group in wanted.groups and group not in there]:
            refs[ptype] = missing
    return _post(held, {group: after.get(group, {}) for group in wanted.groups}, refs)


def leftovers(held: HeldConfig, groups: Iterable[str]) -> Post | Detach | None:
    """What is still there of removed groups: values that nothing refers to, or references to nothing."""
    known = set(containers(held))
    referred = {group for refs in held.values_refs.values() for group in refs}
    values = [group for group in groups if group in known and group not in referred]
    if values:
        return _post(held, {group: {} for group in values}, {})
    return _detach(held, [group for group in groups if group in referred and group not in known])


def contains(held: HeldConfig, change: ConfigChange) -> bool:
    """Whether the config has the groups as the change wants them."""
    known = containers(held)
    referred = {group for refs in held.values_refs.values() for group in refs}
    return all(
        group not in known or group not in referred if variables is None else known.get(group) == _filled(variables)
        for group, variables in change.groups.items()
    )


def going_back(held: HeldConfig, target: HeldConfig) -> Post | None:
    """What gives the app the config of then, with the newest credentials; None: only a rollback can.

    Credentials of bindings that are gone since do not come back.
    """
    now, then = containers(held), containers(target)
    wanted = {name: now.get(name, {}) if name.startswith(BINDING_GROUP) else given for name, given in then.items()}
    lost = ((ptype, group) for ptype, groups in held.values_refs.items() for group in groups)
    if any(wanted.get(group) and group not in target.values_refs.get(ptype, ()) for ptype, group in lost):
        return None  # a POST cannot take references away
    refs = {
        ptype: more
        for ptype, groups in target.values_refs.items()
        if (more := [each for each in groups if wanted.get(each) and each not in held.values_refs.get(ptype, ())])
    }
    return _post(held, {name: wanted.get(name, {}) for name in {*now, *wanted}}, refs)


def taking_back(held: HeldConfig, made: HeldConfig, before: HeldConfig) -> Post | Detach | None:
    """The next request that undoes the change from `before` to `made` in `held`; None: it is undone.

    What else is other in `held` stays. References go first, as a POST cannot take any away.
    """
    ptypes = sorted({*held.values_refs, *before.values_refs})
    has, got, had = ({ptype: each.values_refs.get(ptype, ()) for ptype in ptypes} for each in (held, made, before))
    added = {ptype: [g for g in has[ptype] if g in got[ptype] and g not in had[ptype]] for ptype in ptypes}
    if any(added.values()):
        return Detach(added)
    lost = {ptype: [g for g in had[ptype] if g not in {*got[ptype], *has[ptype]}] for ptype in ptypes}
    was, became = containers(before), containers(made)
    other = [name for name in {*was, *became} if was.get(name) != became.get(name)]
    refs = {ptype: groups for ptype, groups in lost.items() if groups}
    return _post(held, {name: was.get(name, {}) for name in other}, refs)


def has(held: HeldConfig, made: HeldConfig, before: HeldConfig) -> bool:
    """Whether `held` has all of the change from `before` to `made`; what else is other in it does not matter."""
    now, was, became = containers(held), containers(before), containers(made)
    there, had, got = _attached(held), _attached(before), _attached(made)
    values = all(now.get(name) == became.get(name) for name in {*was, *became} if was.get(name) != became.get(name))
    return values and there >= got - had and not there & (had - got)


def alike(held: HeldConfig, other: HeldConfig) -> bool:
    """Whether all but the credentials of bindings is the same."""
    return _own(held) == _own(other)


def credentials(held: HeldConfig) -> dict[str, dict[str, str]]:
    """The groups of bindings."""
    return {group: values for group, values in containers(held).items() if group.startswith(BINDING_GROUP)}


def containers(held: HeldConfig) -> dict[str, dict[str, str]]:
    """Variables by group, and by `ptype:X` what belongs to one process type alone."""
    found: dict[str, dict[str, str]] = {}
    for each in held.values:
        name = f"{OWN}{each.ptype}" if each.group is None else each.group
        found.setdefault(name, {})[each.name] = each.value
    return found


def _attached(held: HeldConfig) -> set[tuple[str, str]]:
    """Process types, each with one of its groups."""
    return {(ptype, group) for ptype, groups in held.values_refs.items() for group in groups}


def _compared_with(held: HeldConfig, change: ConfigChange) -> dict[str, dict[str, str]]:
    """The config that must not collide with the change: every name once, as what others have twice is theirs."""
    found: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    for container, variables in containers(held).items():
        if container in change.groups:
            continue
        found[container] = {name: value for name, value in variables.items() if _alike(name) not in seen}
        seen |= {_alike(name) for name in variables}
    return found


def _alike(name: str) -> str:
    """What the controller's Secret makes of a name."""
    return name.lower().replace("_", "-")


def _own(held: HeldConfig) -> dict[str, dict[str, str]]:
    return {name: values for name, values in containers(held).items() if not name.startswith(BINDING_GROUP)}


def _post(
    held: HeldConfig, wanted: Mapping[str, Mapping[str, str]], refs: Mapping[str, Sequence[str]]
) -> Post | None:
    now = containers(held)
    values: list[Mapping[str, str | None]] = []
    for name, variables in sorted(wanted.items()):
        before = now.get(name, {})
        place = {"ptype": name.removeprefix(OWN)} if name.startswith(OWN) else {"group": name}
        values += [{"name": gone, "value": None, **place} for gone in sorted(before.keys() - variables.keys())]
        changed = {key: value for key, value in sorted(variables.items()) if before.get(key) != value}
        values += [{"name": key, "value": value, **place} for key, value in changed.items()]
    return Post(values, refs) if values or refs else None


def _detach(held: HeldConfig, groups: Sequence[str]) -> Detach | None:
    refs = {ptype: [group for group in groups if group in there] for ptype, there in held.values_refs.items()}
    return Detach(refs) if any(refs.values()) else None


def _filled(variables: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if variables is None else {name: value for name, value in variables.items() if value}
