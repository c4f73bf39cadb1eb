"""Metadata that platforms show: wrong shapes are told with file and line, other keys are the author's."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog.formats import native
from helmbroker.catalog.model import AddonFaults
from tests.unit.catalog.folders import edited, write

RIGHT_OFFERING = [
    "displayName: Demo",
    "imageUrl: https://example.com/x.svg",
    'imageUrl: "data:image/svg+xml;base64,PHN2Zz4="',
    f"longDescription: {'long ' * 100}",
    "providerDisplayName: Demo Company",
    "documentationUrl: https://example.com/docs",
    "supportUrl: http://example.com",
    "shareable: true",
    "anything: [1, {a: b}]",
]
WRONG_OFFERING = [
    "displayName: 7",
    'displayName: ""',
    "imageUrl: x.svg",
    'imageUrl: "javascript:alert(1)"',
    "longDescription: [x]",
    "providerDisplayName: {name: x}",
    "documentationUrl: docs",
    'supportUrl: "https://a b"',
    'shareable: "yes"',
]
RIGHT_PLAN = [
    "bullets: [1 GiB, one server]",
    "bullets: []",
    "displayName: Small",
    "costs: [{amount: {usd: 99.5, eur: 0}, unit: MONTHLY}]",
    "costs: []",
    "shareable: 7",
]
WRONG_PLAN = [
    "bullets: 1 GiB",
    "bullets: [1]",
    'bullets: [""]',
    "displayName: [x]",
    "costs: {amount: {usd: 1}, unit: x}",
    "costs: [{amount: {usd: 1}}]",
    "costs: [{unit: MONTHLY}]",
    "costs: [{amount: {}, unit: x}]",
    "costs: [{amount: 1, unit: x}]",
    'costs: [{amount: {usd: "1"}, unit: x}]',
    "costs: [{amount: {usd: -1}, unit: x}]",
    "costs: [{amount: {usd: 1}, unit: 7}]",
]


def offering(folder: Path, metadata: str) -> None:
    native.load(write(folder, edited("addon.yaml", "{displayName: Demo}", f"\n  {metadata}")))


def plan(folder: Path, metadata: str) -> None:
    native.load(write(folder, edited("plans/small.yaml", "{bullets: [1 GiB]}", f"\n  {metadata}")))


@pytest.mark.osb(39)
@pytest.mark.parametrize("metadata", RIGHT_OFFERING)
def test_metadata_of_an_offering(tmp_path: Path, metadata: str) -> None:
    offering(tmp_path, metadata)


@pytest.mark.osb(39)
@pytest.mark.parametrize("metadata", RIGHT_PLAN)
def test_metadata_of_a_plan(tmp_path: Path, metadata: str) -> None:
    plan(tmp_path, metadata)


@pytest.mark.osb(39, 40)
@pytest.mark.parametrize("metadata", WRONG_OFFERING)
def test_a_wrong_shape_in_an_offering_is_told(tmp_path: Path, metadata: str) -> None:
    with pytest.raises(AddonFaults) as raised:
        offering(tmp_path, metadata)
    (fault,) = raised.value.faults
    assert (fault.file, fault.line > 0) == ("addon.yaml", True)
    assert fault.message.startswith(f"metadata.{metadata.partition(':')[0]}")


@pytest.mark.osb(39, 40)
@pytest.mark.parametrize("metadata", WRONG_PLAN)
def test_a_wrong_shape_in_a_plan_is_told(tmp_path: Path, metadata: str) -> None:
    with pytest.raises(AddonFaults) as raised:
        plan(tmp_path, metadata)
    (fault,) = raised.value.faults
    assert (fault.file, fault.line > 0) == ("plans/small.yaml", True)
    assert fault.message.startswith(f"metadata.{metadata.partition(':')[0]}")


@pytest.mark.osb(36, 40)
@pytest.mark.parametrize(
    "later",
    ["{type: integer, exclusiveMinimum: 0}", "true", "{type: object, required: [], additionalProperties: false}"],
)
def test_a_schema_that_draft_04_cannot_read_is_told(tmp_path: Path, later: str) -> None:
    """The bind schema of the tests says 2020-12, which is fine as long as older platforms can read it, too."""
    with pytest.raises(AddonFaults) as raised:
        native.load(write(tmp_path, edited("addon.yaml", "access: {enum: [read, write]}", f"access: {later}")))
    assert [fault.message for fault in raised.value.faults if "cannot be read as draft-04" in fault.message]


@pytest.mark.osb(36)
def test_a_schema_of_a_later_draft_may_keep_to_draft_04(tmp_path: Path) -> None:
    change = edited(
        "addon.yaml", "access: {enum: [read, write]}", "access: {type: integer, const: 7, examples: [7]}"
    )
    native.load(write(tmp_path, change))
