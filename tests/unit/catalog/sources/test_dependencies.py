"""Chart dependencies: resolved once, checked, put into the chart, written down."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
import requests
import requests_mock

from helmbroker.catalog.sources.dependencies import LOCK, vendor
from helmbroker.catalog.sources.model import Access, Policy, Reason, Repository, SourceError
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.places import chart, depending

CHARTS = "https://charts.example"
ON_CHARTS = f"{{name: common, version: ~1.1.1, repository: {CHARTS}}}"


def index(**versions: bytes) -> str:
    text = "entries:\n  common:\n"
    for version, content in versions.items():
        digest = hashlib.sha256(content).hexdigest()
        text += f"  - {{version: {version.replace('_', '.')}, digest: {digest}, urls: [common-{version}.tgz]}}\n"
    return text


@pytest.fixture
def charts(requests_mock: requests_mock.Mocker) -> requests_mock.Mocker:
    """A repository with `common` in three versions."""
    made = {version: chart("common", version.replace("_", ".")) for version in ("1_1_1", "1_1_4", "1_2_0")}
    requests_mock.get(f"{CHARTS}/index.yaml", text=index(**made))
    for version, content in made.items():
        requests_mock.get(f"{CHARTS}/common-{version}.tgz", content=content)
    return requests_mock


def refused(folder: Path, *repositories: Repository) -> str:
    with pytest.raises(SourceError) as refusal:
        vendor(folder, repositories)
    assert refusal.value.reason is Reason.DEPENDENCY
    return refusal.value.message


@pytest.mark.bug(16, 89)
def test_the_best_version_is_put_into_the_chart(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    write(tmp_path, depending(ON_CHARTS))
    assert vendor(tmp_path, ()) == []
    assert "version: 1.1.4" in (tmp_path / "chart/charts/common/Chart.yaml").read_text()
    digest = hashlib.sha256(chart("common", "1.1.4")).hexdigest()
    assert (tmp_path / LOCK).read_text() == f"chart common 1.1.4 sha256:{digest} {CHARTS}\n"
    asked = charts.call_count
    vendor(tmp_path, ())
    assert charts.call_count == asked, "what is there is not asked for"


def test_charts_of_helm_2_name_them_in_a_file_of_their_own(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "chart/Chart.yaml": "apiVersion: v1\nname: demo\nversion: 1.0.0\n",
            "chart/requirements.yaml": f"dependencies: [{ON_CHARTS}]\n",
            "chart/requirements.lock": "dependencies: [{name: common, version: 1.1.1}]\n",
        },
    )
    vendor(tmp_path, ())
    assert "version: 1.1.1" in (tmp_path / "chart/charts/common/Chart.yaml").read_text()


def test_of_several_charts_each_gets_its_own(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    """Drycc: the one that is called like the addon counts, wherever it stands among them."""
    for name in ("a", "z"):
        (tmp_path / "chart" / name).mkdir(parents=True)
        (tmp_path / "chart" / name / "Chart.yaml").write_text(f"name: {name}\ndependencies: [{ON_CHARTS}]\n")
    vendor(tmp_path, ())
    assert all((tmp_path / "chart" / name / "charts/common/Chart.yaml").is_file() for name in ("a", "z"))


def test_an_addon_without_dependencies_stays_as_it_is(tmp_path: Path) -> None:
    write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert vendor(tmp_path, ()) == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", ["folder", "archive"])
def test_what_is_in_the_chart_already_is_taken(tmp_path: Path, place: str) -> None:
    write(tmp_path, depending(ON_CHARTS))
    inside = tmp_path / "chart/charts"
    inside.mkdir()
    if place == "archive":
        (inside / "common-1.1.1.tgz").write_bytes(chart("common", "1.1.1"))
    else:
        (inside / "common").mkdir()
        (inside / "common/Chart.yaml").write_text("name: common\nversion: 1.1.1\n")
    assert vendor(tmp_path, ()) == []
    assert not (tmp_path / LOCK).exists()


def test_a_chart_lock_decides(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    write(tmp_path, depending(ON_CHARTS))
    (tmp_path / "chart/Chart.lock").write_text("dependencies: [{name: common, version: 1.1.1, repository: x}]\n")
    vendor(tmp_path, ())
    assert "version: 1.1.1" in (tmp_path / "chart/charts/common/Chart.yaml").read_text()


def test_a_chart_in_a_folder_of_any_name_and_that_of_bindings(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    """Drycc and Kyma: chart/<name>/."""
    text = depending(ON_CHARTS)["chart/Chart.yaml"]
    write(tmp_path, {"chart/Chart.yaml": None, "chart/mysql/Chart.yaml": text, "binding/Chart.yaml": text})
    vendor(tmp_path, ())
    assert (tmp_path / "chart/mysql/charts/common/Chart.yaml").is_file()
    assert (tmp_path / "binding/charts/common/Chart.yaml").is_file()
    assert [line.split()[0] for line in (tmp_path / LOCK).read_text().splitlines()] == ["binding", "chart/mysql"]


def test_the_operator_says_where_it_is_fetched_really(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    write(tmp_path, depending("{name: common, version: ~1.1.1, repository: oci://registry.example/charts}"))
    vendor(
        tmp_path,
        [
            Repository("oci://registry.example", "https://nowhere.example", Access()),
            Repository("oci://registry.example/charts/", f"{CHARTS}/", Access()),
            Repository("oci://registry.example/chart", "https://nowhere.example", Access()),
        ],
    )
    assert (tmp_path / "chart/charts/common/Chart.yaml").is_file()


def test_a_chart_inside_the_addon(tmp_path: Path) -> None:
    inside = {"shared/Chart.yaml": "name: shared\nversion: 1.0.0\n"}
    write(tmp_path, {**depending("{name: shared, version: 1.0.0, repository: file://../shared}"), **inside})
    vendor(tmp_path, ())
    assert (tmp_path / "chart/charts/shared/Chart.yaml").is_file()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{name: common, version: ~3, repository: https://charts.example}", "no version in that range"),
        ("{name: common, version: latest!, repository: https://charts.example}", "is no range of versions"),
        ("{name: other, version: ~1, repository: https://charts.example}", "no version in that range"),
        ("{name: common, version: ~1, repository: http://charts.example}", "HTTP without TLS is refused"),
        ("{name: common, version: ~1, repository: http://127.0.0.1:1/charts}", "HTTP without TLS is refused"),
        ("{name: common, version: ~1, repository: oci://127.0.0.1:1/charts}", "no connection"),
        ("{name: common, version: ~1, repository: '@drycc'}", "its repository is none of"),
        ("{name: common, version: ~1}", "common ~1 of charts/: is not in the chart"),
        ("{name: x, version: ~1, repository: file://../../../../etc}", "no such chart inside the addon"),
        ("{name: ../x, version: ~1, repository: https://charts.example}", "all texts"),
        ("{version: ~1}", "needs a name"),
        ("common", "needs a name"),
    ],
)
def test_what_cannot_be_had_is_named(charts: requests_mock.Mocker, tmp_path: Path, line: str, words: str) -> None:
    charts.get("https://127.0.0.1:1/v2/charts/common/tags/list?n=1000", exc=requests.ConnectionError)
    write(tmp_path, depending(line))
    assert words in refused(tmp_path)


@pytest.mark.bug(77)
def test_a_chart_that_is_not_what_the_index_promises(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    charts.get(f"{CHARTS}/common-1_1_4.tgz", content=chart("common", "1.1.4", {"templates/x.yaml": "x"}))
    write(tmp_path, depending(ON_CHARTS))
    assert "it was changed or damaged" in refused(tmp_path)


@pytest.mark.bug(77)
def test_a_harmful_chart_is_not_unpacked(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("../../evil"))
    charts.get(f"{CHARTS}/index.yaml", text=index(**{"1_1_4": raw.getvalue()}))
    charts.get(f"{CHARTS}/common-1_1_4.tgz", content=raw.getvalue())
    write(tmp_path, depending(ON_CHARTS))
    assert "leads outside" in refused(tmp_path)


def test_signatures_of_charts(charts: requests_mock.Mocker, tmp_path: Path) -> None:
    charts.get(f"{CHARTS}/common-1_1_4.tgz.sig", status_code=404)
    write(tmp_path / "warned", depending(ON_CHARTS))
    write(tmp_path / "refused", depending(ON_CHARTS))
    (warned,) = vendor(tmp_path / "warned", [Repository(CHARTS, CHARTS, Access(signatures=Policy.WARN))])
    assert "has no signature" in warned
    required = Repository(CHARTS, CHARTS, Access(signatures=Policy.REQUIRED))
    assert "has no signature" in refused(tmp_path / "refused", required)
