"""The table of images (images/*.json) and how each kind of layer in it is made."""

import json
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import binary, debian, oci
from sandbox.cache import Cache, digest, tree
from sandbox.errors import FailedError

TABLE = Path(__file__).parent / "images"
RECIPE = "1"  # raise it when the way of making a Debian layer changes, so that layers are made anew
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Read by people and package managers only; a container has neither.
NEVER_UNPACKED = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/bash-completion/*",
    "/usr/share/bug/*",
)
# Only package management needs these, and in an image there is none; it is half of a small image.
REMOVED_AT_LAST = (
    "/etc/apt/apt.conf.d/99mmdebstrap",
    "/etc/apt/sources.list*",
    "/usr/bin/perl*",
    "/usr/lib/*/gconv",
    "/usr/lib/*/libperl.so*",
    "/usr/lib/*/perl*",
    "/usr/share/perl*",
    "/var/cache/debconf/*",
    "/var/cache/ldconfig",
    "/var/lib/dpkg/info",
)


@dataclass(frozen=True)
class User:
    """An account that exists in the image, with numbers that do not depend on the order of installation."""

    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True)
class DebianLayer:
    """A root file system of Debian packages; remove: glob patterns of what is deleted at the end."""

    debian: str
    packages: tuple[str, ...]
    users: tuple[User, ...]
    remove: tuple[str, ...]

    @classmethod
    def parse(cls, row: dict[str, Any]) -> "DebianLayer":
        """From the table; TypeError or KeyError when a field is unknown or lacking."""
        users = tuple(User(**user) for user in row["users"])
        lists = {name: tuple(row[name]) for name in ("packages", "remove")}
        return cls(**{**row, **lists, "users": users})


@dataclass(frozen=True)
class CheckoutLayer:
    """The files below a directory of the checkout; no layer at all while the directory does not exist."""

    checkout: str
    to: str


@dataclass(frozen=True)
class ProgramLayer:
    """A small static program of the Go module."""

    program: str
    to: str


@dataclass(frozen=True)
class Spec:
    """One image of the table; config as in the OCI image specification."""

    ref: str
    layers: tuple[DebianLayer | CheckoutLayer | ProgramLayer, ...]
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """`postgresql` of `sandbox.local/postgresql:15`: for files and logs."""
        return self.ref.rsplit("/", 1)[-1].split(":", 1)[0]

    @property
    def users(self) -> tuple[User, ...]:
        """The accounts made for this image."""
        return tuple(user for layer in self.layers if isinstance(layer, DebianLayer) for user in layer.users)


def parse_layer(row: dict[str, Any]) -> DebianLayer | CheckoutLayer | ProgramLayer:
    """One layer of the table, told by its first key."""
    if "debian" in row:
        return DebianLayer.parse(row)
    return CheckoutLayer(**row) if "checkout" in row else ProgramLayer(**row)


def table(directory: Path = TABLE) -> list[Spec]:
    """Every image, the pause image first: nothing starts without it."""
    rows = [json.loads(file.read_text()) for file in sorted(directory.glob("*.json"))]
    specs = [Spec(row["ref"], tuple(map(parse_layer, row["layers"])), row["config"]) for row in rows]
    return sorted(specs, key=lambda spec: (spec.name != "pause", spec.name))


def architecture() -> str:
    """This machine's, in the words of OCI and Debian."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


class Builder:
    """Makes layers, each once."""

    def __init__(self, cache: Cache, checkout: Path) -> None:
        self.cache = cache
        self.checkout = checkout

    def image(self, spec: Spec) -> oci.Image:
        """The image, after making those of its layers that are not in the cache."""
        layers = [layer for row in spec.layers if (layer := self._layer(spec, row))]
        return oci.assemble(spec.ref, layers, spec.config, architecture())

    def cached(self, spec: Spec) -> oci.Image | None:
        """The image when all its layers are in the cache."""
        for row in spec.layers:
            what, inputs = self._key(spec, row)
            if inputs and not self.cache.path(what, inputs).is_dir():
                return None
        return self.image(spec)

    def _key(self, spec: Spec, row: DebianLayer | CheckoutLayer | ProgramLayer) -> tuple[str, str]:
        """Name and hash of a layer in the cache; the hash is "" for a layer without content."""
        match row:
            case DebianLayer():
                described = {"layer": repr(row), "excluded": repr((NEVER_UNPACKED, REMOVED_AT_LAST))}
                return f"debian-{spec.name}", digest({**described, "recipe": RECIPE, "on": architecture()})
            case CheckoutLayer():
                files = tree(self.checkout / row.checkout)
                return f"files-{spec.name}", digest({**files, "to": row.to}) if files else ""
            case ProgramLayer():
                source = tree(binary.SOURCE / row.program)
                return f"program-{row.program}", digest({**source, "to": row.to, "on": architecture()})

    def _layer(self, spec: Spec, row: DebianLayer | CheckoutLayer | ProgramLayer) -> oci.Layer | None:
        what, inputs = self._key(spec, row)
        if not inputs:
            return None

        def build(directory: Path) -> None:
            tar = directory / "layer.tar"
            match row:
                case DebianLayer():
                    self._debian(spec, row, tar, directory)
                case CheckoutLayer():
                    self._files(row, tar)
                case ProgramLayer():
                    binary.build_program(self.cache, row.program, directory / "program")
                    oci.write_files({row.to: (directory / "program").read_bytes()}, [row.to], tar)
                    (directory / "program").unlink()
            measured = oci.measure(tar)
            (directory / "layer.json").write_text(json.dumps({"digest": measured.digest, "size": measured.size}))

        directory = self.cache.ensure(what, inputs, build)
        measured = json.loads((directory / "layer.json").read_text())
        return oci.Layer(directory / "layer.tar", measured["digest"], measured["size"])

    def _files(self, row: CheckoutLayer, tar: Path) -> None:
        root = row.to.rstrip("/")
        found = {f"{root}/{name}": content for name, content in tree(self.checkout / row.checkout).items()}
        executables = [name.removesuffix("*") for name in found if name.endswith("*")]
        oci.write_files({name.removesuffix("*"): content for name, content in found.items()}, executables, tar)

    def _debian(self, spec: Spec, row: DebianLayer, tar: Path, directory: Path) -> None:
        sources = directory / "sources"
        sources.mkdir()
        command = mmdebstrap(row, tar, debian.write_sources(row.debian, sources), debian.proxy_options())
        log = self.cache.root / "logs" / f"mmdebstrap-{spec.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        # The epoch as the time of all files: the same packages give the same layer.
        environment = {"SOURCE_DATE_EPOCH": "0", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        with log.open("w") as output:
            made = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False)
        if made.returncode:
            tail = "\n".join(log.read_text().splitlines()[-8:])
            raise FailedError(f"making {spec.ref} failed, the last words (all of it: {log}):\n{tail}")
        shutil.rmtree(sources)


def mmdebstrap(row: DebianLayer, tar: Path, sources: list[Path], proxies: list[str]) -> list[str]:
    """The command that makes a Debian layer: no container engine, no network but the machine's package sources."""
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=essential",
        "--skip=output/dev",
        f"--include={','.join(row.packages)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in NEVER_UNPACKED),
        *proxies,
        *(f"--essential-hook={_account(user)}" for user in row.users),
        f"--customize-hook={_removal((*row.remove, *REMOVED_AT_LAST))}",
        row.debian,
        str(tar),
        *map(str, sources),
    ]


def _account(user: User) -> str:
    """A line of shell ($1 is the root file system): make the account before packages make it with other numbers."""
    passwd = f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:/usr/sbin/nologin"
    group = f"{user.name}:x:{user.gid}:"
    rows = {"passwd": passwd, "group": group, "shadow": f"{user.name}:!:1::::::"}
    return "; ".join(f'echo {shlex.quote(row)} >> "$1"/etc/{file}' for file, row in rows.items())


def _removal(patterns: tuple[str, ...]) -> str:
    """A line of shell: delete what the patterns match. They are of the table, and hold no blanks."""
    return "rm -rf " + " ".join(f'"$1"{pattern}' for pattern in patterns)
