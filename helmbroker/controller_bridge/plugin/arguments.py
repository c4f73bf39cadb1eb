"""The command line's grammar: commands, their options, and what is said about a bad one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from helmbroker.controller_bridge.plugin.flags import EVERYWHERE, HELP, OPTIONS, Flag
from helmbroker.controller_bridge.plugin.terminal import CommandError

PROGRAM = "drycc-resources"
COMPLETE = "__complete"  # what the scripts of `completion` call
MARK = "(helmbroker)"  # how the version of this program ends, and that of no other


class Command(NamedTuple):
    """A command: its words after the name, its own options, and its help."""

    words: tuple[str, ...]
    help: str
    options: tuple[str, ...] = ()
    open_end: bool = False  # the last word may be missing or come again
    example: str = ""


WAITS = ("wait", "timeout")

COMMANDS = {
    "services": Command((), "list the services that can be had", ("limit",)),
    "plans": Command(("SERVICE",), "list the plans of a service", ("limit",), example="plans postgresql"),
    "create": Command(
        ("NAME", "SERVICE", "PLAN", "KEY=VALUE"),
        "make a resource for the app",
        ("values", *WAITS),
        open_end=True,
        example="create database postgresql small storage.size=2Gi",
    ),
    "share": Command(
        ("NAME", "APP/RESOURCE"),
        "make a resource for the app that has the instance of another app's one, and credentials of its own",
        WAITS,
        example="share database shop/database --app blog",
    ),
    "list": Command((), "list the app's resources", ("limit",)),
    "describe": Command(
        ("NAME",), "show a resource and its credentials", ("details",), example="describe database"
    ),
    "logs": Command(
        ("NAME",),
        "show what was done with a resource, and why it ended so",
        ("limit", "follow", "timeout"),
        example="logs database --follow",
    ),
    "update": Command(
        ("NAME", "SERVICE", "PLAN", "KEY=VALUE"),
        "change the plan or the options of a resource",
        ("values", *WAITS),
        open_end=True,
        example="update database postgresql medium",
    ),
    "bind": Command(
        ("NAME",),
        "give the app the resource's credentials, in a new app release",
        ("prefix", "rename", "only", *WAITS),
        example="bind database --rename uri=DATABASE_URL",
    ),
    "unbind": Command(
        ("NAME",), "take the credentials from the app and revoke them", WAITS, example="unbind database"
    ),
    "rotate": Command(
        ("NAME",),
        "give the app new credentials, and revoke the old ones when it runs with them",
        ("force", "every", "admin", *WAITS),
        example="rotate database --every 30d",
    ),
    "destroy": Command(
        ("NAME",),
        "remove a resource and its data",
        ("confirm", *WAITS),
        example="destroy database --confirm=database",
    ),
    "releases": Command((), "list the app's releases", ("limit",)),
    "rollback": Command(("VERSION",), "go back to an app release, as a new one", WAITS, example="rollback v2"),
    "apply": Command(
        (),
        "make, bind and change resources until they are as a file says",
        ("file", "dry-run", "rebind", "prune", "confirm-app", *WAITS),
        example="apply -f resources.yaml --dry-run",
    ),
    "doctor": Command((), "check settings, service, login, clock and rights"),
    "completion": Command(
        ("SHELL",), "print what makes a shell complete the commands: bash, zsh or fish", example="completion bash"
    ),
}
TAKES_VALUE = frozenset(
    name for flag in (*EVERYWHERE, *OPTIONS.values()) if flag.metavar is not None for name in flag.names
)


class Parser(argparse.ArgumentParser):
    """Says what is wrong as `drycc` does, and leaves the exit to the caller."""

    def error(self, message: str) -> NoReturn:
        """Raise CommandError with `message` in the usual words."""
        missing = re.fullmatch(r"argument ([^:]+): expected one argument", message)
        raise CommandError(f"flag needs an argument: {missing[1]}" if missing else message)


def flags(name: str) -> tuple[Flag, ...]:
    """Every option of a command."""
    return (*EVERYWHERE, *(OPTIONS[option] for option in COMMANDS[name].options), HELP)


def usage(name: str) -> str:
    """How a command is called."""
    command = COMMANDS[name]
    words = [f"[{word}...]" if command.open_end and word == command.words[-1] else word for word in command.words]
    return " ".join([PROGRAM, name, *words, "[OPTIONS]"])


def parser(name: str) -> Parser:
    """The parser of one command's options; the words are counted by `parse`."""
    made = Parser(prog=f"{PROGRAM} {name}", allow_abbrev=False, add_help=False)
    made.add_argument("words", nargs="*")
    for flag in flags(name):
        flag.add_to(made)
    return made


def split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command's name, empty when there is none, and everything else; options may come before it."""
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        if not argument.startswith("-"):
            return argument, [*arguments[:index], *arguments[index + 1 :]]
        index += 2 if argument in TAKES_VALUE else 1
    return "", list(arguments)


def parse(name: str, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options and the words of a command. Raises CommandError."""
    given, unknown = parser(name).parse_known_intermixed_args(list(arguments))
    for flag in unknown:
        if flag.startswith("--"):
            raise CommandError(f"unknown flag: {flag.partition('=')[0]}")
        raise CommandError(f"unknown shorthand flag: '{flag[1:2]}' in {flag}")
    words = list(given.words)
    command = COMMANDS[name]
    count = len(command.words)
    if command.open_end and len(words) < count - 1:
        raise CommandError(f"requires at least {count - 1} arg(s), only received {len(words)}")
    if not command.open_end and len(words) != count:
        raise CommandError(f"accepts {count} arg(s), received {len(words)}")
    return given, words


def version() -> str:
    """What tells this program from others of its name: it ends with (helmbroker)."""
    from importlib import metadata  # noqa: PLC0415 - slow, and for this answer only

    return f"{PROGRAM} {metadata.version('helmbroker')} {MARK}"
