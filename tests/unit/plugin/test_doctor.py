"""What `doctor` sees outside of the service: another program of its name, files that others read, plain http."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.plugin.service import Ended, Service, environment, invoke

Drycc = Callable[..., Ended]


def program(folder: Path, version: str) -> Path:
    """A program of our name that says that it is this version."""
    path = folder / "drycc-resources"
    path.write_text(f"#!/bin/sh\necho '{version}'; echo $DRYCC_TOKEN\n")
    path.chmod(0o755)
    return path


def test_another_program_of_the_name_comes_first(drycc: Drycc, tmp_path: Path) -> None:
    path = program(tmp_path, "drycc-resources v1.2")
    ended = drycc("doctor", PATH=f"/nowhere:{tmp_path}")
    assert f"FAIL  program   PATH has {path} first\n" in ended.out
    assert ended.status == 1


def test_this_program_comes_first_and_gets_no_token(drycc: Drycc, tmp_path: Path) -> None:
    path = program(tmp_path, "drycc-resources 9 (helmbroker)")
    assert f"ok    program   {path}: drycc-resources 9 (helmbroker)\n" in drycc("doctor", PATH=str(tmp_path)).out


def test_a_login_that_others_can_read(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "login.json"
    path.write_text(json.dumps({"controller": service.url, "token": "x"}))
    path.chmod(0o644)
    ended = invoke(f"doctor -c {path}", environment(service, tmp_path), tmp_path)
    assert f"FAIL  login     {path} can be read by others\n                Run: chmod 600 {path}\n" in ended.out
    path.chmod(0o600)
    ended = invoke(f"doctor -c {path}", environment(service, tmp_path), tmp_path)
    assert f"ok    login     {path}\n" in ended.out


@pytest.mark.parametrize(
    ("address", "verify", "cure"),
    [
        ("http://10.0.0.1:1", "true", "The token is sent without encryption: use https."),
        ("https://127.0.0.1:1", "false", "Its certificate is not verified: set ssl_verify to true."),
    ],
)
def test_addresses_that_are_not_safe(drycc: Drycc, address: str, verify: str, cure: str) -> None:
    out = drycc("doctor -o json", DRYCC_RESOURCES_URL=address, DRYCC_SSL_VERIFY=verify, http_proxy=address).out
    found = {one["check"]: one for one in json.loads(out)}
    assert (found["address"]["ok"], found["address"]["cure"]) == (False, cure)


def test_nobody_answers(drycc: Drycc) -> None:
    ended = drycc("doctor", DRYCC_RESOURCES_URL="http://127.0.0.1:1")
    assert "FAIL  service   cannot reach the resources service at http://127.0.0.1:1" in ended.out
    assert ended.err == "Error: not in order: service\n"
