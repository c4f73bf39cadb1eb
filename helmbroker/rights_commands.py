"""What `rights` of both programs have in common: for which namespaces, for which account, and how it is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import click
import yaml

from helmbroker.kubeapi.rights import Account, Right, Scope, by_scope, objects

_NAMESPACE = click.option("--namespace", "namespaces", multiple=True, help="In this namespace; may be repeated.")
_ALL = click.option("--all-namespaces", is_flag=True, help="For apps in all namespaces, by a ClusterRole.")
_ACCOUNT = click.option("--account", help="NAMESPACE/NAME of the service account that gets them.")
_OUTPUT = click.option(
    "--output",
    "-o",
    type=click.Choice(["yaml", "rules"]),
    default="yaml",
    show_default=True,
    help="Roles and bindings for kubectl apply, or the rules alone.",
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of the command; `show` takes them."""
    return reduce(lambda decorated, option: option(decorated), (_OUTPUT, _ACCOUNT, _ALL, _NAMESPACE), command)


def show(
    role: str,
    rights: Sequence[Right],
    usual: Sequence[str],
    *,
    namespaces: tuple[str, ...],
    all_namespaces: bool,
    account: str | None,
    output: str,
    home: bool = False,
) -> None:
    """Print them as YAML. usual: the namespaces when none is named. Raises click.UsageError.

    home: what is done in namespaces is done in the usual ones, though apps are in all of them.
    """
    if output == "rules":
        click.echo(dumped(by_scope(rights)), nl=False)
        return
    if namespaces and all_namespaces:
        raise click.UsageError("name namespaces, or say --all-namespaces")
    if not (namespaces or all_namespaces or usual):
        raise click.UsageError("name at least one --namespace, or say --all-namespaces")
    place, slash, name = (account or "").partition("/")
    if not (place and slash and name):
        raise click.UsageError("say --account NAMESPACE/NAME: whose rights these are to be")
    where = () if all_namespaces and not home else namespaces or usual
    scopes = (set(Scope) if all_namespaces else {Scope.CLUSTER}) - ({Scope.NAMESPACED} if where else set())
    made = objects(role, rights, where, Account(place, name), scopes)
    click.echo(yaml.safe_dump_all(made, sort_keys=False), nl=False)


def dumped(scopes: dict[str, list[dict[str, Any]]]) -> str:
    """The rules of each scope, one in a line: as files have them."""
    lines = []
    for scope, rules in scopes.items():
        lines.append(f"{scope}:\n")
        lines += [
            f"  - {yaml.safe_dump(rule, default_flow_style=True, width=10**6, sort_keys=False)}" for rule in rules
        ]
    return "".join(lines)
