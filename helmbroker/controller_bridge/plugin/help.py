"""What is said about the program and each command; not by argparse, whose words change with Python's version."""

from __future__ import annotations

import textwrap

from helmbroker.controller_bridge.plugin.arguments import COMMANDS, MARK, PROGRAM, flags, usage
from helmbroker.controller_bridge.plugin.flags import Flag
from helmbroker.controller_bridge.plugin.terminal import INTERRUPTED, CommandError, StillWorking, WorkFailed

COLUMNS = 100
EXIT_STATUSES = {
    0: "done; with --no-wait: accepted",
    CommandError.exit_status: "bad arguments, no login, no answer, a refusal, or something not in order (doctor)",
    WorkFailed.exit_status: "it was begun, and did not work",
    StillWorking.exit_status: "the time to wait is over, and it goes on",
    INTERRUPTED: "interrupted; what was begun goes on",
}


def of_command(name: str) -> str:
    """The help of one command."""
    command = COMMANDS[name]
    listed = [(names(flag), flag.help) for flag in flags(name)]
    width = max(len(left) for left, _ in listed)
    lines = [f"usage: {usage(name)}", "", sentence(name), "", "options:"]
    for left, right in listed:
        wrapped = textwrap.wrap(right, COLUMNS - width - 4)
        lines += [f"  {left:<{width}}  {wrapped[0]}", *(f"{'':{width + 4}}{more}" for more in wrapped[1:])]
    if command.example:
        lines += ["", f"example: {PROGRAM} {command.example}"]
    return "\n".join(lines)


def names(flag: Flag) -> str:
    """How an option is given."""
    value = "|".join(flag.choices) or flag.metavar
    return ", ".join(flag.every_name) + (f" {value}" if value else "")


def sentence(name: str) -> str:
    """What a command does."""
    text = COMMANDS[name].help
    return f"{text[0].upper()}{text[1:]}."


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
            f"{PROGRAM} --version tells this program from others of its name: it ends with {MARK}.",
            "",
            "examples:",
            f"  {PROGRAM} services",
            f"  {PROGRAM} create database postgresql small --app shop",
            f"  {PROGRAM} bind database --app shop",
            "",
            "exit status:",
            *(f"  {status:<3}  {meaning}" for status, meaning in EXIT_STATUSES.items()),
            "",
            "The login is that of drycc. DRYCC_RESOURCES_URL is the address of the resources service.",
        ]
    )
