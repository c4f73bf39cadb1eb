"""Secrets that went in do not come out in a sentence."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from helmbroker.broker.operations.redaction import named_like_secrets, scrub, secrets_of

CANARY = 'c4n4ry-"quoted"\nsecond line'
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "pin": {"type": "integer", "writeOnly": True},
        "storage": {"type": "object", "properties": {"size": {"type": "string"}}},
        "smtp": {
            "type": "object",
            "properties": {"host": {"type": "string"}, "login": {"type": "string", "writeOnly": True}},
        },
    },
}


def test_secret_parameters_are_those_marked_or_called_so() -> None:
    given: dict[str, Any] = {
        "pin": 4711,
        "storage": {"size": "20Gi"},
        "smtp": {"host": "mail.example", "login": CANARY},
        "adminPassword": "hunter22",
    }
    assert secrets_of(SCHEMA, given) == {"4711", CANARY, "hunter22"}
    assert secrets_of(None, {"a": "b"}) == {"b"}, "nobody said that it is none"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "adminPassword",
        "PASSWD",
        "pwd",
        "clientSecret",
        "api_key",
        "apiKey",
        "accessKey",
        "token",
        "sslPrivate",
        "credentials",
        "passphrase",
    ],
)
def test_names_of_secrets(name: str) -> None:
    hidden = {"inner": {name: {"deep": "s3cr3t"}}}
    values: dict[str, Any] = {"outer": [hidden], "image": {"repository": "registry/x"}}
    assert list(named_like_secrets(values)) == ["s3cr3t"]


@pytest.mark.parametrize("name", ["image", "storage", "hostname", "keyspace", "size"])
def test_names_of_no_secrets(name: str) -> None:
    assert list(named_like_secrets({name: "plain"})) == []


@pytest.mark.parametrize(
    "said",
    [
        CANARY,
        CANARY.replace("\n", " "),  # helm's lines joined
        'c4n4ry-\\"quoted\\"\\nsecond line',  # in JSON or Go quotes
        base64.b64encode(CANARY.encode()).decode(),  # data of a Secret
    ],
)
def test_every_form_is_hidden(said: str) -> None:
    assert scrub(f'text "{said}" is wrong', {CANARY}) == 'text "<hidden>" is wrong'


def test_the_longest_secret_goes_first() -> None:
    assert scrub("abcdef abcd", {"abcd", "abcdef"}) == "<hidden> <hidden>"


def test_short_secrets_are_hidden_as_words_only() -> None:
    assert scrub("pin 12 of 1234, at 12:30", {"12"}) == "pin <hidden> of 1234, at <hidden>:30"
    assert scrub("an error", {"", " "}) == "an error"


def test_a_secret_that_is_cut_off_is_hidden() -> None:
    assert scrub("the password is hunter2…", {"hunter22-and-more"}) == "the password is <hidden>…"
    assert scrub("the end is near…", {"hunter22"}) == "the end is near…"
