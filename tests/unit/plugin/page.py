"""The reference of the command line, made from its own tables.

`make plugin-page` writes docs/reference/drycc-resources.md; a test fails while the page says something else.
"""

from __future__ import annotations

from pathlib import Path

from helmbroker.controller_bridge.plugin import help as helps
from helmbroker.controller_bridge.plugin.arguments import COMMANDS, PROGRAM, usage
from helmbroker.controller_bridge.plugin.flags import EVERYWHERE, HELP, OPTIONS, Flag

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "drycc-resources.md"
_HEAD = f"""\
# The command line `{PROGRAM}`

Made by `make plugin-page` from the program's own tables; not edited by hand. How to install it, log in and use
it: [use drycc-resources](../how-to/drycc-resources.md). What every command prints, byte for byte, is in
`tests/unit/plugin/golden/`.

With Drycc's `drycc` on the machine, `drycc resources COMMAND ...` is the same; options come after `resources`.

## Exit statuses

"""


def page() -> str:
    """The whole page, in Markdown."""
    statuses = "".join(f"| {status} | {meaning} |\n" for status, meaning in helps.EXIT_STATUSES.items())
    common = _options((*EVERYWHERE, HELP))
    commands = "".join(map(_section, COMMANDS))
    return (
        f"{_HEAD}| | |\n|---|---|\n{statuses}\n"
        f"`drycc` flattens every other status than 0 to 1.\n\n## Options of every command\n\n{common}{commands}"
    )


def _section(name: str) -> str:
    command = COMMANDS[name]
    own = _options([OPTIONS[option] for option in command.options]) if command.options else ""
    example = f"\nExample: `{PROGRAM} {command.example}`\n" if command.example else ""
    return f"\n## {name}\n\n{helps.sentence(name)}\n\n```\n{usage(name)}\n```\n{own and chr(10)}{own}{example}"


def _options(flags: list[Flag] | tuple[Flag, ...]) -> str:
    rows = [f"| `{helps.names(flag)}` | {flag.help} |\n".replace("table|json", "table\\|json") for flag in flags]
    return "| option | |\n|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
