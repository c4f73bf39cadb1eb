"""Ranges of versions as Helm writes them (Masterminds/semver): `~1.1.1`, `^2`, `>=1.2 <2`, `1.x || 3.0.0 - 3.4`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import semver

_NUMBER = "[0-9]+|[xX*]"
_VERSION = rf"v?(?:{_NUMBER})(?:\.(?:{_NUMBER}))?(?:\.(?:{_NUMBER}))?(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_PARTS = re.compile(
    rf"v?({_NUMBER})(?:\.({_NUMBER}))?(?:\.({_NUMBER}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)
_RULE = re.compile(rf"(=|==|!=|>|<|>=|=>|<=|=<|~|~>|\^)?\s*({_VERSION})(?:[\s,]+|$)")
_HYPHEN = re.compile(rf"({_VERSION})\s+-\s+({_VERSION})")
_LONGEST = 200
Test = Callable[[semver.Version], bool]


class BadRange(ValueError):
    """The text is no range of versions."""


def best(wanted: str, offered: Iterable[str]) -> str | None:
    """The highest of the offered versions that is in the range, as it was written; None: there is none.

    Pre-releases only where the range names one. What is no version is passed over. Raises BadRange.
    """
    fits = in_range(wanted)
    found = [(version, text) for text in offered if (version := parsed(text)) is not None and fits(version)]
    return max(found, key=lambda each: each[0])[1] if found else None


def parsed(text: str) -> semver.Version | None:
    """A version as Helm takes it: `v1`, `1.2` too."""
    match = _PARTS.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None or any(part and not part.isdigit() for part in match.groups()[:3]):
        return None
    major, minor, patch, pre = match.groups()
    try:
        return semver.Version(int(major), int(minor or 0), int(patch or 0), pre)
    except ValueError:
        return None


def in_range(wanted: str) -> Test:
    """Whether a version is in the range. Raises BadRange."""
    if len(wanted) > _LONGEST:
        raise BadRange(f"a range has at most {_LONGEST} characters")
    groups = [_group(each) for each in wanted.split("||")]
    return lambda version: any(group(version) for group in groups)


def _group(text: str) -> Test:
    """Rules that must all hold: with commas or blanks between them. One of them may name a pre-release for all."""
    text = _HYPHEN.sub(r">=\1, <=\2", text.strip()) or "*"
    tests: list[Test] = []
    named = False
    at = 0
    while at < len(text):
        match = _RULE.match(text, at)
        if match is None:
            raise BadRange(f"{text!r} is no range of versions as Helm knows them: ~1.2.3, ^1.2, >=1.2 <2, 1.x")
        tests.append(_rule(match[1] or "", match[2]))
        named |= "-" in match[2]
        at = match.end()
    return lambda version: (version.prerelease is None or named) and all(test(version) for test in tests)


def _rule(operator: str, text: str) -> Test:
    """One operator. A part that is missing, or a star, leaves everything below it open."""
    match = _PARTS.fullmatch(text)
    if match is None:
        raise BadRange(f"{text!r} is no version")
    numbers: list[int] = []
    for part in match.groups()[:3]:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    pre, open_ = match[4], len(numbers) < 3
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    low = semver.Version(major, minor, patch, pre if not open_ else None)
    above = _above(operator, numbers)
    tests: dict[str, Test] = {
        "!=": lambda version: not (low <= version < above) if open_ else version != low,
        ">": lambda version: version >= above if open_ else version > low,
        ">=": lambda version: version >= low,
        "<": lambda version: version < low,
        "<=": lambda version: version < above if open_ else version <= low,
    }
    aliases = {"=>": ">=", "=<": "<="}
    if operator in ("", "=", "==") and not open_:
        tests[operator] = lambda version: version == low
    tests.setdefault(operator, lambda version: low <= version < above)
    return tests[aliases.get(operator, operator)]


_NONE = semver.Version(2**62)  # above everything


def _above(operator: str, numbers: list[int]) -> semver.Version:
    """The first version that is above what the operator means by these numbers."""
    if not numbers:
        return _NONE
    if operator == "^":
        first = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
    elif operator in ("~", "~>"):
        first = min(1, len(numbers) - 1)
    else:
        first = len(numbers) - 1
    raised = [*numbers[:first], numbers[first] + 1]
    return semver.Version(*[*raised, 0, 0][:3])
