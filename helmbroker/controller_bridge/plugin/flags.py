"""The options of the commands, as a table: parser, help, completion and reference are made from it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import NamedTuple

DEFAULT_TIMEOUT = "15m"
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Flag(NamedTuple):
    """An option. `metavar`: what its value is; None: it takes none."""

    names: tuple[str, ...]
    help: str
    metavar: str | None = None
    type: Callable[[str], object] = str
    default: str | None = None
    choices: tuple[str, ...] = ()
    again: bool = False  # it may be given more than once
    negated: bool = False  # there is a --no-... of it

    @property
    def every_name(self) -> tuple[str, ...]:
        """The names, and those that say no."""
        return (*self.names, *(f"--no-{name[2:]}" for name in self.names if self.negated))

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Have `parser` take it."""
        if self.metavar is None and self.negated:
            parser.add_argument(*self.names, action=argparse.BooleanOptionalAction, default=True, help=self.help)
        elif self.metavar is None:
            parser.add_argument(*self.names, action="store_true", help=self.help)
        else:
            parser.add_argument(
                *self.names,
                action="append" if self.again else "store",
                type=self.type,
                default=self.default,
                choices=self.choices or None,
                metavar=None if self.choices else self.metavar,
                help=self.help,
            )


def seconds(text: str) -> float:
    """A duration such as 90s, 15m, 1h30m or 90 (seconds). Raises ArgumentTypeError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no duration: give one such as 90s, 15m or 1h30m")
    return sum(float(number) * UNITS_S[unit] for number, unit in re.findall(r"([\d.]+)([smhd])", text))


def period(text: str) -> float:
    """As `seconds`; never is 0."""
    return 0.0 if text == "never" else seconds(text)


def positive(text: str) -> int:
    """A number above zero. Raises ArgumentTypeError."""
    if not re.fullmatch(r"\d{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above zero")
    return int(text)


EVERYWHERE = (
    Flag(("-a", "--app"), "the app (else: git remote, DRYCC_APP, name of the directory)", "APP"),
    Flag(("-c", "--config"), "file of the login (else ~/.drycc/client.json)", "FILE"),
    Flag(("-o", "--output"), "default: table", "FORMAT", default="table", choices=("table", "json")),
)
HELP = Flag(("-h", "--help"), "show this")
OPTIONS = {
    "limit": Flag(("-l", "--limit"), "the most entries to list", "N", type=positive),
    "values": Flag(("-f", "--values"), "YAML file of options; replaces KEY=VALUE", "FILE"),
    "details": Flag(("--details",), "show options and message as well"),
    "follow": Flag(("--follow",), "first wait until nothing goes on with it, and tell what it waits for"),
    "confirm": Flag(("--confirm",), "the resource's name, instead of the question", "NAME"),
    "force": Flag(("--force",), "revoke the old credentials at once: the app fails until all of it has restarted"),
    "every": Flag(("--every",), "not now, but every so often: 30d, 12h, or never", "TIME", type=period),
    "admin": Flag(("--admin",), "not those of the app, but the password of the service's own administrator"),
    "prefix": Flag(("--prefix",), "of its variables (else the resource's name and _)", "TEXT"),
    "rename": Flag(("--rename",), "one variable; may come again", "KEY=VARIABLE", again=True),
    "only": Flag(("--only",), "these keys of the credentials and no others", "KEY,KEY"),
    "file": Flag(("-f", "--file"), "the file that names the resources", "FILE"),
    "dry-run": Flag(("--dry-run",), "only show what would change"),
    "rebind": Flag(("--rebind",), "unbind and bind where variables change: the app is without them in between"),
    "prune": Flag(("--prune",), "unbind and destroy what the file does not name, with its data"),
    "confirm-app": Flag(("--confirm",), "the app's name, instead of the question of --prune", "APP"),
    "wait": Flag(("--wait",), "wait until it is done (the default), or only until it is accepted", negated=True),
    "timeout": Flag(
        ("--timeout",),
        f"how long to wait at most: 90s, 15m, 1h (default {DEFAULT_TIMEOUT})",
        "TIME",
        type=seconds,
        default=DEFAULT_TIMEOUT,
    ),
}
