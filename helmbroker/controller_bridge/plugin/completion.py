"""Completion: the scripts for shells, and the words that may come next, which they ask this program for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from helmbroker.controller_bridge.plugin.arguments import COMMANDS, COMPLETE, PROGRAM, TAKES_VALUE, flags
from helmbroker.controller_bridge.plugin.flags import EVERYWHERE, HELP, Flag
from helmbroker.controller_bridge.plugin.terminal import CommandError

LOOK_UP_TIMEOUT_S = 2.0  # somebody has pressed the tabulator and waits
MOST = 100
_KNOWN = frozenset({"NAME", "SERVICE", "PLAN", "VERSION"})  # what the service can be asked for
_NEW = frozenset({"create", "share"})  # whose NAME is that of nothing yet

_SCRIPTS = {
    "bash": f"""\
# {PROGRAM} completion bash: in ~/.bashrc, source <({PROGRAM} completion bash)
_drycc_resources() {{
  local IFS=$'\\n'
  COMPREPLY=($({PROGRAM} {COMPLETE} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null))
}}
complete -F _drycc_resources {PROGRAM}""",
    "zsh": f"""\
# {PROGRAM} completion zsh: in ~/.zshrc after compinit, source <({PROGRAM} completion zsh)
_drycc_resources() {{
  local found
  found="$({PROGRAM} {COMPLETE} "${{(@)words[2,CURRENT]}}" 2>/dev/null)"
  [[ -n $found ]] && compadd -- "${{(@f)found}}"
}}
compdef _drycc_resources {PROGRAM}""",
    "fish": f"""\
# {PROGRAM} completion fish: {PROGRAM} completion fish >~/.config/fish/completions/{PROGRAM}.fish
function __drycc_resources
  set -l words (commandline -opc)
  {PROGRAM} {COMPLETE} $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c {PROGRAM} -f -a '(__drycc_resources)'""",
}


def script(shell: str) -> str:
    """What a shell has to read. Raises CommandError."""
    if shell not in _SCRIPTS:
        raise CommandError(f"there is no completion for '{shell}': it is for {', '.join(_SCRIPTS)}")
    return _SCRIPTS[shell]


def candidates(words: Sequence[str], env: Mapping[str, str], directory: Path) -> list[str]:
    """What the last of `words` may become after those before it. Without the service: fewer, never an error."""
    *before, current = words or [""]
    flag = _open_flag(before)
    if flag is not None:
        found = _values_of(flag, current, directory)
    elif not (given := _plain(before)):
        found = _names(EVERYWHERE) if current.startswith("-") else [*COMMANDS, "help"]
    elif given[0] not in COMMANDS:
        found = list(COMMANDS) if given == ["help"] else []
    elif current.startswith("-"):
        found = _names(flags(given[0]))
    else:
        found = _words_of(given[0], given[1:], before, env, directory)
    return [one for one in found if one.startswith(current) and one.isprintable()]


def _open_flag(before: Sequence[str]) -> Flag | None:
    """The option that the word to complete is the value of."""
    if not before or before[-1] not in TAKES_VALUE:
        return None
    command = next((word for word in _plain(before) if word in COMMANDS), "list")
    return next((flag for flag in flags(command) if before[-1] in flag.names), None)


def _values_of(flag: Flag, current: str, directory: Path) -> list[str]:
    if flag.metavar != "FILE":
        return list(flag.choices)
    folder = current.rpartition("/")[0]
    start = f"{folder}/" if "/" in current else ""
    try:
        return sorted(f"{start}{one.name}{'/' * one.is_dir()}" for one in (directory / start).iterdir())
    except OSError:
        return []


def _plain(before: Sequence[str]) -> list[str]:
    """The words that are neither options nor their values."""
    pairs = zip(("", *before), before, strict=False)
    return [word for last, word in pairs if not word.startswith("-") and last not in TAKES_VALUE]


def _names(of: Sequence[Flag]) -> list[str]:
    return [name for flag in dict.fromkeys((*of, HELP)) for name in flag.every_name]


def _words_of(
    command: str, given: Sequence[str], before: Sequence[str], env: Mapping[str, str], directory: Path
) -> list[str]:
    kinds = COMMANDS[command].words
    kind = kinds[len(given)] if len(given) < len(kinds) else ""
    if kind == "SHELL":
        return list(_SCRIPTS)
    if kind not in _KNOWN or (command in _NEW and kind == "NAME"):
        return []
    options = {flag: value for flag, value in pairwise(before) if flag in TAKES_VALUE}
    try:
        return _look_up(kind, given, options, env, directory)
    except CommandError:
        return []


def _look_up(
    kind: str, given: Sequence[str], options: Mapping[str, str], env: Mapping[str, str], directory: Path
) -> list[str]:
    """The words of that kind that the service knows. Raises CommandError."""
    from helmbroker.controller_bridge.plugin.client import Bridge  # noqa: PLC0415 - slow, and rarely needed
    from helmbroker.controller_bridge.plugin.settings import app_name, login, service  # noqa: PLC0415

    found = login(options.get("-c") or options.get("--config"), env)
    bridge = Bridge(service(found, env), lambda _text: None, LOOK_UP_TIMEOUT_S)
    if kind == "SERVICE":
        return [str(one.get("name")) for one in bridge.services(MOST)]
    if kind == "PLAN":
        return [str(one.get("name")) for one in bridge.plans(given[-1], MOST)]
    app = app_name(options.get("-a") or options.get("--app"), found, env, directory)
    if kind == "VERSION":
        return [f"v{one.get('version')}" for one in bridge.releases(app, MOST)]
    return [str(one.get("name")) for one in bridge.resources(app, MOST)]
