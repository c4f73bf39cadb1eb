"""A user's changes of parameters: merged into what is recorded, and what of them is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from jsonschema import ValidationError

from helmbroker.catalog import parameters
from helmbroker.catalog.model import JSON, NOTHING, Object, ParameterSchemas
from helmbroker.catalog.schemas import explain, keys, validator
from helmbroker.catalog.values import canonical

# rules about what must be there as well: they are for the whole, and a change is only a part (B46)
_OF_THE_WHOLE = frozenset({"required", "minProperties", "dependentRequired", "dependencies"})
_Path: TypeAlias = tuple[str | int, ...]


def patched(recorded: Object, given: Object) -> dict[str, JSON]:
    """RFC 7396: objects are merged, `null` takes a key away, everything else (lists too) replaces. B44."""
    result = dict(recorded)
    for key, value in given.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = patched(below if isinstance(below, Mapping) else NOTHING, value)
        else:
            result[key] = value
    return result


def problems(schemas: ParameterSchemas, recorded: Object, given: Object) -> list[str]:
    """What is wrong with a change, each with its path, never a value; empty = all is well.

    What is given as it is recorded changes nothing and is always allowed, so clients may send everything. So is
    null for what `create` does not know any more, or nobody could upgrade to a revision without a parameter. The
    rest has to be allowed by the `update` schema; the merged whole has to fulfil the `create` schema.
    """
    if parameters.nested_deeper(given, parameters.MAX_DEPTH):
        return [f"parameters are nested more than {parameters.MAX_DEPTH} deep"]
    refused = _refused(schemas.update, _changed(recorded, given, _obsolete(schemas.create, recorded)))
    return refused[: parameters.MAX_PROBLEMS] or parameters.problems(schemas.create, patched(recorded, given))


def _obsolete(schema: Object | None, recorded: Object) -> set[_Path]:
    """Paths of recorded keys that the schema does not take."""
    if schema is None:
        return {(key,) for key in recorded}
    return {
        (*error.absolute_path, key)
        for error in validator(schema).iter_errors(recorded)
        if error.validator == "additionalProperties" and isinstance(error.instance, dict)
        for key in keys(error.schema, error.instance)[1]
    }


def _changed(recorded: Object, given: Object, obsolete: set[_Path], at: _Path = ()) -> dict[str, JSON]:
    """`given` without what is recorded already, and without taking away what is not there, or is obsolete."""
    changed: dict[str, JSON] = {}
    for key, value in given.items():
        known = recorded.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            if inner := _changed(known, value, obsolete, (*at, key)):
                changed[key] = inner
        elif value is None:
            if key in recorded and (*at, key) not in obsolete:
                changed[key] = None
        elif key not in recorded or canonical(known) != canonical(value):
            changed[key] = value
    return changed


def _refused(schema: Object | None, changed: Object) -> list[str]:
    if schema is None:
        return [
            f"{key}: cannot be changed; this service takes no parameters in an update" for key in sorted(changed)
        ]
    errors = [error for error in validator(schema).iter_errors(changed) if _counts(error, changed)]
    return sorted(_sentence(error)[: parameters.MAX_CHARACTERS] for error in errors)


def _counts(error: ValidationError, changed: Object) -> bool:
    """Not what is missing in a part, nor the type of a null: that is no value, it takes one away."""
    value: Any = changed
    for part in error.absolute_path:
        value = value[part]
    return error.validator not in _OF_THE_WHOLE and value is not None


def _sentence(error: ValidationError) -> str:
    where = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        allowed, unknown = keys(error.schema, error.instance)
        names = ", ".join(f"{where}.{key}" if where else key for key in unknown)
        return f"{names}: cannot be changed after creation; an update may change: {', '.join(allowed) or 'nothing'}"
    return f"{where or 'parameters'}: {explain(error)}"
