"""Versions as people write them."""

from __future__ import annotations

import re

import pytest
import semver
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.catalog.formats.versions import SEMVER, coerced


@pytest.mark.osb(35)
@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"v?[0-9]{1,4}(\.[0-9]{1,4}){0,4}([-+._ ][0-9A-Za-z.+_ -]*)?", fullmatch=True))
def test_whatever_begins_with_a_number_becomes_semver(text: str) -> None:
    made = coerced(text)
    assert made is not None
    assert re.search(SEMVER, made)
    assert str(semver.Version.parse(made)) == made
    assert coerced(made) == made


@pytest.mark.parametrize("text", ["latest", "", "v", ".1", "-1", "\uff11"])
def test_the_rest_does_not(text: str) -> None:
    assert coerced(text) is None
