"""Chart dependencies: resolved once, put into the chart, and written down by digest.

Afterwards nothing of the addon needs a network. What is in charts/ already stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from helmbroker.catalog import archive
from helmbroker.catalog.documents import Unreadable, read
from helmbroker.catalog.sources.model import Access, Chosen, Dependency, Reason, Repository, SourceError
from helmbroker.catalog.yaml_types import TextLoader

LOCK = "dependencies.lock"
_MAX_DEPENDENCIES = 50
_UNKNOWN = Access(insecure=False)  # whom an addon names, and the operator does not: TLS, no login


def vendor(addon: Path, repositories: Sequence[Repository]) -> list[str]:
    """Put into every chart of an addon folder what it depends on and lacks; warnings.

    Raises SourceError, and then the folder is of no use.
    """
    locked: list[str] = []
    warnings: list[str] = []
    for chart in charts(addon):
        for dependency in _missing(chart):
            chosen = _fetch(addon, chart, dependency, repositories, warnings)
            _check_size(addon)
            where = chart.relative_to(addon).as_posix()
            locked.append(f"{where} {dependency.name} {chosen.version} {chosen.digest} {dependency.repository}\n")
    if locked:
        (addon / LOCK).write_text("".join(sorted(locked)), "utf-8")
    return warnings


def _check_size(addon: Path) -> None:
    try:
        archive.digest(addon)
    except archive.BadArchive as error:
        raise _bad(f"with its dependencies {error}") from None


def charts(addon: Path) -> Iterator[Path]:
    """The folders of an addon's charts, in any format."""
    for top in (addon / "chart", addon / "binding"):
        places = [top] if (top / "Chart.yaml").is_file() else sorted(top.glob("*"))
        yield from (place for place in places if (place / "Chart.yaml").is_file())


def _missing(chart: Path) -> list[Dependency]:
    """What Chart.yaml names and charts/ does not have; Chart.lock decides the version if there is one.

    Charts of Helm 2 have requirements.yaml and requirements.lock for that.
    """
    old = (chart / "requirements.yaml").is_file()
    file, lock = ("requirements.yaml", "requirements.lock") if old else ("Chart.yaml", "Chart.lock")
    given: Any = _yaml(chart / file).get("dependencies") or []
    if not isinstance(given, list) or len(given) > _MAX_DEPENDENCIES:
        raise _bad(f"{file}: dependencies must be a list of at most {_MAX_DEPENDENCIES}")
    locked = _locked(chart / lock)
    there = _there(chart)
    found: dict[str, Dependency] = {}
    for each in given:
        texts = [each.get(key) or "" for key in ("name", "version", "repository")] if isinstance(each, dict) else []
        if not texts or not all(isinstance(text, str) for text in texts) or not _is_name(texts[0]):
            raise _bad(f"{file}: every dependency needs a name, a version and a repository, all texts")
        name, version, repository = texts
        if name not in there and name not in found:
            found[name] = Dependency(name, locked.get(name, version) or "*", repository)
    return list(found.values())


def _locked(lock: Path) -> dict[str, str]:
    if not lock.is_file():
        return {}
    given: Any = _yaml(lock).get("dependencies")
    listed = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    return {each["name"]: each["version"] for each in listed if {"name", "version"} <= each.keys()}


def _there(chart: Path) -> set[str]:
    """Names of the charts in charts/; an archive's is what its file name begins with."""
    names = set()
    for entry in sorted((chart / "charts").glob("*")):
        if entry.is_dir() and (entry / "Chart.yaml").is_file():
            names |= {entry.name, str(_yaml(entry / "Chart.yaml").get("name"))}
        elif entry.suffix == ".tgz":
            names.add(entry.stem.rsplit("-", 1)[0])
    return names


def _fetch(
    addon: Path, chart: Path, dependency: Dependency, repositories: Sequence[Repository], warnings: list[str]
) -> Chosen:
    kind, _, rest = dependency.repository.partition("://")
    target = chart / "charts" / dependency.name
    try:
        match kind:
            case "file":
                return _local(addon, (chart / rest).resolve(), dependency, target)
            case "oci" | "https" | "http":
                from helmbroker.catalog.sources import chart_repositories  # noqa: PLC0415  # loads requests

                location, access = _where(dependency.repository, repositories)
                return chart_repositories.fetch(dependency, location, access, target, warnings)
    except SourceError as error:
        raise SourceError(Reason.DEPENDENCY, f"{dependency}: {error.message}") from None
    raise _bad(f"{dependency}: is not in the chart, and its repository is none of oci://, https:// and file://")


def _where(repository: str, repositories: Sequence[Repository]) -> tuple[str, Access]:
    """Where it is fetched really, as the operator says; the longest match counts."""
    fitting = [each for each in repositories if f"{repository}/".startswith(f"{each.match.rstrip('/')}/")]
    if not fitting:
        return repository, _UNKNOWN
    rule = max(fitting, key=lambda each: len(each.match))
    return rule.location.rstrip("/") + repository[len(rule.match.rstrip("/")) :], rule.access


def _local(addon: Path, folder: Path, dependency: Dependency, target: Path) -> Chosen:
    inside = folder.is_relative_to(addon.resolve()) and not target.resolve().is_relative_to(folder)
    if not inside or not (folder / "Chart.yaml").is_file():
        raise SourceError(Reason.DEPENDENCY, "there is no such chart inside the addon")
    shutil.copytree(folder, target)
    return Chosen(dependency, str(_yaml(folder / "Chart.yaml").get("version")), f"sha256:{archive.digest(folder)}")


def _yaml(path: Path) -> dict[str, Any]:
    try:
        data = read(path, path.name, TextLoader).data
    except Unreadable as error:
        raise SourceError(Reason.DEPENDENCY, str(error)) from None
    return data if isinstance(data, dict) else {}


def _is_name(text: str) -> bool:
    return text.replace("-", "").replace("_", "").replace(".", "").isalnum() and text.isascii() and text[0] != "."


def _bad(message: str) -> SourceError:
    return SourceError(Reason.DEPENDENCY, message)
