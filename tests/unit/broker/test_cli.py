"""`helmbroker`: the set-up made once, and a sentence for everything that is wrong with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helmbroker.broker.cli import main
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.schema import SCHEMA
from tests.unit.catalog import foreign_folders
from tests.unit.catalog.folders import write
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")

CANARY = "canary-02be"


class Place:
    """A machine to set the broker up on: a folder, and the variables."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.variables = {f"HELMBROKER_{name.upper()}": "" for name in Settings.model_fields}
        self.variables |= {"HELMBROKER_DATA_DIR": str(self.data), "HELMBROKER_ADDONS_DIR": str(folder / "addons")}
        self.variables |= {"KUBECONFIG": str(folder / "no-kubeconfig")}
        write(folder / "addons/demo")

    def run(self, *arguments: str, **variables: str) -> Result:
        given = {f"HELMBROKER_{name}": value for name, value in variables.items()}
        return CliRunner().invoke(main, arguments, env={**self.variables, **given})

    def sentence(self, *arguments: str, **variables: str) -> str:
        """What a command that must fail says: one line, status 1, no traceback."""
        result = self.run(*arguments, **variables)
        assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.output
        (line,) = [line for line in result.stderr.splitlines() if not line.startswith("{")]
        assert line.startswith("helmbroker: ")
        return line.removeprefix("helmbroker: ")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def made(place: Place) -> Place:
    assert place.run("init").exit_code == 0
    return place


def modes(folder: Path) -> dict[str, str]:
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in [folder, *folder.iterdir()]}


@pytest.mark.bug(50, 55)
def test_init_makes_what_is_secret_readable_by_the_owner_alone(place: Place) -> None:
    """Generated once, and never a default."""
    result = place.run("init")
    assert result.exit_code == 0
    assert modes(place.data) == {"data": "700", "keys.json": "600", "platform-credentials": "600"}
    user, _, password = (place.data / "platform-credentials").read_text().strip().partition(":")
    assert (user, len(password)) == ("platform", 43)
    assert len(json.loads((place.data / "keys.json").read_text())["keys"]) == 1
    assert password not in result.output
    assert result.output.splitlines() == [
        f"made {place.data}",
        f"made {place.data}/keys.json",
        f"made {place.data}/platform-credentials",
        f"The platform logs in with the user and password in {place.data}/platform-credentials; show them with:",
        f"  cat {place.data}/platform-credentials",
        f"Back up {place.data}/keys.json: without it the stored credentials cannot be read.",
    ]


@pytest.mark.bug(55)
def test_init_keeps_what_is_there(made: Place) -> None:
    """The same after every upgrade."""
    before = {path.name: path.read_bytes() for path in made.data.iterdir()}
    (made.data / "platform-credentials").unlink()
    again = made.run("init")
    assert [line for line in again.output.splitlines() if line.startswith("made")] == [
        f"made {made.data}/platform-credentials"
    ]
    assert (made.data / "keys.json").read_bytes() == before["keys.json"]
    assert (made.data / "platform-credentials").read_bytes() != before["platform-credentials"]


@pytest.mark.osb(121)
def test_what_the_broker_has_can_be_listed(made: Place) -> None:
    """Nothing at first; what a line holds is tested in tests/api/broker/test_inventory.py."""
    result = made.run("list", "--gone", "-o", "json")
    assert (result.exit_code, result.output) == (0, "")
    assert made.run("list").output == "INSTANCE  BINDING  PHASE  RELEASE  DESCRIPTION\n"


def test_who_reads_only_the_beginning_of_a_list_is_told_nothing_wrong(made: Place) -> None:
    """`helmbroker list | head`."""
    program = [sys.executable, "-m", "helmbroker.broker", "user", "list"]
    assert made.run("user", "add", "alice").exit_code == 0
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            program, check=False, env={**os.environ, **made.variables}, stdout=writer, stderr=subprocess.PIPE
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_no_two_machines_share_a_secret(tmp_path: Path) -> None:
    for name in "ab":
        assert Place(tmp_path / name).run("init").exit_code == 0
    for file in ("keys.json", "platform-credentials"):
        assert (tmp_path / "a/data" / file).read_bytes() != (tmp_path / "b/data" / file).read_bytes()


@pytest.mark.parametrize("command", ["api", "run", "check", "worker", "list"])
def test_without_init_it_is_named(place: Place, command: str) -> None:
    assert place.sentence(command) == f"there is no key ring at {place.data}/keys.json; `helmbroker init` makes one"


@pytest.mark.parametrize("command", ["api", "run"])
def test_what_a_process_would_miss_is_said_before_it_starts(made: Place, command: str) -> None:
    values = made.folder / "overrides.yaml"
    values.write_text("demo: [1]\n")
    nowhere = f"{made.folder}/nowhere"
    login = made.data / "platform-credentials"
    assert made.sentence(command, ADDONS_DIR=nowhere) == f"there is no folder {nowhere}; set HELMBROKER_ADDONS_DIR"
    assert made.sentence(command, OVERRIDES_FILE=nowhere) == f"{nowhere}: is missing"
    assert made.sentence(command, OVERRIDES_FILE=str(values)) == f"{values} must map addon names to Helm values"
    login.write_text(CANARY)
    assert made.sentence(command) == f"{login} must hold one line user:password"


def test_a_data_directory_that_cannot_be_is_named(place: Place) -> None:
    (place.folder / "file").write_text("")
    below = f"{place.folder}/file/data"
    assert place.sentence("init", DATA_DIR=below) == (
        f"{below}: Not a directory; set HELMBROKER_DATA_DIR to a folder that can be written"
    )


def test_a_database_that_cannot_be_opened_is_named(made: Place) -> None:
    (made.data / "helmbroker.db").mkdir()
    assert "database" in made.sentence("api").replace("helmbroker.db", "database")


def test_a_database_that_does_not_answer_is_named_without_its_password(made: Place) -> None:
    said = made.sentence("api", DATABASE_URL=f"postgresql://u:{CANARY}@127.0.0.1:1/x")
    assert said.startswith("the database cannot be opened: ")
    assert "Connection refused" in said
    assert CANARY not in said


@pytest.mark.parametrize(
    "content", ["", "{}", '{"active": "1"}', f'{{"active": "1", "keys": {{"1": "{CANARY}"}}}}']
)
def test_a_broken_key_ring_is_named_and_not_shown(made: Place, content: str) -> None:
    (made.data / "keys.json").write_text(content)
    said = made.sentence("api")
    assert said.startswith(f"the key ring {made.data}/keys.json ")
    assert CANARY not in said


def test_the_key_ring_of_another_database_is_refused(made: Place) -> None:
    assert "there is no folder" in made.sentence("api", ADDONS_DIR="/nowhere")  # the database has been begun
    (made.data / "keys.json").unlink()
    assert made.run("init").exit_code == 0
    assert "key" in made.sentence("api", ADDONS_DIR="/nowhere")
    assert "there is no folder" not in made.sentence("api", ADDONS_DIR="/nowhere")


def test_every_wrong_setting_is_named_by_its_variable(place: Place) -> None:
    result = place.run("api", LISTEN="x", CONCURRENCY="0", DATABASE_URL=f"mysql://{CANARY}")
    assert result.exit_code == 1
    assert [line.partition(": ")[2].partition(": ")[0] for line in result.stderr.splitlines()] == [
        "HELMBROKER_DATABASE_URL",
        "HELMBROKER_LISTEN",
        "HELMBROKER_CONCURRENCY",
    ]
    assert CANARY not in result.output


@pytest.mark.parametrize(("name", "value"), [("OIDC_ISSUER", "https://x"), ("OIDC_AUDIENCE", "x")])
def test_half_a_provider_is_refused(made: Place, name: str, value: str) -> None:
    said = made.sentence("api", **{name: value})
    assert said == "HELMBROKER_OIDC_ISSUER and HELMBROKER_OIDC_AUDIENCE: set both or neither"


def test_an_authority_that_is_not_there_is_named(made: Place) -> None:
    provider = {"OIDC_ISSUER": "https://x", "OIDC_AUDIENCE": "x"}
    missing = f"{made.folder}/ca.crt"
    assert made.sentence("api", **provider, OIDC_CA_FILE=missing) == (
        f"there is no file {missing}; set HELMBROKER_OIDC_CA_FILE"
    )


def test_check_tells_what_is_doubtful_about_addons(made: Place) -> None:
    """They are offered nevertheless."""
    foreign_folders.write(made.folder / "addons/redis", foreign_folders.KYMA)
    lines = made.run("check", HELM="/nowhere/helm").stdout.splitlines()
    file = "plans/whatever/create-instance-schema.json"
    assert lines[1:4] == [
        "addons     demo, redis",
        "           addons/redis:",
        f"             warning: {file}: properties.limits: other keys than those it names are refused",
    ]


def test_check_tells_the_faults_of_addons(made: Place) -> None:
    write(made.folder / "addons/bad", {"addon.yaml": "{", "chart/Chart.yaml": None})
    result = made.run("check", HELM="/nowhere/helm")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    told = rf"database   ok \(sqlite on \S+, revision {SCHEMA.revisions[-1]}, schema version 2\)"
    assert re.fullmatch(told, lines[0])
    assert lines[1:3] == [
        "addons     demo",
        "           addons/bad is not offered:",
    ]
    assert lines[3].startswith("             error: addon.yaml:2: is not valid YAML")
    assert lines[4].startswith("             error: chart/Chart.yaml: is missing")


def test_check_tells_the_same_to_programs(made: Place) -> None:
    write(made.folder / "addons/bad", {"addon.yaml": "{", "chart/Chart.yaml": None})
    (made.folder / "grants.yaml").write_text("gone: {}")
    file = made.folder / "sources.yaml"
    file.write_text("sources: [{name: away, kind: archive, location: x.tgz}]")
    given = {"HELM": "/nowhere/helm", "SOURCES_FILE": str(file), "GRANTS_FILE": str(made.folder / "grants.yaml")}
    result = made.run("check", "-o", "json", **given)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code, [(row["subject"], row["ok"]) for row in rows]) == (
        1,
        [
            ("database", True),
            ("addons", True),
            ("source away", False),
            ("addon addons/bad", False),
            ("grants", True),
            ("helm", False),
        ],
    )
    assert [rows[1]["detail"], rows[2]["detail"]] == ["demo", f"there is no file {made.folder}/x.tgz"]
    assert rows[3]["detail"].startswith("error: addon.yaml:2: is not valid YAML")
    assert rows[4]["detail"] == "grants for addons that are not offered: gone"


def test_check_tells_what_helm_says_when_it_breaks(made: Place) -> None:
    """It works when it is looked for, and not any more when it is asked: no traceback."""
    helm = made.folder / "helm"
    helm.write_text(f"#!/bin/sh\n[ -e {made.folder}/asked ] && exit 3\ntouch {made.folder}/asked\necho v4.2.4\n")
    helm.chmod(0o755)
    result = made.run("check", HELM=str(helm))
    assert type(result.exception) in (SystemExit, type(None))
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("helm ")]
    assert "v4.2.4" not in line
    assert result.exit_code == 1


def test_help_lists_every_setting_with_its_default() -> None:
    result = CliRunner().invoke(main, ["--help"], terminal_width=200)
    assert result.exit_code == 0
    lines = {line.split()[0].rstrip(":"): line for line in result.output.splitlines() if "HELMBROKER_" in line[:15]}
    assert list(lines) == [f"HELMBROKER_{name.upper()}" for name in Settings.model_fields]
    assert "[127.0.0.1:8080]" in lines["HELMBROKER_LISTEN"]
    assert [line.strip() for line in result.output.splitlines() if "helmbroker init" in line]


@pytest.mark.parametrize("command", ["init", "api", "worker", "run", "check"])
def test_every_command_says_what_it_does(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) >= 3


@pytest.mark.osb(1)
@pytest.mark.bug(55)
@pytest.mark.parametrize("command", ["api", "run"])
def test_a_broker_that_nobody_could_log_in_to_does_not_start(made: Place, command: str) -> None:
    """There is no default login: without any, the broker is not open to everybody."""
    login = made.data / "platform-credentials"
    for empty in (lambda: login.write_text("\n"), login.unlink):
        empty()
        said = made.sentence(command)
        assert said.startswith(f"nobody could log in: {login} is missing or empty, and there is no other login; ")
    (made.data / "users").write_text("alice:secret")
    assert made.sentence(command) == (
        f"{made.data}/users: after the name and a colon comes a SHA-256, 64 hexadecimal digits"
    )


@pytest.mark.parametrize("kind", ["user", "token", "admin"])
def test_logins_are_made_listed_and_removed(made: Place, kind: str) -> None:
    file = made.data / f"{kind}s"
    assert made.run(kind, "list").output == ""
    secrets = [made.run(kind, "add", name).output.strip() for name in ("alice", "bob@x")]
    assert [len(secret) for secret in secrets] == [43, 43]
    assert made.run(kind, "list").output.splitlines() == ["alice", "bob@x"]
    named = map(json.loads, made.run(kind, "list", "-o", "json").output.splitlines())
    assert list(named) == [{"name": "alice"}, {"name": "bob@x"}]
    assert not [secret for secret in secrets if secret in file.read_text()]
    assert f"{file.stat().st_mode & 0o777:o}" == "600"
    assert made.sentence(kind, "add", "alice") == (
        f"alice is in {file} already; remove it first, or take another name"
    )
    assert made.run(kind, "remove", "alice").exit_code == 0
    assert made.run(kind, "list").output.splitlines() == ["bob@x"]
    assert made.sentence(kind, "remove", "alice") == f"alice is not in {file}"


@pytest.mark.parametrize("name", ["", "a:b", "a b", "-x", "x" * 65, "\n", "ä"])
def test_a_name_of_a_login_is_plain(made: Place, name: str) -> None:
    assert made.sentence("user", "add", "--", name).startswith("a name has 1 to 64 letters")


def test_a_login_needs_the_data_directory(place: Place) -> None:
    assert place.sentence("user", "add", "x") == f"there is no folder {place.data}; `helmbroker init` makes it"
