"""The controller tells of a release: signed, answered at once, and only a reason to look."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.controller_bridge.api.deploy_hook import DeployHook
from helmbroker.controller_bridge.apps.drycc.client import TokenFile
from tests.api.bridge.calls import Calls, served
from tests.fakes.drycc.controller import Controller
from tests.fakes.drycc_controller import hook_login, hook_url

URL = "https://drycc-resources.example.com/v2/hooks/deploy/"
KEY = "canary-key"


class Desk:
    """An API with a hook, and the apps it was told of."""

    def __init__(self, call: Calls) -> None:
        self.hurried: list[str] = []
        self.hook = DeployHook(URL, lambda: KEY, self.hurried.append)
        self.client = served(replace(call.api, deploy_hook=self.hook)).test_client()

    def tell(self, query: str, signature: str, path: str = "/v2/hooks/deploy/") -> Any:
        return self.client.post(f"{path}?{query}", headers={"Authorization": signature})


@pytest.fixture
def desk(call: Calls) -> Desk:
    return Desk(call)


def signed(query: str, key: str = KEY, url: str = URL) -> str:
    return hmac.new(key.encode(), f"{url}?{query}".encode(), hashlib.sha1).hexdigest()


def test_what_the_controller_sends_is_taken(desk: Desk) -> None:
    rules = Controller()
    shop = rules.create_app("shop")
    release = rules.push("shop", {"web": "shop:1"})
    query = hook_url(URL, shop, release).partition("?")[2]
    answer = desk.tell(query, hook_login(URL, shop, release, KEY)["Authorization"])
    assert (answer.status_code, answer.data, desk.hurried) == (204, b"", ["shop"])


def test_the_slash_is_optional(desk: Desk) -> None:
    assert desk.tell("app=shop", signed("app=shop"), "/v2/hooks/deploy").status_code == 204


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "token nope",
        signed("app=blog"),
        signed("app=shop", key="another"),
        signed("app=shop", url="http://elsewhere/v2/hooks/deploy/"),
        signed("app=shop").upper(),
        "\xff",
    ],
)
def test_what_others_send_is_not(desk: Desk, signature: str) -> None:
    answer = desk.tell("app=shop", signature)
    assert answer.status_code == 401
    assert answer.json == {"detail": "The signature is not that of the controller."}
    assert desk.hurried == []


def test_a_bridge_without_a_hook_takes_none(call: Calls) -> None:
    answer = call.client.post("/v2/hooks/deploy/?app=shop", headers={"Authorization": signed("app=shop")})
    assert answer.status_code == 401


def test_without_the_file_of_the_key_strangers_are_not_told_where_it_should_be(
    call: Calls, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = TokenFile(tmp_path / "hook-key", "the secret key of the controller's deploy hook")
    api = replace(call.api, deploy_hook=DeployHook(URL, key, print))
    answer = served(api).test_client().post("/v2/hooks/deploy/?app=shop")
    assert (answer.status_code, str(tmp_path) in answer.text) == (503, False)
    assert str(tmp_path / "hook-key") in caplog.text


def test_the_key_shows_nowhere(desk: Desk) -> None:
    assert KEY not in repr(desk.hook)
