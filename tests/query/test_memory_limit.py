"""`--memory` of questions and exports."""

from __future__ import annotations

import pytest

from archive.errors import QueryError
from query.scratch import memory_limit


@pytest.mark.parametrize("size", ["-5GB", " -1", "-1KB"])
def test_a_size_below_zero_which_duckdb_takes_for_no_limit_is_refused(size: str) -> None:
    with pytest.raises(QueryError, match="not below zero"):
        memory_limit(size)


def test_other_sizes_are_for_duckdb_to_read() -> None:
    assert memory_limit("2GB") == "2GB"
