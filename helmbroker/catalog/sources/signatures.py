"""Signatures by keys of one's own, verified without asking anybody; the same that cosign makes with `--key`.

ECDSA over P-256 with SHA-256, DER, base64. Of a file: over its bytes, beside it as FILE.sig (`cosign sign-blob`).
Of an OCI artifact: over a small JSON that names the digest of its manifest ("simple signing"), kept in the same
repository under the tag sha256-HEX.sig (`cosign sign`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from helmbroker.catalog.sources.model import Access, Policy, Reason, SourceError

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
_TYPE = "cosign container image signature"
MAX_SIGNATURE_BYTES = 4096
_ECDSA = ec.ECDSA(hashes.SHA256())
_COSIGN_KEY = re.compile(rb"-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([\w+/=\s]+)-----END ")
_KDF_BYTES = 128 << 20  # of memory; cosign's own parameters take half of it


class BadKey(Exception):
    """A file that should hold a key does not hold one that can be used."""


def public_keys(files: Sequence[Path]) -> list[ec.EllipticCurvePublicKey]:
    """The keys of PEM files. Raises SourceError."""
    found = []
    for path in files:
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError):
            raise SourceError(Reason.SIGNATURE, f"{path} cannot be read as a public key in PEM") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise SourceError(Reason.SIGNATURE, f"{path} is no key of ECDSA over P-256, which cosign makes")
        found.append(key)
    return found


def private_key(path: Path, password: str | None = None) -> ec.EllipticCurvePrivateKey:
    """The key of a PEM file (PKCS #8, SEC 1, or cosign's own), to sign with. Raises BadKey; it names no secret."""
    secret = password.encode() if password else None
    try:
        content = path.read_bytes()
        sealed = _COSIGN_KEY.match(content)
        if sealed is None:
            key = serialization.load_pem_private_key(content, secret)
        else:
            key = serialization.load_der_private_key(_opened(sealed[1], secret or b""), None)
    except (OSError, ValueError, TypeError, KeyError):
        raise BadKey(
            f"{path} cannot be read as a private key in PEM, or its password is wrong; make one with "
            "`cosign generate-key-pair`, or `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise BadKey(f"{path} is no key of ECDSA over P-256")
    return key


def _opened(sealed: bytes, password: bytes) -> bytes:
    """PKCS #8 of what cosign has sealed (`encrypted` of go-securesystemslib).

    Raises ValueError, TypeError, KeyError.
    """
    from nacl.exceptions import CryptoError  # noqa: PLC0415  # only those who sign need it
    from nacl.secret import SecretBox  # noqa: PLC0415

    box: Any = json.loads(base64.b64decode(sealed))
    cost = box["kdf"]["params"]
    salt, nonce, text = map(base64.b64decode, (box["kdf"]["salt"], box["cipher"]["nonce"], box["ciphertext"]))
    numbers = {"n": cost["N"], "r": cost["r"], "p": cost["p"]}
    key = hashlib.scrypt(password, salt=salt, dklen=SecretBox.KEY_SIZE, maxmem=_KDF_BYTES, **numbers)
    try:
        return SecretBox(key).decrypt(text, nonce)
    except CryptoError:
        raise ValueError from None


def sign(content: bytes, key: ec.EllipticCurvePrivateKey) -> str:
    """The text of FILE.sig for a file of this content."""
    return base64.b64encode(key.sign(content, _ECDSA)).decode()


def payload(repository: str, digest: str) -> bytes:
    """What is signed of an OCI artifact. `repository`: host/path; `digest`: sha256:... of its manifest."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": digest},
        "type": _TYPE,
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def signs(content: bytes, signature: str, keys: Iterable[ec.EllipticCurvePublicKey]) -> bool:
    """Whether one of the keys made the signature of this content."""
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(_by(key, raw, content) for key in keys)


def is_of(content: bytes, digest: str) -> bool:
    """Whether a signed JSON is one of the artifact with that digest."""
    try:
        critical = json.loads(content)["critical"]
        return bool(critical["type"] == _TYPE and critical["image"]["docker-manifest-digest"] == digest)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def judged(access: Access, what: str, signed: bool) -> str | None:
    """A warning, or None when all is well. Raises SourceError where a signature is required."""
    if signed:
        return None
    message = f"{what} has no signature by one of the public_keys"
    if access.signatures is Policy.REQUIRED:
        raise SourceError(Reason.SIGNATURE, f"{message}; sign it, or trust its signer's key")
    return message


def _by(key: ec.EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content, _ECDSA)
    except InvalidSignature:
        return False
    return True
