"""A client of the REST API over a World: requests as somebody, answers as plain values."""

from __future__ import annotations

from copy import copy
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

from flask import Flask

from helmbroker.controller_bridge.api.app import make_app
from helmbroker.controller_bridge.api.context import EXTENSION, Api
from helmbroker.controller_bridge.catalog_cache import CachedCatalog
from helmbroker.controller_bridge.model import Role
from helmbroker.controller_bridge.sealing import Sealer
from helmbroker.controller_bridge.tokens import Tokens
from tests.operations.bridge.world import SEALER, World

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

_made: list[Flask] = []


def served(api: Api) -> Flask:
    """As make_app, of an Api without `requests`: with the routes of the first one, which are most of the work."""
    if not _made:
        _made.append(make_app(api))
    app = copy(_made[0])
    app.extensions = {EXTENSION: api}
    return app


@cache
def _people(folder: Path) -> tuple[str, dict[str, str]]:
    """A file of tokens, and whose they are."""
    file = folder / "people.json"
    tokens = Tokens(file)
    people = {
        "admin": tokens.add("root", ["*"], Role.ADMIN),
        "member": tokens.add("alice", ["shop"], Role.MEMBER),
        "viewer": tokens.add("victor", ["shop"], Role.VIEWER),
        "stranger": tokens.add("mallory", ["blog"], Role.ADMIN),
    }
    return file.read_text(), people


class Calls:
    """Calls as one of: admin (every app), member and viewer (shop), stranger (blog only, admin there)."""

    def __init__(self, folder: Path, sealer: Sealer = SEALER) -> None:
        self.world = World(folder, sealer=sealer)
        self.tokens_file = folder / "tokens.json"
        content, people = _people(folder)
        self.tokens_file.touch(0o600)
        self.tokens_file.write_text(content)
        self.tokens = dict(people)
        self.api = Api(
            service=self.world.service,
            sharing=self.world.sharing,
            broker=self.world.brokers,
            catalog=CachedCatalog(self.world.brokers),
            authority=Tokens(self.tokens_file),
            apps=lambda: self.world.apps,
            leaving=Event(),
        )
        self.client = served(self.api).test_client()

    def __call__(self, method: str, path: str, json: object = None, *, who: str | None = "admin") -> Any:
        """The response; `who` None sends no token."""
        headers = {} if who is None else {"Authorization": f"token {self.tokens[who]}"}
        if json is None:
            return self.client.open(path, method=method, headers=headers)
        return self.client.open(path, method=method, headers=headers, json=json)
