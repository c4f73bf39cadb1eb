"""The file of `apply`: what it may say, and every fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.controller_bridge.plugin.manifest import Manifest, Wanted, read
from helmbroker.controller_bridge.plugin.terminal import CommandError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "resources.yaml"
    path.write_text(text)
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    path = written(tmp_path, text)
    with pytest.raises(CommandError) as raised:
        read(path)
    return [line.removeprefix(f"{path}:") for line in str(raised.value).splitlines()]


def test_everything_it_may_say(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
app: shop
build: {docker: Dockerfile}
resources:
  database:
    plan: postgresql:small
    options:
      storage: {size: 2Gi}
      replicas: 2
      backup: true
    env:
      prefix: DB_
      rename: {uri: DATABASE_URL}
      only: [uri, host]
    rotate: 30d
  cache:
    plan: redis:a:b
    bind: false
    rotate: never
  accounts:
    from: bank/accounts
""",
    )
    options = {"storage": {"size": "2Gi"}, "replicas": 2, "backup": True}
    env = {"prefix": "DB_", "rename": {"uri": "DATABASE_URL"}, "only": ["uri", "host"]}
    database = Wanted("database", 5, "postgresql", "small", options, "", True, env, 2592000.0)
    cache = Wanted("cache", 16, "redis", "a:b", bind=False, rotate_every_s=0.0)
    accounts = Wanted("accounts", 20, source="bank/accounts")
    found = read(path)
    assert found == Manifest(path, "shop", (database, cache, accounts))
    assert found.place(cache) == f"{path}:16: cache"


def test_options_are_not_shown(tmp_path: Path) -> None:
    text = "resources:\n  database:\n    plan: a:b\n    options: {password: canary}\n"
    assert "canary" not in repr(read(written(tmp_path, text)))


def test_every_fault_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
resources:
  My_db:
    plan: postgresql
    size: 2Gi
  cache:
    bind: perhaps
    rotate: soon
    env: {suffix: X, only: uri, rename: {uri: 1}}
    options: [1]
  queue: rabbitmq:small
  cache:
    plan: 3
    options: {since: 2026-01-01}
"""
    assert faults(tmp_path, text) == [
        "2: My_db: name can only supports: a-z (lowercase), 0-9 and single hyphens between them",
        "3: My_db: 'postgresql' is no plan: give SERVICE:PLAN, such as postgresql:small",
        "4: My_db: there is no 'size'; it takes plan, options, from, bind, env, rotate",
        "10: queue: it has to be a mapping",
        "11: cache is there twice",
        "12: cache: it has to be a text; quote it",
        "13: cache: options: a value is none of JSON, such as a date; quote it",
    ]


def test_faults_of_the_rest(tmp_path: Path) -> None:
    text = """\
resources:
  cache:
    bind: perhaps
    rotate: soon
    env: {suffix: X, only: uri, rename: {uri: 1}}
    options: [1]
  accounts: {from: bank, options: {a: b}}
"""
    assert faults(tmp_path, text) == [
        "2: cache: it has no plan; give one such as postgresql:small",
        "3: cache: bind: give true or false",
        "4: cache: rotate: 'soon' is no duration: give one such as 90s, 15m or 1h30m",
        "5: cache: env: it takes prefix: TEXT, rename: {KEY: VARIABLE} and only: [KEY]",
        "5: cache: env: it takes prefix: TEXT, rename: {KEY: VARIABLE} and only: [KEY]",
        "5: cache: it has to be a text; quote it",
        "6: cache: options: they have to be a mapping of texts to values",
        "7: accounts: from: 'bank' is no resource of another app: give APP/RESOURCE",
        "7: accounts: from: plan and options are those of the resource that is shared",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: it names no `resources`"),
        ("a: b\n", "1: it names no `resources`"),
        ("a: [\n", "2: it is not YAML: expected the node content, but found '<stream end>'"),
        ("resources: [a]\n", "1: it has to be a mapping"),
        ("app: [a]\nresources: {}\n", "1: it has to be a text; quote it"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == [fault]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot read .*none\.yaml: No such file or directory"):
        read(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(CommandError, match=r"latin\.yaml is not UTF-8"):
        read(tmp_path / "latin.yaml")
