"""Every command with every way it may end, and what was printed: golden copies in `golden/`.

`python -m tests.unit.plugin.cases` writes the golden copies anew. In them · is a space at the end of a line, ␈ a
backspace, ␍ a carriage return, ␛ an escape; times that were measured, and the version, are 0.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from helmbroker.controller_bridge.plugin.arguments import COMMANDS
from tests.unit.plugin.service import Answer, Ended, environment, invoke, running

GOLDEN = Path(__file__).parent / "golden"
APP = "/v2/apps/example-go/"
LIST = f"{APP}resources/"
ONE = f"{LIST}myredis/"
SERVICES = "/v2/resources/services/"
PLACE = {"TZ": "UTC", "COLUMNS": "80"}  # times are shown in the local zone, lines as wide as the terminal
RESOURCE = {
    "uuid": "de1bf5b5-4a72-4f94-a10c-d2a3741cdf75",
    "app": "example-go",
    "name": "myredis",
    "plan": "redis:standard-128",
    "data": {"REDIS_PASSWORD": "RzG87SJWG1", "HOST": "10.1.2.3"},
    "status": "Ready",
    "binding": "Ready",
    "options": {"memory.limit": "1Gi"},
    "message": "The instance was provisioned successfully",
    "created": "2024-05-08T01:01:00Z",
    "updated": "2024-05-08T01:02:03Z",
}
OPERATIONS = [
    {
        "kind": "bind",
        "state": "failed",
        "description": "app release v2: process type web: container web ended with exit code 3 (Error)",
        "owner": "alice",
        "created": "2024-05-08T01:02:00Z",
        "took_s": 7.25,
    },
    {
        "kind": "create",
        "state": "succeeded",
        "description": "The instance was provisioned successfully",
        "owner": "alice",
        "created": "2024-05-08T01:01:00Z",
        "took_s": 31.0,
    },
]
RELEASES = [
    {"version": 2, "state": "crashed", "created": "2024-05-08T01:02:03Z", "summary": "bind myredis"},
    {"version": 1, "state": "succeed", "created": "2024-05-08T01:01:00Z", "summary": "adopted"},
]
FILE = """\
resources:
  myredis:
    plan: redis:standard-256
    options: {memory: {limit: 2Gi}}
  database:
    plan: postgresql:small
"""


class Case(NamedTuple):
    """A command line, and what the service answers: by "METHOD path", in turn."""

    arguments: str
    answers: Mapping[str, list[Answer]] = {}
    stdin: str = ""
    env: Mapping[str, str] = {}
    screen: bool = False
    files: Mapping[str, str] = {}


def results(*found: object) -> list[Answer]:
    """A list as the answer."""
    return [Answer({"results": list(found), "count": len(found)})]


def one(**fields: object) -> Answer:
    """The resource."""
    return Answer({**RESOURCE, **fields})


def life(asked: str, *states: Answer) -> dict[str, list[Answer]]:
    """A request is accepted, and then the resource goes through these states."""
    return {asked: [Answer(None, 204) if asked.startswith("DELETE") else one()], f"GET {ONE}": list(states)}


def refused(asked: str, status: int, body: object) -> dict[str, list[Answer]]:
    """A request that is not taken."""
    return {asked: [Answer(body, status)]}


CREATE, UPDATE, DESTROY = f"POST {LIST}", f"PUT {ONE}", f"DELETE {ONE}"
BINDING, ROTATE = f"PATCH {ONE}binding/", f"POST {ONE}rotate/"
ROLLBACK = f"POST {APP}releases/rollback/"
NAME_RULE = {"name": ["Can only contain a-z (lowercase), 0-9 and hyphens"]}
GONE = Answer("No Resource matches the given query.", 404)
MAKING = one(status="Provisioning", binding=None, message="waiting for pods (create, step 4 of 4: await)")
MADE = one(binding=None)
HEALTHY = {
    "GET /healthz": [Answer({"status": "ok"})],
    "GET /readyz": [Answer({"status": "ok", "workers": "1"})],
    f"GET {SERVICES}": results({"id": "1", "name": "redis"}),
    f"GET {APP}access/": [Answer({"app": "example-go", "user": "alice", "role": "member"})],
}
APPLIED = {
    f"GET {LIST}": results(RESOURCE, {**RESOURCE, "name": "old"}),
    f"GET {SERVICES}redis/plans/": results({"name": "standard-128"}, {"name": "standard-256"}),
    f"GET {SERVICES}postgresql/plans/": results({"name": "small"}),
    CREATE: [one()],
    UPDATE: [one(status="UpdatingInstance")],
    f"GET {ONE}": [one(), one(status="UpdatingInstance", message="rolling out"), one()],
    f"GET {LIST}database/": [MAKING, MADE, MADE, one(binding="Binding", message="a user is made"), one()],
    f"PATCH {LIST}database/binding/": [one(binding="Binding")],
}
CASES: dict[str, Case] = {
    "services": Case(
        "services", {f"GET {SERVICES}": results({"id": "1503", "name": "airflow", "updateable": True})}
    ),
    "services-none": Case("services", {f"GET {SERVICES}": results()}),
    "services-json": Case("services -o json", {f"GET {SERVICES}": results({"id": "1503", "name": "airflow"})}),
    "plans": Case(
        "plans redis",
        {f"GET {SERVICES}redis/plans/": results({"id": "1", "name": "small", "description": "128 MiB\nno disk"})},
    ),
    "plans-none": Case("plans redis", {f"GET {SERVICES}redis/plans/": results()}),
    "plans-json": Case("plans redis -o json", {f"GET {SERVICES}redis/plans/": results({"id": "1"})}),
    "list": Case("list", {f"GET {LIST}": results(RESOURCE, {"name": "a-longer-name", "plan": "mysql:large"})}),
    "list-none": Case("", {f"GET {LIST}": results()}),
    "list-json": Case("list -o json", {f"GET {LIST}": results(RESOURCE)}),
    "describe": Case("describe myredis", {f"GET {ONE}": [one()]}),
    "describe-details": Case("describe myredis --details", {f"GET {ONE}": [one(message="word " * 30)]}),
    "describe-unbound": Case(
        "describe myredis --details", {f"GET {ONE}": [one(binding=None, data={}, message="")]}
    ),
    "describe-none": Case("describe myredis", {f"GET {ONE}": [GONE]}),
    "describe-json": Case("describe myredis -o json", {f"GET {ONE}": [one()]}),
    "logs": Case("logs myredis", {f"GET {ONE}operations/": results(*OPERATIONS)}),
    "logs-follow": Case(
        "logs myredis --follow",
        {f"GET {ONE}": [MAKING, MADE], f"GET {ONE}operations/": results(*OPERATIONS[1:])},
    ),
    "logs-none": Case("logs myredis", {f"GET {ONE}operations/": results()}),
    "logs-json": Case("logs myredis -o json", {f"GET {ONE}operations/": results(*OPERATIONS)}),
    "create": Case("create myredis redis small", life(CREATE, MAKING, MADE)),
    "create-on-a-terminal": Case("create myredis redis small", life(CREATE, MAKING, MADE), screen=True),
    "create-no-wait": Case("create myredis redis small --no-wait", life(CREATE)),
    "create-json": Case("create myredis redis small -o json", life(CREATE, MAKING, MADE)),
    "create-failed": Case(
        "create myredis redis small", life(CREATE, MAKING, one(status="Failed", message="no space"))
    ),
    "create-unfinished": Case("create myredis redis small --timeout 0.01", life(CREATE, MAKING)),
    "create-bad-name": Case("create My_ redis small", refused(CREATE, 400, NAME_RULE)),
    "create-bad-pair": Case("create myredis redis small standard-256"),
    "create-few-words": Case("create myredis redis"),
    "share": Case("share myredis other/cache", life(CREATE, MADE)),
    "share-no-wait": Case("share myredis other/cache --no-wait", life(CREATE)),
    "share-json": Case("share myredis other/cache --no-wait -o json", life(CREATE)),
    "share-no-right": Case("share myredis other/cache", refused(CREATE, 403, {"detail": "no"})),
    "update": Case("update myredis redis large a=b", life(UPDATE, one(status="UpdatingInstance"), one())),
    "update-no-wait": Case("update myredis redis large --no-wait", life(UPDATE)),
    "update-json": Case("update myredis redis large -o json --no-wait", life(UPDATE)),
    "update-failed": Case("update myredis redis large", life(UPDATE, one(failed=True, message="no space"))),
    "update-refused": Case(
        "update myredis mysql large", refused(UPDATE, 400, {"detail": "the resource instance cann't changed"})
    ),
    "bind": Case("bind myredis", life(BINDING, one(binding="Binding", message="a user is made"), one())),
    "bind-no-wait": Case("bind myredis --no-wait", life(BINDING)),
    "bind-json": Case("bind myredis --no-wait -o json", life(BINDING)),
    "bind-failed": Case("bind myredis", life(BINDING, one(binding="Failed", message="v2 does not start"))),
    "bind-conflict": Case("bind myredis", refused(BINDING, 409, {"detail": "Resource myredis is binding"})),
    "bind-bad-rename": Case("bind myredis --rename uri"),
    "unbind": Case("unbind myredis", life(BINDING, one(binding="Unbinding"), one(binding=None))),
    "unbind-no-wait": Case("unbind myredis --no-wait", life(BINDING)),
    "unbind-json": Case("unbind myredis --no-wait -o json", life(BINDING)),
    "rotate": Case(
        "rotate myredis", life(ROTATE, one(binding="Rotating", message="v3 rolls out"), one(message="live"))
    ),
    "rotate-no-wait": Case("rotate myredis --no-wait", life(ROTATE)),
    "rotate-json": Case("rotate myredis --no-wait -o json", life(ROTATE)),
    "rotate-failed": Case("rotate myredis", life(ROTATE, one(failed=True, message="v3 does not start"))),
    "rotate-every": Case(
        "rotate myredis --every 30d", {f"PUT {ONE}rotate/": [one(rotate_at="2026-05-08T01:01:00Z")]}
    ),
    "rotate-never": Case("rotate myredis --every never", {f"PUT {ONE}rotate/": [one(rotate_at=None)]}),
    "rotate-admin-and-force": Case("rotate myredis --admin --force"),
    "rotate-both": Case("rotate myredis --every 30d --force"),
    "rotate-admin": Case(
        "rotate myredis --admin",
        life(ROTATE, one(status="UpdatingInstance", message="update"), one(message="done")),
    ),
    "rotate-admin-failed": Case("rotate myredis --admin", life(ROTATE, one(failed=True, message="it cannot"))),
    "destroy": Case("destroy myredis", life(DESTROY, one(status="Deprovisioning"), GONE), stdin="myredis\n"),
    "destroy-no-wait": Case("destroy myredis --confirm=myredis --no-wait", life(DESTROY)),
    "destroy-json": Case("destroy myredis --confirm=myredis -o json", life(DESTROY, GONE)),
    "destroy-mismatch": Case("destroy myredis", stdin="other\n"),
    "destroy-bound": Case(
        "destroy myredis --confirm=myredis",
        refused(DESTROY, 400, {"detail": "the resource instance is still binding"}),
    ),
    "releases": Case("releases", {f"GET {APP}releases/": results(*RELEASES)}),
    "releases-none": Case("releases", {f"GET {APP}releases/": results()}),
    "releases-json": Case("releases -o json", {f"GET {APP}releases/": results(*RELEASES)}),
    "rollback": Case(
        "rollback v1",
        {
            ROLLBACK: [Answer({"operation": "id", "version": None}, 201)],
            f"GET {APP}releases/rollback/id/": [
                Answer({"state": "running", "description": "1 of 2 pods are ready", "version": 3}),
                Answer({"state": "succeeded", "description": "", "version": 3}),
            ],
        },
    ),
    "rollback-no-wait": Case("rollback 1 --no-wait", {ROLLBACK: [Answer({"operation": "id"}, 201)]}),
    "rollback-json": Case("rollback 1 --no-wait -o json", {ROLLBACK: [Answer({"operation": "id"}, 201)]}),
    "rollback-bad-version": Case("rollback latest"),
    "apply": Case("apply -f r.yaml", APPLIED, files={"r.yaml": FILE}),
    "apply-dry-run": Case("apply -f r.yaml --dry-run", APPLIED, files={"r.yaml": FILE}),
    "apply-dry-run-json": Case("apply -f r.yaml --dry-run -o json", APPLIED, files={"r.yaml": FILE}),
    "apply-json": Case("apply -f r.yaml -o json", APPLIED, files={"r.yaml": FILE}),
    "apply-prune": Case("apply -f r.yaml --prune", APPLIED, stdin="no\n", files={"r.yaml": FILE}),
    "apply-faulty": Case("apply -f r.yaml", files={"r.yaml": "resources:\n  db: {plan: x}\n  A: {bind: 1}\n"}),
    "apply-no-plan": Case("apply -f r.yaml", APPLIED, files={"r.yaml": FILE.replace("small", "huge")}),
    "apply-no-file": Case("apply"),
    "doctor": Case("doctor", HEALTHY),
    "doctor-json": Case("doctor -o json", HEALTHY),
    "doctor-no-login": Case("doctor", env={"DRYCC_TOKEN": ""}),
    "doctor-bad-token": Case("doctor", {**HEALTHY, f"GET {SERVICES}": [Answer({"detail": "Invalid token."}, 401)]}),
    "doctor-no-worker": Case("doctor", {**HEALTHY, "GET /readyz": [Answer({"status": "ok", "workers": "none"})]}),
    "doctor-not-ready": Case("doctor", {**HEALTHY, "GET /readyz": [Answer({"detail": "no database"}, 503)]}),
    "doctor-old-service": Case(
        "doctor", {**HEALTHY, "GET /healthz": [Answer({}, headers={"DRYCC_API_VERSION": "1.0"})]}
    ),
    "doctor-clock": Case(
        "doctor",
        {
            **HEALTHY,
            "GET /healthz": [
                Answer({}, headers={"DRYCC_API_VERSION": "2.3", "Date": "Wed, 08 May 2199 01:01:00 GMT"})
            ],
        },
    ),
    "doctor-viewer": Case("doctor", {**HEALTHY, f"GET {APP}access/": [Answer({"user": "vic", "role": "viewer"})]}),
    "doctor-stranger": Case("doctor", {**HEALTHY, f"GET {APP}access/": [Answer({"detail": "no"}, 403)]}),
    **{f"completion-{shell}": Case(f"completion {shell}") for shell in ("bash", "zsh", "fish", "tcsh")},
    "help": Case("--help"),
    **{f"help-{name}": Case(f"{name} --help") for name in COMMANDS},
    "unknown-command": Case("lsit"),
    "unknown-flag": Case("list --foo"),
    "not-logged-in": Case("list", env={"DRYCC_TOKEN": ""}),
    "bad-token": Case("list", refused(f"GET {LIST}", 401, {"detail": "Invalid token."})),
    "no-right": Case("list", refused(f"GET {LIST}", 403, {"detail": "no"})),
    "server-error": Case("list", refused(f"GET {LIST}", 500, {"detail": "Server Error"})),
    "too-large": Case("list", refused(f"GET {LIST}", 422, {"detail": "too large"})),
    "versions-differ": Case(
        "list", {f"GET {LIST}": [Answer({"results": []}, headers={"DRYCC_API_VERSION": "1.0"})]}
    ),
}


def transcript(case: Case, folder: Path) -> str:
    """What the command printed, in an empty folder."""
    for name, text in case.files.items():
        (folder / name).write_text(text)
    with running() as service:
        service.answers = {request: list(answers) for request, answers in case.answers.items()}
        env = environment(service, folder) | dict(case.env)
        ended = invoke(case.arguments, env, folder, stdin=case.stdin, screen=case.screen)
        return _steady(f"$ drycc-resources {case.arguments}\n{_shown(ended)}", service.url, folder)


def _shown(ended: Ended) -> str:
    end = "" if not ended.out or ended.out.endswith("\n") else "(no end of line)\n"
    return f"{ended.out}{end}--- error stream\n{ended.err}--- status {ended.status}\n"


def _steady(text: str, url: str, folder: Path) -> str:
    text = text.replace(url, "http://service").replace(str(folder), "/folder")
    for measured in (r"(?<=done in )[\d.]+(?=s)", r"(?<=in )\d+(?= ms)", r"\d+(?= s behind)"):
        text = re.sub(measured, "0", text)
    text = re.sub(r"^ +[\d.]+s (?=[a-z])", "    0.0s ", text, flags=re.MULTILINE)
    text = re.sub(r"resources [\d.]+ \(helm", "resources 0 (helm", text)
    text = text.replace("\b", "␈").replace("\r", "␍").replace("\x1b", "␛")
    return re.sub(r" +$", lambda spaces: "·" * len(spaces[0]), text, flags=re.MULTILINE)


if __name__ == "__main__":
    os.environ.update(PLACE)
    time.tzset()
    GOLDEN.mkdir(exist_ok=True)
    for stale in GOLDEN.iterdir():
        stale.unlink()
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            (GOLDEN / f"{name}.txt").write_text(transcript(case, Path(folder)))
