"""What is said when the service refuses, is not there, or is not what it should be; and about bad arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.plugin.service import TOKEN, VERSION_HEADER, Answer, Ended, Service, environment, invoke

Drycc = Callable[..., Ended]

ONE = "GET /v2/apps/example-go/resources/myredis/"
NAME_RULE = "Can only contain a-z (lowercase), 0-9 and hyphens"


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, {"detail": "not ready"}, 'unknown error (400): {"detail": "not ready"}'),
        (400, {"name": [NAME_RULE]}, "name can only contain a-z (lowercase), 0-9 and hyphens"),
        (401, {"detail": "Invalid token."}, "unauthorized: missing or invalid token"),
        (403, {"detail": "x"}, "you do not have permission to perform this action"),
        (404, "No Resource matches the given query.", "No Resource matches the given query."),
        (404, '"No Resource matches the given query."', '"No Resource matches the given query."'),
        (404, {"detail": "there is no app x"}, "there is no app x"),
        (404, None, "Not Found"),
        (404, "<html>nothing</html>", "Not Found"),
        (405, None, "method not allowed"),
        (
            409,
            {"detail": "Resource x is binding"},
            "this action could not be completed due to a conflict: {detail}",
        ),
        (409, None, "this action could not be completed due to a conflict"),
        (422, {"detail": "too large"}, "unable to process your request: too large"),
        (500, {"detail": "Server Error"}, "internal server error"),
        (418, "teapot", "unknown error (418): teapot"),
        (302, None, "unknown error (302): "),
    ],
)
def test_refusals(service: Service, drycc: Drycc, status: int, body: object, sentence: str) -> None:
    service.answer(ONE, Answer(body, status, {**VERSION_HEADER, "Location": "/elsewhere"}))
    detail = body.get("detail") if isinstance(body, dict) else None
    assert drycc("describe myredis") == Ended(1, "", f"Error: {sentence.replace('{detail}', str(detail))}\n")
    assert len(service.asked) == 1, "a redirect is not followed: it would take the token along"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (Answer("hello"), "no JSON"),
        (Answer([1]), "no JSON object"),
        (Answer({"results": None, "count": 0}), "a list without results"),
        (Answer({"results": ["x"]}), "a list without results"),
    ],
)
def test_something_else_answers(service: Service, drycc: Drycc, answer: Answer, what: str) -> None:
    service.answer("GET /v2/resources/services/", answer)
    sentence = f"{service.url} answered {what}: it is no resources service; set DRYCC_RESOURCES_URL"
    assert drycc("services") == Ended(1, "", f"Error: {sentence}\n")


def test_nobody_answers(service: Service, drycc: Drycc) -> None:
    ended = drycc("services", DRYCC_RESOURCES_URL="http://127.0.0.1:1")
    assert ended.status == 1
    assert ended.err == (
        "Error: cannot reach the resources service at http://127.0.0.1:1: [Errno 111] Connection refused"
        " (its address comes from DRYCC_RESOURCES_URL, else from the controller's)\n"
    )


@pytest.mark.parametrize("version", ["2.2", "1.0", "3.0", "x", ""])
def test_versions_that_do_not_fit(service: Service, drycc: Drycc, version: str) -> None:
    service.answer(ONE, Answer({"name": "myredis", "status": "Ready"}, headers={"DRYCC_API_VERSION": version}))
    ended = drycc("describe myredis")
    assert ended.err == (
        "!    WARNING: Client and server API versions do not match. Please consider upgrading.\n"
        f"!    Client version: 2.3\n!    Server version: {version}\n"
    )
    assert "Ready" in ended.out, "the answer is shown all the same"
    assert ended.status == 0


@pytest.mark.parametrize("version", ["2.3", "2.10", "2.3.1"])
def test_versions_that_fit(service: Service, drycc: Drycc, version: str) -> None:
    service.answer(ONE, Answer({"name": "myredis"}, headers={"DRYCC_API_VERSION": version}))
    assert drycc("describe myredis").err == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("describe", "accepts 1 arg(s), received 0"),
        ("bind a b", "accepts 1 arg(s), received 2"),
        ("services x", "accepts 0 arg(s), received 1"),
        ("create a b", "requires at least 3 arg(s), only received 2"),
        ("bind x --foo=1", "unknown flag: --foo"),
        ("bind x -l", "unknown shorthand flag: 'l' in -l"),
        ("bind x --app", "flag needs an argument: -a/--app"),
        ("bind x --timeout soon", "argument --timeout: 'soon' is no duration: give one such as 90s, 15m or 1h30m"),
        ("list -l 0", "argument -l/--limit: '0' is no number above zero"),
        ("lsit", 'unknown command "lsit" for "drycc-resources"\nRun \'drycc-resources --help\' for usage.'),
    ],
)
def test_bad_arguments(service: Service, drycc: Drycc, arguments: str, sentence: str) -> None:
    assert drycc(arguments) == Ended(1, "", f"Error: {sentence}\n")
    assert service.asked == []


@pytest.mark.parametrize("arguments", ["--help", "-h", "help", "help nothing", "nothing --help"])
def test_help(drycc: Drycc, arguments: str) -> None:
    ended = drycc(arguments, DRYCC_TOKEN="")
    assert ended.out.startswith("usage: drycc-resources COMMAND")
    assert ended.status == 0


@pytest.mark.parametrize("arguments", ["create --help", "help create", "-a x create a -h"])
def test_help_of_a_command(drycc: Drycc, arguments: str) -> None:
    ended = drycc(arguments, DRYCC_TOKEN="")
    assert ended.out.startswith("usage: drycc-resources create NAME SERVICE PLAN [KEY=VALUE...] [OPTIONS]\n")
    assert ended.status == 0


def test_version_tells_this_plugin_from_others(drycc: Drycc) -> None:
    assert drycc("--version").out.endswith("(helmbroker)\n")


def test_the_token_is_sent_and_never_shown(service: Service, tmp_path: Path) -> None:
    env = environment(service, tmp_path)
    service.answer(ONE, Answer({"detail": "x"}, 400))
    shown = [invoke("describe myredis", env, tmp_path)]
    assert service.asked[0].headers["Authorization"] == f"token {TOKEN}"
    broken = {**env, "DRYCC_TOKEN": f"{TOKEN}\nX: y"}
    shown += [invoke("list", broken, tmp_path), invoke("list", {**env, "DRYCC_RESOURCES_URL": "ftp://x"}, tmp_path)]
    for ended in shown:
        assert ended.status == 1
        assert TOKEN not in ended.out + ended.err
