"""`python -m packing.rights`: the rights that the chart gives, and the page that tells them; made from the tables.

`make rights` writes them; a test fails while they say something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from helmbroker.broker.rights import rights as of_broker
from helmbroker.catalog.load import load
from helmbroker.catalog.made import made
from helmbroker.controller_bridge.rights import rights as of_bridge
from helmbroker.controller_bridge.rights import watch_rights
from helmbroker.kubeapi.rights import Right, Scope, by_scope, ordered
from helmbroker.rights_commands import dumped

ROOT = Path(__file__).parents[1]
FILES = ROOT / "charts/helmbroker/files/rights"
PAGE = ROOT / "docs/reference/rights.md"
WATCH = ROOT / "docs/how-to/bound-by-others/rights.yaml"
_HEAD = (
    "# Made by `make rights` from the tables in the code; not edited by hand. docs/reference/rights.md says why.\n"
)
_PAGE = """\
# Rights in the cluster

Made by `make rights` from the tables `rights.py` of broker and bridge; not edited by hand. How they are given:
[give rights](../how-to/give-rights.md). `tests/cluster/test_rights.py` runs the life of every addon under them, and
reads the API server's audit log: nothing is refused, and nothing is granted that is not used. What only a failure
or a write at the same moment makes use of is named there, with the test that makes it happen.

The broker's API needs none. Rights are `namespaced`, given by a Role in each namespace; `everywhere`, given by a
ClusterRole and only where all namespaces are (without them, sentences about pods that find no node are shorter); or
`cluster`, always given by a ClusterRole, as they belong to no namespace. The namespace of the instances has to be
there before: the broker makes it only where it has more rights than these.

RBAC can limit to names what is read, changed and deleted, but not what is listed and created, and names of Secrets
are not known before: rights on Secrets are on all of the namespace. So instances have a namespace of their own. The
bridge can read every Secret of the namespaces of apps.
"""
_WHO = {
    "broker": "The worker, with the addons of this checkout. With addons of your own: `helmbroker rights`",
    "bridge": "API and worker of the bridge, with `HELMBROKER_BRIDGE_PLATFORM=kubernetes`",
    "watch": "`helmbroker-bridge watch`; services that are no Secrets, and workloads of other kinds, need more",
}


def tables() -> Mapping[str, Sequence[Right]]:
    """Everybody's, by the name of the chart's file."""
    charts = {addon.name: made(addon) for addon in load([ROOT / "addons"]).addons}
    return {"broker": of_broker(charts, {}), "bridge": of_bridge("kubernetes"), "watch": watch_rights()}


def files() -> Iterator[tuple[Path, str]]:
    """What is made, and where it belongs."""
    for name, table in tables().items():
        yield FILES / f"{name}.yaml", _HEAD + dumped(by_scope(table))
    yield PAGE, _PAGE + "".join(_section(name, table) for name, table in tables().items())
    yield WATCH, _watch()


def _section(name: str, table: Sequence[Right]) -> str:
    rows = sorted(
        {(each.scope, each.group, each.resource, ordered(each.verbs), each.why) for each in table}, key=_place
    )
    lines = [
        f"| {group or 'core'} | {resource} | {', '.join(verbs)} | {scope} | {why} |"
        for scope, group, resource, verbs, why in rows
    ]
    return (
        f"\n## {name}\n\n{_WHO[name]}.\n\n| group | resource | verbs | in | why |\n|---|---|---|---|---|\n"
        + "\n".join(lines)
        + "\n"
    )


def _place(row: tuple[Scope, str, str, tuple[str, ...], str]) -> tuple[object, ...]:
    return list(Scope).index(row[0]), *row[1:]


def _watch() -> str:
    """As a ClusterRole to which others can add what their own kinds need."""
    label = {"servicebinding.io/controller": "true"}
    own = {"metadata": {"name": "helmbroker-watch-own", "labels": label}}
    all_ = {
        "metadata": {"name": "helmbroker-watch"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": label}]},
    }
    roles = [{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", **each} for each in (all_, own)]
    of_scopes = [rule for its in by_scope(watch_rights()).values() for rule in its]
    parts = [{**roles[0], "rules": []}, {**roles[1], "rules": of_scopes}]
    return _HEAD + yaml.safe_dump_all(parts, sort_keys=False, default_flow_style=None, width=120)


if __name__ == "__main__":
    for path, content in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
