"""What Drycc's helmbroker had helm make, and what this broker would: by real helm, the same objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.broker import gate
from helmbroker.broker.domain import naming
from helmbroker.broker.helm.releases import HelmCli
from helmbroker.broker.migration import unchanged
from helmbroker.broker.migration.directory import DataDirectory, Written
from helmbroker.broker.migration.staging import Stager
from helmbroker.catalog import formats
from helmbroker.catalog.model import Catalog
from helmbroker.catalog.values import of_instance
from tests.addons.programs import helm, program
from tests.fakes.drycc_directory import OldInstance, bound, write_addon, write_root

pytestmark = pytest.mark.cluster

PLAIN = OldInstance("i", "mydb", parameters={"auth.password": "s3cret"})
CASES = [
    PLAIN,
    replace(PLAIN, parameters={"auth.password": "12345", "persistence.enabled": "false", "settings.mode": "x"}),
    replace(PLAIN, raw={"settings": {"tier": "gold"}, "persistence": {"size": "1Gi"}}),
    replace(PLAIN, operator={"replicas": 2, "settings": {"of": "the operator"}}),
    replace(PLAIN, plan="large", changed_from="small"),
    replace(PLAIN, name="x" * 53),
]


@pytest.mark.bug(73)
@pytest.mark.parametrize("old", CASES, ids=range(len(CASES)))
def test_a_migrated_instance_is_rendered_as_it_runs(old: OldInstance, tmp_path: Path) -> None:
    """Names, selectors, claim templates, and all the rest; also when a bind has left its template in the chart."""
    root = tmp_path / "old"
    root.mkdir()
    write_root(root, old)
    running = gate.objects(helm("template", *old.helm(root)))
    replace(old, binding=bound()).write(root)
    (found,) = DataDirectory(root).instances()
    assert isinstance(found.written, Written)
    written = found.written
    stager = Stager(Catalog((formats.load(write_addon(tmp_path / "addon")),)), {})
    staged = stager.stage(written.old, written.folder, tmp_path / "staged")
    fullname = naming.fullname(old.name)
    values = of_instance(staged.addon, staged.plan, written.old.parameters.reveal(), written.operator, fullname)
    rendered = gate.objects(
        HelmCli(program("helm"), tmp_path / "helm").template(staged.addon.chart, values, written.old.release)
    )
    assert rendered == running
    assert unchanged.endangered(running, rendered) == []
