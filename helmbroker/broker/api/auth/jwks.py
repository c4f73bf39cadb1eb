"""The public keys of an OpenID provider: fetched over HTTP, kept, and fetched again when that may help."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import requests

from helmbroker.broker.domain.errors import Unavailable

_LOG = logging.getLogger("helmbroker.auth")
_TIMEOUT_S = 3
_MAX_BYTES = 1 << 20
_PART_BYTES = 1 << 16
FRESH_S = 300.0  # a key that the provider withdraws is accepted this long
RETRY_S = 10.0  # strangers can invent key ids; they make us ask no more often than this

Jwk: TypeAlias = Mapping[str, Any]


class _Unusable(Exception):
    """What the provider sent is not what it has to send."""


class ProviderKeys:
    """Keys by id. `jwks_url`: where they are; without it the issuer's discovery document says so."""

    def __init__(
        self,
        issuer: str,
        jwks_url: str | None = None,
        ca_file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._url = jwks_url
        self._verify = str(ca_file) if ca_file else True
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, Jwk] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def find(self, key_id: str) -> Jwk | None:
        """The key with this id; of a provider whose keys have no ids, its only one. None: there is no such key.

        An unknown id may be that of a new key, so it is asked for, but not often. When the provider is away the
        keys that are known stay valid. Raises Unavailable when none has ever been fetched.
        """
        if key_id not in self._keys:
            self._refresh(wait=True)
        elif self._clock() - self._fetched_at > FRESH_S:
            self._refresh(wait=False)  # one caller asks, the others go on with what is known
        if not self._keys:
            raise Unavailable("The keys of the identity provider cannot be fetched just now. Try again soon.")
        return self._keys.get(key_id)

    def _refresh(self, *, wait: bool) -> None:
        if not self._lock.acquire(blocking=wait):
            return
        try:
            if self._clock() - self._tried_at < RETRY_S:
                return
            self._tried_at = self._clock()
            self._keys = self._fetch()
            self._fetched_at = self._clock()
        except (OSError, _Unusable) as error:  # what requests raises is an OSError, too
            reason = str(error) if isinstance(error, _Unusable) else type(error).__name__
            _LOG.warning("the keys of %s cannot be fetched: %s", self._issuer, reason)
        finally:
            self._lock.release()

    def _fetch(self) -> dict[str, Jwk]:
        url = self._url or self._discovered()
        found = self._get(url).get("keys")
        keys = [key for key in found if _signs(key)] if isinstance(found, list) else []
        if not keys:
            raise _Unusable(f"{url} holds no public keys for signatures")
        return {str(key.get("kid", "")): key for key in keys}

    def _discovered(self) -> str:
        place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        document = self._get(place)
        if document.get("issuer") != self._issuer:
            raise _Unusable(f"{place} is that of another issuer; write HELMBROKER_OIDC_ISSUER as it does")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", urlsplit(self._issuer).scheme):
            raise _Unusable(f"{place} has no jwks_uri that could be used")
        return url

    def _get(self, url: str) -> Mapping[str, Any]:
        deadline = time.monotonic() + _TIMEOUT_S
        # no redirects: what vouches for callers is where the operator says, and nowhere else
        with requests.get(
            url, timeout=_TIMEOUT_S, verify=self._verify, allow_redirects=False, stream=True
        ) as answer:
            if answer.status_code != requests.codes.ok:
                raise _Unusable(f"{url} answers {answer.status_code}")
            text = b""
            for part in answer.iter_content(_PART_BYTES):
                text += part
                if len(text) > _MAX_BYTES or time.monotonic() > deadline:
                    raise _Unusable(f"{url} sends too much, or too slowly")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise _Unusable(f"{url} holds no JSON object")
        return data


def _signs(key: object) -> bool:
    return isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"
