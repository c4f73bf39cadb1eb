"""`keys list`, `add`, `rotate` and `remove`: how operators change the key ring, of both programs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

import click

from helmbroker import output as printing
from helmbroker.program import shown_as

if TYPE_CHECKING:  # heavy; the programs that supervise do without
    from helmbroker.sealing import RingFile
    from helmbroker.sealing.stored import Batch, Holding

S = TypeVar("S")
P = ParamSpec("P")
_ROUNDS = 3
_LOOK_EVERY = 20  # batches between two lines of progress


@dataclass(frozen=True)
class Safe:
    """The key ring, all that is sealed under it, and what keeps a record of changes (action, key)."""

    ring: RingFile
    holdings: Sequence[Holding]
    note: Callable[[str, str], None] = lambda _action, _key_id: None


_only_print: Callable[..., Any] = click.option(
    "--print", "only_print", is_flag=True, help="Write the new ring, WITH ITS KEYS, to the output only."
)
_to: Callable[..., Any] = click.option(
    "--to", "key_id", metavar="ID", help="The key that is to be active; default: a fresh one."
)


def group(
    program: str, with_settings: Callable[..., Any], opened: Callable[[S], AbstractContextManager[Safe]]
) -> click.Group:
    """The program's commands. with_settings: passes its settings; opened: what they mean, or SystemExit."""

    @click.group("keys")
    def keys() -> None:
        """Keys under which secrets are sealed: docs/how-to/rotate-keys.md."""

    def with_safe(command: Callable[Concatenate[Safe, P], None]) -> Any:
        @shown_as(program)
        @wraps(command)
        def run(settings: S, *args: P.args, **kwargs: P.kwargs) -> None:
            with opened(settings) as safe:
                command(safe, *args, **kwargs)

        return with_settings(run)

    keys.command("list")(printing.option(with_safe(list_keys)))
    keys.command("add")(_only_print(printing.option(with_safe(add))))
    keys.command("rotate")(_to(printing.option(with_safe(rotate))))
    keys.command("remove")(click.argument("key_id", metavar="ID")(printing.option(with_safe(remove))))
    return keys


def list_keys(safe: Safe, *, output: str) -> None:
    """The keys, which one is active, and how many secrets each holds.

    \b
    Example:
      PROGRAM keys list
    """
    held, active = _counts(safe), safe.ring.active
    rows = [
        {"id": key.id, "active": key == active, "direct": key.direct, "secrets": held.pop(key.id, 0)}
        for key in safe.ring.keys
    ]
    rows += [{"id": key_id or None, "missing": True, "secrets": number} for key_id, number in sorted(held.items())]
    for row in rows:
        words = {"active": "active", "direct": "of version 0.1", "missing": "NOT ON THE RING"}
        told = ", ".join(word for name, word in words.items() if row.get(name))
        _say(output, row, f"{row['id'] or '(unreadable)':<24} {row['secrets']:>8} secrets  {told}".rstrip())


def add(safe: Safe, *, only_print: bool, output: str) -> None:
    """Put a fresh key on the ring. It opens and seals nothing before it is made active.

    \b
    Example:
      PROGRAM keys add
    """
    if only_print:
        click.echo(safe.ring.with_fresh_key()[1], nl=False)
        return
    key_id = safe.ring.add()
    safe.note("add", key_id)
    _say(output, {"added": key_id}, f"added key {key_id}; `keys rotate --to {key_id}` makes it the active one")


def remove(safe: Safe, *, key_id: str, output: str) -> None:
    """Take a key off the ring that holds nothing any more.

    \b
    Example:
      PROGRAM keys remove 1
    """
    number = _counts(safe)[key_id]
    if number:
        _fail(f"key {key_id!r} holds {number} secrets still; `keys rotate` brings them under the active one")
    safe.ring.remove(key_id)
    safe.note("remove", key_id)
    _say(output, {"removed": key_id}, f"removed key {key_id}; backups that are older need it still")


def rotate(safe: Safe, *, key_id: str | None, output: str) -> None:
    """Make another key the active one, and bring all that is sealed under it, while the program serves.

    When it was ended in between, or the ring has another active key already, it goes on with that one.

    \b
    Example:
      PROGRAM keys rotate
    """
    _activate(safe, key_id)
    sys.exit(_bring(safe, output))


def _activate(safe: Safe, wanted: str | None) -> None:
    """That key, or a fresh one."""
    ring = safe.ring
    if wanted not in (None, ring.active.id):
        ring.activate(wanted)
        safe.note("activate", wanted)
    elif wanted is None and not set(_counts(safe)) - {ring.active.id, ""}:  # else it was ended, and goes on
        wanted = ring.add()
        safe.note("add", wanted)
        ring.activate(wanted)
        safe.note("activate", wanted)


def _bring(safe: Safe, output: str) -> int:
    """All that is sealed, under the active key. The exit status: 0 when all is."""
    from helmbroker.sealing import Keys  # noqa: PLC0415

    ring = safe.ring
    faults: set[str] = set()
    changed = 0
    for _ in range(_ROUNDS):  # others may seal for a moment as they have begun to
        for holding in safe.holdings:
            changed += _follow(holding.name, holding.rewrap(Keys(ring)), faults, output)
        if not (left := _left(safe)):
            break
    for fault in sorted(faults):
        click.echo(f"cannot be opened: {fault}", err=True)
    told = {"active": ring.active.id, "changed": changed, "left": left}
    _say(output, told, f"key {ring.active.id} is active; {changed} secrets were brought under it, {left} are left")
    if left and not faults:
        click.echo("a program has not seen the active key yet; look at its log, then run this again", err=True)
    return 1 if left else 0


def _follow(name: str, batches: Iterable[Batch], faults: set[str], output: str) -> int:
    """Tell of them now and then; how many secrets were changed."""
    changed = 0
    for number, batch in enumerate(batches, start=1):
        changed += batch.changed
        faults.update(batch.faults)
        if number % _LOOK_EVERY == 0:
            _say(output, {"holding": name, "changed": changed}, f"{name}: {changed}")
    return changed


def _counts(safe: Safe) -> Counter[str]:
    """How many secrets each key holds."""
    return Counter(key_id for holding in safe.holdings for key_id in holding.key_ids())


def _left(safe: Safe) -> int:
    """How many secrets are not under the active key."""
    active = safe.ring.active.id
    return sum(number for key_id, number in _counts(safe).items() if key_id != active)


def _say(output: str, row: dict[str, Any], words: str) -> None:
    click.echo(json.dumps(row) if output == "json" else words)


def _fail(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(1)
