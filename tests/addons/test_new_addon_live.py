"""A new addon keeps its contract on a real cluster, as `helmbroker addon test` tries it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.addons.test_author_tools import helmbroker

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]


def test_a_new_addon_keeps_its_contract(tmp_path: Path) -> None:
    assert helmbroker("addon", "init", "notes", "--into", str(tmp_path))[0] == 0
    image = {"repository": "sandbox.local/demo-app", "tag": "1"}
    (tmp_path / "overrides.yaml").write_text(yaml.safe_dump({"notes": {"image": image}}))

    status, output, errors = helmbroker(
        *("addon", "test", str(tmp_path / "notes"), "--format", "json"),
        HELMBROKER_OVERRIDES_FILE=str(tmp_path / "overrides.yaml"),
    )
    checks = json.loads(output)
    assert [each for each in checks if each["failure"]] == [], errors
    assert (status, len(checks)) == (0, 30)
