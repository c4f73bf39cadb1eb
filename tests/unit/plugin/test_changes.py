"""Commands that change something: what they ask for, what they show meanwhile, how they end."""

from __future__ import annotations

import json

import pytest

from tests.unit.plugin.answers import (
    ADVICE,
    BINDING,
    CREATE,
    FRAMES,
    GET,
    ONE,
    REMOVE,
    ROTATE,
    Drycc,
    provisioning,
    resource,
    steps,
)
from tests.unit.plugin.service import Answer, Ended, Service


def test_create_without_waiting_prints_as_ever(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    ended = drycc("create myredis redis standard-128 --no-wait")
    assert ended == Ended(0, f"Creating myredis to example-go... {FRAMES}done\n", "")
    assert service.asked[0].body == {"name": "myredis", "plan": "redis:standard-128"}
    assert service.lines == [CREATE]


def test_an_update_is_over_when_the_app_has_other_credentials(service: Service, drycc: Drycc) -> None:
    service.answer(f"PUT {ONE}", resource(status="UpdatingInstance"))
    rotating = resource(binding="Rotating", message="app release v3: 1 of 2 pods are ready")
    updating = resource(status="UpdatingInstance", message="waiting for its turn")
    service.answer(GET, updating, rotating, resource(binding="Ready", message="live"))
    ended = drycc("update myredis external credentials uri=x")
    assert (ended.status, ended.err) == (0, "")
    assert steps(ended.out) == ["waiting for its turn", "app release v3: 1 of 2 pods are ready"]


def test_an_update_that_failed_is_told(service: Service, drycc: Drycc) -> None:
    service.answer(f"PUT {ONE}", resource(status="UpdatingInstance"))
    service.answer(GET, resource(binding="Ready", failed=True, message="app release v3 failed: exit code 3"))
    ended = drycc("update myredis external credentials uri=x")
    assert ended.status != 0
    assert f"Error: app release v3 failed: exit code 3\n{ADVICE}" in ended.err


@pytest.mark.parametrize(
    ("command", "request_line", "body", "shown"),
    [
        ("bind myredis", BINDING, {"bind_action": "bind"}, f"Binding resource... {FRAMES}done\n"),
        (
            "bind myredis --prefix DB_ --rename uri=DATABASE_URL --rename host=DBHOST --only uri,host",
            BINDING,
            {
                "bind_action": "bind",
                "env": {
                    "prefix": "DB_",
                    "rename": {"uri": "DATABASE_URL", "host": "DBHOST"},
                    "only": ["uri", "host"],
                },
            },
            f"Binding resource... {FRAMES}done\n",
        ),
        (
            "share myredis shop/redis",
            CREATE,
            {"name": "myredis", "from": "shop/redis"},
            f"Sharing shop/redis as myredis with example-go... {FRAMES}done\n",
        ),
        ("unbind myredis", BINDING, {"bind_action": "unbind"}, f"Unbinding resource... {FRAMES}done\n"),
        ("rotate myredis", ROTATE, {"force": False}, f"Rotating credentials... {FRAMES}done\n"),
        ("rotate myredis --force", ROTATE, {"force": True}, f"Rotating credentials... {FRAMES}done\n"),
        (
            "rotate myredis --admin",
            ROTATE,
            {"admin": True},
            f"Rotating the administrator's password... {FRAMES}done\n",
        ),
        ("destroy myredis --confirm=myredis", f"DELETE {ONE}", None, f"Destroying myredis...\n{FRAMES}done\n"),
        (
            "update myredis redis standard-256",
            f"PUT {ONE}",
            {"plan": "redis:standard-256"},
            f"Updating myredis to example-go... {FRAMES}done\n",
        ),
    ],
)
def test_others_without_waiting(
    service: Service, drycc: Drycc, command: str, request_line: str, body: object, shown: str
) -> None:
    service.answer(request_line, Answer(None, 204) if body is None else resource())
    assert drycc(f"{command} --no-wait") == Ended(0, shown, "")
    assert service.lines == [request_line]
    assert service.asked[0].body == body


def test_an_error_erases_the_frames(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"detail": "no"}, 403))
    ended = drycc("create myredis redis standard-128 --no-wait")
    assert ended.out == f"Creating myredis to example-go... {FRAMES}"
    assert ended.err == "Error: you do not have permission to perform this action\n"
    assert ended.status == 1


def test_create_waits_and_says_for_what(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    service.answer(
        GET, provisioning("installing"), provisioning("installing"), provisioning("pulling\nimages"), resource()
    )
    ended = drycc("create myredis redis standard-128")
    lines = ended.out.splitlines()
    assert lines[0] == "Creating myredis to example-go..."
    assert steps(ended.out) == ["installing", "pulling images"]
    assert lines[-1].startswith("done in ")
    assert ended.status == 0
    assert service.lines == [CREATE, *[GET] * 4]


def test_a_terminal_gets_one_line(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    service.answer(GET, provisioning("installing"), provisioning("y" * 500), resource())
    out = drycc("create myredis redis standard-128", screen=True).out
    drawn = out.split("\r\x1b[K")
    assert drawn[:3] == [
        "",
        "Creating myredis to example-go... ... ",
        "Creating myredis to example-go... ... installing",
    ]
    assert len(drawn[3]) == 79, "a longer line would not be rewritten whole"
    assert drawn[4].startswith("Creating myredis to example-go... done in ")
    assert out.count("\n") == 1


def test_a_failed_creation_ends_with_the_reason(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    service.answer(GET, provisioning("installing"), resource(status="Failed", message="image not found"))
    ended = drycc("create myredis redis standard-128")
    assert ended.status == 3
    assert ended.err == f"Error: image not found\n{ADVICE}{REMOVE}"
    assert "done" not in ended.out


def test_bind_waits_until_the_credentials_are_live(service: Service, drycc: Drycc) -> None:
    service.answer(BINDING, resource(binding="Binding"))
    service.answer(
        GET,
        resource(binding="Binding", message="making credentials"),
        resource(binding="Binding", message="app release v2 rolls out"),
        resource(binding="Ready"),
    )
    ended = drycc("bind myredis")
    assert steps(ended.out) == ["making credentials", "app release v2 rolls out"]
    assert ended.status == 0


@pytest.mark.parametrize("binding", [None, "Failed", "BindCallFailed"])
def test_a_binding_that_was_undone_is_a_failure(service: Service, drycc: Drycc, binding: str | None) -> None:
    service.answer(BINDING, resource(binding="Binding"))
    service.answer(GET, resource(binding="Binding"), resource(binding=binding, message="v2 does not start"))
    assert drycc("bind myredis").err == f"Error: v2 does not start\n{ADVICE}"


def test_a_rename_needs_both_names(drycc: Drycc) -> None:
    assert drycc("bind myredis --rename uri").err == (
        "Error: 'uri' is no KEY=VARIABLE: give one such as uri=DATABASE_URL\n"
    )


def test_unbind_waits_until_there_is_no_binding(service: Service, drycc: Drycc) -> None:
    service.answer(BINDING, resource(binding="Unbinding"))
    service.answer(GET, resource(binding="Unbinding", message="revoking"), resource(binding=None))
    ended = drycc("unbind myredis")
    assert (ended.status, steps(ended.out)) == (0, ["revoking"])


def test_a_failed_unbind(service: Service, drycc: Drycc) -> None:
    service.answer(BINDING, resource(binding="Unbinding"))
    service.answer(GET, resource(binding="UnbindCallFailed", message="the broker says no"))
    assert drycc("unbind myredis").err == f"Error: the broker says no\n{ADVICE}"


def test_destroy_waits_until_the_resource_is_unknown(service: Service, drycc: Drycc) -> None:
    service.answer(f"DELETE {ONE}", Answer(None, 204))
    service.answer(GET, resource(status="Deprovisioning", message="removing volumes"), Answer("gone", 404))
    ended = drycc("destroy myredis --confirm myredis")
    assert (ended.status, steps(ended.out)) == (0, ["removing volumes"])


def test_a_failed_destroy(service: Service, drycc: Drycc) -> None:
    service.answer(f"DELETE {ONE}", Answer(None, 204))
    service.answer(GET, resource(status="DeprovisionCallFailed", message="the broker says no"))
    ended = drycc("destroy myredis --confirm myredis")
    assert (ended.status, ended.err) == (3, f"Error: the broker says no\n{ADVICE}")


def test_waiting_survives_an_absent_service(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    service.answer(GET, Answer(drop=True), Answer("restarting", 503), Answer("", 429), resource())
    ended = drycc("create myredis redis standard-128")
    assert ended.status == 0
    assert steps(ended.out)[0].startswith(f"cannot reach the resources service at {service.url}")


def test_waiting_ends_with_the_time(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    service.answer(GET, provisioning("pulling"))
    ended = drycc("create myredis redis standard-128 --timeout 0.02")
    assert ended.status == 4
    assert ended.err == f"Error: not finished after 0.02s, and still going on: pulling\n{ADVICE}{REMOVE}"


def test_json_is_the_resource_and_progress_goes_elsewhere(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    service.answer(GET, provisioning("installing"), resource())
    ended = drycc("create myredis redis standard-128 --output json")
    assert json.loads(ended.out)["status"] == "Ready"
    assert steps(ended.err) == ["installing"]


PROMPT = """ !    WARNING: Potentially Destructive Action
 !    This command will destroy the resource: myredis
 !    To proceed, type "myredis" or re-run this command with --confirm=myredis

> """


def test_destroy_asks(service: Service, drycc: Drycc) -> None:
    service.answer(f"DELETE {ONE}", Answer(None, 204))
    ended = drycc("destroy myredis --no-wait", stdin="myredis\n")
    assert ended == Ended(0, f"{PROMPT}Destroying myredis...\n{FRAMES}done\n", "")


def test_destroy_asks_and_another_answer_ends_it(service: Service, drycc: Drycc) -> None:
    refused = "Error: resource myredis does not match confirm other, aborting\n"
    assert drycc("destroy myredis", stdin="other\n") == Ended(1, PROMPT, refused)
    assert drycc("destroy myredis --confirm other") == Ended(1, "", refused)
    assert service.asked == []
