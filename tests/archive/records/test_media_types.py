"""Content types as the Fetch Standard extracts them (its table of examples and more), and leniently where none is valid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.page import content_type_of
from archive.records.media_types import essence


@pytest.mark.parametrize(
    ("values", "found"),
    [
        # Fetch Standard, 2.2.2, "extract a MIME type"
        (["text/plain;charset=gbk, text/html"], "text/html"),
        (["text/html;charset=gbk;a=b, text/html;x=y"], "text/html; charset=gbk"),
        (["text/html;charset=gbk;a=b", "text/html;x=y"], "text/html; charset=gbk"),
        (["text/html;charset=gbk", "x/x", "text/html;x=y"], "text/html"),
        (["text/html", "cannot-parse"], "text/html"),
        (["text/html", "*/*"], "text/html"),
        (["text/html", ""], "text/html"),
        # and further ones
        (["application/x-javascript", "text/html"], "text/html"),
        (["text/html, text/html; charset=windows-1251"], "text/html; charset=windows-1251"),
        (["text/html", "image/png"], "application/octet-stream"),  # they contradict each other: the bytes decide
        (["TEXT/HTML;Charset=UTF-8"], "TEXT/HTML;Charset=UTF-8"),
        (['text/html; a="x, y/z"', 'text/html; charset="gbk"'], "text/html; charset=gbk"),
        (["text/html charset=utf-8"], "text/html charset=utf-8"),
        ([], ""),
        (["charset=utf-8"], "charset=utf-8"),
    ],
)
def test_the_last_valid_type_counts_with_the_charset_of_its_type(values: list[str], found: str) -> None:
    assert content_type_of(values) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("text/html", "text/html"),
        (" Text/HTML ; charset=x", "text/html"),
        ("text/html\xa0", "text/html"),
        ("text/html charset=utf-8", "text/html"),
        ('"text/html"', "text/html"),
        ("text", ""),
        ("html", ""),
        ("charset=utf-8", ""),
        ("*/*", ""),
        ("", ""),
        ("unknown/unknown", "unknown/unknown"),
    ],
)
def test_one_value(value: str, found: str) -> None:
    assert essence([value]) == found


@pytest.mark.parametrize(
    ("values", "further", "found"),
    [
        ([], "text/html", "text/html"),
        (["*/*"], "text/html", "text/html"),
        (["text"], "text/html; charset=gbk", "text/html"),
        (["charset=koi8-r"], "text/html", "text/html; charset=koi8-r"),
        (["text/plain"], "text/html", "text/plain"),
        ([], "no-type", ""),
    ],
)
def test_the_type_that_a_record_states_counts_where_http_states_none(
    values: list[str], further: str, found: str
) -> None:
    assert content_type_of(values, further) == found


@given(st.lists(st.text(max_size=30), max_size=4), st.text(max_size=30))
def test_no_value_makes_it_fail(values: list[str], further: str) -> None:
    assert essence(values) == essence(values).lower()
    content_type_of(values, further)
