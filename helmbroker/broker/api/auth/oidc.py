"""JWTs of an OpenID provider, such as Drycc Passport or a Kubernetes API server, as bearer tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jwt
from flask import Request

from helmbroker.broker.api.auth.bearer import CHALLENGE, shown
from helmbroker.broker.api.auth.chain import Caller, How, Refused
from helmbroker.broker.api.auth.jwks import Jwk
from helmbroker.runtime.journal import LoginFault

_MAX_NAME_CHARACTERS = 255
_DOTS = 2


class Keys(Protocol):
    """The provider's public keys."""

    def find(self, key_id: str) -> Jwk | None:
        """The key with this id. Raises Unavailable."""
        ...


@dataclass(frozen=True)
class Rules:
    """Which tokens are good: who made them, for whom, and what they must say besides."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]  # asymmetric ones alone
    name_claim: str = "sub"
    claims: Mapping[str, str] = field(default_factory=dict)  # each must be so, or hold it in a list
    leeway_s: float = 30


class OidcTokens:
    """Whoever shows a token that the provider made for this broker, and that says what the rules want."""

    def __init__(self, rules: Rules, keys: Keys) -> None:
        self._rules = rules
        self._keys = keys

    def challenge(self) -> str | None:
        return CHALLENGE

    def caller(self, request: Request) -> Caller | None:
        token = shown(request)
        if token is None or token.count(".") != _DOTS:
            return None
        try:
            claims = self._verified(token)
        except jwt.ExpiredSignatureError:
            raise Refused("The bearer token has expired.", LoginFault.EXPIRED) from None
        except jwt.InvalidAudienceError:
            raise Refused(
                "The bearer token is not for this broker: it has another audience.", LoginFault.UNTRUSTED
            ) from None
        except jwt.InvalidIssuerError:
            raise Refused("The bearer token is of another issuer.", LoginFault.UNTRUSTED) from None
        except jwt.ImmatureSignatureError:
            raise Refused("The bearer token is not valid yet.", LoginFault.UNTRUSTED) from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise Refused("The bearer token is not one that this broker can trust.", LoginFault.UNTRUSTED) from None
        for claim, wanted in self._rules.claims.items():
            if not _says(claims.get(claim), wanted, words=claim == "scope"):
                raise Refused(
                    f"The bearer token lacks what this broker demands in its claim {claim}.", LoginFault.NOT_HERE
                )
        name = claims.get(self._rules.name_claim)
        if not (isinstance(name, str) and 0 < len(name) <= _MAX_NAME_CHARACTERS and name.isprintable()):
            raise Refused(f"The bearer token has no usable claim {self._rules.name_claim}.", LoginFault.UNTRUSTED)
        return Caller(name, How.OIDC)

    def _verified(self, token: str) -> dict[str, Any]:
        """Its claims. The key decides which algorithm is right, not the token."""
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in self._rules.algorithms:
            raise jwt.InvalidAlgorithmError
        key = self._keys.find(str(header.get("kid", "")))
        if key is None or key.get("alg", algorithm) != algorithm:
            raise jwt.InvalidKeyError
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm),
            algorithms=[algorithm],
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            leeway=self._rules.leeway_s,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )
        return claims


def _says(claim: object, wanted: str, *, words: bool) -> bool:
    if isinstance(claim, bool):
        return wanted == str(claim).lower()
    if isinstance(claim, str):
        return wanted in claim.split() if words else wanted == claim
    return isinstance(claim, list) and wanted in claim
