"""Signatures by keys of one's own."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from helmbroker.catalog.sources import signatures
from helmbroker.catalog.sources.model import Access, Policy, SourceError
from tests.unit.catalog.sources.keys import key_pair

DIGEST = f"sha256:{'ab' * 32}"


def test_it_is_what_openssl_and_cosign_verify(tmp_path: Path) -> None:
    """`cosign verify-blob --key` does this: ECDSA P-256 over SHA-256, DER, base64."""
    private, public = key_pair(tmp_path)
    (tmp_path / "content").write_bytes(b"addon")
    text = signatures.sign(b"addon", signatures.private_key(private))
    (tmp_path / "content.sig").write_bytes(base64.b64decode(text))
    command = ["openssl", "dgst", "-sha256", "-verify", str(public), "-signature", "content.sig", "content"]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).stdout == b"Verified OK\n"


def test_what_openssl_signs_is_verified(tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    (tmp_path / "content").write_bytes(b"addon")
    command = ["openssl", "dgst", "-sha256", "-sign", str(private), "content"]
    raw = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout
    text = base64.encodebytes(raw).decode().replace("\n", "") + "\n"
    assert signatures.signs(b"addon", text, signatures.public_keys([public]))


@pytest.mark.parametrize("text", ["", "bm90IGEgc2lnbmF0dXJl", "%%%", "é"])
def test_garbage_is_no_signature(tmp_path: Path, text: str) -> None:
    _, public = key_pair(tmp_path)
    assert not signatures.signs(b"addon", text, signatures.public_keys([public]))


def test_neither_another_key_nor_another_content_will_do(tmp_path: Path) -> None:
    private, public = key_pair(tmp_path, "one")
    _, other = key_pair(tmp_path, "other")
    text = signatures.sign(b"addon", signatures.private_key(private))
    assert not signatures.signs(b"addon", text, signatures.public_keys([other]))
    assert not signatures.signs(b"Addon", text, signatures.public_keys([public]))
    assert signatures.signs(b"addon", text, signatures.public_keys([other, public])), "any of them"


def test_the_payload_is_that_of_cosign_and_names_one_manifest() -> None:
    made = signatures.payload("registry.example/addons/demo", DIGEST)
    assert json.loads(made) == {
        "critical": {
            "identity": {"docker-reference": "registry.example/addons/demo"},
            "image": {"docker-manifest-digest": DIGEST},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    assert signatures.is_of(made, DIGEST)
    assert not signatures.is_of(made, f"sha256:{'cd' * 32}")
    assert not signatures.is_of(b"[]", DIGEST)
    assert not signatures.is_of(b"[" * 100_000, DIGEST)
    assert not signatures.is_of(made.replace(b"cosign container", b"another"), DIGEST)


def test_the_policy_decides_what_no_signature_means() -> None:
    assert signatures.judged(Access(signatures=Policy.REQUIRED), "it", signed=True) is None
    assert signatures.judged(Access(signatures=Policy.WARN), "it", signed=False) is not None
    with pytest.raises(SourceError, match="it has no signature by one of the public_keys"):
        signatures.judged(Access(signatures=Policy.REQUIRED), "it", signed=False)


def test_a_key_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    weak = tmp_path / "other.pub"
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    weak.write_bytes(
        subprocess.run(["openssl", "pkey", "-pubout"], input=made, check=True, capture_output=True).stdout
    )
    for path in (tmp_path / "nothing", private, weak):
        with pytest.raises(SourceError, match=str(path)):
            signatures.public_keys([path])
    for path in (tmp_path / "nothing", public):
        with pytest.raises(signatures.BadKey, match="openssl genpkey"):
            signatures.private_key(path)


def test_a_private_key_may_have_a_password(tmp_path: Path) -> None:
    private, public = key_pair(tmp_path, password="canary-1f8e")
    key = signatures.private_key(private, "canary-1f8e")
    assert signatures.signs(b"addon", signatures.sign(b"addon", key), signatures.public_keys([public]))
    for wrong in (None, "canary-another"):
        with pytest.raises(signatures.BadKey) as refusal:
            signatures.private_key(private, wrong)
        assert "canary" not in str(refusal.value)


def test_a_key_that_cosign_has_made() -> None:
    """Its format is its own; this one was written by the Go module that cosign uses."""
    private, public = (Path(__file__).parent / name for name in ("cosign.key", "cosign.pub"))
    key = signatures.private_key(private, "of-a-test")
    assert signatures.signs(b"addon", signatures.sign(b"addon", key), signatures.public_keys([public]))
    for wrong in (None, "canary-another"):
        with pytest.raises(signatures.BadKey) as refusal:
            signatures.private_key(private, wrong)
        assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    [
        "nothing",
        "{}",
        "[]",
        (
            '{"kdf": {"params": {"N": 1073741824, "r": 8, "p": 1}, "salt": ""},'
            ' "cipher": {"nonce": ""}, "ciphertext": ""}'
        ),
    ],
)
def test_a_damaged_key_of_cosign_is_named(tmp_path: Path, content: str) -> None:
    """The last one asks for a terabyte of memory."""
    kind, sealed = "ENCRYPTED SIGSTORE PRIVATE KEY-----", base64.b64encode(content.encode()).decode()
    path = tmp_path / "cosign.key"
    path.write_text(f"-----BEGIN {kind}\n{sealed}\n-----END {kind}\n")
    with pytest.raises(signatures.BadKey, match=f"{path} cannot be read"):
        signatures.private_key(path, "x")
