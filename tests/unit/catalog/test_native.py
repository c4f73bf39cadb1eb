"""The native addon format: what is read, and every fault with its file, line and cure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from helmbroker.catalog.formats import native
from helmbroker.catalog.load import load
from helmbroker.catalog.model import AddonFaults, Catalog, DataPolicy, ParameterSchemas
from tests.unit.catalog.folders import ADDON_ID, FILES, LARGE_ID, SMALL_ID, edited, write

REAL = Path(__file__).parents[3] / "addons"
Change = dict[str, str | None]


def faults(folder: Path) -> list[str]:
    with pytest.raises(AddonFaults) as error:
        native.load(folder)
    return list(map(str, error.value.faults))


def test_a_folder_becomes_an_addon(tmp_path: Path) -> None:
    addon = native.load(write(tmp_path))
    assert (addon.id, addon.name, addon.version, addon.tags) == (ADDON_ID, "demo", "1.2.3", ("demo",))
    assert (addon.bindable, addon.plan_updateable, addon.folder) == (True, True, tmp_path)
    assert addon.parameters(SMALL_ID).update is not None
    assert [[other.name for other in addon.updates_to(plan)] for plan in addon.plans] == [["small"], ["large"]]
    assert [
        (plan.id, plan.name, plan.free, plan.data, plan.timeout_s, plan.metadata, plan.values)
        for plan in addon.plans
    ] == [
        (LARGE_ID, "large", False, DataPolicy.RETAIN, 900, {}, {"size": "9Gi"}),
        (SMALL_ID, "small", True, DataPolicy.DELETE, 600, {"bullets": ["1 GiB"]}, {"size": "1Gi"}),
    ]
    assert addon.plan(SMALL_ID) == addon.plans[1]
    assert addon.plan(ADDON_ID) is None


@pytest.mark.osb(32, 71)
@pytest.mark.bug(71)
@pytest.mark.parametrize(
    ("addon", "small", "large", "expected"),
    [
        ("true", "", "", {"small": ["large"], "large": ["small"]}),
        ("true", "updates_to: [large]", "updates_to: []", {"small": ["large"], "large": []}),
        ("false", "", "", {"small": [], "large": []}),
        ("false", "updates_to: [large]", "", {"small": ["large"], "large": []}),
    ],
)
def test_transitions_are_the_plans_or_else_the_addons(
    tmp_path: Path, addon: str, small: str, large: str, expected: dict[str, list[str]]
) -> None:
    change: Change = {
        "addon.yaml": FILES["addon.yaml"].replace("plan_updateable: true", f"plan_updateable: {addon}"),
        "plans/small.yaml": FILES["plans/small.yaml"] + small,
        "plans/large.yaml": FILES["plans/large.yaml"] + large,
    }
    made = native.load(write(tmp_path, change))
    assert {plan.name: [other.name for other in made.updates_to(plan)] for plan in made.plans} == expected


def test_an_addon_that_cannot_be_bound_needs_no_binding_chart(tmp_path: Path) -> None:
    change = {**edited("addon.yaml", "bindable: true", "bindable: false"), "binding/Chart.yaml": None}
    assert not native.load(write(tmp_path, {**change, "binding/credentials.yaml": None})).bindable


OWN = """parameters:
  create:
    $schema: http://json-schema.org/draft-04/schema#
    type: object
    additionalProperties: false
"""


def test_what_a_plan_says_of_parameters_replaces_what_the_addon_says(tmp_path: Path) -> None:
    """Each of create, update and bind by itself."""
    addon = native.load(write(tmp_path, {"plans/small.yaml": FILES["plans/small.yaml"] + OWN}))
    small, large = addon.parameters(SMALL_ID), addon.parameters(LARGE_ID)
    assert large.create is not None
    assert small.create == {key: value for key, value in large.create.items() if key != "properties"}
    assert (small.update, small.bind) == (large.update, large.bind)
    assert addon.parameters("no plan", SMALL_ID) == small
    assert addon.parameters("no plan") == ParameterSchemas()


ONE_FAULT: dict[str, tuple[Change, str]] = {
    "no addon.yaml": ({"addon.yaml": None}, "addon.yaml: is missing"),
    "empty addon.yaml": ({"addon.yaml": ""}, "addon.yaml: must be of type object"),
    "no YAML": ({"addon.yaml": "a: ["}, "addon.yaml:2: is not valid YAML: did not find expected node content"),
    "another apiVersion": (
        edited("addon.yaml", "helmbroker.io/v1", "helmbroker.io/v2"),
        "addon.yaml:1: apiVersion: must be one of helmbroker.io/v1",
    ),
    "id in capitals": (
        edited("addon.yaml", ADDON_ID, ADDON_ID.upper()),
        "addon.yaml:2: id: must match ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    ),
    "name with blanks": (
        edited("addon.yaml", "name: demo", "name: de mo"),
        "addon.yaml:3: name: must match ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    ),
    "name with a last newline": (
        edited("addon.yaml", "name: demo", 'name: "demo\\n"'),
        "addon.yaml:3: name: must match ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    ),
    "version as number": (
        edited("addon.yaml", '"1.2.3"', "1.2"),
        "addon.yaml:4: version: must be of type string",
    ),
    "empty description": (
        edited("addon.yaml", "A server for demonstrations.", '""'),
        "addon.yaml:5: description: is too small: minLength is 1",
    ),
    "long description": (
        edited("addon.yaml", "A server for demonstrations.", "x" * 256),
        "addon.yaml:5: description: is too large: maxLength is 255",
    ),
    "B79 tags as text": (
        edited("addon.yaml", "[demo]", "demo"),
        "addon.yaml:6: tags: must be of type array",
    ),
    "missing key": (edited("addon.yaml", "bindable: true\n", ""), "addon.yaml:1: missing: bindable"),
    "unknown key": (
        edited("addon.yaml", "bindable: true", "bindable: true\nupdatable: true"),
        "addon.yaml:1: unknown 'updatable'; allowed: apiVersion, bindable, binding_rotatable, description, id",
    ),
    "unknown parameters": (
        edited("addon.yaml", "  bind:", "  unbind:"),
        "addon.yaml:9: parameters: unknown 'unbind'; allowed: bind, create, update",
    ),
    "no plan": (
        {"plans/small.yaml": None, "plans/large.yaml": None},
        "plans/: has no plan: add plans/NAME.yaml",
    ),
    "a plan that is not read": (
        {"plans/small.yaml": None, "plans/small.yml": FILES["plans/small.yaml"]},
        "plans/small.yml: is not read; name it small.yaml",
    ),
    "plan id twice": (
        edited("plans/small.yaml", SMALL_ID, LARGE_ID),
        "plans/small.yaml:1: id: is that of plan large too; make it unique",
    ),
    "plan name twice": (
        edited("plans/small.yaml", "name: small", "name: large"),
        "plans/small.yaml:2: name: is that of plan large too; make it unique",
    ),
    "plan's data": (
        edited("plans/large.yaml", "retain", "keep"),
        "plans/large.yaml:5: data: must be one of delete, retain",
    ),
    "plan's time": (
        edited("plans/large.yaml", "900", "9"),
        "plans/large.yaml:6: timeout_s: is too small: minimum is 10",
    ),
    "plan's values": (
        edited("plans/large.yaml", "  size: 9Gi", "- size: 9Gi"),
        "plans/large.yaml:7: values: must be of type object",
    ),
    "plan to nowhere": (
        edited("plans/large.yaml", "values:", "updates_to: [small, tiny]\nvalues:"),
        "plans/large.yaml:7: updates_to.1: there is no plan tiny; others are: small",
    ),
    "plan to itself": (
        edited("plans/large.yaml", "values:", "updates_to: [large]\nvalues:"),
        "plans/large.yaml:7: updates_to.0: is this plan itself; leave it out",
    ),
    "plan's parameters": (
        {"plans/small.yaml": FILES["plans/small.yaml"] + OWN.replace("false", "7")},
        "plans/small.yaml:11: parameters.create.additionalProperties: is no JSON Schema",
    ),
    "plan's parameters left open": (
        {"plans/small.yaml": FILES["plans/small.yaml"] + OWN.replace("additionalProperties", "description")},
        "plans/small.yaml:11: parameters.create.description: is no JSON Schema",
    ),
    "version that is not SemVer": (
        edited("addon.yaml", "1.2.3", "1.02.3"),
        "addon.yaml:4: version: must match ",
    ),
    "no chart": ({"chart/Chart.yaml": None}, "chart/Chart.yaml: is missing"),
    "no binding chart": ({"binding/Chart.yaml": None}, "binding/Chart.yaml: is missing"),
    "no credentials template": (
        {"binding/credentials.yaml": None},
        "binding/credentials.yaml: is missing",
    ),
    "a jsonpath that is none": (
        {"binding/credentials.yaml": "credentials:\n- {valueFrom: {serviceRef: {jsonpath: '{.a'}}}\n"},
        "binding/credentials.yaml:2: jsonpath: '{.a': the braces or quotes do not match",
    ),
}


@pytest.mark.osb(40)
@pytest.mark.parametrize(("change", "fault"), ONE_FAULT.values(), ids=ONE_FAULT)
def test_a_fault_says_where_and_what(tmp_path: Path, change: Change, fault: str) -> None:
    (found,) = faults(write(tmp_path, change))
    assert found.startswith(fault)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    change: Change = {
        "addon.yaml": FILES["addon.yaml"].replace("demo", "Demo", 1).replace("type: string", "type: text", 1),
        **edited("plans/small.yaml", SMALL_ID, "1"),
        "plans/large.yaml": "{",
        "chart/Chart.yaml": None,
    }
    assert [fault.partition(": ")[0] for fault in faults(write(tmp_path, change))] == [
        "addon.yaml:3",
        "plans/large.yaml:2",
        "plans/small.yaml:1",
        "addon.yaml:15",
        "chart/Chart.yaml",
    ]


@pytest.mark.bug(77)
def test_a_link_is_a_fault(tmp_path: Path) -> None:
    (write(tmp_path) / "chart/secrets").symlink_to("/etc")
    assert faults(tmp_path) == [
        "addon.yaml: chart/secrets is a link or a special file; addons hold plain files only"
    ]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder of addon folders with one good addon."""
    write(tmp_path / "good")
    return tmp_path


def quarantined(catalog: Catalog) -> dict[str, list[str]]:
    return {Path(folder).name: list(map(str, found)) for folder, found in catalog.quarantined.items()}


@pytest.mark.osb(40)
@pytest.mark.bug(76)
def test_a_faulty_addon_is_set_apart_and_hides_no_other(shelf: Path) -> None:
    write(shelf / "a bad one", {"addon.yaml": "{"})
    write(shelf / "b linked")
    (shelf / "b linked/chart/values.yaml").symlink_to("/nowhere")
    write(shelf / "c named")
    (shelf / "c named" / os.fsdecode(b"\xff.md")).write_bytes(b"")
    catalog = load([shelf])
    assert [addon.name for addon in catalog.addons] == ["demo"]
    assert list(quarantined(catalog)) == ["a bad one", "b linked", "c named"]


@pytest.mark.osb(24, 25)
@pytest.mark.bug(78)
def test_addons_with_the_same_ids_or_names_are_told_and_the_first_stays(shelf: Path) -> None:
    write(shelf / "second")
    write(shelf / "third", edited("addon.yaml", f"id: {ADDON_ID}", f"id: {SMALL_ID}"))
    catalog = load([shelf])
    assert [addon.folder.name for addon in catalog.addons] == ["good"]
    assert quarantined(catalog) == {
        "second": [
            *(f"addon.yaml: id {taken} is taken by addon demo" for taken in (ADDON_ID, SMALL_ID, LARGE_ID)),
            f"addon.yaml: name demo is taken by {shelf.name}/good",
        ],
        "third": [
            "addon.yaml: the addon's id is that of one of its plans",
            *(f"addon.yaml: id {taken} is taken by addon demo" for taken in (SMALL_ID, LARGE_ID)),
            f"addon.yaml: id {SMALL_ID} is of addon demo, too, for something else",
            f"addon.yaml: name demo is taken by {shelf.name}/good",
        ],
    }


def test_files_and_folders_that_are_no_addons_are_left_alone(shelf: Path) -> None:
    (shelf / "README.md").write_text("Addons.")
    (shelf / "lost+found").mkdir()
    assert quarantined(load([shelf])) == {}


GOLDEN = {
    "mariadb": (
        "a6189ba1-94c8-4e6e-b280-2c32fe78773a",
        {"medium": "d56860e3-7df7-4e12-9f76-bbb793b7c0be", "small": "fbb1fb9b-4b34-4bdc-937b-9e7a85e42805"},
    ),
    "memcached": (
        "40f9c6b5-0c04-497c-9a3e-475a080d44ee",
        {"medium": "b16d991c-93ac-4c13-8201-cb3b6d0bd16e", "small": "b1ac33b8-a1a8-4db9-bb98-1aa6c5361b2d"},
    ),
    "postgresql": (
        "e681e81a-a262-40a0-8df7-54f5a633be49",
        {"medium": "62d6117d-ed65-4f29-933b-7cbba05c0485", "small": "f13c4a48-f83c-4198-bde5-7ab78504a15b"},
    ),
    "rabbitmq": (
        "55a9e14d-2d60-45d2-a4aa-b4dc3cdbe44f",
        {"medium": "fd703ae3-a224-4808-98e1-0ba915dc5ea1", "small": "2b83c115-8b58-413f-bc2e-73275562425d"},
    ),
    "redis": (
        "d2183958-3e39-490b-b955-0720d47336b7",
        {"medium": "1f4d487f-eb39-4dbb-a8fa-6b4863e3690e", "small": "0d756566-d488-4996-87c7-4bc5d5da3b04"},
    ),
}


@pytest.mark.osb(27)
def test_the_addons_of_this_repository_are_good_and_keep_their_ids() -> None:
    """An id that changes is another service to every platform."""
    catalog = load([REAL])
    assert catalog.quarantined == {}
    ids = {addon.name: (addon.id, {plan.name: plan.id for plan in addon.plans}) for addon in catalog.addons}
    assert ids == GOLDEN


def test_a_revision_is_named_by_every_byte_of_its_files(tmp_path: Path) -> None:
    before = native.load(write(tmp_path)).digest
    shutil.copytree(tmp_path, tmp_path.parent / "copy")
    assert native.load(tmp_path.parent / "copy").digest == before
    (tmp_path / "chart/values.yaml").write_text("")
    assert native.load(tmp_path).digest != before
