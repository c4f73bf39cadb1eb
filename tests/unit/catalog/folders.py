"""Addon folders for tests: one that is right, and changes that make it wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ADDON_ID = "aaaaaaaa-0000-4000-8000-000000000001"
SMALL_ID = "aaaaaaaa-0000-4000-8000-000000000002"
LARGE_ID = "aaaaaaaa-0000-4000-8000-000000000003"

FILES = {
    "addon.yaml": f"""\
apiVersion: helmbroker.io/v1
id: {ADDON_ID}
name: demo
version: "1.2.3"
description: A server for demonstrations.
tags: [demo]
metadata: {{displayName: Demo}}
bindable: true
parameters:
  create:
    $schema: http://json-schema.org/draft-04/schema#
    type: object
    additionalProperties: false
    properties:
      size: {{type: string, pattern: "^[1-9]Gi$"}}
      replicas: {{type: integer, minimum: 1, maximum: 3}}
      admin:
        type: object
        additionalProperties: false
        properties:
          password: {{type: string, writeOnly: true}}
  bind:
    $schema: https://json-schema.org/draft/2020-12/schema
    type: object
    additionalProperties: false
    properties:
      access: {{enum: [read, write]}}
      passphrase: {{type: string, writeOnly: true}}
  update:
    $schema: http://json-schema.org/draft-04/schema#
    type: object
    additionalProperties: false
    properties:
      replicas: {{type: integer, minimum: 1, maximum: 3}}
      admin:
        type: object
        additionalProperties: false
        properties:
          password: {{type: string, writeOnly: true}}
plan_updateable: true
""",
    "plans/large.yaml": f"""\
id: {LARGE_ID}
name: large
description: Much of everything.
free: false
data: retain
timeout_s: 900
values:
  size: 9Gi
""",
    "plans/small.yaml": f"""\
id: {SMALL_ID}
name: small
description: Little of everything.
metadata: {{bullets: [1 GiB]}}
values:
  size: 1Gi
""",
    "chart/Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
    "binding/Chart.yaml": "apiVersion: v2\nname: demo-binding\nversion: 1.0.0\n",
    "binding/credentials.yaml": "credentials: [{name: host, value: demo}]\n",
}


def write(folder: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """Write the addon of this module below `folder`; `changes`: other texts of files, None for no such file."""
    for name, text in {**FILES, **(changes or {})}.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
    return folder


def edited(name: str, old: str, new: str) -> dict[str, str | None]:
    """The change that puts `new` for `old` in one file."""
    assert old in FILES[name], f"{old!r} is not in {name}"
    return {name: FILES[name].replace(old, new)}
