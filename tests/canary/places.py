"""Where secrets are looked for, and the only places in which they may be: what docs/explanation/security.md shows.

`python -m tests.canary.places` writes the table of the page anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.canary.secrets import Kind

PAGE = Path(__file__).parents[2] / "docs/explanation/security.md"
_BEGIN, _END = "<!-- places -->\n", "<!-- end of places -->\n"


@dataclass(frozen=True)
class Rule:
    """What may be in a place; why says it of those where something is."""

    words: str
    holds: frozenset[Kind] = frozenset()
    why: str = ""


def _only(words: str, why: str, *kinds: Kind) -> Rule:
    return Rule(words, frozenset(kinds), why)


class Place(Enum):
    """Where something can be written down."""

    LOGS = Rule("log lines of broker and bridge, level debug")
    POD_LOGS = Rule("logs of all pods: servers, Jobs of bindings, the app")
    ARGUMENTS = Rule("arguments of every process on the machine, those in pods too")
    ENVIRONMENT = Rule(
        "environment of every process that broker and bridge start, and of those in pods, but the app's"
    )
    DATABASE = Rule("database of broker and bridge: its files with journal, its dump")
    FILES = Rule("all other files that broker and bridge write, temporary ones too")
    ERRORS = Rule("answers that refuse, and how operations are going or ended")
    ANSWERS = Rule("other answers of both APIs, `/admin` too")
    METRICS = Rule("`/metrics`")
    AUDIT = Rule("`audit show` and `audit export` of both")
    COMMANDS = Rule("output of other commands, and the document of `export`")
    NAMES = Rule("names, labels and annotations of all objects, Helm's Secrets too")
    EVENTS = Rule("Kubernetes events")
    OBJECTS = Rule("pods, Jobs, workloads, ConfigMaps and all other objects that are no Secrets")
    RECORDS = Rule("record Secrets, by which the cluster remembers what the broker has")

    KEY_RINGS = _only("`keys.json` of broker and bridge", "the key rings themselves, mode 600", Kind.KEYS)
    LOGIN_FILES = _only(
        "`platform-credentials`, the bridge's `admin-token`",
        "what `init` makes for the first user to read, mode 600",
        Kind.LOGINS,
    )
    CLUSTER_FILES = _only(
        "temporary files of the Kubernetes client, `$TMPDIR/tmp*`",
        "it takes the key in a kubeconfig from a file only, mode 600, until the program ends; in a pod it has none",
        Kind.LOGINS,
    )
    MANIFESTS = _only(
        "`helm/rendering/*/*/manifest.yaml` in the broker's data directory, while Helm is at work",
        "Helm takes what the gate has checked from a file only; in a folder of mode 700, and removed at once, "
        "or after a kill -9 by the next run of Helm an hour later",
        *(Kind.PARAMETERS, Kind.ADMIN, Kind.BINDING),
    )
    HELM = _only(
        "data of Helm's release Secrets",
        "Helm keeps the values and objects of each revision",
        *(Kind.PARAMETERS, Kind.ADMIN, Kind.BINDING),
    )
    CHART_SECRETS = _only(
        "data of the Secrets that charts make",
        "the server and the Jobs read them from there",
        *(Kind.PARAMETERS, Kind.ADMIN, Kind.BINDING),
    )
    APP_SECRETS = _only("data of the app's Secrets", "its pods read its config from there", Kind.BINDING)
    APP_ENVIRONMENT = _only("environment of the app's own processes", "what a binding is for", Kind.BINDING)
    DELIVERIES = _only(
        "the answer that delivers a binding, a resource as its app's members see it",
        "what they ask for",
        Kind.BINDING,
    )


def table() -> str:
    """Markdown."""
    nothing = "".join(f"- {place.value.words}\n" for place in Place if not place.value.holds)
    rows = [
        f"| {place.value.words} | {', '.join(kind for kind in Kind if kind in place.value.holds)} "
        f"| {place.value.why} |\n"
        for place in Place
        if place.value.holds
    ]
    return (
        f"Nothing secret is in:\n\n{nothing}\nIt is here, and has to be:\n\n"
        f"| place | what is there | why |\n|---|---|---|\n{''.join(rows)}"
    )


def page() -> str:
    """The page with the table as it should be."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    return f"{before}{_BEGIN}{table()}{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page())
