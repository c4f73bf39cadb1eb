"""The command line's grammar: commands, their options, and what is said about a bad one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from helmbroker.controller_bridge.plugin.terminal import CommandError

PROGRAM = "drycc-resources"
HELP = frozenset({"-h", "--help"})
DEFAULT_TIMEOUT = "15m"
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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
    "list": Command((), "list the app's resources", ("limit",)),
    "describe": Command(
        ("NAME",), "show a resource and its credentials", ("details",), example="describe database"
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
        ("env", *WAITS),
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
}
NEEDS_VALUE = frozenset(
    {
        "-a",
        "--app",
        "-c",
        "--config",
        "-o",
        "--output",
        "-l",
        "--limit",
        "-f",
        "--values",
        "--confirm",
        "--timeout",
        "--every",
        "--prefix",
        "--rename",
        "--only",
    }
)


class Parser(argparse.ArgumentParser):
    """Says what is wrong as `drycc` does, and leaves the exit to the caller."""

    def error(self, message: str) -> NoReturn:
        """Raise CommandError with `message` in the usual words."""
        missing = re.fullmatch(r"argument ([^:]+): expected one argument", message)
        raise CommandError(f"flag needs an argument: {missing[1]}" if missing else message)


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


def parser(name: str) -> Parser:
    """The parser of one command's options; the words are counted by `parse`."""
    command = COMMANDS[name]
    words = [f"[{word}...]" if command.open_end and word == command.words[-1] else word for word in command.words]
    made = Parser(
        prog=f"{PROGRAM} {name}",
        usage=" ".join([PROGRAM, name, *words, "[OPTIONS]"]),
        description=command.help[0].upper() + command.help[1:] + ".",
        epilog=f"example: {PROGRAM} {command.example}" if command.example else None,
        allow_abbrev=False,
        add_help=False,
    )
    made.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    made.add_argument("-a", "--app", help="the app (else: git remote, DRYCC_APP, name of the directory)")
    made.add_argument("-c", "--config", metavar="FILE", help="file of the login (else ~/.drycc/client.json)")
    made.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
    for option in command.options:
        _add(made, option)
    made.add_argument("-h", "--help", action="store_true", help="show this")
    return made


def _add(made: Parser, option: str) -> None:
    match option:
        case "limit":
            made.add_argument("-l", "--limit", type=positive, metavar="N", help="the most entries to list")
        case "values":
            made.add_argument("-f", "--values", metavar="FILE", help="YAML file of options; replaces KEY=VALUE")
        case "details":
            made.add_argument("--details", action="store_true", help="show options and message as well")
        case "confirm":
            made.add_argument("--confirm", metavar="NAME", help="the resource's name, instead of the question")
        case "force":
            made.add_argument(
                "--force",
                action="store_true",
                help="revoke the old credentials at once: the app fails until all of it has restarted",
            )
        case "every":
            made.add_argument(
                "--every", type=period, metavar="TIME", help="not now, but every so often: 30d, 12h, or never"
            )
        case "admin":
            made.add_argument(
                "--admin",
                action="store_true",
                help="not those of the app, but the password of the service's own administrator",
            )
        case "env":
            made.add_argument("--prefix", metavar="TEXT", help="of its variables (else the resource's name and _)")
            made.add_argument(
                "--rename", action="append", metavar="KEY=VARIABLE", help="one variable; may come again"
            )
            made.add_argument("--only", metavar="KEY,KEY", help="these keys of the credentials and no others")
        case "wait":
            made.add_argument(
                "--wait",
                action=argparse.BooleanOptionalAction,
                default=True,
                help="wait until it is done (the default), or only until it is accepted",
            )
        case "timeout":
            made.add_argument(
                "--timeout",
                type=seconds,
                default=DEFAULT_TIMEOUT,
                metavar="TIME",
                help=f"how long to wait at most: 90s, 15m, 1h (default {DEFAULT_TIMEOUT})",
            )


def split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command's name, empty when there is none, and everything else; options may come before it."""
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        if not argument.startswith("-"):
            return argument, [*arguments[:index], *arguments[index + 1 :]]
        index += 2 if argument in NEEDS_VALUE else 1
    return "", list(arguments)


def parse(name: str, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options and the words of a command. Raises CommandError;"""
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


def overview() -> str:
    """The help of the whole program."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND [ARGUMENTS] [OPTIONS]     (or: drycc resources COMMAND ...)",
            "",
            "Databases, caches and other backing services for an app: make them, bind them, roll back.",
            "",
            *lines,
            "",
            f"Without a command: list. Options of a command: {PROGRAM} COMMAND --help",
            "",
            "examples:",
            f"  {PROGRAM} services",
            f"  {PROGRAM} create database postgresql small --app shop",
            f"  {PROGRAM} bind database --app shop",
            "",
            "The login is that of drycc. DRYCC_RESOURCES_URL is the address of the resources service.",
        ]
    )
