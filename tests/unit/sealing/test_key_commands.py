"""`keys list | add | rotate | remove`, over what is remembered by the cluster as well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from helmbroker import key_commands
from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.kept import place
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.service.remembered import Remembered
from helmbroker.sealing import Keys, RingFile, wrapped_by
from tests.fakes.cluster import FakeCluster

LABELS = {naming.LABEL_RECORD: "instance", naming.LABEL_BROKER: "b"}


def ref(number: int) -> ReleaseRef:
    return ReleaseRef("instances", f"hb-{number}")


@dataclass
class Desk:
    """A key ring, and a cluster that remembers things sealed under it."""

    path: Path
    cluster: FakeCluster = field(default_factory=lambda: FakeCluster("instances"))
    noted: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        RingFile.create(self.path)
        for number in range(3):
            self.remember(number)

    @property
    def active(self) -> str:
        return RingFile(self.path).active.id

    def remember(self, number: int) -> None:
        sealed = Keys.load(self.path).seal(b"c4n4ry", place(ref(number)))
        self.cluster.keep(RecordSecret(ref(number), LABELS, sealed))

    def held(self) -> list[str]:
        return [wrapped_by(each.sealed) for each in self.cluster.kept.values()]

    @contextmanager
    def opened(self, _settings: object) -> Iterator[key_commands.Safe]:
        holding = Remembered(self.cluster, "b", ["instances"])
        yield key_commands.Safe(RingFile(self.path), [holding], lambda *what: self.noted.append(what))

    def run(self, *words: str) -> Result:
        def without_settings(command: Callable[..., None]) -> Callable[..., None]:
            def run(**given: object) -> None:
                command(None, **given)

            run.__doc__ = command.__doc__
            run.__name__ = command.__name__
            run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
            return run

        group: click.Group = key_commands.group("helmbroker", without_settings, self.opened)
        return CliRunner().invoke(group, words)

    def listed(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.run("list", "--output", "json").stdout.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "keys.json")


def test_a_rotation_makes_a_key_and_brings_everything_under_it(desk: Desk) -> None:
    old = desk.active
    result = desk.run("rotate")
    assert result.exit_code == 0, result.output
    new = desk.active
    assert new != old
    assert desk.held() == [new] * 3
    assert result.stdout == f"key {new} is active; 3 secrets were brought under it, 0 are left\n"
    assert Keys.load(desk.path).open(desk.cluster.kept[ref(1)].sealed, place(ref(1))) == b"c4n4ry"
    assert desk.noted == [("add", new), ("activate", new)]


def test_a_rotation_that_was_ended_goes_on_and_makes_no_other_key(desk: Desk) -> None:
    desk.run("rotate")
    new = desk.active
    ring = RingFile(desk.path)
    old = ring.keys[0].id
    ring.activate(old)
    desk.remember(0)
    ring.activate(new)  # as when it was killed after the second of three
    result = desk.run("rotate", "--output", "json")
    assert json.loads(result.stdout) == {"active": new, "changed": 1, "left": 0}
    assert desk.active == new
    assert [each["id"] for each in desk.listed()] == [old, new]


def test_keys_are_listed_with_what_they_hold(desk: Desk) -> None:
    old = desk.active
    added = json.loads(desk.run("add", "--output", "json").stdout)["added"]
    assert desk.listed() == [
        {"id": old, "active": True, "direct": False, "secrets": 3},
        {"id": added, "active": False, "direct": False, "secrets": 0},
    ]
    assert desk.run("rotate", "--to", added).exit_code == 0
    desk.path.write_text(json.dumps({"active": old, "keys": {old: json.loads(desk.path.read_text())["keys"][old]}}))
    assert desk.listed()[1:] == [{"id": added, "missing": True, "secrets": 3}]
    assert "NOT ON THE RING" in desk.run("list").stdout


def test_a_key_that_is_used_stays(desk: Desk) -> None:
    old = desk.active
    ring = RingFile(desk.path)
    ring.activate(ring.add())
    result = desk.run("remove", old)
    assert result.exit_code == 1
    assert result.stderr == f"key '{old}' holds 3 secrets still; `keys rotate` brings them under the active one\n"
    assert desk.run("rotate").exit_code == 0
    assert desk.run("remove", old).exit_code == 0
    assert [each["id"] for each in desk.listed()] == [desk.active]
    assert desk.noted == [("remove", old)]


def test_a_ring_of_a_secret_is_printed_and_not_changed(desk: Desk) -> None:
    before = desk.path.read_text()
    result = desk.run("add", "--print")
    printed = json.loads(result.stdout)
    assert desk.path.read_text() == before
    assert printed["active"] == desk.active
    assert list(printed["keys"].items())[:-1] == list(json.loads(before)["keys"].items())
    desk.path.write_text(result.stdout)
    assert len(RingFile(desk.path).keys) == 2


def test_what_cannot_be_opened_is_told(desk: Desk) -> None:
    desk.cluster.keep(RecordSecret(ref(1), LABELS, b"changed"))
    result = desk.run("rotate")
    assert result.exit_code == 1
    assert "cannot be opened: Secret hb-1" in result.stderr
    assert "has been changed" in result.stderr
    assert "2 secrets were brought under it, 1 are left" in result.stdout
    assert [each["id"] for each in desk.listed()][-1] is None


def test_a_record_that_a_worker_writes_meanwhile_is_left_to_it(desk: Desk) -> None:
    ring = RingFile(desk.path)
    ring.activate(ring.add())
    batches = Remembered(desk.cluster, "b", ["instances"]).rewrap(Keys(ring))
    assert next(batches).changed == 1
    desk.remember(1)
    written = desk.cluster.kept[ref(1)]
    assert sum(batch.changed for batch in batches) == 1
    assert desk.cluster.kept[ref(1)] == written
    assert desk.held() == [desk.active] * 3
