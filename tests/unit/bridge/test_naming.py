"""Names of resources, config groups and environment variables."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.controller_bridge.naming import BadCredentials, config_group, environment, name_error, variable
from helmbroker.durable import JSON

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


@pytest.mark.parametrize("name", ["abc", "my-db", "0-1", "a" * 63, "drycc1", "kubernetes"])
def test_good_names(name: str) -> None:
    assert name_error(name) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "required"),
        (3, "required"),
        ("", "required"),
        ("ab", "at least 3"),
        ("a" * 64, "no more than 63"),
        ("My-db", "name can only supports"),
        ("a--b", "name can only supports"),
        ("-ab", "name can only supports"),
        ("ab-", "name can only supports"),
        ("a_b", "name can only supports"),
        ("abc\n", "name can only supports"),
        ("drycc", "reserved"),
        ("drycc-x", "reserved"),
        ("kube-system", "reserved"),
        ("default", "reserved"),
    ],
)
def test_bad_names(name: object, words: str) -> None:
    assert words in (name_error(name) or "")


def test_group() -> None:
    assert config_group("my-first-db") == "addon_my_first_db"


@pytest.mark.parametrize(
    ("resource", "key", "name"),
    [
        ("my-db", "uri", "MY_DB_URI"),
        ("db", "ssl.ca-cert", "DB_SSL_CA_CERT"),
        ("0db", "uri", "_0DB_URI"),
        ("db", "größe", "DB_GR_SSE"),
    ],
)
def test_variables(resource: str, key: str, name: str) -> None:
    assert variable(resource, key) == name


def test_values_become_text() -> None:
    credentials: dict[str, JSON] = {
        "host": "db",
        "port": 5432,
        "tls": True,
        "hosts": ["a", "b"],
        "extra": {"x": 1},
        "none": None,
        "empty": "",
    }
    assert environment("db", credentials) == {
        "DB_HOST": "db",
        "DB_PORT": "5432",
        "DB_TLS": "true",
        "DB_HOSTS": '["a", "b"]',
        "DB_EXTRA": '{"x": 1}',
        "DB_EMPTY": "",
    }


@pytest.mark.parametrize(
    ("resource", "credentials", "words"),
    [
        ("db", {"a-b": "canary", "a_b": "canary"}, "'a-b' and 'a_b' both become DB_A_B"),
        ("kubernetes", {"service_host": "canary"}, "KUBERNETES_SERVICE_HOST belongs to the platform"),
        ("db", {}, "no credentials"),
        ("db", {"a": None}, "no credentials"),
    ],
)
def test_bad_credentials_are_named_without_values(resource: str, credentials: dict[str, JSON], words: str) -> None:
    with pytest.raises(BadCredentials, match=re.escape(words)) as caught:
        environment(resource, credentials)
    assert "canary" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True), st.text(min_size=1))
def test_every_variable_is_a_good_name(resource: str, key: str) -> None:
    assert VARIABLE.fullmatch(variable(resource, key))
