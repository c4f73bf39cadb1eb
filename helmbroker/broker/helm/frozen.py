"""A chart that holds one manifest and renders nothing else.

What the gate has checked is what Helm is given: a template that was rendered again might say something else, by
chance, by the time of day, or because of what it finds in the cluster (decision 0028).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from helmbroker.catalog.documents import parse
from helmbroker.catalog.yaml_types import TextLoader

_FILE = "manifest.yaml"
_TEMPLATE = f'{{{{ .Files.Get "{_FILE}" }}}}\n'
_KEPT = ("name", "version", "appVersion", "description")  # what a Helm release tells of its chart


def write(chart: Path, manifest: str, folder: Path) -> None:
    """Make in `folder` the frozen form of a chart. Raises OSError, Unreadable.

    Its default values stay, for the release to tell what templates have seen. CRDs of its folder crds/ do not.
    """
    about = parse((chart / "Chart.yaml").read_text("utf-8"), "Chart.yaml", TextLoader).data
    known = about if isinstance(about, Mapping) else {}
    described = {"apiVersion": "v2", **{key: known[key] for key in _KEPT if isinstance(known.get(key), str)}}
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(json.dumps(described))
    (folder / _FILE).write_text(manifest)
    (folder / "templates" / _FILE).write_text(_TEMPLATE)
    if (chart / "values.yaml").is_file():
        shutil.copyfile(chart / "values.yaml", folder / "values.yaml")
