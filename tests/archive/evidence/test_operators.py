"""Names of operators are compared by their letters and digits, the same in Python and in SQL."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.evidence.operators import INTERNET_ARCHIVE, operator_name, same_operator, same_operator_sql

NAMES = ("Lib2", "British Library", "Straße 7", "ΟΔΟΣ", "Библиотека", "国立国会図書館", "Bibliothèque")
CASES: tuple[Callable[[str], str], ...] = (str, str.upper, str.lower, str.title, str.swapcase)
#: Signs, blanks, and what is invisible.
SIGNS = " .,-_'\"<>()[]/&|*\t\u00a0\u00ad\u200b\u200d\u2060\ufeff\u202e“”…"


def in_sql(name: str) -> str | None:
    sql = f"SELECT {same_operator_sql('name')} FROM (SELECT ?::VARCHAR AS name)"
    ((found,),) = duckdb.connect().execute(sql, [operator_name(name)]).fetchall()
    assert found is None or isinstance(found, str)
    return found


@given(st.sampled_from(NAMES), st.sampled_from(CASES), st.data())
def test_signs_blanks_and_capitals_make_no_other_operator(
    name: str, case: Callable[[str], str], data: st.DataObject
) -> None:
    signs = st.text(SIGNS, max_size=3)
    written = "".join(each + data.draw(signs) for each in data.draw(signs) + case(name))
    assert same_operator(operator_name(written) or "") == same_operator(name)
    assert in_sql(written) == in_sql(name)


def test_other_letters_are_another_operator() -> None:
    assert len({same_operator(name) for name in NAMES}) == len({in_sql(name) for name in NAMES}) == len(NAMES)
    for name in NAMES:
        assert in_sql(name) == same_operator(name)


@pytest.mark.parametrize("name", ["", " ", "...", "\u200b", "<>", None])
def test_without_a_letter_or_digit_nobody_is_named(name: str | None) -> None:
    assert operator_name(name) is None


@pytest.mark.parametrize("name", ["Internet-Archive", "the internet  archive", "Inter\u200bnet Archive", "archive.org"])
def test_a_known_archive_has_one_name(name: str) -> None:
    assert operator_name(name) == INTERNET_ARCHIVE
