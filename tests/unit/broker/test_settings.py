"""Settings from the environment: what is taken, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from helmbroker.broker.settings import Settings

CANARY = "canary-e44d"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HELMBROKER_{name.upper()}", raising=False)


def test_all_of_them_have_defaults_that_fit_one_machine() -> None:
    settings = Settings()
    assert settings.address == ("127.0.0.1", 8080)
    assert settings.url == f"sqlite:///{Path('helmbroker-data/helmbroker.db').absolute()}"
    assert settings.keys_file == Path("helmbroker-data/keys.json")
    assert settings.platform_file == Path("helmbroker-data/platform-credentials")


def test_a_key_ring_elsewhere_wins_over_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELMBROKER_KEY_RING_FILE", "/etc/helmbroker/keys.json")
    assert Settings().keys_file == Path("/etc/helmbroker/keys.json")


@pytest.mark.parametrize(
    ("listen", "address"),
    [("10.0.0.1:80", ("10.0.0.1", 80)), ("[::1]:8080", ("::1", 8080)), ("broker.local:0", ("broker.local", 0))],
)
def test_an_address_is_host_and_port(
    monkeypatch: pytest.MonkeyPatch, listen: str, address: tuple[str, int]
) -> None:
    monkeypatch.setenv("HELMBROKER_LISTEN", listen)
    assert Settings().address == address


def test_a_database_elsewhere_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELMBROKER_DATABASE_URL", f"postgresql://u:{CANARY}@db/x")
    settings = Settings()
    assert settings.url == f"postgresql://u:{CANARY}@db/x"
    assert CANARY not in repr(settings)


def test_the_databases_password_may_stay_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "database-url"
    monkeypatch.setenv("HELMBROKER_DATABASE_URL_FILE", str(file))
    settings = Settings()
    with pytest.raises(FileNotFoundError):
        _ = settings.url
    file.write_text(f"postgresql://u:{CANARY}@db/x\n")
    assert settings.url == f"postgresql://u:{CANARY}@db/x"
    monkeypatch.setenv("HELMBROKER_DATABASE_URL", "postgresql://db/x")
    with pytest.raises(ValidationError, match="set one of them"):
        Settings()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Charts and compose files write them so."""
    monkeypatch.setenv(f"HELMBROKER_{name.upper()}", "")
    assert Settings() == Settings.model_construct()


WRONG = [
    ("LISTEN", "8080", "must be host:port"),
    ("LISTEN", ":8080", "must be host:port"),
    ("LISTEN", "host:", "must be host:port"),
    ("LISTEN", "host:65536", "must be host:port"),
    ("LISTEN", "host:²", "must be host:port"),
    ("DATABASE_URL", f"mysql://u:{CANARY}@db/x", "must be postgresql://user:password@host/name or sqlite:////"),
    ("DATABASE_URL", "sqlite://", "must be postgresql://"),
    ("DATABASE_URL", "sqlite:///relative", "must be postgresql://"),
    ("INSTANCE_NAMESPACE", "Kube_System", "should match pattern"),
    ("INSTANCE_NAMESPACE", "x" * 64, "should match pattern"),
    ("INSTANCE_NAMESPACE", "ns\n", "should match pattern"),
    ("CONCURRENCY", "0", "greater than or equal to 1"),
    ("CONCURRENCY", "65", "less than or equal to 64"),
    ("CONCURRENCY", "many", "valid integer"),
    ("STUCK_AFTER_S", "0", "greater than or equal to 1"),
    ("STUCK_AFTER_S", "nan", "greater than or equal to 1"),
    ("MISSING_VERSION_STATUS", "401", "'400' or '412'"),
    ("OIDC_ISSUER", f"https://u:{CANARY}@host", "should match pattern"),
    ("OIDC_ISSUER", "file:///etc/passwd", "should match pattern"),
    ("OIDC_ALGORITHMS", "RS256,HS256", "should match pattern"),
    ("OIDC_ALGORITHMS", "none", "should match pattern"),
    ("OIDC_CLAIMS", "groups", "should match pattern"),
    ("OIDC_LEEWAY_S", "301", "less than or equal to 300"),
    ("LOG_LEVEL", "trace", "'debug', 'info', 'warning' or 'error'"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_value_is_told_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"HELMBROKER_{name}", value)
    with pytest.raises(ValidationError) as error:
        Settings()
    (found,) = error.value.errors()
    assert found["loc"] == (name.lower(),)
    assert message in found["msg"]
    assert CANARY not in str(error.value) + found["msg"]


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_logins_may_be_in_a_folder_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HELMBROKER_LOGINS_DIR", str(tmp_path))
    settings = Settings()

    lines = {settings.users_file, settings.tokens_file, settings.admins_file, settings.watchers_file}
    assert {file.parent for file in lines | {settings.platform_file}} == {tmp_path}
    assert settings.keys_file.parent == settings.data_dir
