"""Completion: what may come next, and that a real shell takes it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.plugin.service import Answer, Ended, Service

Drycc = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _known(service: Service) -> None:
    service.results("GET /v2/resources/services/", [{"name": "redis"}, {"name": "postgresql"}])
    service.results("GET /v2/resources/services/redis/plans/", [{"name": "small"}, {"name": "standard"}])
    service.results(
        "GET /v2/apps/example-go/resources/", [{"name": "myredis"}, {"name": "mydb"}, {"name": "my\x1b"}]
    )
    service.results("GET /v2/apps/other/resources/", [{"name": "theirs"}])
    service.results("GET /v2/apps/example-go/releases/", [{"version": 2}, {"version": 1}])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["des"], ["describe", "destroy"]),
        (["-o", "json", "li"], ["list"]),
        (["--o"], ["--output"]),
        (["plans", ""], ["redis", "postgresql"]),
        (["create", ""], []),
        (["share", ""], []),
        (["share", "new", ""], []),
        (["create", "new", "re"], ["redis"]),
        (["create", "new", "redis", "s"], ["small", "standard"]),
        (["create", "new", "redis", "small", ""], []),
        (["describe", "my"], ["myredis", "mydb"]),
        (["describe", "--app", "other", ""], ["theirs"]),
        (["describe", "myredis", ""], []),
        (["describe", "-"], ["-a", "--app", "-c", "--config", "-o", "--output", "--details", "-h", "--help"]),
        (["bind", "myredis", "--no"], ["--no-wait"]),
        (["list", "-o", ""], ["table", "json"]),
        (["rollback", ""], ["v2", "v1"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["help", "ap"], ["apply"]),
        (["nothing", ""], []),
    ],
)
def test_what_may_come_next(drycc: Drycc, words: list[str], found: list[str]) -> None:
    ended = drycc(["__complete", *words])
    assert (ended.status, ended.out.splitlines(), ended.err) == (0, found, "")


def test_files(drycc: Drycc, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "r.yaml").touch()
    assert drycc(["__complete", "apply", "-f", "de"]).out == "deploy/\n"
    assert drycc(["__complete", "apply", "-f", "deploy/"]).out == "deploy/r.yaml\n"
    assert drycc(["__complete", "apply", "-f", "none/"]).out == ""


def test_without_the_service_there_are_fewer(service: Service, drycc: Drycc) -> None:
    service.answer("GET /v2/resources/services/", Answer("no", 500))
    assert drycc(["__complete", "plans", ""]) == Ended(0, "", "")
    assert drycc(["__complete", "plans", ""], DRYCC_TOKEN="") == Ended(0, "", "")


def test_bash_takes_it(drycc: Drycc, tmp_path: Path) -> None:
    """The script asks for the words before the cursor, the last one maybe empty, and offers what it gets."""
    (tmp_path / "drycc-resources").write_text('#!/bin/sh\nprintf "<%s>\\n" "$@"\n')
    (tmp_path / "drycc-resources").chmod(0o755)
    script = drycc("completion bash").out + (
        "COMP_WORDS=(drycc-resources describe '' more); COMP_CWORD=2\n"
        "_drycc_resources; printf '%s\\n' \"${COMPREPLY[@]}\"; complete -p drycc-resources\n"
    )
    ran = subprocess.run(
        ["/bin/bash", "--norc", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stdout.splitlines() == [
        "<__complete>",
        "<describe>",
        "<>",
        "complete -F _drycc_resources drycc-resources",
    ]
