"""`helmbroker` with a file of sources: what is wrong with it is said before anything starts."""

from __future__ import annotations

import json

from tests.unit.broker.test_cli import Place, made, place
from tests.unit.catalog.sources.places import addon, packed

__all__ = ["made", "place"]


def test_sources_are_checked_before_anything_starts(made: Place) -> None:
    file = made.folder / "sources.yaml"
    for command in ("api", "run"):
        assert made.sentence(command, SOURCES_FILE=str(file)) == f"{file}: is missing"
        file.write_text("sources: [{name: a, kind: ftp, location: x}]")
        assert made.sentence(command, SOURCES_FILE=str(file)).startswith(
            f"{file}:1: sources.0.kind: must be one of"
        )
        file.write_text("sources: [{name: addons, kind: git, location: 'https://x/y'}]")
        assert "addons is HELMBROKER_ADDONS_DIR" in made.sentence(command, SOURCES_FILE=str(file))
        file.write_text("sources: [{name: a, kind: directory, location: nowhere}]")
        found = made.sentence(command, SOURCES_FILE=str(file), ADDONS_DIR="")
        assert found == f"there is no folder {made.folder}/nowhere; set location of source a"
        file.unlink()


def test_check_reads_all_sources(made: Place) -> None:
    """The folder of addons is one of them; beside the file only where it is named."""
    file = made.folder / "sources.yaml"
    (made.folder / "third.tgz").write_bytes(packed(addon("third", number="dddddddd")))
    file.write_text(
        "sources:\n"
        "- {name: third, kind: archive, location: third.tgz}\n"
        "- {name: gone, kind: archive, location: x.tgz}\n"
    )
    told = made.run("check", HELM="/nowhere/helm", SOURCES_FILE=str(file)).stdout.splitlines()
    assert told[1:3] == [
        "addons     demo, third",
        f"           source gone cannot be had: there is no file {made.folder}/x.tgz",
    ]
    told = made.run("check", HELM="/nowhere/helm", SOURCES_FILE=str(file), ADDONS_DIR="").stdout.splitlines()
    assert told[1] == "addons     third"


def test_a_source_that_cannot_be_had_is_a_finding_also_when_it_is_the_only_one(made: Place) -> None:
    file = made.folder / "sources.yaml"
    file.write_text("sources: [{name: gone, kind: archive, location: x.tgz}]")
    where = f"{made.folder}/x.tgz"
    told = made.run("catalog", "check", SOURCES_FILE=str(file), ADDONS_DIR="")
    assert (told.exit_code, told.stderr) == (1, "0 offered, 0 quarantined\n")
    assert told.stdout == f"{where}: source gone cannot be had: there is no file {where} [error: source]\n"
    told = made.run("catalog", "check", "-o", "json", SOURCES_FILE=str(file))
    assert (told.exit_code, told.stderr) == (1, "1 offered, 0 quarantined\n")
    (found,) = json.loads(told.stdout)
    assert (found["level"], found["rule"], found["file"]) == ("error", "source", where)
