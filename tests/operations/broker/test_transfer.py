"""All records as one document, and back into an empty database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from helmbroker.broker.cli import main
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.service.restore import Refused
from helmbroker.broker.service.transfer import export, import_all
from helmbroker.broker.settings import Settings
from helmbroker.sealing import KeyRing, Keys
from tests.operations.broker import world as worlds
from tests.operations.broker.test_restore import lost, prepared, urls
from tests.operations.broker.world import BROKER, KEYS, World
from tests.postgresql import postgresql_url
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before", "postgresql_url", "urls"]


def test_everything_comes_along(urls: list[str]) -> None:
    with lost(urls) as (before, after):
        expected, binding = before.observe(), before.binding()
        text = export(before.store, KEYS, before.store.packed)
        assert "c4n4ry" not in text
        restored = import_all(after.store, KEYS, text)
        again = after.binding()
        assert binding is not None
        assert again is not None
        assert (len(restored.done), restored.left, after.store.broker_id) == (2, [], BROKER)
        assert (again.binding, after.observe()) == (binding.binding, expected)
        after.service_again()
        after.succeed(after.unbind())
        after.succeed(after.deprovision())


def test_what_failed_comes_along_as_failed(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("old.db", "new.db")]
    with worlds.world(urls[0]) as before, worlds.world(urls[1]) as after:
        before.fail(before.provision(make="echo broken; exit 1"))
        import_all(after.store, KEYS, export(before.store, KEYS, before.store.packed))
        assert after.instance().phase is Phase.MAKE_FAILED


def test_what_is_worked_on_is_not_exported(world: World) -> None:
    world.provision()
    with pytest.raises(Refused, match="have not ended, on an instance; wait for them"):
        export(world.store, KEYS, world.store.packed)


def test_what_cannot_be_read_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("old.db", "new.db")]
    with lost(urls) as (before, after):
        text = export(before.store, KEYS, before.store.packed)
        content = json.loads(text)
        digest = next(iter(content["revisions"]))
        cases = {
            "is no document": ["", "[]", "{}", json.dumps(content | {"records": [{}]})],
            "has format 2": [json.dumps(content | {"format": 2})],
            "has been changed": [json.dumps(content | {"revisions": {digest: "YQ=="}})],
            "with another key ring, or changed": [text.replace('"release": "hb-', '"release": "hc-')],
        }
        for reason, texts in cases.items():
            for each in texts:
                with pytest.raises(Refused, match=reason):
                    import_all(after.store, KEYS, each)
        with pytest.raises(Refused, match="another key ring"):
            import_all(after.store, Keys(KeyRing({"1": b"x" * 32}, "1")), text)
        assert (after.store.is_empty(), after.store.broker_id) == (True, "f" * 16)
        with pytest.raises(Refused, match="an empty one only"):
            import_all(before.store, KEYS, text)


def test_it_is_the_same_twice(world: World) -> None:
    prepared(world)
    first, second = (json.loads(export(world.store, KEYS, world.store.packed)) for _ in range(2))
    assert (first["revisions"], len(first["records"])) == (second["revisions"], len(second["records"]))


@pytest.mark.usefixtures("logs_as_before")
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_command_tells_what_has_come_to_people_and_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    data, document = tmp_path / "data", tmp_path / "all.json"
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HELMBROKER_{name.upper()}", raising=False)
    monkeypatch.setenv("HELMBROKER_DATA_DIR", str(data))
    command = CliRunner().invoke
    assert command(main, ["init"]).exit_code == 0
    keys = Keys.load(data / "keys.json")
    with worlds.world(f"sqlite:///{tmp_path}/old.db", keys=keys) as before:
        before.succeed(before.provision())
        document.write_text(export(before.store, keys, before.store.packed))
    result = command(main, ["import", str(document), "-o", form])
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    told = json.loads(line)["imported"] if form == "json" else line.removeprefix("imported  ")
    assert told == f"instance {worlds.INSTANCE} (made)"
    again, kept = command(main, ["export", str(document)]), document.read_text()
    assert (again.exit_code, again.output) == (1, f"helmbroker: {document} cannot be written: File exists\n")
    assert document.read_text() == kept
