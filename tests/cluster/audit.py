"""What the API server's audit log says of an account: which rights it used, and what it was refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from helmbroker.kubeapi.port import Obj
from sandbox.settings import Settings

_CREATED = 201


class Use(NamedTuple):
    """A verb on a resource, with its subresource, as RBAC has them."""

    group: str
    resource: str
    verb: str


# read anew when somebody else writes at that very moment: tests/unit/apps/test_crashes.py makes that happen
RARE = {
    Use(group, resource, "get")
    for group, resource in (("apps", "deployments"), ("apps", "statefulsets"), ("batch", "cronjobs"))
}


@dataclass
class Heard:
    """Of one account."""

    used: set[Use] = field(default_factory=set)
    refused: set[tuple[Use, str]] = field(default_factory=set)  # in which namespace; "" in none


def heard(namespace: str, name: str) -> Heard:
    """Everything that this service account has asked for so far."""
    user, found = f"system:serviceaccount:{namespace}:{name}", Heard()
    for event in _events(user):
        if "impersonatedUser" in event:
            continue  # that is another one's doing
        about = event.get("objectRef") or {}
        part = f"/{about['subresource']}" if about.get("subresource") else ""
        use = Use(about.get("apiGroup", ""), f"{about.get('resource')}{part}", event["verb"])
        if event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid":
            found.refused.add((use, about.get("namespace", "")))
            continue
        found.used.add(use)
        if (event["verb"], (event.get("responseStatus") or {}).get("code")) == ("patch", _CREATED):
            found.used.add(use._replace(verb="create"))  # server-side apply asks for both
    return found


def uses(roles: Iterable[Obj]) -> set[Use]:
    """Everything that roles allow."""
    return {
        Use(group, resource, verb)
        for role in roles
        for rule in role.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def compare(
    home: str,
    name: str,
    roles: list[Obj],
    *,
    rare: AbstractSet[Use] = frozenset(),
    may_be_refused: AbstractSet[Use] = frozenset(),
) -> None:
    """What an account was given, what it used, and what it was refused.

    may_be_refused: what it looks for in the whole cluster, and does without.
    """
    found, has = heard(home, name), uses(roles)
    missed = {(use, namespace) for use, namespace in found.refused if namespace or use not in may_be_refused}
    assert (name, missed) == (name, set())
    assert (name, sorted(has - found.used - rare)) == (name, [])


def _events(user: str) -> Iterator[dict[str, Any]]:
    log = Settings.from_environment(os.environ).audit
    if not log.exists():
        pytest.fail(
            f"there is no {log}: the sandbox is that of an older checkout; `sandbox/sandbox down`, then `up`"
        )
    yield from _of_user(user, log)  # before the others are looked for: it may become one of them meanwhile
    for path in log.parent.iterdir():
        if path != log:
            yield from _of_user(user, path)


def _of_user(user: str, log: Path) -> Iterator[dict[str, Any]]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if f'"username":"{user}"' in line and line.endswith("\n"):  # of others the last one may be half written
                yield json.loads(line)
