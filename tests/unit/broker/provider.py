"""An OpenID provider on a loopback port: real HTTP, real keys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "helmbroker"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def public(key: Private, key_id: str | None, **more: Any) -> dict[str, Any]:
    """The JWK of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        made = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    else:
        made = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    made.pop("key_ops", None)
    return {**made, **({} if key_id is None else {"kid": key_id}), **more}


class Provider:
    """Serves `documents` by path, and counts how often each was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.documents: dict[str, Any] = {}
        self.moved: dict[str, str] = {}  # path -> where it is said to be now
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                document = provider.documents.get(self.path)
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                moved = provider.moved.get(self.path)
                self.send_response(302 if moved else 404 if document is None else 200)
                if moved:
                    self.send_header("Location", moved)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name
                """Not on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.issuer = f"{self.url}/realm"
        self.serve(public(RSA_KEY, "r", use="sig"), public(EC_KEY, "e", alg="ES256"))

    def serve(self, *keys: dict[str, Any]) -> None:
        self.documents["/realm/.well-known/openid-configuration"] = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.url}/keys",
        }
        self.documents["/keys"] = {"keys": list(keys)}

    def claims(self, **change: Any) -> dict[str, Any]:
        """The claims of a good token; None takes one out."""
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": AUDIENCE, "sub": "alice", "exp": now + 60, "iat": now}
        return {name: value for name, value in {**usual, **change}.items() if value is not None}

    def token(
        self,
        key: Any = EC_KEY,
        algorithm: str = "ES256",
        header: Mapping[str, Any] | None = None,
        **change: Any,
    ) -> str:
        return jwt.encode(self.claims(**change), key, algorithm, {"kid": "e"} if header is None else dict(header))

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
