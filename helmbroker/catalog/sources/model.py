"""Where addons come from, how that place is spoken to, and why something of it is not taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from helmbroker.catalog.model import STRICT, Fault, Legacy


class SourceKind(StrEnum):
    """What a location is."""

    DIRECTORY = "directory"
    ARCHIVE = "archive"  # .tgz or .zip; a file or a URL
    INDEX = "index"  # index.yaml with archives beside it; a file or a URL
    OCI = "oci"
    GIT = "git"


class Policy(StrEnum):
    """What a signature by one of the public keys is to a source."""

    REQUIRED = "required"  # what has none is not taken
    WARN = "warn"
    OFF = "off"  # nobody looks for one


class Reason(StrEnum):
    """Why something is not taken: the words for programs, as in Kyma's AddonsConfiguration where it has them."""

    FETCHING = "FetchingError"
    DIGEST = "DigestMismatch"
    SIGNATURE = "SignatureError"
    ARCHIVE = "ArchiveError"
    DEPENDENCY = "DependencyError"
    VALIDATION = "ValidationError"


class SourceError(Exception):
    """A source, or one addon of it, cannot be had. `message`: what failed, where, and the cure; nothing secret."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(frozen=True)
class Access:
    """How a place is spoken to, and what is believed of it. Files are read when they are needed.

    insecure: HTTP without TLS (for git also `file:`): None: to loopback alone; True: to everywhere; False: nowhere.
    """

    login_file: Path | None = None  # one line, user:password
    token_file: Path | None = None  # one line, a bearer token
    pull_secret_file: Path | None = None  # docker's config.json
    login: str | None = field(default=None, repr=False)  # user:password for a registry, where somebody typed it
    ca_file: Path | None = None
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    insecure: bool | None = None
    signatures: Policy = Policy.OFF
    public_keys: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Source:
    """One place that has addons. `location` holds no secret."""

    name: str
    kind: SourceKind
    location: str  # of an index with several files: the first
    more: tuple[str, ...] = ()  # further files of an index
    digest: str | None = None  # sha256:... that an archive or a manifest must have
    ref: str = "HEAD"  # of git: branch, tag or commit
    path: str = ""  # of git: the folder in it
    access: Access = Access()


@dataclass(frozen=True)
class Repository:
    """Where chart dependencies whose repository begins with `match` are fetched instead, and how."""

    match: str
    location: str
    access: Access


@dataclass(frozen=True)
class Sources:
    """What the operator has written down, in this order: of two addons with one id or name the first is offered."""

    sources: tuple[Source, ...]
    repositories: tuple[Repository, ...] = ()
    legacy: Legacy = STRICT


@dataclass
class Fetched:
    """What became of a source. Its addons are folders now, by label; a label is the same at the next look.

    seen: the source holds exactly this as long as it says so again; None: it cannot tell.
    """

    seen: str | None
    labels: list[str] = field(default_factory=list)
    failed: dict[str, SourceError] = field(default_factory=dict)  # by label: the one addon that cannot be had
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Standing:
    """How a source was found when it was asked. reason: None: all is well, `message` then has warnings."""

    name: str
    kind: SourceKind
    location: str
    seen: str | None = None
    reason: Reason | None = None
    message: str = ""


class AddonState(StrEnum):
    """What of an addon is offered."""

    OFFERED = "offered"  # as the source has it
    OUTDATED = "outdated"  # as the source had it before; what it has now is not taken
    ARCHIVED = "archived"  # nothing: the source has it so
    FAILED = "failed"  # nothing


@dataclass(frozen=True)
class Listed:
    """One addon of a source. digest: the revision that is offered; None: none is.

    raw: the digest before dependencies were put into it, by which it is known again.
    reason: why what the source has now is not taken; then `digest` is what it had before.
    faults: all that is wrong with what the source has now, or doubtful about it.
    """

    source: str
    label: str
    digest: str | None
    raw: str | None
    service_id: str | None
    reason: Reason | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What names it among all."""
        return self.source, self.label

    @property
    def state(self) -> AddonState:
        """What of it is offered."""
        if self.digest is None:
            return AddonState.ARCHIVED if self.reason is None else AddonState.FAILED
        return AddonState.OFFERED if self.reason is None else AddonState.OUTDATED


@dataclass(frozen=True)
class Dependency:
    """What a chart depends on, as Chart.yaml has it; `version` is a range."""

    name: str
    version: str
    repository: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} of {self.repository or 'charts/'}"


@dataclass(frozen=True)
class Chosen:
    """The version of a dependency that was taken, and the digest of what was taken."""

    dependency: Dependency
    version: str
    digest: str
