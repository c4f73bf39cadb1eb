"""A manifest as Helm renders it -> its objects, and back to a text that has one reading only.

Helm is given what was checked, not the text in which it was found: two readers of YAML differ (a key that is there
twice, `yes`, a date), and what one of them overlooks would pass the gate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import yaml

from helmbroker.catalog.model import JSON, Object
from helmbroker.catalog.yaml_tree import Tree
from helmbroker.catalog.yaml_types import Loader

# within quotes YAML folds or refuses these; JSON has them as they are
_UNPRINTABLE = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


class BadManifest(Exception):
    """A sentence without its full stop: why the manifest cannot be checked."""


def objects(manifest: str) -> list[Object]:
    """The objects, typed as Helm types them. Raises BadManifest."""
    try:
        found = [each for each in _documents(manifest) if each is not None]
    except yaml.MarkedYAMLError as error:
        raise BadManifest(f"the rendered manifest is not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError):
        raise BadManifest("the rendered manifest is not valid YAML") from None
    usable: list[Object] = [
        each for each in found if isinstance(each, dict) and isinstance(each.get("metadata"), dict)
    ]
    if len(usable) < len(found):
        raise BadManifest("something that is not a Kubernetes object is rendered")
    return usable


def packed(found: Iterable[Object]) -> str:
    """JSON documents in a YAML stream, which every reader of either understands alike."""
    return "".join(f"---\n{_UNPRINTABLE.sub(_escaped, _json(each))}\n" for each in found)


def _json(value: Object) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, indent=1)


def _plain(value: JSON) -> JSON:
    """Numbers as Go writes them: 1e3, which may stand where a whole number is wanted, is 1000 and not 1000.0."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _documents(manifest: str) -> list[JSON]:
    reader = Loader(manifest)
    try:
        documents: list[JSON] = Tree(reader, rendered=True).data
    finally:
        reader.dispose()
    return documents
