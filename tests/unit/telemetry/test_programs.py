"""What is counted of runs of a program."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.telemetry_wiring import HELM, word
from helmbroker.telemetry.programs import Programs
from tests.unit.telemetry.spans import Spans

COUNT = "helmbroker_helm_run_duration_seconds_count"


def test_a_run_by_its_command_and_how_it_ended() -> None:
    registry, spans = CollectorRegistry(), Spans()
    helm = Programs("helm", HELM, registry, spans.traces, word)
    with helm("upgrade"):
        """It ends well."""
    with pytest.raises(HelmError), helm("upgrade"):
        raise HelmError(HelmFault.QUOTA, "canary: exceeded quota")
    with pytest.raises(OSError, match="x"), helm("uninstall"):
        raise OSError("x")
    values = {
        (command, result): registry.get_sample_value(COUNT, {"command": command, "result": result})
        for command, result in (("upgrade", "ok"), ("upgrade", "quota"), ("uninstall", "error"))
    }
    assert set(values.values()) == {1.0}
    assert [(span.name, span.status.description) for span in spans.ended] == [
        ("helm upgrade", None),
        ("helm upgrade", "quota"),
        ("helm uninstall", "error"),
    ]
    assert not any("canary" in span.to_json() for span in spans.ended)
