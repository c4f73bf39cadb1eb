"""The canary search: secrets are planted, everything is done that can be done, and every place is searched."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.kubeapi.port import Kube
from tests.addons.tree import ROTATING
from tests.canary.evidence import misplaced, missing
from tests.canary.places import Place
from tests.canary.scene import VAULT, Scene, scene
from tests.canary.secrets import Kind
from tests.cluster.addons import NAMES
from tests.cluster.bridge import Resource
from tests.cluster.inventory import await_nothing
from tests.cluster.osb import Binding, Instance

pytestmark = [pytest.mark.cluster, pytest.mark.sandbox, pytest.mark.timeout(1800)]
_APPS = "redis"  # the addon that the app has


@pytest.mark.bug(50, 51, 53, 86)
def test_secrets_are_where_they_have_to_be_and_nowhere_else(kube: Kube, tmp_path: Path) -> None:
    folder = tmp_path / "product"
    folder.mkdir()
    with scene(kube, folder) as made:
        made.know_files()
        with ThreadPoolExecutor() as pool:
            lives = [pool.submit(_live, made, addon) for addon in NAMES if addon != _APPS]
            lives += [pool.submit(each, made) for each in (_live_in_the_vault, _live_of_an_app, _refused)]
            for life in lives:
                life.result()
        _operated(made)
        made.files.look_at_databases()
        made.know_files()
        await_nothing(made.running.namespace)
    assert [place for place in Place if not made.evidence.count(place)] == [], "nothing was seen there"
    findings = made.evidence.findings(made.secrets)
    assert misplaced(findings) == []
    assert missing(findings) == []


def _succeeds(instance: Instance) -> Instance:
    end = instance.provision()
    assert end.state == "succeeded", end
    return instance


def _bound(binding: Binding, **parameters: str) -> Binding:
    end = binding.bind(parameters or None)
    assert end.state == "succeeded", end
    assert binding.credentials()["password"]
    return binding


def _live(made: Scene, addon: str) -> None:
    """Provision, bind, rotate (the administrator, too), unbind, deprovision."""
    instance = _succeeds(made.platform.instance(addon, "small"))
    old = _bound(instance.binding())
    new = instance.binding()
    body = {**instance.ids, "predecessor_binding_id": old.id}
    answer = made.platform.expect(202, "PUT", new.path, body, accepts_incomplete="true")
    assert instance.follow(str(answer["operation"]), new.path).state == "succeeded"
    assert new.credentials()["password"] != old.credentials()["password"]
    if addon in ROTATING:
        assert instance.update(parameters={"admin": {"rotation": "1"}}).state == "succeeded"
    made.files.look_at_databases()
    assert [each.unbind().state for each in (old, new)] == ["succeeded"] * 2
    assert instance.delete().state == "succeeded"


def refused(made: Scene) -> str:
    """A secret that the vault's charts do not take, and repeat."""
    return made.plant(Kind.PARAMETERS, "a refused text", begin="refuse")


def _live_in_the_vault(made: Scene) -> None:
    """With secrets of the user's own; each operation fails, too."""
    instance = made.platform.instance(VAULT, "small")
    end = instance.provision({"text": made.plant(Kind.PARAMETERS, "a new instance")})
    assert end.state == "succeeded", end
    assert instance.binding().bind({"text": refused(made)}).state == "failed"
    for text in (refused(made), made.plant(Kind.PARAMETERS, "too long a text") * 2):  # the chart's schema takes 64
        assert instance.update(parameters={"text": text}).state == "failed"
        failed = made.platform.instance(VAULT, "small")
        assert failed.provision({"text": text}).state == "failed"
        assert failed.delete().state == "succeeded"
    end = instance.update(parameters={"text": made.plant(Kind.PARAMETERS, "an update")})
    assert end.state == "succeeded", end
    binding = _bound(instance.binding(), text=made.plant(Kind.PARAMETERS, "a binding"))
    for path in (instance.path, binding.path):
        made.platform.expect(200, "GET", path)
    made.files.look_at_databases()
    failing = made.platform.instance(VAULT, "small")
    secret = made.plant(Kind.PARAMETERS, "an instance whose Jobs fail")
    assert failing.provision({"text": secret, "make": "echo no; exit 3"}).state == "failed"
    for each in (instance, failing):
        assert each.delete().state == "succeeded"


def _live_of_an_app(made: Scene) -> None:
    """By the bridge: create with options, bind, rotate, unbind, destroy."""
    bridge, app = made.bridge, made.app
    options = {"text": made.plant(Kind.PARAMETERS, "options of a resource")}
    for name, plan, given in (
        ("store", VAULT, options),
        ("refused", VAULT, {"text": refused(made)}),
        ("cache", _APPS, {}),
    ):
        body = {"name": name, "plan": f"{plan}:small", "options": given}
        bridge.expect("POST", f"/apps/{app}/resources/", body)
    store, lost, cache = (Resource(bridge, app, name) for name in ("store", "refused", "cache"))
    assert [each.follow("status")["status"] for each in (store, lost, cache)] == ["Ready", "Failed", "Ready"]
    for each in (store, cache):
        each.bind()
        each.follow("binding")
    cache.rotate()
    assert cache.follow("binding")["binding"] == "Ready"
    store.rotate(force=True)
    assert store.follow("binding")["binding"] == "Ready"
    made.files.look_at_databases()
    bridge.ask("GET", f"/apps/{app}/resources/")
    bridge.ask("GET", f"/apps/{app}/releases/")
    for each in (store, cache):
        bridge.expect("PATCH", f"{each.path}binding/", {"bind_action": "unbind"})
        each.follow("binding")
    for each in (store, lost, cache):
        bridge.expect("DELETE", each.path)


def _refused(made: Scene) -> None:
    """What is wrong with a request is said without what it says."""
    wrong, header = made.plant(Kind.LOGINS, "a wrong one"), "X-Broker-API-Originating-Identity"
    basic = base64.b64encode(f"platform:{wrong}".encode()).decode()
    made.know(Kind.LOGINS, "a wrong one, encoded", basic)
    good = f"Bearer {made.login('token', 'canary')}"
    ask, secret = made.platform.ask_as, made.plant(Kind.PARAMETERS, "a wrong body")
    identity = base64.b64encode(json.dumps({"username": "ann", "token": secret}).encode()).decode()
    path = f"{made.platform.instance(VAULT, 'small').path}?accepts_incomplete=true"
    ids = made.platform.ids(VAULT, "small")
    bodies = [
        f'{{"parameters": "{secret}'.encode(),
        *(
            json.dumps({**ids, "parameters": parameters}).encode()
            for parameters in ({"text": [secret]}, {"replicas": secret}, {secret: 1}, secret)
        ),
    ]
    statuses = {ask(login, "PUT", path).status_code for login in (f"Basic {basic}", f"Bearer {wrong}", wrong)}
    statuses |= {ask(good, "PUT", path, body, **{header: f"test {identity}"}).status_code for body in bodies}
    statuses |= {ask(good, "PUT", f"{path}&token={secret}", header=secret, Cookie=secret).status_code}
    assert statuses == {400, 401}
    stranger = replace(made.bridge, token=wrong)
    assert stranger.ask("GET", f"/apps/{made.app}/resources/").status_code == 401
    for body in (
        {"name": "x", "plan": "x:y", "options": secret},
        {"name": [secret], "options": {"rawValues": secret}},
    ):
        assert made.bridge.ask("POST", f"/apps/{made.app}/resources/", body).status_code == 400


def _operated(made: Scene) -> None:
    """What operators look at, and a key ring that changes."""
    admin = f"Bearer {made.login('admin', 'canary')}"
    basic = base64.b64encode(f"canary:{made.login('user', 'canary')}".encode()).decode()
    made.know(Kind.LOGINS, "header of a user", basic)
    assert made.platform.ask_as(f"Basic {basic}", "GET", "/v2/catalog").ok
    for path in (
        "/metrics",
        "/admin/operations",
        "/admin/workers",
        "/admin/findings",
        "/admin/catalog",
        "/admin/events",
        "/admin/instances",
        "/admin/doctor",
        "/admin/upgrades",
    ):
        assert made.platform.ask_as(admin, "GET", path).ok
    for arguments in (["show", "--limit", "1000"], ["export"], ["verify"]):
        assert made.operate("audit", *arguments, place=Place.AUDIT).status == 0
        assert made.operate_bridge("audit", *arguments) == 0
    document = made.running.data_dir / "export.json"
    for command in (
        "keys add",
        "keys rotate",
        "keys list",
        "list --gone",
        "events",
        "operations list",
        "doctor",
        "check",
    ):
        made.operate(*command.split())
    assert made.operate("export", str(document)).status == 0
