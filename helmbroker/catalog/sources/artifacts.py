"""Addons and charts as OCI artifacts: pulled and verified, pushed and signed."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from helmbroker.catalog import archive
from helmbroker.catalog.sources import folders, signatures
from helmbroker.catalog.sources.model import Access, Fetched, Policy, Reason, Source, SourceError
from helmbroker.catalog.sources.references import Reference, reference
from helmbroker.catalog.sources.registry import MANIFEST, Manifest, Registry
from helmbroker.catalog.sources.web import MAX_ARCHIVE_BYTES

ADDON = "application/vnd.helmbroker.addon.content.v1.tar+gzip"
ADDON_CONFIG = "application/vnd.helmbroker.addon.config.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
_EMPTY_IMAGE = b'{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'


def resolve(registry: Registry, reference: Reference, expected: str | None = None) -> Manifest:
    """The manifest that a name means now. Raises SourceError: none is there, or a tag was moved from `expected`."""
    manifest = registry.manifest(reference.digest or reference.tag or "latest")
    if manifest is None:
        raise SourceError(Reason.FETCHING, f"{reference}: there is no such artifact; mistyped, or not pushed yet?")
    if expected is not None and manifest.digest != expected:
        raise SourceError(
            Reason.DIGEST,
            f"{reference}: is {manifest.digest}, not {expected}; the tag was moved; if rightly, change digest",
        )
    return manifest


def verify(registry: Registry, reference: Reference, manifest: Manifest, access: Access) -> str | None:
    """A warning, or None when the policy is content. Raises SourceError."""
    if access.signatures is Policy.OFF:
        return None
    keys = signatures.public_keys(access.public_keys)
    return signatures.judged(access, str(reference), _signed(registry, manifest.digest, keys))


def content(registry: Registry, reference: Reference, manifest: Manifest, media_type: str) -> bytes:
    """The one layer of this type. Raises SourceError."""
    layers = manifest.layers(media_type)
    if len(layers) != 1:
        raise SourceError(
            Reason.ARCHIVE, f"{reference}: has {len(layers)} layers of type {media_type}; it must have one"
        )
    return registry.blob(layers[0], most=MAX_ARCHIVE_BYTES)


def oci_source(source: Source, into: Path, seen: str | None) -> Fetched | None:
    """One addon, or folders of addons, in one artifact. None: it is the one `seen`. Raises SourceError."""
    name = reference(source.location)
    registry = Registry(source.access, name)
    manifest = resolve(registry, name, source.digest)
    if manifest.digest == seen:
        return None
    fetched = Fetched(manifest.digest)
    warning = verify(registry, name, manifest, source.access)
    fetched.warnings += [] if warning is None else [warning]
    packed = content(registry, name, manifest, ADDON)
    with tempfile.TemporaryDirectory(dir=into) as temporary:
        folders.unpacked(packed, Path(temporary, name.name))
        folders.take(Path(temporary, name.name), into, name.name, fetched)
    return fetched


def push(folder: Path, reference: Reference, access: Access) -> str:
    """Push an addon's folder under the tag of `reference`; the digest of its manifest.

    Raises SourceError, archive.BadArchive.
    """
    registry = Registry(access, reference)
    layer = registry.push_blob(archive.pack(folder), ADDON)
    config = registry.push_blob(b"{}", ADDON_CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ADDON_CONFIG,
        "config": config,
        "layers": [layer],
    }
    return registry.push_manifest(manifest, reference.tag or "latest")


def push_signature(reference: Reference, digest: str, key: ec.EllipticCurvePrivateKey, access: Access) -> str:
    """Sign the artifact of that digest where everybody finds it, and tell where; signatures of others stay.

    Raises SourceError: also when there is no such artifact.
    """
    registry = Registry(access, reference)
    resolve(registry, replace(reference, tag=None, digest=digest))
    content = signatures.payload(f"{reference.host}/{reference.repository}", digest)
    layer = registry.push_blob(content, signatures.SIMPLE_SIGNING)
    layer["annotations"] = {signatures.ANNOTATION: signatures.sign(content, key)}
    before = registry.manifest(_tag(digest))
    others = [] if before is None else before.layers(signatures.SIMPLE_SIGNING)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": registry.push_blob(_EMPTY_IMAGE, _IMAGE_CONFIG),
        "layers": [*others, layer],
    }
    registry.push_manifest(manifest, _tag(digest))
    return str(replace(reference, tag=_tag(digest), digest=None))


def _tag(digest: str) -> str:
    """Where cosign keeps the signatures of a manifest."""
    return f"{digest.replace(':', '-')}.sig"


def _signed(registry: Registry, digest: str, keys: list[ec.EllipticCurvePublicKey]) -> bool:
    manifest = registry.manifest(_tag(digest))
    for layer in () if manifest is None else manifest.layers(signatures.SIMPLE_SIGNING):
        annotations = layer.get("annotations")
        signature = annotations.get(signatures.ANNOTATION) if isinstance(annotations, dict) else None
        if not isinstance(signature, str):
            continue
        content = registry.blob(layer, most=signatures.MAX_SIGNATURE_BYTES)
        if signatures.is_of(content, digest) and signatures.signs(content, signature, keys):
            return True
    return False
