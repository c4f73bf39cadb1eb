"""JWTs of an OpenID provider: what is accepted, what never is, and what becomes of a provider that is away."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests_mock
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Request
from werkzeug.test import EnvironBuilder

from helmbroker.broker.api.auth.chain import Caller, How, Refused
from helmbroker.broker.api.auth.jwks import FRESH_S, RETRY_S, ProviderKeys
from helmbroker.broker.api.auth.oidc import OidcTokens, Rules
from helmbroker.broker.domain.errors import Unavailable
from tests.unit.broker.provider import AUDIENCE, EC_KEY, OTHER_KEY, RSA_KEY, Provider, public

ALGORITHMS = ("RS256", "ES256")


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


class Gate:
    """What the broker has in front of it, with a clock that the test holds."""

    def __init__(self, provider: Provider, jwks_url: str | None = None, **rules: Any) -> None:
        self.now = 1000.0
        keys = ProviderKeys(provider.issuer, jwks_url, clock=lambda: self.now)
        self._tokens = OidcTokens(Rules(provider.issuer, AUDIENCE, ALGORITHMS, **rules), keys)

    def show(self, token: str, kind: str = "Bearer") -> Caller | None:
        headers = [("Authorization", f"{kind} {token}")]
        return self._tokens.caller(Request(EnvironBuilder(headers=headers).get_environ()))

    def refuses(self, token: str) -> str:
        with pytest.raises(Refused) as refused:
            self.show(token)
        return str(refused.value)


ALICE = Caller("alice", How.OIDC)


def test_a_good_token_names_its_caller(provider: Provider) -> None:
    gate = Gate(provider)
    assert gate.show(provider.token()) == ALICE
    assert gate.show(provider.token(RSA_KEY, "RS256", {"kid": "r"}, aud=["x", AUDIENCE])) == ALICE
    assert provider.asked == ["/realm/.well-known/openid-configuration", "/keys"]


def test_what_is_no_jwt_is_left_to_others(provider: Provider) -> None:
    gate = Gate(provider)
    assert gate.show("opaque") is None
    assert gate.show(provider.token(), "Basic") is None
    assert provider.asked == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exp": -31}, "has expired"),
        ({"exp": None}, "trust"),
        ({"exp": "soon"}, "trust"),
        ({"nbf": 1000}, "not valid yet"),
        ({"aud": "another"}, "another audience"),
        ({"aud": None}, "trust"),
        ({"iss": "http://127.0.0.1/another"}, "another issuer"),
        ({"iss": None}, "trust"),
        ({"sub": None}, "no usable claim sub"),
        ({"sub": ""}, "no usable claim sub"),
        ({"sub": "a\nb"}, "no usable claim sub"),
        ({"sub": "x" * 256}, "no usable claim sub"),
    ],
    ids=str,
)
def test_a_token_that_does_not_say_what_it_must_is_refused(
    provider: Provider, change: dict[str, Any], reason: str
) -> None:
    now = int(time.time())
    change = {name: value + now if isinstance(value, int) else value for name, value in change.items()}
    assert reason in Gate(provider).refuses(provider.token(**change))


def test_clocks_may_differ_a_little(provider: Provider) -> None:
    late = provider.token(exp=int(time.time()) - 20)
    assert Gate(provider).show(late) == ALICE
    assert "expired" in Gate(provider, leeway_s=0).refuses(late)


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_a_token_cannot_choose_how_it_is_checked(provider: Provider) -> None:
    """No algorithm, a symmetric one over the public key, the key of another kind, or one that it brings along."""
    gate = Gate(provider)
    pem = EC_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsigned = forged({"alg": "HS256", "kid": "e", "typ": "JWT"}, provider.claims()).rstrip(".")
    with_public_key = (
        f"{unsigned}."
        + base64.urlsafe_b64encode(hmac.new(pem, unsigned.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    )
    for token in (
        forged({"alg": "none"}, provider.claims()),
        forged({"alg": "None", "kid": "e"}, provider.claims()),
        forged({"kid": "e"}, provider.claims()),
        forged({"alg": ["ES256"], "kid": "e"}, provider.claims()),
        forged({"alg": "ES256", "kid": ["e"]}, provider.claims()),
        with_public_key,
        provider.token(OTHER_KEY),
        provider.token(OTHER_KEY, header={"kid": "e", "jwk": public(OTHER_KEY, "e")}),
        provider.token(RSA_KEY, "RS256", {"kid": "e"}),
        provider.token(EC_KEY, "ES256", {"kid": "r"}),
        provider.token(RSA_KEY, "RS512", {"kid": "r"}),
        provider.token() + "x",
        "a.b.c",
        "..",
        "[.[.[",
    ):
        assert "trust" in gate.refuses(token)
    assert gate.show(provider.token()) == ALICE


def test_keys_for_other_uses_are_not_taken(provider: Provider) -> None:
    provider.serve(
        public(EC_KEY, "e", use="enc"), {"kty": "oct", "k": "c2VjcmV0", "kid": "o"}, public(RSA_KEY, "r")
    )
    assert "trust" in Gate(provider).refuses(provider.token())
    secret = jwt.encode(provider.claims(), b"secret" * 8, "HS256", {"kid": "o"})
    assert "trust" in Gate(provider).refuses(secret)


def test_a_key_is_for_its_own_algorithm_alone(provider: Provider) -> None:
    provider.serve(public(RSA_KEY, "r", alg="RS512"))
    assert "trust" in Gate(provider).refuses(provider.token(RSA_KEY, "RS256", {"kid": "r"}))


def test_a_key_that_is_too_short_is_refused(provider: Provider) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # that it is weak is the point
    provider.serve(public(weak, "r"))
    with warnings.catch_warnings(action="ignore"):  # of the library that signs
        token = provider.token(weak, "RS256", {"kid": "r"})
    assert "trust" in Gate(provider).refuses(token)


def test_keys_do_not_come_over_a_less_safe_way_than_the_issuer(
    requests_mock: requests_mock.Mocker,
) -> None:
    issuer, keys = "https://issuer.test", "http://issuer.test/keys"
    requests_mock.get(f"{issuer}/.well-known/openid-configuration", json={"issuer": issuer, "jwks_uri": keys})
    asked = requests_mock.get(keys, json={"keys": [public(EC_KEY, "e")]})
    with pytest.raises(Unavailable):
        ProviderKeys(issuer).find("e")
    assert not asked.called


def test_a_key_without_an_id_is_for_tokens_without_one(provider: Provider) -> None:
    provider.serve(public(EC_KEY, None))
    assert Gate(provider).show(provider.token(header={})) == ALICE
    assert "trust" in Gate(provider).refuses(provider.token())


@pytest.mark.parametrize(
    ("wanted", "claims", "good"),
    [
        ({"groups": "platform"}, {"groups": ["x", "platform"]}, True),
        ({"groups": "platform"}, {"groups": "platform"}, True),
        ({"groups": "platform"}, {"groups": "platforms"}, False),
        ({"groups": "platform"}, {"groups": "no platform"}, False),
        ({"groups": "platform"}, {"groups": ["platforms"]}, False),
        ({"groups": "platform"}, {}, False),
        ({"scope": "broker"}, {"scope": "openid broker"}, True),
        ({"scope": "broker"}, {"scope": "brokers"}, False),
        ({"email_verified": "true"}, {"email_verified": True}, True),
        ({"email_verified": "true"}, {"email_verified": False}, False),
        ({"groups": "a", "scope": "b"}, {"groups": ["a"]}, False),
        ({"level": "1"}, {"level": {"1": 1}}, False),
    ],
)
def test_the_operator_may_demand_claims(
    provider: Provider, wanted: dict[str, str], claims: dict[str, Any], good: bool
) -> None:
    gate = Gate(provider, claims=wanted)
    if good:
        assert gate.show(provider.token(**claims)) == ALICE
    else:
        assert "demands in its claim" in gate.refuses(provider.token(**claims))


def test_another_claim_may_name_the_caller(provider: Provider) -> None:
    token = provider.token(preferred_username="duke")
    assert Gate(provider, name_claim="preferred_username").show(token) == Caller("duke", How.OIDC)


def test_a_new_key_is_found_when_a_token_names_it(provider: Provider) -> None:
    gate = Gate(provider)
    gate.show(provider.token())
    provider.serve(public(OTHER_KEY, "new"))
    new = provider.token(OTHER_KEY, header={"kid": "new"})
    assert "trust" in gate.refuses(new)  # asked a moment ago
    gate.now += RETRY_S
    assert gate.show(new) == ALICE
    assert "trust" in gate.refuses(provider.token())  # the old key has been taken away


def test_invented_key_ids_do_not_make_it_ask_all_the_time(provider: Provider) -> None:
    gate = Gate(provider)
    for number in range(20):
        gate.refuses(provider.token(header={"kid": f"invented-{number}"}))
    assert provider.asked.count("/keys") == 1


def test_a_key_that_is_withdrawn_is_refused_after_a_while(provider: Provider) -> None:
    gate = Gate(provider)
    token = provider.token()
    gate.show(token)
    provider.serve(public(RSA_KEY, "r"))
    gate.now += FRESH_S
    assert gate.show(token) == ALICE
    gate.now += 1
    assert "trust" in gate.refuses(token)


def test_a_provider_that_is_away_leaves_the_known_keys_valid(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(provider)
    token = provider.token()
    gate.show(token)
    provider.documents.clear()
    gate.now += FRESH_S + 1
    assert gate.show(token) == ALICE
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "/.well-known/openid-configuration answers 404" in line
    asked = len(provider.asked)
    assert gate.show(token) == ALICE
    assert len(provider.asked) == asked


def broken(provider: Provider, fault: str) -> None:
    discovery = provider.documents["/realm/.well-known/openid-configuration"]
    match fault:
        case "another issuer":
            discovery["issuer"] += "/"
        case "no address":
            discovery["jwks_uri"] = 7
        case "a file":
            discovery["jwks_uri"] = "file:///etc/passwd"
        case "no keys":
            provider.documents["/keys"] = {"keys": []}
        case "no list":
            provider.documents["/keys"] = {"keys": {"x": 1}}
        case "no object":
            provider.documents["/keys"] = [1]
        case "no JSON":
            provider.documents["/keys"] = b"<html>"
        case "deep":
            provider.documents["/keys"] = b"[" * 100_000
        case "large":
            provider.documents["/keys"] = json.dumps(provider.documents["/keys"]).encode() + b" " * (1 << 20)
        case "a redirect":
            provider.moved["/realm/.well-known/openid-configuration"] = "/elsewhere"
            provider.documents["/elsewhere"] = discovery


@pytest.mark.parametrize(
    "fault",
    [
        *("another issuer", "no address", "a file", "no keys", "no list"),
        *("no object", "no JSON", "deep", "large", "a redirect"),
    ],
)
def test_without_any_key_nobody_can_be_told_from_a_stranger(
    provider: Provider, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """503, so that the platform tries again; and it is tried again."""
    gate = Gate(provider)
    token = provider.token()
    before = json.dumps(provider.documents)
    broken(provider, fault)
    with pytest.raises(Unavailable, match="identity provider"):
        gate.show(token)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith(f"the keys of {provider.issuer} cannot be fetched: ")
    provider.documents = json.loads(before)
    provider.moved.clear()
    gate.now += RETRY_S
    assert gate.show(token) == ALICE


def test_a_provider_that_nobody_answers_for(provider: Provider) -> None:
    gate = Gate(provider, "http://127.0.0.1:1/keys")
    with pytest.raises(Unavailable):
        gate.show(provider.token())


@pytest.mark.parametrize("content", [None, "no PEM"])
def test_an_authority_that_cannot_be_read_is_no_crash(
    provider: Provider, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_text(content)
    keys = ProviderKeys(provider.issuer.replace("http:", "https:"), ca_file=file)
    with pytest.raises(Unavailable):
        keys.find("e")


def test_the_address_of_the_keys_may_be_given(provider: Provider) -> None:
    gate = Gate(provider, f"{provider.url}/keys")
    assert gate.show(provider.token()) == ALICE
    assert provider.asked == ["/keys"]
