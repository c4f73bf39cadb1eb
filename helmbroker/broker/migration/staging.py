"""The addon revision that an old instance runs: its own chart and plan, and what the catalog knows beside them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from helmbroker.broker.migration.told import OldInstance, Unclear
from helmbroker.catalog import archive, documents, formats
from helmbroker.catalog.archive import BadArchive
from helmbroker.catalog.documents import Document, Unreadable
from helmbroker.catalog.formats import foreign
from helmbroker.catalog.model import STRICT, Addon, AddonFaults, Catalog, Legacy, Plan

_CHART, _PLAN = "Chart.yaml", foreign.FILE
_OWN = "own"  # the plan's folder, and the chart's, when the catalog has none to take the place of
_NOT_META = frozenset({"plans", "url"})  # of the old catalogue's entries


@dataclass(frozen=True)
class Staged:
    """plan: the instance's. chart: as helm calls it, NAME-VERSION. offered: whether the catalog has the addon."""

    addon: Addon
    plan: Plan
    chart: str
    offered: bool
    packed: bytes = field(repr=False)


@dataclass(frozen=True)
class Stager:
    """`catalog`: ours; `listed`: what the old one says, by service id."""

    catalog: Catalog
    listed: Mapping[str, Mapping[str, Any]]
    legacy: Legacy = STRICT

    def stage(self, old: OldInstance, source: Path, folder: Path) -> Staged:
        """From the instance's folder `source`, in the empty `folder`. Raises Unclear."""
        try:
            return self._stage(old, source, folder)
        except AddonFaults as error:
            raise Unclear(f"its addon cannot be used: {error}; mend it in chart/ and plan/") from None
        except BadArchive as error:
            raise Unclear(f"its addon cannot be kept: {error}") from None
        except Unreadable as error:
            raise Unclear(f"its addon cannot be read: {error}") from None
        except OSError as error:
            raise Unclear(f"its addon cannot be read: {error.filename}: {error.strerror}") from None

    def _stage(self, old: OldInstance, source: Path, folder: Path) -> Staged:
        chart, plan = _holding(source / "chart", _CHART), _holding(source / "plan", _PLAN)
        plan_id = foreign.text(_described(plan / _PLAN, "id"), "id")
        offered, service_id = self._offered(old, plan_id)
        if offered is not None:
            _copy(offered.folder, folder)
        elif (meta := self.listed.get(service_id)) is not None:
            known = {key: value for key, value in meta.items() if key not in _NOT_META}
            (folder / foreign.FILE).write_text(yaml.safe_dump(known))
        else:
            raise Unclear(
                f"its addon {service_id} is not in the catalog; add it to a source, `archive: true` will do"
            )
        _put_plan(plan, plan_id, folder)
        _put_chart(chart, folder, offered)
        addon = _mended(formats.load(folder, self.legacy))
        own = addon.plan(plan_id)
        if own is None:
            raise Unclear(f"plan/ is not the plan {plan_id} that its meta.yaml names; put it back from backups/")
        about = _described(chart / _CHART, "name", "version")
        label = f"{foreign.text(about, 'name')}-{foreign.text(about, 'version')}"
        return Staged(addon, own, label, offered is not None, archive.pack(addon.folder))

    def _offered(self, old: OldInstance, plan_id: str) -> tuple[Addon | None, str]:
        """The addon and its id. A change of the plan has put the plan's id in the place of the service's (B14)."""
        if plan_id == old.plan_id:
            service_id = old.service_id
        elif plan_id == old.service_id:
            service_id = self._service_of(plan_id, old.plan_id)
        else:
            raise Unclear(
                f"plan/ is the plan {plan_id}, which instance.json does not name: a change of the plan was cut "
                "short; put plan/ and chart/ back from backups/"
            )
        addon = self.catalog.addon(service_id)
        return (addon if addon is not None and (addon.folder / foreign.FILE).is_file() else None), service_id

    def _service_of(self, *plan_ids: str) -> str:
        """The service class that has one of these plans: the newer one may be gone from the catalog."""
        ours = {plan.id: addon.id for addon in self.catalog.addons for plan in addon.plans}
        theirs = {
            plan.get("id"): id_
            for id_, each in self.listed.items()
            for plan in each.get("plans") or ()
            if isinstance(plan, Mapping)
        }
        for plan_id in plan_ids:
            found = ours.get(plan_id, theirs.get(plan_id))
            if found is not None:
                return found
        raise Unclear(f"no addon of the catalog has its plan {plan_ids[0]}; add that addon to a source")


def _holding(folder: Path, name: str) -> Path:
    """The folder itself, or the one in it, that has this file."""
    found = [each for each in (folder, *sorted(folder.glob("*"))) if (each / name).is_file()]
    if not found:
        raise Unclear(f"{folder.name}/ has no {name}, so nobody knows what runs; put it back from backups/")
    return found[0]


def _described(path: Path, *keys: str) -> Document:
    """A file in which these keys are texts or numbers."""
    document = documents.read(path, path.name)
    data = document.data
    if not isinstance(data, Mapping) or any(not isinstance(data.get(key), (str, int, float)) for key in keys):
        raise Unclear(
            f"{path.parent.name}/{path.name} does not tell {' and '.join(keys)}; put it back from backups/"
        )
    return document


def _put_plan(plan: Path, plan_id: str, folder: Path) -> None:
    """In the place of the catalog's own, and of another one that has its name by now."""
    name = foreign.text(_described(plan / _PLAN, "name"), "name")
    place = folder / "plans" / _OWN
    for each in sorted((folder / "plans").glob(f"*/{_PLAN}")):
        about = _described(each, "id", "name")
        same = foreign.text(about, "id") == plan_id
        if same:
            place = each.parent
        if same or foreign.text(about, "name") == name:
            shutil.rmtree(each.parent)
    _copy(plan, place)


def _put_chart(chart: Path, folder: Path, offered: Addon | None) -> None:
    """A change of the plan has fetched the chart without what it depends on (B16): that is the catalog's."""
    if (folder / "chart").exists():
        shutil.rmtree(folder / "chart")
    place = folder / ("chart/" + _OWN if offered is None else offered.chart_folder)
    _copy(chart, place)
    if offered is not None and not (place / "charts").exists() and (offered.chart / "charts").is_dir():
        _copy(offered.chart / "charts", place / "charts")


def _copy(source: Path, target: Path) -> None:
    """Plain files alone: a link would bring in what lies elsewhere. Raises BadArchive."""
    for name, content in archive.contents(source):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _mended(addon: Addon) -> Addon:
    """With the files as the revision has them."""
    for name, content in addon.mended.items():
        path = addon.folder / name
        if content is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)  # templates/, which a chart may do without
            path.write_bytes(content)
    return replace(addon, mended={})
