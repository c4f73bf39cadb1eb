"""Which service, token and app: flags, environment, the login's file, git."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from helmbroker.controller_bridge.plugin.settings import Login, app_name, login, profile_path, service
from helmbroker.controller_bridge.plugin.terminal import CommandError
from tests.unit.plugin.service import Answer, Service, environment, invoke

ENV = {"DRYCC_CONTROLLER_URL": "http://drycc.example.com", "DRYCC_TOKEN": "of-env"}


def profile(path: Path, **content: object) -> Path:
    """A login's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"controller": "drycc.file.com", "token": "of-file", "ssl_verify": True, **content}))
    return path


def test_a_given_file_wins(tmp_path: Path) -> None:
    path = profile(tmp_path / "other.json", ssl_verify=False, response_limit=7)
    assert login(str(path), ENV) == Login("http://drycc.file.com", "of-file", False, 7)


def test_the_dispatchers_environment_wins_over_the_profile(tmp_path: Path) -> None:
    profile(tmp_path / ".drycc" / "client.json")
    env = {**ENV, "HOME": str(tmp_path), "DRYCC_SSL_VERIFY": "false", "DRYCC_RESPONSE_LIMIT": "12"}
    assert login(None, env) == Login("http://drycc.example.com", "of-env", False, 12)
    assert login(None, ENV) == Login("http://drycc.example.com", "of-env", True, 100)


def test_without_a_controller_the_services_address_will_do() -> None:
    env = {"DRYCC_RESOURCES_URL": "http://127.0.0.1:8081", "DRYCC_TOKEN": "of-env"}
    found = login(None, env)
    assert (found.token, service(found, env).url) == ("of-env", "http://127.0.0.1:8081")


def test_half_an_environment_is_none(tmp_path: Path) -> None:
    profile(tmp_path / ".drycc" / "client.json")
    assert login(None, {"DRYCC_TOKEN": "stale", "HOME": str(tmp_path)}).token == "of-file"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("", "/home/me/.drycc/client.json"),
        ("production", "/home/me/.drycc/client.json"),
        ("/etc/x.json", "/etc/x.json"),
        ("~/x.json", "/home/me/x.json"),
        ("$DIR/x.json", "/srv/x.json"),
        ("${DIR}/x.json", "/srv/x.json"),
    ],
)
def test_where_the_profile_is(value: str, path: str) -> None:
    assert profile_path(value, {"HOME": "/home/me", "DIR": "/srv"}) == Path(path)


def test_nobody_is_logged_in(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        login(None, {"HOME": str(tmp_path)})
    assert str(raised.value) == (
        f"client configuration file not found at: {tmp_path}/.drycc/client.json\n"
        "Are you logged in? Use 'drycc login' or 'drycc register' to get started"
    )


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"controller": "x"}', '{"controller": "x", "token": "a\\nb"}']
)
def test_a_broken_profile(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(CommandError, match=r"x\.json"):
        login(str(path), {})


@pytest.mark.parametrize(
    ("controller", "url"),
    [
        ("http://drycc.example.com", "http://drycc-resources.example.com"),
        ("https://drycc.example.com:8443/prefix", "https://drycc-resources.example.com:8443"),
        ("http://10.1.2.3:8000", "http://10.1.2.3:8000"),
        ("http://[::1]:8000/x", "http://[::1]:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
    ],
)
def test_the_service_is_beside_the_controller(controller: str, url: str) -> None:
    assert service(Login(controller, "t", True, 100), {}).url == url


def test_the_services_address_can_be_given() -> None:
    found = Login("http://drycc.example.com", "t", True, 100)
    assert service(found, {"DRYCC_RESOURCES_URL": "bridge:8081/x/"}).url == "http://bridge:8081/x"
    for bad in ("ftp://x", "http://", "http://x:port"):
        with pytest.raises(CommandError, match="no address of a service"):
            service(found, {"DRYCC_RESOURCES_URL": bad})


def test_nothing_secret_in_a_repr() -> None:
    found = Login("http://drycc.example.com", "canary", True, 100)
    assert "canary" not in f"{found} {found!r} {service(found, {})!r}"


def git(directory: Path, *arguments: str) -> None:
    """Run git without this machine's settings."""
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(directory)}
    subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True, env=env)


def test_how_the_app_is_found(tmp_path: Path) -> None:
    directory = tmp_path / "My-Folder"
    directory.mkdir()
    found = Login("http://drycc.example.com", "t", True, 100)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    assert app_name(None, found, env, directory) == "my-folder"
    assert app_name(None, found, env | {"DRYCC_APP": "of-env"}, directory) == "of-env"
    git(directory, "init", "-q")
    git(directory, "remote", "add", "origin", "https://code.example.com/foreign.git")
    assert app_name(None, found, env | {"DRYCC_APP": "of-env"}, directory) == "of-env"
    git(directory, "remote", "add", "drycc", "ssh://git@drycc-builder.example.com:2222/of-git.git")
    (directory / "below").mkdir()
    assert app_name(None, found, env | {"DRYCC_APP": "of-env"}, directory / "below") == "of-git"
    assert app_name("given", found, env, directory) == "given"


def test_names_do_not_leave_their_place_in_the_path(service: Service, tmp_path: Path) -> None:
    service.answer("GET /v2/apps/a%2Fb/resources/..%2Fx/", Answer({"name": "x"}))
    invoke(["describe", "../x", "-a", "a/b"], environment(service, tmp_path), tmp_path)
    assert service.lines == ["GET /v2/apps/a%2Fb/resources/..%2Fx/"]
