"""Addons that a broker under test offers: those of the checkout, and some that only tests need."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

import yaml

from helmbroker.catalog.values import coalesce, merge

ROOT = Path(__file__).parents[2]
ADDONS = ROOT / "addons"
PROBE_CHART = ROOT / "tests" / "charts" / "probe"
NAMES = sorted(folder.name for folder in ADDONS.iterdir() if (folder / "addon.yaml").is_file())
SECRET = {"type": "string", "writeOnly": True}
TEXT = {"type": "string"}


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def image_of(addon: str, plan: str, overrides: dict[str, Any]) -> str:
    """What contract.yaml points to in the values of an instance."""
    folder = ADDONS / addon
    given = merge(document(folder / "plans" / f"{plan}.yaml")["values"], overrides)
    image = coalesce(document(folder / "chart" / "values.yaml"), given)
    for part in document(folder / "contract.yaml")["image"].split("."):
        image = image[part]
    return f"{image['repository']}:{image['tag']}"


def step(addon: str, name: str) -> list[str]:
    """The command of one step of the addon's contract; credentials are its environment, names upper-cased."""
    contract = document(ADDONS / addon / "contract.yaml")
    return ["sh", "-euc", f"{contract['client']}\n{contract['steps'][name]}"]


def copies(folder: Path) -> None:
    """The addons of the checkout, into a folder to which more can be added."""
    for name in NAMES:
        shutil.copytree(ADDONS / name, folder / name)


def probe(
    folder: Path, name: str, values: dict[str, Any] | None = None, more: dict[str, str] | None = None
) -> None:
    """An addon of the small chart tests/charts/probe, under `name`: seconds instead of a database.

    values: of its plan `small`. more: files of its chart, by path.
    """
    place = folder / name
    ids = {key: str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{key}")) for key in ("service", "plan")}
    create = {"text": SECRET, "make": TEXT, "drop": TEXT, "replicas": {"type": "integer"}}
    addon = {
        "apiVersion": "helmbroker.io/v1",
        "id": ids["service"],
        "name": name,
        "version": "1.0.0",
        "description": "Only tests offer it.",
        "bindable": True,
        "parameters": {
            kind: {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "additionalProperties": False,
                "properties": properties,
            }
            for kind, properties in (("create", create), ("update", create), ("bind", {"text": SECRET}))
        },
    }
    plan = {"id": ids["plan"], "name": "small", "description": "Small.", "timeout_s": 120, "values": values or {}}
    plan["pod_security"] = "baseline"  # its pods are as small as can be
    for chart in ("chart", "binding"):
        shutil.copytree(PROBE_CHART, place / chart)
    for path in (place / "binding" / "credentials.yaml", place / "binding" / "templates" / "objects.yaml"):
        of_the_binding = '(.Values.binding.parameters.text | default "")'
        path.write_text(path.read_text().replace(".Values.text", of_the_binding))
    for name_, content in (more or {}).items():
        (place / "chart" / name_).write_text(content)
    (place / "plans").mkdir()
    (place / "plans" / "small.yaml").write_text(yaml.safe_dump(plan))
    (place / "addon.yaml").write_text(yaml.safe_dump(addon))
