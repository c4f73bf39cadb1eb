"""The contract of the port AddonRevisions: on the fake, and on the store's packed addons."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.catalog import archive
from helmbroker.catalog.formats import native
from tests.fakes.revisions import FakeAddonRevisions

FOLDER = Path(__file__).parents[2] / "addons" / "postgresql"
ADDON = native.load(FOLDER)


@pytest.fixture(params=["fake", "unpacked"])
def revisions(request: pytest.FixtureRequest, tmp_path: Path) -> AddonRevisions:
    if request.param == "fake":
        return FakeAddonRevisions(ADDON)
    packed = {ADDON.digest: archive.pack(FOLDER)}
    return UnpackedRevisions(tmp_path, packed.get)


def test_a_revision_is_the_addon_as_it_was_offered(revisions: AddonRevisions) -> None:
    addon = revisions.addon(ADDON.digest)
    assert (addon.id, addon.digest, addon.plans) == (ADDON.id, ADDON.digest, ADDON.plans)
    assert (addon.chart / "Chart.yaml").read_bytes() == (FOLDER / "chart" / "Chart.yaml").read_bytes()


def test_one_that_was_never_kept_is_an_error(revisions: AddonRevisions) -> None:
    with pytest.raises(LookupError):
        revisions.addon("0" * 64)
