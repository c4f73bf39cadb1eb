"""The file that `apply` reads: the resources an app is to have; every fault of it at once, with its line.

    app: shop                       # else as for every command
    resources:
      database:
        plan: postgresql:small      # SERVICE:PLAN
        options: {storage: {size: 2Gi}}
        bind: true                  # the default; false: made, and not bound
        env: {rename: {uri: DATABASE_URL}, prefix: DB_, only: [uri]}
        rotate: 30d                 # or never; without it a schedule stays as it is
      accounts:
        from: bank/accounts         # instead of plan and options: the instance of another app's resource

Other keys beside `app` and `resources` are not looked at: it may be the app's own file.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from helmbroker.controller_bridge.naming import name_error
from helmbroker.controller_bridge.plugin.flags import period
from helmbroker.controller_bridge.plugin.terminal import CommandError

_Node = yaml.nodes.Node
_KEYS = ("plan", "options", "from", "bind", "env", "rotate")


@dataclass(frozen=True)
class Wanted:
    """A resource as the file has it. `options` may hold secrets: not shown."""

    name: str
    line: int
    service: str = ""
    plan: str = ""
    options: Mapping[str, object] = field(default_factory=dict, repr=False)
    source: str = ""  # APP/RESOURCE whose instance it shares; then it has neither plan nor options
    bind: bool = True
    env: Mapping[str, object] = field(default_factory=dict)
    rotate_every_s: float | None = None  # 0: never; None: nothing is said

    @property
    def plan_name(self) -> str:
        """SERVICE:PLAN, or what it shares."""
        return f"the instance of {self.source}" if self.source else f"{self.service}:{self.plan}"


@dataclass(frozen=True)
class Manifest:
    """A whole file without fault."""

    path: Path
    app: str | None
    resources: tuple[Wanted, ...]

    def place(self, wanted: Wanted) -> str:
        """Where in the file a resource stands."""
        return f"{self.path}:{wanted.line}: {wanted.name}"


class Faulty(CommandError):
    """The file cannot be used; a line for each fault."""


def read(path: Path) -> Manifest:
    """The file. Raises Faulty, CommandError."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        why = getattr(error, "problem", None) or "a character is not allowed"
        raise Faulty(f"{where}: it is not YAML: {why}") from error
    reading = _Reading(path)
    manifest = reading.manifest(root)
    if reading.faults:
        raise Faulty("\n".join(f"{path}:{line}: {why}" for line, why in sorted(reading.faults)))
    return manifest


class _Reading:
    """One file; what is wrong with it is gathered in `faults`: lines, and sentences."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of = ""  # what the faults are of
        self.faults: list[tuple[int, str]] = []

    def manifest(self, root: _Node | None) -> Manifest:
        """The whole of it, as far as it can be read."""
        fields = self._fields(root)
        app = self._text(fields["app"][1]) if "app" in fields else None
        if root is None or "resources" not in fields:
            self.faults.append((1, "it names no `resources`"))
            return Manifest(self._path, app, ())
        found = [self._resource(name, *nodes) for name, nodes in self._fields(fields["resources"][1]).items()]
        return Manifest(self._path, app, tuple(found))

    def _resource(self, name: str, key: _Node, node: _Node) -> Wanted:
        self._of = f"{name}: "
        if error := name_error(name):
            self._fault(key, error)
        fields = self._fields(node)
        for unknown in fields.keys() - set(_KEYS):
            self._fault(fields[unknown][0], f"there is no {unknown!r}; it takes {', '.join(_KEYS)}")
        values = {each: value for each, (_, value) in fields.items()}
        service, plan = self._plan(values["plan"]) if "plan" in values else ("", "")
        if isinstance(node, yaml.MappingNode) and not {"plan", "from"} & values.keys():
            self._fault(key, "it has no plan; give one such as postgresql:small")
        if "from" in values and {"plan", "options"} & values.keys():
            self._fault(values["from"], "from: plan and options are those of the resource that is shared")
        source = self._source(values["from"]) if "from" in values else ""
        options = self._options(values["options"]) if "options" in values else {}
        bind = self._bind(values["bind"]) if "bind" in values else True
        env = self._env(values["env"]) if "env" in values else {}
        rotate_every_s = self._period(values["rotate"]) if "rotate" in values else None
        self._of = ""
        return Wanted(name, key.start_mark.line + 1, service, plan, options, source, bind, env, rotate_every_s)

    def _fault(self, node: _Node, why: str) -> None:
        self.faults.append((node.start_mark.line + 1, f"{self._of}{why}"))

    def _fields(self, node: _Node | None) -> dict[str, tuple[_Node, _Node]]:
        """Keys with the nodes of key and value."""
        found: dict[str, tuple[_Node, _Node]] = {}
        if node is not None and not isinstance(node, yaml.MappingNode):
            self._fault(node, "it has to be a mapping")
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name = self._text(key)
            if name in found:
                self._fault(key, f"{name} is there twice")
            found[name] = key, value
        return found

    def _text(self, node: _Node) -> str:
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
            return str(node.value)
        self._fault(node, "it has to be a text; quote it")
        return ""

    def _plan(self, node: _Node) -> tuple[str, str]:
        service, colon, plan = (text := self._text(node)).partition(":")
        if text and not (service and colon and plan):
            self._fault(node, f"{text!r} is no plan: give SERVICE:PLAN, such as postgresql:small")
        return service, plan

    def _source(self, node: _Node) -> str:
        text = self._text(node)
        if text and not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", text):
            self._fault(node, f"from: {text!r} is no resource of another app: give APP/RESOURCE")
        return text

    def _options(self, node: _Node) -> dict[str, object]:
        loader = yaml.SafeLoader("")
        try:
            value = loader.construct_document(node)
            json.dumps(value, allow_nan=False)
        except (yaml.YAMLError, TypeError, ValueError):
            self._fault(node, "options: a value is none of JSON, such as a date; quote it")
            return {}
        finally:
            loader.dispose()
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value
        self._fault(node, "options: they have to be a mapping of texts to values")
        return {}

    def _bind(self, node: _Node) -> bool:
        if isinstance(node, yaml.ScalarNode) and node.value in ("true", "false"):
            return bool(node.value == "true")
        self._fault(node, "bind: give true or false")
        return True

    def _env(self, node: _Node) -> dict[str, object]:
        env: dict[str, object] = {}
        for name, (key, value) in self._fields(node).items():
            if name == "prefix":
                env[name] = self._text(value)
            elif name == "rename":
                env |= {name: renamed} if (renamed := self._renamed(value)) else {}
            elif name == "only" and isinstance(value, yaml.SequenceNode):
                env[name] = [self._text(one) for one in value.value]
            else:
                self._fault(key, "env: it takes prefix: TEXT, rename: {KEY: VARIABLE} and only: [KEY]")
        return env

    def _renamed(self, node: _Node) -> dict[str, str]:
        return {key: self._text(variable) for key, (_, variable) in self._fields(node).items()}

    def _period(self, node: _Node) -> float | None:
        try:
            return period(str(node.value))
        except argparse.ArgumentTypeError as error:
            self._fault(node, f"rotate: {error}")
            return None
