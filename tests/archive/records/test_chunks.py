"""Chunks: whatever their sizes are written like, joined once, and no text that was joined before is altered."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from archive.records.chunks import dechunk, join, trailer_of

FORMS = ("%x", "%X", "000%x", "%x;name=value", '%x; a="b;c"', "%x  ", " %x", "0x%x")
EOLS = (b"\r\n", b"\n")


def chunked(body: bytes, sizes: list[int], form: str, eol: bytes, trailer: bytes = b"") -> bytes:
    out, at = [], 0
    for size in [*sizes, len(body)]:
        if part := body[at : at + size]:
            out += [(form % len(part)).encode(), eol, part, eol]
        at += size
    return b"".join([*out, b"0", eol, trailer, eol])


@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.integers(1, 60), max_size=8),
    st.sampled_from(FORMS),
    st.sampled_from(EOLS),
    st.sampled_from([b"", b"X-Sum: 1\r\n", b"Date: Sun, 05 May 2024 00:00:00 GMT\nX: y\n"]),
    st.sampled_from([b"", b"\r\n", b"\n\n"]),
)
@example(b"\n12\n", [1], "%x", b"\n", b"", b"")
def test_any_split_is_joined_to_the_body(
    body: bytes, sizes: list[int], form: str, eol: bytes, trailer: bytes, blank: bytes
) -> None:
    whole = chunked(body, sizes, form, eol, trailer)
    assert join(blank + whole) == (body, True)
    assert dechunk(blank + whole) == (body, True)
    assert len(trailer_of(whole)) == trailer.count(b":") - trailer.count(b":00") if trailer else not trailer_of(whole)


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(1, 60), max_size=8), st.data())
def test_of_a_body_that_breaks_off_the_beginning_is_kept_and_nothing_else(
    body: bytes, sizes: list[int], data: st.DataObject
) -> None:
    whole = chunked(b"<p>" + body, sizes, "%x", b"\r\n")
    cut = whole[: data.draw(st.integers(10, len(whole) - 1))]
    joined, complete = dechunk(cut)
    assert (b"<p>" + body).startswith(joined) or complete
    assert not complete or joined == b"<p>" + body


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Z")) | st.sampled_from("\n\r\t"), max_size=200))
def test_a_text_that_was_joined_before_is_never_altered(text: str) -> None:
    body = text.encode()
    first = body.lstrip(b"\r\n \t").split(b"\n")[0].partition(b";")[0].strip()
    try:
        int(first, 16)
        assume(False)
    except ValueError:
        pass
    assert dechunk(body) == (body, True)


@pytest.mark.parametrize(
    "body",
    [
        b"1999\r\nA list of the boats.\r\nThe Swallow.\r\n",
        b"Cafe\nOpen daily from nine to five.\n",
        b"0\r\nNobody came to the first meeting.\r\n",
        b"beef\n100 g\n\nbutter\n20 g\n",
        b"\n2021\nA diary\n",
        b"10\n9\n8\n7\n6\n5\n4\n3\n2\n1\n",
        b"<html>no size at all</html>",
        b"",
    ],
)
def test_texts_whose_first_line_looks_like_a_size_are_kept_whole(body: bytes) -> None:
    assert dechunk(body) == (body, True)


def test_a_body_of_the_stated_length_whose_sizes_do_not_hold_was_joined_before() -> None:
    body = b"4b2\r\nA line of hexadecimal digits, with letters among them.\r\n"
    assert dechunk(body, len(body)) == (body, True)
    assert dechunk(body)[1] is False, "without a length it may be cut"


def test_sizes_that_are_wrong_cost_no_words_and_the_last_chunk_is_no_text() -> None:
    page = b"<p>Some words of a page.</p>"
    for size in (b"4", b"fff"):
        joined, complete = dechunk(size + b"\r\n" + page + b"\r\n0\r\n\r\n")
        assert (joined, complete) == (page, False)


@pytest.mark.parametrize(
    "body", [b"%x\r\n" % (1 << 60) + b"<p>x", b"ffffffffffffffff\r\n<p>x", b"0" * 3000 + b"3\r\n<p>\r\n0\r\n\r\n"]
)
def test_sizes_without_bounds_cost_nothing(body: bytes) -> None:
    assert dechunk(body)[0].startswith(b"<p>")
