"""Settings are read from environment variables."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import ValidationError

from helmbroker.runtime.environment import Variables


class Oven(Variables):
    prefix: ClassVar[str] = "OVEN_"

    heat_s: float = 60
    door: str | None = None


def test_a_variable_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVEN_HEAT_S", "1.5")
    assert Oven().heat_s == 1.5
    assert Oven().model_fields_set == {"heat_s"}


def test_what_is_given_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVEN_HEAT_S", "1.5")
    assert Oven(heat_s=2).heat_s == 2


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVEN_HEAT_S", "")
    monkeypatch.setenv("OVEN_DOOR", "")
    assert Oven().model_fields_set == set()


def test_what_does_not_fit_is_told_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVEN_HEAT_S", "canary-5d0a")
    with pytest.raises(ValidationError) as refusal:
        Oven()
    assert [each["loc"] for each in refusal.value.errors()] == [("heat_s",)]
    assert "canary-5d0a" not in str(refusal.value)
    with pytest.raises(ValidationError, match="Extra inputs"):
        Oven.model_validate({"light": "on"})
