"""A chart that holds one manifest and renders nothing else.

What the gate has checked is what Helm is given: a template that was rendered again might say something else, by
chance, by the time of day, or because of what it finds in the cluster (decision 0028).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.helm.folders import from_os, temporary
from helmbroker.catalog.documents import Unreadable, parse
from helmbroker.catalog.yaml_types import TextLoader

_FILE = "manifest.yaml"
_TEMPLATE = f'{{{{ .Files.Get "{_FILE}" }}}}\n'
_KEPT = ("name", "version", "appVersion", "description")  # what a Helm release tells of its chart


@contextmanager
def frozen(chart: Path, manifest: str, folder: Path) -> Iterator[Path]:
    """The frozen form of a chart below `folder`, for as long as it is needed. Raises HelmError.

    Its default values stay, for the release to tell what templates have seen. CRDs of its folder crds/ do not.
    """
    with temporary(folder) as place:
        made = place / chart.name
        try:
            _write(chart, manifest, made)
        except OSError as error:
            raise from_os(error, chart) from error
        except Unreadable as error:
            raise HelmError(HelmFault.CHART, str(error)) from error
        yield made


def _write(chart: Path, manifest: str, folder: Path) -> None:
    about = parse((chart / "Chart.yaml").read_text("utf-8"), "Chart.yaml", TextLoader).data
    known = about if isinstance(about, Mapping) else {}
    described = {"apiVersion": "v2", **{key: known[key] for key in _KEPT if isinstance(known.get(key), str)}}
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(json.dumps(described))
    (folder / _FILE).write_text(manifest)
    (folder / "templates" / _FILE).write_text(_TEMPLATE)
    if (chart / "values.yaml").is_file():
        shutil.copyfile(chart / "values.yaml", folder / "values.yaml")
