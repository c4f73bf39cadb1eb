"""The bridge on each platform: what the settings have to say, and that its parts are joined."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from helmbroker.controller_bridge import cli, wiring
from helmbroker.controller_bridge.platforms import make_drycc_apps, make_watch
from helmbroker.controller_bridge.sealing import load
from helmbroker.controller_bridge.service import Service
from helmbroker.controller_bridge.settings import Settings
from tests.fakes.drycc_controller import DryccController, hook_login, hook_url
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")
HOOK = "http://bridge.example.com/v2/hooks/deploy/"


@pytest.fixture
def controller() -> Iterator[DryccController]:
    found = DryccController()
    yield found
    found.close()


@pytest.fixture
def settings(controller: DryccController, tmp_path: Path) -> Settings:
    (tmp_path / "token").write_text(f"{controller.staff}\n")
    (tmp_path / "key").write_text("key\n")
    made = Settings(
        data_dir=tmp_path / "data",
        platform="drycc",
        drycc_controller_url=controller.url,
        drycc_token_file=tmp_path / "token",
        drycc_hook_url=HOOK,
        drycc_hook_key_file=tmp_path / "key",
    )
    wiring.initialise(made)
    return made


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"platform": "drycc"},
            "set HELMBROKER_BRIDGE_DRYCC_CONTROLLER_URL and HELMBROKER_BRIDGE_DRYCC_TOKEN_FILE",
        ),
        ({"platform": "heroku"}, "platform"),
        ({"drycc_hook_url": HOOK}, "set both or neither"),
        ({"drycc_controller_url": "http://user:pass@drycc"}, "drycc_controller_url"),
        ({"drycc_poll_s": 1}, "drycc_poll_s"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate(wrong)


def test_with_a_platform_there_is_no_file_of_users(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not settings.tokens_file.exists()
    for name in ("data_dir", "platform", "drycc_controller_url", "drycc_token_file"):
        monkeypatch.setenv(f"HELMBROKER_BRIDGE_{name.upper()}", str(getattr(settings, name)))
    said = CliRunner().invoke(cli.main, ["init"])
    assert (said.exit_code, said.output) == (0, "")
    refused = CliRunner().invoke(cli.main, ["token", "add", "bob", "--app", "*"])
    assert refused.exit_code == 1
    assert "PLATFORM is drycc: users, tokens and roles are made there" in refused.output
    assert not settings.tokens_file.exists()


def test_the_api_knows_the_users_of_the_controller(controller: DryccController, settings: Settings) -> None:
    rules = controller.rules
    rules.create_app("shop")
    rules.push("shop", {"web": "shop:1"})
    token = rules.people.add("ann", myteam="viewer")
    client = wiring.make_app(settings, threading.Event()).test_client()
    headers = {"Authorization": f"token {token}"}
    found = client.get("/v2/apps/shop/releases/", headers=headers)
    assert [each["version"] for each in (found.json or {})["results"]] == [2, 1]
    assert client.get("/v2/apps/blog/releases/", headers=headers).status_code == 403
    hook = client.post(
        f"/v2/hooks/deploy/?{hook_url('', rules.apps['shop'], rules.release('shop', 2)).partition('?')[2]}",
        headers=hook_login(HOOK, rules.apps["shop"], rules.release("shop", 2), "key"),
    )
    assert hook.status_code == 204


def test_the_worker_speaks_to_the_controller(controller: DryccController, settings: Settings) -> None:
    controller.rules.create_app("shop")
    sealer = load(settings.keys_file)
    store = wiring.make_store(settings, sealer.keys)
    try:
        assert [one.version for one in make_drycc_apps(settings, store).releases("shop")] == [1]
        watch = make_watch(settings, store, Service(store, sealer))
        assert (watch.poll_s, watch.grace_s) == (900, 86400)
        assert watch.calls.newest("shop", 1)[0].version == 1
    finally:
        store.engine.dispose()
