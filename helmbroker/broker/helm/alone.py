"""One template, rendered within a chart as if it were part of it, and nothing else of the chart.

In a copy: the template never lies in the chart that Helm installs. It lies in the copy twice, so that what it makes
by chance (random passwords, certificates) shows: that is never what the release has.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.helm.folders import from_os, temporary

_SOURCE = re.compile(r"^---\n# Source: (.*)\n", re.MULTILINE)
_NAMES = ("templates/credentials-template-1.yaml", "templates/credentials-template-2.yaml")


@contextmanager
def copied(chart: Path, folder: Path) -> Iterator[Path]:
    """A copy of a chart below `folder`, for as long as it is needed. Raises HelmError."""
    with temporary(folder) as place:
        copy = place / "chart"
        try:
            shutil.copytree(chart, copy)
        except shutil.Error as error:  # one for each file
            raise HelmError(HelmFault.STORAGE, "the chart cannot be copied") from error
        except OSError as error:
            raise from_os(error, chart) from error
        yield copy


def put_alone(template: Path, chart: Path) -> tuple[str, ...]:
    """Put the template among those of the chart, and take the others away; how Helm calls it. Raises HelmError.

    What others define can be used, so those stay that define something. The rest would be rendered for nothing, and
    may fail where there is no cluster to look something up.
    """
    try:
        for path in chart.rglob("templates/**/*"):
            if path.is_file() and not path.name.startswith("_") and b"define" not in path.read_bytes():
                path.unlink()
        (chart / "templates").mkdir(exist_ok=True)
        for name in _NAMES:
            shutil.copyfile(template, chart / name)
    except OSError as error:
        raise from_os(error, template) from error
    return _NAMES


def only_one(rendered: str) -> str:
    """What the template says, once. Raises HelmError when it says something else the second time."""
    said: dict[str, list[str]] = {}
    _, *parts = _SOURCE.split(rendered)
    for name, document in zip(parts[::2], parts[1::2], strict=True):
        said.setdefault(name, []).append(document.rstrip())
    first, *others = ("\n---\n".join(documents) for documents in said.values())
    if any(other != first for other in others):
        raise HelmError(
            HelmFault.RENDER,
            "the credentials template says something else each time it is rendered (rand..., gen..., lookup); "
            "let it refer to the Secret that has the value",
        )
    return first + "\n"


def says_nothing(error: HelmError) -> bool:
    """Whether it means that the template made no text at all: to Helm it is not there then."""
    return f"could not find template {_NAMES[0]}" in error.detail
