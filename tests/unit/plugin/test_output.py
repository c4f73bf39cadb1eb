"""What is printed, byte for byte. A dot in the middle of a line (·) stands for a space."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from helmbroker.controller_bridge.plugin import output
from tests.unit.plugin.cases import RESOURCE
from tests.unit.plugin.service import Answer, Ended, Service

Drycc = Callable[..., Ended]

ONE = "GET /v2/apps/example-go/resources/myredis/"
LIST = "GET /v2/apps/example-go/resources/"


def printed(golden: str) -> str:
    """A golden text with its spaces back."""
    return golden.removeprefix("\n").replace("·", " ")


def test_services(service: Service, drycc: Drycc) -> None:
    service.results(
        "GET /v2/resources/services/",
        [{"id": "15032a52-33c2-4b40-97aa-ceb972f51509", "name": "airflow", "updateable": True}],
    )
    assert drycc("services") == Ended(
        0,
        printed(
            """
ID······································NAME·······UPDATEABLE·
15032a52-33c2-4b40-97aa-ceb972f51509····airflow····true··········
"""
        ),
        "",
    )
    assert service.lines == ["GET /v2/resources/services/?limit=100"]


def test_plans(service: Service, drycc: Drycc) -> None:
    service.results(
        "GET /v2/resources/services/redis/plans/",
        [{"id": "1", "name": "small", "description": "128 MiB"}, {"id": "2", "name": "大", "description": "a\nb"}],
    )
    assert drycc("plans redis -l 5").out == printed(
        """
ID····NAME·····DESCRIPTION·
1·····small····128 MiB········
2·····大·······a··············
···············b··············
"""
    )
    assert service.lines == ["GET /v2/resources/services/redis/plans/?limit=5"]


def test_list(service: Service, drycc: Drycc) -> None:
    service.results(
        LIST,
        [
            RESOURCE,
            {"name": "a-longer-name", "plan": "mysql-cluster:standard-1024", "updated": "2020-09-08T00:00:00UTC"},
        ],
    )
    golden = printed(
        """
NAME·············PLAN···························UPDATED················
myredis··········redis:standard-128·············2024-05-08T01:02:03Z······
a-longer-name····mysql-cluster:standard-1024····2020-09-08T00:00:00UTC····
"""
    )
    assert drycc("list").out == golden
    assert drycc("").out == golden, "without a command it lists"
    assert drycc("-l 7").out == golden
    assert service.lines[-1] == f"{LIST}?limit=7"


def test_describe(service: Service, drycc: Drycc) -> None:
    service.answer(ONE, Answer(RESOURCE))
    assert drycc("describe myredis") == Ended(
        0,
        printed(
            """
App:········example-go······························
UUID:·······de1bf5b5-4a72-4f94-a10c-d2a3741cdf75····
Name:·······myredis·································
Plan:·······redis:standard-128······················
Status:·····Ready···································
Binding:····Ready···································
Data:·······
············HOST:···································10.1.2.3······
············REDIS_PASSWORD:·························RzG87SJWG1····
Created:····2024-05-08T01:01:00Z····················
Updated:····2024-05-08T01:02:03Z····················
"""
        ),
        "",
    )


def test_describe_details(service: Service, drycc: Drycc) -> None:
    service.answer(ONE, Answer(RESOURCE))
    lines = drycc("describe myredis --details").out.splitlines()
    assert [line.rstrip() for line in lines] == [
        "App:        example-go",
        "UUID:       de1bf5b5-4a72-4f94-a10c-d2a3741cdf75",
        "Name:       myredis",
        "Plan:       redis:standard-128",
        "Status:     Ready",
        "Binding:    Ready",
        "Data:",
        "            HOST:                                        10.1.2.3",
        "            REDIS_PASSWORD:                              RzG87SJWG1",
        "Options:",
        "            memory.limit:                                1Gi",
        "Message:    The instance was provisioned successfully",
        "Created:    2024-05-08T01:01:00Z",
        "Updated:    2024-05-08T01:02:03Z",
    ]


def test_describe_what_is_shared(service: Service, drycc: Drycc) -> None:
    service.answer(ONE, Answer({**RESOURCE, "shared_from": "shop/redis", "shared_with": []}))
    lines = [line.rstrip() for line in drycc("describe myredis").out.splitlines()]
    assert lines[3:5] == ["Plan:           redis:standard-128", "Shared from:    shop/redis"]
    service.answer(ONE, Answer({**RESOURCE, "shared_from": None, "shared_with": ["blog/cache", "news/cache"]}))
    lines = [line.rstrip() for line in drycc("describe myredis").out.splitlines()]
    assert lines[4] == "Shared with:    blog/cache, news/cache"


def test_a_broker_that_is_away_is_told(service: Service, drycc: Drycc) -> None:
    away = {"results": [], "count": 0, "unavailable": ["the broker at b does not answer\x1b[2J"]}
    service.answer("GET /v2/resources/services/", Answer(away))
    ended = drycc("services")
    assert (ended.status, ended.out) == (0, "Could not find any services\n")
    assert ended.err == ("!    WARNING: the broker at b does not answer?[2J: what it offers is not listed\n")


def test_describe_what_is_not_there(service: Service, drycc: Drycc) -> None:
    service.answer(ONE, Answer({**RESOURCE, "status": None, "binding": None, "data": {}, "message": ""}))
    lines = [line.rstrip() for line in drycc("describe myredis --details").out.splitlines()]
    assert lines[4:7] == ["Status:", "Binding:", "Data:"]
    assert "Message:    <none>" in lines


def test_describe_wraps_the_message(service: Service, drycc: Drycc) -> None:
    service.answer(ONE, Answer({**RESOURCE, "message": "word " * 30}))
    lines = [line for line in drycc("describe myredis --details").out.splitlines() if "word" in line]
    assert [
        len(line.split(maxsplit=1)[1].rstrip() if i == 0 else line.strip()) for i, line in enumerate(lines)
    ] == [
        64,
        64,
        19,
    ]
    assert lines[0].startswith("Message:    word word")
    assert lines[1].startswith("            word word")


@pytest.mark.parametrize(
    ("command", "request_line", "sentence"),
    [
        ("services", "GET /v2/resources/services/", "Could not find any services\n"),
        ("plans redis", "GET /v2/resources/services/redis/plans/", "Could not find any plans in redis service.\n"),
        ("list", LIST, "No resources found in example-go app.\n"),
        ("releases", "GET /v2/apps/example-go/releases/", "No releases found in example-go app.\n"),
    ],
)
def test_nothing_found(service: Service, drycc: Drycc, command: str, request_line: str, sentence: str) -> None:
    service.results(request_line, [])
    assert drycc(command) == Ended(0, sentence, "")


def test_releases(service: Service, drycc: Drycc) -> None:
    service.results(
        "GET /v2/apps/example-go/releases/",
        [
            {"version": 2, "state": "succeed", "created": "2024-05-08T01:02:03Z", "summary": "bound myredis"},
            {"version": 1, "state": "succeed", "created": "2024-05-08T01:01:00Z", "summary": "adopted"},
        ],
    )
    assert drycc("releases").out == printed(
        """
VERSION····STATE······CREATED·················SUMMARY·······
v2·········succeed····2024-05-08T01:02:03Z····bound myredis····
v1·········succeed····2024-05-08T01:01:00Z····adopted··········
"""
    )


def test_json(service: Service, drycc: Drycc) -> None:
    service.results(LIST, [RESOURCE])
    service.answer(ONE, Answer(RESOURCE))
    assert json.loads(drycc("list --output json").out) == [RESOURCE]
    assert json.loads(drycc("describe myredis -o json").out) == RESOURCE


def test_a_server_cannot_steer_the_terminal(service: Service, drycc: Drycc) -> None:
    service.answer(ONE, Answer({**RESOURCE, "message": "a\x1b[2Jb\rc", "data": {"K": "x\x07"}}))
    shown = drycc("describe myredis --details").out
    assert "\x1b" not in shown
    assert "a?[2Jb" in shown
    assert "x?" in shown


def test_times_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert output.local_time("2024-05-08T01:02:03Z") == "2024-05-08T10:02:03+09:00"
    assert output.local_time("2024-05-08T01:02:03+00:00") == "2024-05-08T10:02:03+09:00"
    assert output.local_time("yesterday") == "yesterday"
    assert output.local_time("") == ""
