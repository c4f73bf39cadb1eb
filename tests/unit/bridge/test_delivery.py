"""What an app gets of a binding: variables by a mapping, and the entries of a Secret."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.controller_bridge.delivery import (
    BadCredentials,
    BadMapping,
    EnvMapping,
    environment,
    secret_entries,
)
from helmbroker.durable import JSON

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
GIVEN: dict[str, JSON] = {"host": "db", "port": 5432, "uri": "postgresql://db", "ca": "PEM"}


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
    assert EnvMapping().variable(resource, key) == name


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
    assert VARIABLE.fullmatch(EnvMapping().variable(resource, key))


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ({}, {"MY_DB_HOST", "MY_DB_PORT", "MY_DB_URI", "MY_DB_CA"}),
        ({"prefix": "PG"}, {"PGHOST", "PGPORT", "PGURI", "PGCA"}),
        ({"rename": {"uri": "DATABASE_URL"}}, {"MY_DB_HOST", "MY_DB_PORT", "DATABASE_URL", "MY_DB_CA"}),
        ({"only": ["uri"], "rename": {"uri": "DATABASE_URL"}}, {"DATABASE_URL"}),
        ({"prefix": "", "only": ["uri", "ca"]}, {"URI", "CA"}),
    ],
)
def test_a_mapping_says_what_the_variables_are_called(written: JSON, variables: set[str]) -> None:
    mapping = EnvMapping.read(written)
    assert set(environment("my-db", GIVEN, mapping)) == variables
    assert EnvMapping.read(mapping.stored()) == mapping


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([], "an object with prefix, rename and only"),
        ({"suffix": "X"}, "there is no suffix"),
        ({"prefix": "db_"}, "prefix has to be capital letters"),
        ({"prefix": "1"}, "prefix has to be capital letters"),
        ({"rename": ["uri"]}, "rename has to be an object"),
        ({"rename": {"uri": "database-url"}}, "uri cannot be renamed so"),
        ({"rename": {"uri": "DRYCC_APP"}}, "uri cannot be renamed to DRYCC_APP: that belongs to the platform"),
        ({"rename": {"uri": "A", "host": "A"}}, "two keys are renamed to A"),
        ({"only": "uri"}, "only has to be a list"),
        ({"only": ["host"], "rename": {"uri": "A"}}, "uri is renamed, but not in only"),
    ],
)
def test_mappings_that_cannot_be(written: JSON, words: str) -> None:
    with pytest.raises(BadMapping, match=re.escape(words)):
        EnvMapping.read(written)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (EnvMapping(prefix=""), "PORT belongs to the platform: rename 'port', or choose a prefix"),
        (EnvMapping(rename={"url": "A"}), "the binding delivers no 'url'; its keys are ca, host, port, uri"),
        (EnvMapping(only=("jdbc",)), "the binding delivers no 'jdbc'; its keys are ca, host, port, uri"),
        (
            EnvMapping(rename={"uri": "MY_DB_HOST"}),
            "the credentials 'host' and 'uri' both become MY_DB_HOST: rename one of them at bind",
        ),
    ],
)
def test_mappings_that_do_not_fit_the_credentials(mapping: EnvMapping, words: str) -> None:
    with pytest.raises(BadCredentials, match=re.escape(words)):
        environment("my-db", GIVEN, mapping)


def test_a_secret_has_the_well_known_entries() -> None:
    assert secret_entries("postgresql", {**GIVEN, "größe": None, "a b": [1]}) == {
        "type": "postgresql",
        "provider": "postgresql",
        "certificates": "PEM",
        "host": "db",
        "port": "5432",
        "uri": "postgresql://db",
        "ca": "PEM",
        "a_b": "[1]",
    }
    own = secret_entries("pg", {"type": "postgresql", "provider": "helmbroker", "certificates": "own", "ca": "x"})
    assert (own["type"], own["provider"], own["certificates"]) == ("postgresql", "helmbroker", "own")
