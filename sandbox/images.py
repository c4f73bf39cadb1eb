"""The table of images (images/*.json): of which layers each is made."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "images"


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
class ModuleLayer:
    """A program of a module that the Go module requires, and beside it what it was built of."""

    module: str
    to: str


@dataclass(frozen=True)
class MadeLayer:
    """What `python3 -m packing.image MADE` leaves, run by Debian's Python; of: the files that it is made of."""

    made: str
    of: tuple[str, ...]


Layer = DebianLayer | CheckoutLayer | ProgramLayer | ModuleLayer | MadeLayer


@dataclass(frozen=True)
class Spec:
    """One image of the table; config as in the OCI image specification. sbom: where it lists what is in it."""

    ref: str
    layers: tuple[Layer, ...]
    config: dict[str, Any]
    sbom: str | None = None

    @property
    def name(self) -> str:
        """`postgresql` of `sandbox.local/postgresql:15`: for files and logs."""
        return self.ref.rsplit("/", 1)[-1].split(":", 1)[0]

    @property
    def users(self) -> tuple[User, ...]:
        """The accounts made for this image."""
        return tuple(user for layer in self.layers if isinstance(layer, DebianLayer) for user in layer.users)


def parse_layer(row: dict[str, Any]) -> Layer:
    """One layer of the table, told by its first key."""
    match next(iter(row)):
        case "debian":
            return DebianLayer.parse(row)
        case "checkout":
            return CheckoutLayer(**row)
        case "module":
            return ModuleLayer(**row)
        case "made":
            return MadeLayer(**{**row, "of": tuple(row["of"])})
        case _:
            return ProgramLayer(**row)


def table(directory: Path = TABLE) -> list[Spec]:
    """Every image, the pause image first: nothing starts without it."""
    rows = [json.loads(file.read_text()) for file in sorted(directory.glob("*.json"))]
    specs = [Spec(**{**row, "layers": tuple(map(parse_layer, row["layers"]))}) for row in rows]
    return sorted(specs, key=lambda spec: (spec.name != "pause", spec.name))
