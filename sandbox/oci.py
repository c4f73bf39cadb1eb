"""OCI images from uncompressed layers: manifest and configuration, and the archive that containerd imports."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Layer:
    """An uncompressed tar; digest: `sha256:<hex>`; size in bytes."""

    tar: Path
    digest: str
    size: int


@dataclass(frozen=True)
class Image:
    """An image ready to be written: reference, and its three kinds of blobs."""

    ref: str
    layers: tuple[Layer, ...]
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """What containerd names the image by."""
        return _digest(self.manifest)

    @property
    def size(self) -> int:
        """Bytes of all layers, uncompressed."""
        return sum(layer.size for layer in self.layers)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def measure(tar: Path) -> Layer:
    """Read a finished layer once for its digest."""
    with tar.open("rb") as file:
        return Layer(tar, f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}", tar.stat().st_size)


def assemble(ref: str, layers: Iterable[Layer], config: dict[str, Any], architecture: str) -> Image:
    """The image of some layers; config as in the OCI image specification (`Env`, `Cmd`, `User`, ...).

    The same input gives the same digest: nothing of time or place goes in.
    """
    stack = tuple(layers)
    configuration = _json(
        {
            "created": EPOCH,
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in stack]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": _digest(configuration), "size": len(configuration)},
        "layers": [{"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in stack],
    }
    return Image(ref, stack, configuration, _json(manifest))


def write_archive(image: Image, output: IO[bytes]) -> None:
    """Write the image as an OCI archive to a stream, layers straight from their files."""
    entry = {
        "mediaType": MANIFEST,
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {"io.containerd.image.name": image.ref},
    }
    small = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}),
        _blob(image.digest): image.manifest,
        _blob(_digest(image.config)): image.config,
    }
    with tarfile.open(fileobj=output, mode="w|") as archive:
        for name, content in small.items():
            archive.addfile(_member(name, len(content)), io.BytesIO(content))
        for layer in {layer.digest: layer for layer in image.layers}.values():
            with layer.tar.open("rb") as file:
                archive.addfile(_member(_blob(layer.digest), layer.size), file)


def _blob(name: str) -> str:
    return f"blobs/{name.replace(':', '/')}"


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def write_files(files: dict[str, bytes], executables: Iterable[str], tar: Path) -> None:
    """Write a layer of root-owned files, readable by all: absolute path to content."""
    runnable = set(executables)
    folders = sorted({str(parent) for name in files for parent in Path(name).parents} - {"/"})
    with tarfile.open(tar, "w") as archive:
        for folder in folders:
            entry = _member(folder.lstrip("/"), 0)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, content in sorted(files.items()):
            entry = _member(name.lstrip("/"), len(content))
            entry.mode = 0o755 if name in runnable else 0o644
            archive.addfile(entry, io.BytesIO(content))
