"""Who may do what in the bridge's API: what test_who_may.py holds it to, and its section of the page of figures.

`python -m tests.api.bridge.permissions` writes it; a test fails while the page says something else.
"""

from __future__ import annotations

from pathlib import Path

from bench import page
from helmbroker.controller_bridge.api.app import ROUTES
from helmbroker.controller_bridge.model import Role
from tests.api.bridge.test_everywhere import OPEN, path_of

PAGE = Path(__file__).parents[3] / "docs/reference/bridge-figures.md"
NAME = "who-may"
# who -> their roles by app; the last may do everything everywhere
PEOPLE: dict[str, dict[str, Role]] = {
    "viewer": {"shop": Role.VIEWER},
    "member": {"shop": Role.MEMBER},
    "admin": {"shop": Role.ADMIN},
    "stranger": {"blog": Role.ADMIN},
    "both": {"shop": Role.VIEWER, "blog": Role.MEMBER},
    "nobody": {},
    "root": {"shop": Role.ADMIN, "blog": Role.ADMIN},
}
APPS = ("shop", "blog")
_SHOWN = {
    "viewer": "viewer",
    "member": "member",
    "admin": "admin",
    "stranger": "admin of another app",
    "nobody": "no role",
    "root": "superuser, staff",
}
_INTRO = """\
## Who may

Made by `python -m tests.api.bridge.permissions`. Each endpoint by role and app, as
`tests/api/bridge/test_who_may.py` tries it with every way to know users: the file of tokens, the test controller,
TokenReview and SubjectAccessReview of a cluster. The roles of the first three are those in the app of the path.
`403`: refused; everybody who is not known gets 401. Every path is there without `/v2` as well."""


def expected(who: str) -> dict[tuple[str, str], bool]:
    """Whether each endpoint lets somebody in, by method and path."""
    table = {}
    for route in ROUTES:
        if route.path in OPEN:
            continue
        if "<app:app>" not in route.path:
            table[route.method, path_of(route.path)] = True
            continue
        for app in APPS:
            role = PEOPLE[who].get(app)
            table[route.method, path_of(route.path, app)] = role is not None and role >= route.role
    return table


def section() -> str:
    """For the page."""
    tables = {who: expected(who) for who in _SHOWN}
    rows = [f"| endpoint | {' | '.join(_SHOWN.values())} |", "|---|" + "---|" * len(_SHOWN)]
    for route in ROUTES:
        if route.path in OPEN:
            continue
        may = (tables[who][route.method, path_of(route.path)] for who in _SHOWN)
        cells = " | ".join("yes" if each else "403" for each in may)
        path = route.path.replace("<app:app>", "<app>").replace("<name:name>", "<name>").replace("<path:", "<")
        rows.append(f"| {route.method} `/v2{path}` | {cells} |")
    opened = ", ".join(f"{route.method} `{route.path}`" for route in ROUTES if route.path in OPEN)
    return f"{_INTRO}\n\n" + "\n".join(rows) + f"\n\nWithout a login: {opened}; the hook has a signature."


if __name__ == "__main__":
    page.put(PAGE, NAME, section())
