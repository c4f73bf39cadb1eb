"""Schemas of user parameters: what every platform takes, and no door left open."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog.formats import native
from helmbroker.catalog.model import AddonFaults
from tests.unit.catalog.folders import FILES, SMALL_ID, write

Change = dict[str, str | None]
SCHEMA = FILES["addon.yaml"].split("  create:\n")[1].split("  bind:\n")[0]


def schema(yaml: str) -> Change:
    """The change that makes this the schema of the create parameters. It begins at line 11."""
    return {
        "addon.yaml": FILES["addon.yaml"].replace(SCHEMA, "".join(f"    {line}\n" for line in yaml.splitlines()))
    }


DRAFT4 = '$schema: "http://json-schema.org/draft-04/schema#"\ntype: object\nadditionalProperties: false\n'

PROPERTY = f"{DRAFT4}properties:\n"
SCHEMA_FAULTS: dict[str, tuple[str, str]] = {
    "no draft": ("type: object", "10: parameters.create: needs a $schema, one of http://json-schema.org/draft-04"),
    "unknown draft": ("$schema: urn:mine\ntype: object", "10: parameters.create: needs a $schema, one of"),
    "item 36: no object": (
        DRAFT4.replace("type: object", "type: [object]"),
        "10: parameters.create: needs `type: object` at the top",
    ),
    "item 36: too large": (
        f"{PROPERTY}  a: {{type: string, description: {'x' * 65536}}}",
        "10: parameters.create: is larger than 65536 bytes of JSON; shorten it",
    ),
    "item 36: elsewhere": (
        f"{PROPERTY}  a: {{$ref: 'http://example.com/a.json'}}",
        "15: parameters.create.properties.a: $ref must be # or #/..., and point to a part of this schema",
    ),
    "reference to nothing": (
        f"{PROPERTY}  a: {{$ref: '#/definitions/none'}}",
        "15: parameters.create.properties.a: $ref must be # or #/...",
    ),
    "reference without end": (
        f"{DRAFT4}allOf: [{{$ref: '#'}}]",
        "10: parameters.create: refers to itself without end; let a reference lead to a property",
    ),
    "not of the draft": (
        f"{PROPERTY}  a: {{type: integer, minimum: '1'}}",
        "15: parameters.create.properties.a.minimum: is no JSON Schema: '1' is not of type 'number'",
    ),
    "no regular expression": (
        f"{PROPERTY}  a: {{type: string, pattern: '['}}",
        "15: parameters.create.properties.a.pattern: is no JSON Schema: '[' is not a 'regex'",
    ),
    "open at the top": (
        DRAFT4.replace("additionalProperties: false", "properties: {}"),
        "10: parameters.create: needs `additionalProperties: false`: without it any other key may be set",
    ),
    "open below": (
        f"{PROPERTY}  a:\n    type: object\n    properties: {{b: {{type: string}}}}",
        "15: parameters.create.properties.a: needs `additionalProperties: false`",
    ),
    "a value of any type": (
        f"{PROPERTY}  a: {{description: anything}}",
        "15: parameters.create.properties.a: needs a `type`: without one any value may be set",
    ),
    "a list of anything": (
        f"{PROPERTY}  a: {{type: array}}",
        "15: parameters.create.properties.a: needs `items`: without them the elements may be anything",
    ),
    "open in a list": (
        f"{PROPERTY}  a: {{type: array, items: {{type: object}}}}",
        "15: parameters.create.properties.a.items: needs `additionalProperties: false`",
    ),
    "open behind a reference": (
        f"{PROPERTY}  a: {{$ref: '#/definitions/a'}}\ndefinitions: {{a: {{}}}}",
        "15: parameters.create.properties.a: needs a `type`",
    ),
    "one of the alternatives open": (
        f"{PROPERTY}  a: {{anyOf: [{{type: string}}, {{description: open}}]}}",
        "15: parameters.create.properties.a: needs a `type`",
    ),
}


@pytest.mark.osb(36, 40)
@pytest.mark.parametrize(("yaml", "fault"), SCHEMA_FAULTS.values(), ids=SCHEMA_FAULTS)
def test_a_schema_that_a_platform_refuses_or_that_leaves_a_door_open_is_a_fault(
    tmp_path: Path, yaml: str, fault: str
) -> None:
    with pytest.raises(AddonFaults) as error:
        native.load(write(tmp_path, schema(yaml)))
    (found,) = map(str, error.value.faults)
    assert found.startswith(f"addon.yaml:{fault}")


GOOD_SCHEMAS = {
    "constants": "  a: {enum: [1, x]}\n  b: {const: 1}",
    "alternatives": "  a: {oneOf: [{type: string}, {type: integer}]}",
    "a reference": "  a: {$ref: '#/definitions/a'}\ndefinitions: {a: {type: [string, 'null']}}",
    "a reference to itself": "  a: {$ref: '#/definitions/a'}\n"
    "definitions: {a: {type: object, additionalProperties: false, properties: {a: {$ref: '#/definitions/a'}}}}",
    "open on purpose": "  a: {type: object, additionalProperties: true}",
    "of text values": "  a: {type: object, additionalProperties: {type: string}}",
    "a condition": "  a: {type: integer}\nallOf: [{not: {required: [b]}}]",
    "properties called as keywords are": "  $ref: {type: string}\n  items: {type: integer}",
}


@pytest.mark.parametrize("yaml", GOOD_SCHEMAS.values(), ids=GOOD_SCHEMAS)
def test_a_schema_that_names_what_it_takes_is_good(tmp_path: Path, yaml: str) -> None:
    assert native.load(write(tmp_path, schema(PROPERTY + yaml))).parameters(SMALL_ID).create is not None
