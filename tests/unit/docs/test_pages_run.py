"""What pages say to type is typed, where no pods are needed for it, and comes out as they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from helmbroker.broker.cli import main as broker
from helmbroker.broker.service import refresh
from helmbroker.broker.settings import Settings
from helmbroker.broker.wiring import make_store
from helmbroker.controller_bridge.cli import main as bridge
from tests.unit.catalog.folders import write
from tests.unit.docs.command_lines import ROOT, blocks
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before", "place")
BOUND_S = 200
LOGINS, RESTORE = "authenticate-platforms.md", "restore-the-database.md"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, without any variable of ours."""
    for name in [name for name in os.environ if name.startswith("HELMBROKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def section(page: str, title: str) -> str:
    """A part of a page, from its title to the next one."""
    text = (ROOT / "docs" / "how-to" / page).read_text("utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def called(*lines: str) -> list[str]:
    """What the programs print, called in this process; each has to succeed."""
    said = list[str]()
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        result = CliRunner().invoke({"helmbroker": broker, "helmbroker-bridge": bridge}[program], words)
        assert result.exit_code == 0, result.output
        said += result.stdout.splitlines()
    return said


def typed(lines: Iterable[str]) -> str:
    """What a shell prints that is given these lines; each has to succeed."""
    argv = ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(lines)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=BOUND_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_users_are_made_and_taken_away() -> None:
    called("helmbroker init")
    (block,) = blocks(section(LOGINS, "More users"))
    password, *listed = called(*block)
    assert len(password) > 40
    assert listed[0] == "alice"


@pytest.mark.processes
def test_the_logins_of_the_page_are_let_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place / "addons/demo")
    (make, _show), (ask,) = blocks(section(LOGINS, "The first login"))
    ((add, ask_too, remove),) = blocks(section(LOGINS, "Bearer tokens"))
    called(make)
    assert (place / "helmbroker-data/platform-credentials").read_text("utf-8").startswith("platform:")
    (token,) = called(add.removeprefix('token="$(').removesuffix(')"'))
    monkeypatch.setenv("token", token)
    monkeypatch.setenv("HELMBROKER_LISTEN", "127.0.0.1:0")
    # `run` would want a cluster for its worker, which logins do not need
    with subprocess.Popen(["helmbroker", "api"], stderr=subprocess.PIPE, text=True) as api:
        try:
            assert api.stderr is not None
            with closing(api.stderr):
                port = next(str(json.loads(line)["port"]) for line in api.stderr if '"listening"' in line)
                said = typed(line.replace("8080", port) for line in (ask, ask_too))
        finally:
            api.kill()
    called(remove)
    assert said.count('{"services":[') == 2


def test_keys_rotate_on_one_machine(place: Path) -> None:
    """With the bridge, which needs no cluster for it; the page says that its commands are the same."""
    part = section("rotate-keys.md", "On one machine")
    (block,) = blocks(part)
    called("helmbroker-bridge init")
    first = json.loads((place / "helmbroker-bridge-data/keys.json").read_text("utf-8"))["active"]
    lines = [
        line.replace("helmbroker ", "helmbroker-bridge ").replace("remove 1", f"remove {first}") for line in block
    ]
    rotated, old, new, removed = called(*lines)
    assert old.split() == [first, "0", "secrets"]
    assert new.endswith("active")

    def shape(text: str) -> str:
        return re.sub(r"\d+(-\w+)?", "N", text)

    assert shape(rotated) in shape(part)
    assert shape(removed) in shape(part)


@pytest.mark.cluster  # for helm alone: no pods are made
def test_an_addon_is_checked_and_packed(place: Path) -> None:
    """All but `addon test`, which makes pods: tests/addons/test_author_tools.py has that."""
    called("helmbroker addon init notes --into addons")
    (place / "parameters.json").write_text("{}")
    check, _ = blocks(section("write-an-addon.md", "5. Check and test"))
    lines = [line.replace("NAME", "notes") for line in check if "addon test" not in line]
    assert len(lines) == len(check) - 1
    assert any('"file": "notes-0.1.0.tgz"' in line for line in called(*lines))
    assert (place / "notes-0.1.0.tgz").is_file()


@pytest.mark.processes
def test_a_backup_of_the_bridge_is_put_back(place: Path) -> None:
    """On one machine, and by the lines that are for its pod, run here."""
    one_machine, in_its_pod = blocks(section(RESTORE, "What to back up"))
    put_back, _ = blocks(section(RESTORE, "A backup is put back"))
    data = place / "helmbroker-bridge-data"
    called("helmbroker-bridge init", "helmbroker-bridge keys rotate")
    at_the_backup = called("helmbroker-bridge audit show")
    typed(one_machine)
    called("helmbroker-bridge keys rotate")
    assert called("helmbroker-bridge audit show") != at_the_backup
    typed(put_back)
    assert called("helmbroker-bridge audit show") == at_the_backup
    (place / "bridge.backup").unlink()
    here = [re.sub(r"kubectl exec .* --(?= )", "env", line) for line in in_its_pod[2:]]
    typed([*one_machine[:2], *(line.replace("/var/lib/helmbroker", str(data)) for line in here)])
    for file in data.glob("bridge.db*"):
        file.unlink()
    typed(put_back)
    assert called("helmbroker-bridge audit show") == at_the_backup
    assert not (data / "backup").exists()


def test_what_runbooks_ask_the_database_is_answered() -> None:
    """What they ask the cluster, tests/cluster/ asks one."""
    called("helmbroker init", "helmbroker-bridge init")
    with closing(make_store(Settings())) as store:
        operation = refresh.begin(store).id
    pages = [page.read_text("utf-8") for page in (ROOT / "docs/how-to/runbooks").glob("*.md")]
    typed_in = [line.partition(" | ")[0] for page in pages for block in blocks(page) for line in block]
    asked = {line for line in typed_in if re.match(r"helmbroker(-bridge)? (audit|list|operations|workers)\b", line)}
    assert len(asked) > 8
    for line in sorted(asked):
        called(line.replace("OPERATION", operation).replace("KIND", "refresh"))
    rows = [json.loads(line) for line in called("helmbroker operations list --state queued --output json")]
    assert [(row["attempt"], row["description"] != "") for row in rows] == [(0, True)], "which `jq` is asked for"
