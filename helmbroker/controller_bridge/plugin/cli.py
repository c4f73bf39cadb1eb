"""`drycc-resources`, on the command line or as the plugin that `drycc resources` runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from helmbroker.controller_bridge.plugin.arguments import COMMANDS, COMPLETE, PROGRAM, parse, split, version
from helmbroker.controller_bridge.plugin.flags import HELP
from helmbroker.controller_bridge.plugin.terminal import INTERRUPTED, CommandError, Terminal

FAILED = CommandError.exit_status


def run(arguments: Sequence[str], env: Mapping[str, str], directory: Path, terminal: Terminal) -> int:
    """One invocation; the exit status: 0, that of a CommandError after `Error: ...`, 130 after an interruption."""
    try:
        if list(arguments[:1]) == [COMPLETE]:
            from helmbroker.controller_bridge.plugin.completion import candidates  # noqa: PLC0415 - for shells only

            terminal.out.writelines(f"{one}\n" for one in candidates(arguments[1:], env, directory))
            return 0
        name, rest = split(arguments)
        if text := _information(name, rest):
            terminal.print(text)
        else:
            _execute(name or "list", rest, env, directory, terminal)
    except CommandError as error:
        terminal.err.write(f"Error: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        terminal.err.write("\nInterrupted. What was begun goes on; see: drycc resources describe NAME --details\n")
        return INTERRUPTED
    return 0


def _information(name: str, rest: Sequence[str]) -> str:
    """The help or the version, when that is what was asked for."""
    if name == "help":
        return _help(rest[0] if rest else "")
    if not name and "--version" in rest:
        return version()
    if set(HELP.names) & set(rest):
        return _help(name)
    return ""


def _help(name: str) -> str:
    from helmbroker.controller_bridge.plugin import help as helps  # noqa: PLC0415 - for those who ask

    return helps.of_command(name) if name in COMMANDS else helps.overview()


def _execute(name: str, rest: Sequence[str], env: Mapping[str, str], directory: Path, terminal: Terminal) -> None:
    if name not in COMMANDS:
        raise CommandError(f'unknown command "{name}" for "{PROGRAM}"\nRun \'{PROGRAM} --help\' for usage.')
    given, words = parse(name, rest)
    if name == "completion":
        from helmbroker.controller_bridge.plugin.completion import script  # noqa: PLC0415 - as above

        terminal.print(script(words[0]))
        return
    # HTTP and TLS take half of the time to start: not for help, nor for bad arguments.
    from helmbroker.controller_bridge.plugin.commands import execute  # noqa: PLC0415

    execute(name, given, words, env, directory, terminal)


def main() -> None:
    """The entry point."""
    terminal = Terminal(sys.stdin, sys.stdout, sys.stderr)
    try:
        status = run(sys.argv[1:], os.environ, Path.cwd(), terminal)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    sys.exit(status)


if __name__ == "__main__":
    main()
