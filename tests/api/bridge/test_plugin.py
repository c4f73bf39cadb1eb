"""`drycc-resources` against the REST API itself, over a socket: what one sends, the other takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.api.bridge.calls import Calls
from tests.unit.plugin.service import Ended, invoke

Drycc = Callable[..., Ended]
FILE = """\
resources:
  my-db:
    plan: postgresql:small
    options: {replicas: 2, storage: {size: 2Gi}}
    env: {prefix: DB_}
  cache:
    plan: redis:standard-128
    bind: false
"""


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def url(call: Calls) -> Iterator[str]:
    """The address of the API. Before each request everything that waits is worked off, one step of waiting each."""
    app = call.client.application

    def serve(environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            while call.world.hand.turn():
                pass
        return app(environ, start_response)

    server = make_server("127.0.0.1", 0, serve, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def drycc(call: Calls, url: str, tmp_path: Path) -> Drycc:
    (tmp_path / "resources.yaml").write_text(FILE)

    def run(arguments: str, *, stdin: str = "", who: str = "admin") -> Ended:
        env = {"DRYCC_RESOURCES_URL": url, "DRYCC_TOKEN": call.tokens[who], "DRYCC_APP": "shop", "PATH": ""}
        return invoke(arguments, env, tmp_path, stdin=stdin)

    return run


def states(call: Calls) -> dict[str, tuple[str, str, str]]:
    _, rows = call.world.service.page("shop", limit=100, offset=0)
    return {row.name: (str(row.instance), str(row.binding), row.plan) for row in rows}


def test_a_whole_life(call: Calls, drycc: Drycc) -> None:
    assert drycc("create my-db postgresql small storage.size=2Gi").status == 0
    assert drycc("bind my-db --rename uri=DATABASE_URL").status == 0
    assert "DATABASE_URL:" in drycc("describe my-db").out
    assert drycc("update my-db postgresql large replicas=3").status == 0
    assert states(call) == {"my-db": ("Ready", "Ready", "large")}
    assert drycc("rotate my-db").status == 0
    assert drycc("rotate my-db --every 30d").status == 0
    lines = drycc("logs my-db").out.splitlines()
    assert [line.split()[1:3] for line in lines if line[:4].isdigit()] == [
        ["create", "succeeded"],
        ["bind", "succeeded"],
        ["update", "succeeded"],
        ["rotate", "succeeded"],
    ]
    assert drycc("releases").out.startswith("VERSION")
    assert drycc("rollback v2").status == 0
    assert drycc("unbind my-db").status == 0
    assert drycc("destroy my-db --confirm=my-db").status == 0
    assert states(call) == {}


def test_an_update_that_fails(call: Calls, drycc: Drycc) -> None:
    drycc("create my-db postgresql small")
    call.world.broker.fails["update"] = "quota exceeded"
    ended = drycc("update my-db postgresql large")
    assert (ended.status, ended.err.splitlines()[0]) == (3, "Error: quota exceeded")
    call.world.broker.fails.clear()
    assert drycc("update my-db postgresql large").status == 0


def test_apply_makes_it_so_and_then_does_nothing(call: Calls, drycc: Drycc) -> None:
    shown = drycc("apply -f resources.yaml --dry-run")
    assert shown.out == "+ my-db  create postgresql:small; bind\n+ cache  create redis:standard-128\n"
    assert states(call) == {}
    assert drycc("apply -f resources.yaml").status == 0
    assert states(call) == {
        "my-db": ("Ready", "Ready", "small"),
        "cache": ("Ready", "Unbound", "standard-128"),
    }
    assert set(call.world.environment()) == {"DB_PORT", "DB_URI"}
    calls = list(call.world.broker.calls)
    again = drycc("apply -f resources.yaml")
    assert again == Ended(0, "= my-db  as the file says\n= cache  as the file says\n", "")
    mutations = {"provision", "update", "bind", "unbind", "deprovision"}
    assert not mutations & set(call.world.broker.calls[len(calls) :])


def test_apply_changes_what_differs(call: Calls, drycc: Drycc, tmp_path: Path) -> None:
    drycc("apply -f resources.yaml")
    text = FILE.replace("small", "large").replace("2Gi", "4Gi").replace("DB_}", "PG_}\n    rotate: 30d")
    (tmp_path / "resources.yaml").write_text(text)
    refused = drycc("apply -f resources.yaml")
    place = f"{tmp_path}/resources.yaml:2: my-db"
    assert refused.err.startswith(f"Error: nothing was begun:\n{place}: its variables differ")
    shown = drycc("apply -f resources.yaml --dry-run --rebind").out.splitlines()
    assert shown[0] == (
        "~ my-db  update the plan from postgresql:small to postgresql:large and options storage.size; "
        "unbind; bind with other variables; rotate every 2592000 s"
    )
    assert drycc("apply -f resources.yaml --rebind").status == 0
    assert set(call.world.environment()) == {"PG_PORT", "PG_URI"}
    instance = call.world.broker.instances[call.world.resource().instance_id]
    assert instance.parameters == {"replicas": 2, "storage": {"size": "4Gi"}}
    assert drycc("apply -f resources.yaml").out.startswith("= my-db")


def test_apply_destroys_only_when_told(call: Calls, drycc: Drycc, tmp_path: Path) -> None:
    drycc("apply -f resources.yaml")
    (tmp_path / "resources.yaml").write_text("resources: {}\n")
    kept = drycc("apply -f resources.yaml")
    assert kept.out.splitlines() == [
        "= cache  not in the file, and kept: --prune would destroy it",
        "= my-db  not in the file, and kept: --prune would destroy it",
    ]
    assert set(states(call)) == {"my-db", "cache"}
    doubtful = drycc("apply -f resources.yaml --prune", stdin="yes\n")
    assert (doubtful.status, doubtful.err) == (1, "Error: app shop does not match confirm yes, aborting\n")
    assert set(states(call)) == {"my-db", "cache"}
    assert drycc("apply -f resources.yaml --prune --confirm=shop").status == 0
    assert states(call) == {}


def test_apply_leaves_a_failed_binding_alone_where_none_is_wanted(
    call: Calls, drycc: Drycc, tmp_path: Path
) -> None:
    call.world.broker.fails["bind"] = "no more users"
    drycc("apply -f resources.yaml")
    (tmp_path / "resources.yaml").write_text(FILE.replace("env: {prefix: DB_}", "bind: false"))
    assert drycc("apply -f resources.yaml").out.startswith("= my-db  as the file says\n")


def test_a_plan_that_is_offered_no_more_keeps_its_instances(call: Calls, drycc: Drycc, tmp_path: Path) -> None:
    drycc("apply -f resources.yaml")
    call.world.broker.retire("small")
    (tmp_path / "resources.yaml").write_text(FILE.replace("2Gi", "4Gi"))
    assert drycc("apply -f resources.yaml").status == 0
    instance = call.world.broker.instances[call.world.resource().instance_id]
    assert instance.parameters == {"replicas": 2, "storage": {"size": "4Gi"}}


def test_apply_tries_everything_and_tells_what_failed(call: Calls, drycc: Drycc) -> None:
    call.world.broker.fails["bind"] = "no more users"
    ended = drycc("apply -f resources.yaml")
    assert ended.status == 3
    assert ended.err.startswith("Error: my-db: no more users\n")
    assert states(call)["cache"] == ("Ready", "Unbound", "standard-128")
    call.world.broker.fails.clear()
    assert drycc("apply -f resources.yaml").status == 0
    assert states(call)["my-db"] == ("Ready", "Ready", "small")


def test_apply_refuses_before_it_begins(call: Calls, drycc: Drycc, tmp_path: Path) -> None:
    drycc("apply -f resources.yaml")
    text = FILE.replace("postgresql:small", "mysql:small").replace(
        "bind: false", "bind: false\n  queue: {plan: a:b}"
    )
    (tmp_path / "resources.yaml").write_text(text.replace("standard-128", "huge"))
    before = call.world.observe()
    ended = drycc("apply -f resources.yaml")
    path = f"{tmp_path}/resources.yaml"
    assert ended.err.splitlines() == [
        "Error: nothing was begun:",
        f"{path}:2: my-db: it is a postgresql, and cannot become a mysql: take another name, or destroy it first",
        f"{path}:6: cache: redis has no plan 'huge', only standard-128; see: services, plans",
        f"{path}:9: queue: there is no service 'a'; see: services, plans",
    ]
    assert call.world.observe() == before


def test_apply_shares_the_instance_of_another_app(call: Calls, drycc: Drycc, tmp_path: Path) -> None:
    call.world.apps.add_app("blog")
    drycc("apply -f resources.yaml")
    (tmp_path / "blog.yaml").write_text("resources:\n  theirs:\n    from: shop/my-db\n")
    shown = drycc("apply -f blog.yaml --app blog --dry-run").out
    assert shown == "+ theirs  share the instance of shop/my-db; bind\n"
    assert drycc("apply -f blog.yaml --app blog").status == 0
    assert drycc("apply -f blog.yaml --app blog").out == "= theirs  as the file says\n"
    (tmp_path / "blog.yaml").write_text("resources:\n  theirs:\n    plan: postgresql:small\n")
    assert "it shares shop/my-db: take another name" in drycc("apply -f blog.yaml --app blog").err


def test_without_waiting_apply_begins_what_it_can(call: Calls, drycc: Drycc) -> None:
    ended = drycc("apply -f resources.yaml --no-wait")
    assert ended.err == "my-db: accepted; apply again for the rest: create postgresql:small; bind\n"
    assert states(call)["my-db"][1] == "Unbound"
    assert drycc("apply -f resources.yaml").status == 0
    assert states(call)["my-db"] == ("Ready", "Ready", "small")


@pytest.mark.parametrize(
    ("who", "said"), [("member", "alice is member of shop"), ("admin", "root is admin of shop")]
)
def test_the_doctor_sees_rights(drycc: Drycc, who: str, said: str) -> None:
    assert said in drycc("doctor", who=who).out


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("viewer", "victor may only look at shop"),
        ("stranger", "in the app shop: you do not have permission to perform this action"),
    ],
)
def test_the_doctor_sees_missing_rights(drycc: Drycc, who: str, said: str) -> None:
    ended = drycc("doctor", who=who)
    assert f"FAIL  rights    {said}\n" in ended.out
    assert ended.status == 1
