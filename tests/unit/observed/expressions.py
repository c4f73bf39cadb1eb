"""What an expression of Prometheus names, as far as ours go."""

from __future__ import annotations

import re

_NAME = re.compile(r"\b(?:helmbroker|process)_\w+")
_SELECTOR = re.compile(r"((?:helmbroker|process)_\w+)\s*\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\bby\s*\(([^)]*)\)\s*\(")


def names(expression: str) -> list[str]:
    """Names of metrics."""
    return _NAME.findall(expression)


def selected(expression: str) -> list[tuple[str, list[str]]]:
    """Each metric with the labels that it has to have: of its selector, and of each grouping around it."""
    found = [(name, _LABEL.findall(inside)) for name, inside in _SELECTOR.findall(expression)]
    for group in _GROUPED.finditer(expression):
        labels = [label.strip() for label in group[1].split(",")]
        found += [(name, labels) for name in names(_argument(expression, group.end()))]
    return found


def _argument(expression: str, begin: int) -> str:
    """From an opened bracket to the one that closes it."""
    depth = 1
    for end in range(begin, len(expression)):
        depth += {"(": 1, ")": -1}.get(expression[end], 0)
        if depth == 0:
            return expression[begin:end]
    raise AssertionError(f"brackets do not match: {expression}")
