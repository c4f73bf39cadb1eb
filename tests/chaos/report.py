"""What a run found: JSON, and a section of the page on durability."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Report:
    """Counts, times in seconds, and every broken promise."""

    database: str
    seed: int
    took_s: float
    lease_s: float
    members: str
    machine: str
    disturbances: dict[str, int]
    operations: dict[str, dict[str, int]]  # kind -> state -> number
    failures: dict[str, int]  # what failed operations said -> number
    helm_runs: dict[str, int]
    take_overs: dict[str, int]  # kind -> steps that were begun again by another claim
    resume_after_lease_s: dict[str, float]
    resume_after_kill_s: dict[str, float]
    overtaken_frozen_helms: int
    thawed_helms_lived_s: dict[str, float]
    logins: int
    answers: dict[str, int]
    violations: list[str]

    @property
    def kills(self) -> int:
        return sum(number for name, number in self.disturbances.items() if name.startswith("kill"))

    @property
    def others(self) -> int:
        return sum(self.disturbances.values()) - self.kills

    @property
    def accepted(self) -> int:
        return sum(sum(states.values()) for states in self.operations.values())

    def json(self) -> str:
        return json.dumps({"kills": self.kills, "accepted": self.accepted, **asdict(self)}, indent=2)

    def page(self) -> str:
        """The section of docs/reference/durability.md."""
        operations = {
            kind: ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
            for kind, states in sorted(self.operations.items())
        }
        rows: dict[str, Any] = {
            "processes": self.members,
            "seed; length": f"{self.seed}; {self.took_s:.0f} s",
            "machine": self.machine,
            "**kills (-9)**": self.kills,
            **{
                f"- {name}": number for name, number in sorted(self.disturbances.items()) if name.startswith("kill")
            },
            "**other disturbances**": self.others,
            **{f"- {name}": n for name, n in sorted(self.disturbances.items()) if not name.startswith("kill")},
            "**operations accepted, all ended**": self.accepted,
            **{f"- {kind}": text for kind, text in operations.items()},
            "runs of helm that change something": _numbers(self.helm_runs),
            "steps begun again after a death or a freeze": _numbers(self.take_overs),
            f"from the end of the lease ({self.lease_s:g} s) to the next claim": _times(self.resume_after_lease_s),
            "from kill -9 to the next claim": _times(self.resume_after_kill_s),
            "frozen helms that were overtaken": self.overtaken_frozen_helms,
            "how long helms lived after they were thawed": _times(self.thawed_helms_lived_s),
            "logins tried (surviving ones accepted, removed ones refused)": self.logins,
            "**violations**": len(self.violations),
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        table = "\n".join(["| | |", "|---|---|", *lines])
        failed = "".join(f"\n- {number} x {text}" for text, number in sorted(self.failures.items()))
        broken = "".join(f"\n- {text}" for text in self.violations)
        return (
            f"### {self.database}\n\n{table}\n"
            + (f"\nWhat failed operations said; each could be deleted:\n{failed}\n" if failed else "")
            + (f"\nViolations:\n{broken}\n" if broken else "")
        )


def spread(values: Sequence[float]) -> dict[str, float]:
    """Number, median, 99th percentile and the most."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {
        "n": len(ordered),
        "p50": round(statistics.median(ordered), 2),
        "p99": round(p99, 2),
        "max": round(ordered[-1], 2),
    }


def counted(texts: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(texts).items()))


def machine() -> str:
    """Processors, memory, kernel, and how busy it was."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = models[0].partition(": ")[2] if models else platform.machine()
    system = f"{platform.system()} {platform.release()}"
    return (
        f"{os.cpu_count()} x {model}, {memory:.1f} GiB, {system}; load average at the end {os.getloadavg()[1]:.1f}"
    )


def section(intro: str, reports: Sequence[Report]) -> str:
    """For the page on durability."""
    return "\n".join(["## Chaos", "", intro, "", *(report.page() for report in reports)])


def _numbers(values: dict[str, int]) -> str:
    total = sum(values.values())
    return f"{total} ({', '.join(f'{number} {name}' for name, number in sorted(values.items()))})" if total else "0"


def _times(values: dict[str, float]) -> str:
    if not values.get("n"):
        return "none"
    return f"{values['n']:g} times: p50 {values['p50']:g} s, p99 {values['p99']:g} s, max {values['max']:g} s"
