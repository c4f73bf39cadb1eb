"""What commands of both programs need of the one that they are of: its name in their examples, and completion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click
from click.shell_completion import get_completion_class

C = TypeVar("C", bound=Callable[..., None])


def shown_as(program: str) -> Callable[[C], C]:
    """Examples of a command show the program by its name, where its docstring says PROGRAM."""

    def decorate(command: C) -> C:
        command.__doc__ = (command.__doc__ or "").replace("PROGRAM", program)
        return command

    return decorate


def completion(program: str) -> click.Command:
    """The command that makes shells complete those of the program."""

    @click.command()
    @click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
    @click.pass_context
    @shown_as(program)
    def completion(ctx: click.Context, shell: str) -> None:
        """Print what makes SHELL complete commands and options.

        \b
        Examples:
          source <(PROGRAM completion bash)      # in ~/.bashrc
          source <(PROGRAM completion zsh)       # in ~/.zshrc, after compinit
          PROGRAM completion fish >~/.config/fish/completions/PROGRAM.fish
        """
        asked_by = f"_{program}_COMPLETE".replace("-", "_").upper()  # the variable that click looks at
        made = get_completion_class(shell)
        if made is not None:
            click.echo(made(ctx.find_root().command, {}, program, asked_by).source())

    return completion
