"""Requests made from our OpenAPI document, right ones and wrong ones, one by one and in sequences.

No answer is a 5xx, and every answer is one that the document describes. HELMBROKER_FUZZ_CASES: how many are sent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz.broker import fuzzed
from tests.fuzz.campaign import Campaign

SEEDS = (20261123, 19700101)  # two, so that they can run side by side
CASES = int(os.environ.get("HELMBROKER_FUZZ_CASES", "10000"))


@pytest.mark.fuzz
@pytest.mark.timeout(max(1800, CASES // 10))
@pytest.mark.osb(5, 6, 7, 8, 9, 10, 19, 20, 21, 88, 117)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_request_gets_an_answer_that_is_not_described(seed: int, tmp_path: Path) -> None:
    campaign, least = Campaign(), -(-CASES // len(SEEDS))
    with fuzzed(tmp_path, seed) as broker:
        campaign.run(broker, seed, least)
    print(f"seed {seed}:\n{campaign.table()}")  # noqa: T201 - how much was tried is a result; shown with -rP
    assert not campaign.faults, "\n\n".join(campaign.faults)
    assert campaign.total >= least
