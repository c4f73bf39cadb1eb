"""What holds for all tests: their claims are about rules that exist."""

from __future__ import annotations

import pytest

from tests.spec import marks


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Raises UsageError for a marker with a number that is on no list."""
    wrong = sorted({problem for item in items for problem in marks.problems(item)})
    if wrong:
        raise pytest.UsageError(*wrong)
