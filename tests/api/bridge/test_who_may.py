"""The table of who may: every endpoint by role and app, by every way to know users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from helmbroker.controller_bridge.access.drycc import DryccAuthority
from helmbroker.controller_bridge.access.kubernetes import GROUP, RESOURCE, VERBS, KubeAuthority
from helmbroker.controller_bridge.access.port import Authority
from helmbroker.controller_bridge.api.app import ROUTES
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.model import Role
from tests.api.bridge.calls import Calls, served
from tests.api.bridge.permissions import APPS, PAGE, PEOPLE, expected, section
from tests.api.bridge.test_everywhere import OPEN, path_of
from tests.fakes.drycc.config import Refusal
from tests.fakes.drycc_controller import DryccController
from tests.fakes.kube import FakeKube

OF_FILE = {"viewer": "viewer", "member": "member", "stranger": "stranger", "root": "admin"}


class Doors:
    """The API of one test, with users of one kind."""

    def __init__(self, call: Calls, authority: Authority | None, tokens: dict[str, str]) -> None:
        self.call, self.tokens = call, tokens
        api = call.api if authority is None else replace(call.api, authority=authority)
        self.client = served(api).test_client()

    def status(self, method: str, path: str, who: str) -> int:
        """What somebody gets."""
        headers = {"Authorization": f"token {self.tokens[who]}"}
        return self.client.open(path, method=method, headers=headers, json={}).status_code

    def opened(self, who: str) -> dict[tuple[str, str], bool]:
        """Which endpoint lets them in, by method and path."""
        tried = [
            (route.method, path_of(route.path, app))
            for route in ROUTES
            for app in (APPS if "<app:app>" in route.path else APPS[:1])
            if route.path not in OPEN
        ]
        return {(method, path): self.status(method, path, who) != 403 for method, path in tried}


@pytest.fixture(params=["file", "drycc", "kubernetes"])
def doors(request: pytest.FixtureRequest, call: Calls) -> Iterator[Doors]:
    with ExitStack() as stack:
        if request.param == "file":
            yield Doors(call, None, {who: call.tokens[owner] for who, owner in OF_FILE.items()})
        elif request.param == "drycc":
            controller = DryccController()
            stack.callback(controller.close)
            yield _of_a_controller(call, controller)
        else:
            yield _of_a_cluster(call, FakeKube(*APPS))


def _of_a_controller(call: Calls, controller: DryccController) -> Doors:
    for app in APPS:
        controller.rules.create_app(app, f"{app}team")
    tokens = {}
    for who, roles in PEOPLE.items():
        tokens[who] = controller.rules.people.add(who, superuser=who == "root")
        for app, role in roles.items() if who != "root" else ():
            controller.rules.people.members.setdefault(f"{app}team", {})[who] = role.name.lower()
    tokens["staff"] = controller.staff
    return Doors(call, DryccAuthority(ControllerClient(controller.url)), tokens)


def _of_a_cluster(call: Calls, kube: FakeKube) -> Doors:
    for who, roles in PEOPLE.items():
        kube.tokens[f"{who}-token"] = {"username": who, "uid": "1", "groups": ["system:authenticated"]}
        for app, role in roles.items():
            about = {"name": who, "namespace": app}
            verbs = [VERBS[each] for each in Role if each <= role]
            rules = [{"apiGroups": [GROUP], "resources": [RESOURCE], "verbs": verbs}]
            api = "rbac.authorization.k8s.io/v1"
            ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": who}
            binding = {"roleRef": ref, "subjects": [{"kind": "User", "name": who}]}
            kube.create({"apiVersion": api, "kind": "Role", "metadata": about, "rules": rules})
            kube.create({"apiVersion": api, "kind": "RoleBinding", "metadata": about, **binding})
    return Doors(call, KubeAuthority(kube), {who: f"{who}-token" for who in PEOPLE})


def test_every_endpoint_by_role_and_app(doors: Doors) -> None:
    people = [who for who in PEOPLE if who in doors.tokens]
    assert len(people) >= 4
    for who in people:
        assert doors.opened(who) == expected(who), who


def test_who_is_not_known_gets_in_nowhere(doors: Doors) -> None:
    doors.tokens["unknown"] = "unknown"
    for route in ROUTES:
        if route.path not in OPEN:
            assert doors.status(route.method, path_of(route.path), "unknown") == 401


def test_staff_passes_everywhere(call: Calls) -> None:
    controller = DryccController()
    try:
        doors = _of_a_controller(call, controller)
        assert all(doors.opened("staff").values())
    finally:
        controller.close()


@pytest.mark.parametrize("path", ["/v2/auth/whoami/", "/v2/apps/shop/"])
def test_without_the_controller_nobody_gets_in_and_nobody_is_refused(call: Calls, path: str) -> None:
    controller = DryccController()
    try:
        doors = _of_a_controller(call, controller)
        controller.fail("GET", path, Refusal(503, {"detail": "away"}))
        assert doors.status("GET", "/v2/apps/shop/resources/", "viewer") == 503
        assert doors.status("GET", "/v2/apps/shop/resources/", "viewer") == 200
    finally:
        controller.close()


def test_operations_carry_the_name_of_the_platform_and_resources_the_workspace(call: Calls) -> None:
    controller = DryccController()
    try:
        doors = _of_a_controller(call, controller)
        body = {"name": "my-db", "plan": "postgresql:small"}
        headers = {"Authorization": f"token {doors.tokens['member']}"}
        answer = doors.client.post("/v2/apps/shop/resources/", json=body, headers=headers)
        made = answer.json or {}
        assert (answer.status_code, made["owner"], made["workspace_id"]) == (201, "member", "shopteam")
    finally:
        controller.close()


def test_the_page_says_so() -> None:
    assert section() in PAGE.read_text(), "python -m tests.api.bridge.permissions writes it anew"
