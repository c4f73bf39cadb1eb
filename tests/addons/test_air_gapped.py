"""The page for clusters that download nothing names every image of the addons, and values that the charts take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from helmbroker.catalog.values import coalesce
from tests.addons.tree import ADDONS, NAMES, PLANS, document, instance_values

CHECKOUT = ADDONS.parent
PAGE = (CHECKOUT / "docs/how-to/air-gapped.md").read_text("utf-8")
DIGEST = "sha256:" + "0123456789abcdef" * 4


def block(language: str) -> str:
    """The only block of the page in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


VALUES: dict[str, Any] = yaml.safe_load(block("yaml").replace("sha256:...", DIGEST))


def images(values: Any) -> Iterator[dict[str, Any]]:
    """Every image in values of a chart: what says of which repository it is."""
    if isinstance(values, dict):
        if "repository" in values:
            yield values
        for each in values.values():
            yield from images(each)


def test_it_lists_every_image_of_the_addons() -> None:
    used = [
        f"{image['repository']}:{image['tag']}"
        for name in NAMES
        for image in images(document(name, "chart/values.yaml"))
    ]
    assert block("text").splitlines() == used


def test_the_chart_takes_its_values() -> None:
    schema = yaml.safe_load((CHECKOUT / "charts/helmbroker/values.schema.json").read_text("utf-8"))
    chart = yaml.safe_load((CHECKOUT / "charts/helmbroker/values.yaml").read_text("utf-8"))
    jsonschema.validate(coalesce(chart, VALUES), schema)
    assert [*VALUES["addons"]["overrides"]] == [*VALUES["addons"]["grants"]] == NAMES


@pytest.mark.parametrize(("name", "plan"), PLANS)
def test_with_its_overrides_no_image_comes_from_elsewhere(name: str, plan: str) -> None:
    values = instance_values(name, plan, VALUES["addons"]["overrides"][name])
    jsonschema.validate(values, document(name, "chart/values.schema.json"))
    usual = [f"registry.example.com/{each['repository']}" for each in images(document(name, "chart/values.yaml"))]
    assert [each["repository"] for each in images(values)] == usual
    assert {each["digest"] for each in images(values)} == {DIGEST}
