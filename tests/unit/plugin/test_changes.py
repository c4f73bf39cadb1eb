"""Commands that change something: what they ask for, what they show meanwhile, how they end."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.plugin.service import Answer, Ended, Service

Drycc = Callable[..., Ended]

RESOURCES = "/v2/apps/example-go/resources/"
ONE = f"{RESOURCES}myredis/"
GET = f"GET {ONE}"
CREATE = f"POST {RESOURCES}"
BINDING = f"PATCH {ONE}binding/"
ROTATE = f"POST {ONE}rotate/"
FRAMES = "...\b\b\b"
ADVICE = "See: drycc resources describe myredis --details --app example-go\n"


REMOVE = "Or remove it: drycc resources destroy myredis --app example-go\n"


def resource(**fields: object) -> Answer:
    """The resource in some state."""
    return Answer({"name": "myredis", "status": "Ready", "binding": None, "message": "", **fields})


def provisioning(message: str) -> Answer:
    """The resource while it is made."""
    return resource(status="Provisioning", message=message)


def steps(text: str) -> list[str]:
    """The lines of a plain progress without their times."""
    return [line.split("s ", 1)[1] for line in text.splitlines() if line.startswith("  ")]


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


def test_rotate_waits_and_says_how_it_ended(service: Service, drycc: Drycc) -> None:
    service.answer(ROTATE, resource(binding="Rotating"))
    service.answer(
        GET,
        resource(binding="Rotating", message="app release v3 rolls out"),
        resource(binding="Ready", message="The new credentials are live", failed=False),
    )
    ended = drycc("rotate myredis")
    assert (ended.status, steps(ended.out)) == (0, ["app release v3 rolls out"])
    assert ended.out.splitlines()[0] == "Rotating credentials..."
    assert ended.out.splitlines()[-1].endswith("s, The new credentials are live")


def test_a_rotation_that_was_undone_is_a_failure(service: Service, drycc: Drycc) -> None:
    service.answer(ROTATE, resource(binding="Rotating"))
    service.answer(GET, resource(binding="Ready", message="v3 does not start", failed=True))
    ended = drycc("rotate myredis")
    assert (ended.status, ended.err) == (3, f"Error: v3 does not start\n{ADVICE}")


@pytest.mark.parametrize(("failed", "message"), [(False, "It was replaced"), (True, "the server does not answer")])
def test_rotate_admin_waits_for_the_instance(service: Service, drycc: Drycc, failed: bool, message: str) -> None:
    service.answer(ROTATE, resource(status="UpdatingInstance"))
    service.answer(
        GET,
        resource(status="UpdatingInstance", message="the broker updates the instance"),
        resource(status="Ready", message=message, failed=failed),
    )
    ended = drycc("rotate myredis --admin")
    assert steps(ended.out) == ["the broker updates the instance"]
    if failed:
        assert (ended.status, ended.err) == (3, f"Error: {message}\n{ADVICE}")
    else:
        assert (ended.status, ended.out.splitlines()[-1].endswith(f"s, {message}")) == (0, True)


@pytest.mark.parametrize("other", ["--force", "--every 30d"])
def test_the_administrators_password_is_rotated_alone(drycc: Drycc, other: str) -> None:
    assert drycc(f"rotate myredis --admin {other}").err == (
        "Error: --admin is about the administrator's password, now: give it alone\n"
    )


@pytest.mark.parametrize(
    ("every", "every_s", "due", "printed"),
    [
        ("30d", 2592000.0, "2026-05-08T01:01:00Z", "The credentials of myredis are replaced next at "),
        ("never", None, None, "myredis has no date for rotation.\n"),
    ],
)
def test_a_schedule_of_rotations(
    service: Service, drycc: Drycc, every: str, every_s: float | None, due: str | None, printed: str
) -> None:
    service.answer(f"PUT {ONE}rotate/", resource(binding="Ready", rotate_at=due))
    ended = drycc(f"rotate myredis --every {every}")
    assert (ended.status, ended.out.startswith(printed), ended.err) == (0, True, "")
    assert service.asked[0].body == {"every_s": every_s}


def test_a_rotation_is_now_or_later(drycc: Drycc) -> None:
    assert drycc("rotate myredis --every 30d --force").err == (
        "Error: --force rotates now and --every later: give one of them\n"
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


def test_pairs_become_options(service: Service, drycc: Drycc) -> None:
    service.answer(CREATE, Answer({"name": "myredis"}, 201))
    words = [
        "create",
        "myredis",
        "redis",
        "small",
        "a.b=1=2",
        "-a",
        "other",
        "x=",
        "my-key=line\nbreak",
        "--no-wait",
    ]
    service.answer("POST /v2/apps/other/resources/", Answer({}, 201))
    assert drycc(words).status == 0
    assert service.asked[0].body == {
        "name": "myredis",
        "plan": "redis:small",
        "options": {"a.b": "1=2", "x": "", "my-key": "line\nbreak"},
    }


@pytest.mark.parametrize("pair", ["novalue", "1a=b", "=x", "a b=c", "ä=1"])
def test_a_bad_pair_is_refused_before_anything_is_shown(service: Service, drycc: Drycc, pair: str) -> None:
    ended = drycc(["create", "myredis", "redis", "small", pair])
    assert ended == Ended(1, "", f"Error: '{pair}' does not match the pattern 'key=var', ex: MODE=test\n")
    assert service.asked == []


def test_a_values_file_is_sent_whole(service: Service, drycc: Drycc, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("storage: {size: 2Gi} # yes\n")
    service.answer(f"PUT {ONE}", resource())
    assert drycc(f"update myredis redis small dropped=1 -f {values} --no-wait").status == 0
    sent = service.asked[0].body
    assert isinstance(sent, dict)
    assert base64.b64decode(sent["options"]["rawValues"]) == values.read_bytes()
    assert list(sent["options"]) == ["rawValues"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot read the values file {path}: No such file or directory"),
        ("", "the values file {path} has to hold a YAML mapping, such as 'storage: {{size: 2Gi}}'"),
        ("- a", "the values file {path} has to hold a YAML mapping, such as 'storage: {{size: 2Gi}}'"),
        ("a: b\n: [", "the values file {path}, line 2 is not YAML"),
    ],
)
def test_a_bad_values_file(
    service: Service, drycc: Drycc, tmp_path: Path, content: str | None, sentence: str
) -> None:
    path = tmp_path / "values.yaml"
    if content is not None:
        path.write_text(content)
    ended = drycc(f"create myredis redis small -f {path}")
    assert ended == Ended(1, "", f"Error: {sentence.format(path=path)}\n")
    assert service.asked == []


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


ROLLBACK = "/v2/apps/example-go/releases/rollback/"


def operation(state: str, description: str, version: int | None = None) -> Answer:
    """How a rollback stands."""
    return Answer({"operation": "an/id", "state": state, "description": description, "version": version})


def test_rollback_waits_for_the_new_release(service: Service, drycc: Drycc) -> None:
    service.answer(f"POST {ROLLBACK}", Answer({"operation": "an/id", "version": None}, 201))
    service.answer(
        f"GET {ROLLBACK}an%2Fid/",
        operation("queued", "waiting for its turn"),
        operation("running", "app release v4: 1 of 2 pods are ready", 4),
        operation("succeeded", "The app runs release v4", 4),
    )
    ended = drycc("rollback v2")
    assert service.asked[0].body == {"version": 2}
    assert steps(ended.out) == ["waiting for its turn", "app release v4: 1 of 2 pods are ready"]
    assert ended.out.startswith("Rolling back to v2...\n")
    assert ended.out.endswith(", v4\n")


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_rollback_that_does_not_start(service: Service, drycc: Drycc, state: str) -> None:
    service.answer(f"POST {ROLLBACK}", Answer({"operation": "id"}, 201))
    service.answer(f"GET {ROLLBACK}id/", operation(state, "v4 has no image"))
    ended = drycc("rollback 2")
    assert ended.status == 3
    assert ended.err == "Error: v4 has no image\nSee: drycc resources releases --app example-go\n"


def test_rollback_without_waiting(service: Service, drycc: Drycc) -> None:
    service.answer(f"POST {ROLLBACK}", Answer({"operation": "id"}, 201))
    assert drycc("rollback v2 --no-wait") == Ended(0, f"Rolling back to v2... {FRAMES}done\n", "")


def test_rollback_wants_a_version(service: Service, drycc: Drycc) -> None:
    ended = drycc("rollback latest")
    assert ended.err == "Error: 'latest' is no app release: give a version such as v2; see: releases\n"
    assert service.asked == []
