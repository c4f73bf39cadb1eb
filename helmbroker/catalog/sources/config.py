"""The operator's file of sources (docs/how-to/addon-sources.md): YAML -> Sources, or all its faults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from helmbroker.catalog.documents import Document, Unreadable, read
from helmbroker.catalog.model import AddonFaults, Fault
from helmbroker.catalog.schemas import check, validator
from helmbroker.catalog.sources.model import Access, Policy, Repository, Source, SourceKind, Sources

_FILE: dict[str, Any] = {"type": "string", "minLength": 1}
_ACCESS: dict[str, Any] = {
    **dict.fromkeys(
        ("login_file", "token_file", "pull_secret_file", "ca_file", "ssh_key_file", "known_hosts_file"), _FILE
    ),
    "insecure": {"type": "boolean"},
    "signatures": {"enum": [policy.value for policy in Policy]},
    "public_keys": {"type": "array", "items": _FILE, "minItems": 1},
}
_RULES = validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["sources"],
        "properties": {
            "sources": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name", "kind", "location"],
                    "properties": {
                        "name": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63},
                        "kind": {"enum": [kind.value for kind in SourceKind]},
                        "location": {"type": ["string", "array"], "items": _FILE, "minItems": 1, "minLength": 1},
                        "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
                        "ref": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._/+-]*$"},
                        "path": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._/-]*$"},
                        **_ACCESS,
                    },
                },
            },
            "repositories": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["match"],
                    "properties": {
                        "match": {"type": "string", "pattern": "^(oci|https?)://[^@?# ]+$"},
                        "location": {"type": "string", "pattern": "^(oci|https?)://[^@?# ]+$"},
                        **_ACCESS,
                    },
                },
            },
        },
    }
)
_URL = "https?://[^@?# ]+"
_PATH = "[^-:][^:]*"
_LOCATIONS = {
    SourceKind.DIRECTORY: (_PATH, "the path of a folder"),
    SourceKind.ARCHIVE: (f"({_URL}|{_PATH})", "a path or an http(s) URL, without a login in it"),
    SourceKind.INDEX: (f"({_URL}|{_PATH})", "a path or an http(s) URL of an index.yaml, without a login in it"),
    SourceKind.OCI: (
        r"oci://[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?",
        "oci://host/repository:tag or oci://host/repository@sha256:...",
    ),
    SourceKind.GIT: (
        r"(https?://[^@?# -][^@?# ]*|ssh://([\w.-]+@)?[^@?# -][^@?# ]*|file:///[^ ]+)",
        "https://host/path or ssh://user@host/path, without a password in it",
    ),
}
_ONLY = {
    "digest": {SourceKind.ARCHIVE, SourceKind.OCI},
    "ref": {SourceKind.GIT},
    "path": {SourceKind.GIT},
    "ssh_key_file": {SourceKind.GIT},
    "known_hosts_file": {SourceKind.GIT},
    "pull_secret_file": {SourceKind.OCI},
    "login_file": set(SourceKind) - {SourceKind.DIRECTORY, SourceKind.OCI},
    "token_file": set(SourceKind) - {SourceKind.DIRECTORY, SourceKind.OCI},
    "ca_file": set(SourceKind) - {SourceKind.DIRECTORY},
    "insecure": set(SourceKind) - {SourceKind.DIRECTORY},
    "signatures": {SourceKind.ARCHIVE, SourceKind.INDEX, SourceKind.OCI},
    "public_keys": {SourceKind.ARCHIVE, SourceKind.INDEX, SourceKind.OCI},
}


def read_sources(path: Path) -> Sources:
    """Read the file; relative paths in it are relative to its folder. Raises AddonFaults with everything wrong."""
    try:
        document = read(path, str(path))
    except Unreadable as error:
        raise AddonFaults([error.fault]) from None
    faults = check(document, _RULES)
    if not faults:
        faults = _faults(document)
    if faults:
        raise AddonFaults(faults)
    data: Any = document.data
    return Sources(
        tuple(_source(each, path.parent) for each in data["sources"]),
        tuple(_repository(each, path.parent) for each in data.get("repositories", ())),
    )


def _faults(document: Document) -> list[Fault]:
    """What a schema does not say. The document has the right shape."""
    data: Any = document.data
    found: list[Fault] = []
    names: set[str] = set()
    for index, each in enumerate(data["sources"]):
        where = ("sources", index)
        if each["name"] in names:
            found.append(document.fault((*where, "name"), f"there is another source {each['name']}; rename one"))
        names.add(each["name"])
        kind = SourceKind(each["kind"])
        found += [
            document.fault((*where, key), f"means nothing to a source of kind {kind}; leave it out")
            for key, kinds in _ONLY.items()
            if key in each and kind not in kinds
        ]
        found += _location_faults(document, where, each, kind)
        found += _key_faults(document, where, each)
    for index, each in enumerate(data.get("repositories", ())):
        found += _key_faults(document, ("repositories", index), each)
    return found


def _location_faults(
    document: Document, where: tuple[str | int, ...], given: dict[str, Any], kind: SourceKind
) -> list[Fault]:
    pattern, shape = _LOCATIONS[kind]
    locations = _locations(given)
    found = [
        document.fault((*where, "location"), f"must be {shape}; logins belong into a file")
        for each in locations
        if not re.fullmatch(pattern, each)
    ]
    if len(locations) > 1 and kind is not SourceKind.INDEX:
        found.append(document.fault((*where, "location"), "only an index has several; make a source for each"))
    if kind is SourceKind.OCI and not found and not re.search(r"(:[\w.-]+|@sha256:\w+)$", locations[0][6:]):
        found.append(document.fault((*where, "location"), f"names no tag and no digest; must be {shape}"))
    if locations[0].startswith("file:") and given.get("insecure") is not True:
        found.append(
            document.fault((*where, "location"), "git reads this machine's files only with insecure: true")
        )
    return found


def _key_faults(document: Document, where: tuple[str | int, ...], given: dict[str, Any]) -> list[Fault]:
    found = []
    signed = given.get("signatures", Policy.OFF) != Policy.OFF
    if signed and "public_keys" not in given:
        found.append(
            document.fault((*where, "signatures"), "nothing can be verified; name public_keys, or say off")
        )
    if "login_file" in given and "token_file" in given:
        found.append(document.fault((*where, "token_file"), "there is a login_file, too; leave one out"))
    return found


def _locations(given: dict[str, Any]) -> list[str]:
    location = given["location"]
    return [location] if isinstance(location, str) else list(location)


def _source(given: dict[str, Any], folder: Path) -> Source:
    kind = SourceKind(given["kind"])
    locations = [each if "://" in each else str(folder / each) for each in _locations(given)]
    return Source(
        name=given["name"],
        kind=kind,
        location=locations[0],
        more=tuple(locations[1:]),
        digest=given.get("digest"),
        ref=given.get("ref", "HEAD"),
        path=given.get("path", ""),
        access=_access(given, folder),
    )


def _repository(given: dict[str, Any], folder: Path) -> Repository:
    return Repository(given["match"], given.get("location", given["match"]), _access(given, folder))


def _access(given: dict[str, Any], folder: Path) -> Access:
    files = {key: folder / given[key] for key in _ACCESS if key.endswith("_file") and key in given}
    keys = tuple(folder / each for each in given.get("public_keys", ()))
    policy = Policy(given.get("signatures", Policy.REQUIRED if keys else Policy.OFF))
    return Access(insecure=given.get("insecure"), signatures=policy, public_keys=keys, **files)
