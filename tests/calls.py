"""Which calls to a Kubernetes API server the code has, as far as kind and call stand in it literally."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helmbroker.kubeapi.kinds import KINDS

ROOT = Path(__file__).parents[1]
_VERBS = {
    "get": {"get"},
    "list": {"list"},
    "watch": {"list", "watch"},
    "patch": {"patch"},
    "delete": {"delete"},
    "_get": {"get"},
}


@dataclass(frozen=True)
class Call:
    """A call of the port Kube. where: file and line."""

    method: str
    resource: str
    where: str


def calls(folder: Path) -> set[Call]:
    """Those of a folder of the code."""
    return {call for path in sorted((ROOT / folder).rglob("*.py")) for call in _calls(path)}


def verbs_of(call: Call) -> set[str]:
    """What RBAC asks for."""
    return _VERBS[call.method]


def _calls(path: Path) -> Iterator[Call]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            kind = node.args[0]
            known = (
                KINDS.get(kind.value) if isinstance(kind, ast.Constant) and isinstance(kind.value, str) else None
            )
            if known is not None and node.func.attr in _VERBS:
                yield Call(node.func.attr, known.plural, f"{path.relative_to(ROOT)}:{node.lineno}")
