"""Tokens: who may call, read from a private file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from helmbroker.controller_bridge.model import Role
from helmbroker.controller_bridge.tokens import TokenOwner, Tokens, TokensError, role


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_a_token_is_known_by_its_digest_alone(path: Path) -> None:
    tokens = Tokens(path)
    token = tokens.add("alice", ["shop", "blog"], Role.MEMBER)
    assert tokens.identify(token) == TokenOwner("alice", frozenset({"shop", "blog"}), Role.MEMBER)
    assert tokens.identify(token + "x") is None
    assert tokens.identify("") is None
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_is_read_again_when_it_changes(path: Path) -> None:
    tokens = Tokens(path)
    first = tokens.add("alice", ["*"], Role.ADMIN)
    assert tokens.identify(first) is not None
    second = Tokens(path).add("bob", ["shop"], Role.VIEWER)
    assert tokens.identify(second) == TokenOwner("bob", frozenset({"shop"}), Role.VIEWER)
    assert tokens.identify(first) is not None
    entries = json.loads(path.read_text())
    entries["tokens"].pop(0)
    path.write_text(json.dumps(entries))
    assert tokens.identify(first) is None


def test_roles_in_apps() -> None:
    some = TokenOwner("bob", frozenset({"shop"}), Role.VIEWER)
    assert (some.role_in("shop"), some.role_in("blog")) == (Role.VIEWER, None)
    assert TokenOwner("root", frozenset({"*"}), Role.ADMIN).role_in("blog") is Role.ADMIN


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    tokens = Tokens(path)
    token = tokens.add("alice", ["*"], Role.ADMIN)
    path.chmod(0o644)
    os.utime(path, ns=(1, 1))
    with pytest.raises(TokensError, match="chmod 600"):
        tokens.identify(token)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"tokens": {}}',
        '{"tokens": ["x"]}',
        '{"tokens": [{"user": "a"}]}',
        '{"tokens": [{"user": "a", "apps": [], "token_sha256": "zz", "role": "admin"}]}',
        '{"tokens": [{"user": "a", "apps": [], "token_sha256": "00", "role": "boss"}]}',
    ],
)
def test_bad_files(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TokensError):
        Tokens(path).identify("x")


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(TokensError, match="cannot read"):
        Tokens(path).identify("x")


def test_role_names() -> None:
    assert role("viewer") is Role.VIEWER
    with pytest.raises(TokensError, match="use one of viewer, member, admin"):
        role("boss")
