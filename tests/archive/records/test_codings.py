"""Codings under their own name, a wrong one or none: what can be decoded is, and compressed bytes never come out."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from archive.records.codings import BadEncoding, BodyTooLarge, decompress, unpack

PAGE = b"<html><p>" + b"Words of a page that was sent compressed, in many sentences. " * 40


def bare(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "zlib": zlib.compress,
    "bare": bare,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize(
    "stated", ["gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", '"gzip"', "identity, gzip", "gzip, none"]
)
@pytest.mark.parametrize("real", [name for name in PACKED if name not in {"br", "bare"}])
def test_what_the_bytes_show_counts_more_than_the_name(stated: str, real: str) -> None:
    assert decompress(PACKED[real](PAGE), stated, 1 << 20) == (PAGE, True)


@pytest.mark.parametrize("stated", ["gzip", "deflate", "br"])
def test_deflated_data_without_a_header_is_known_under_each_name_of_it(stated: str) -> None:
    assert decompress(bare(PAGE), stated, 1 << 20) == (PAGE, True)


@given(st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd"]), min_size=1, max_size=4), st.binary(max_size=300))
def test_several_codings_are_undone_in_their_order(names: list[str], body: bytes) -> None:
    packed = b"<p>" + body
    for name in names:
        packed = PACKED["zlib" if name == "deflate" else name](packed)
    assert decompress(packed, ", ".join(names), 1 << 20) == (b"<p>" + body, True)


def test_members_and_frames_are_one_body() -> None:
    halves = PAGE[:500], PAGE[500:]
    for name in ("gzip", "zstd"):
        assert decompress(b"".join(map(PACKED[name], halves)), name, 1 << 20) == (PAGE, True)
    padded = PACKED["gzip"](halves[0]) + b"\0" * 20 + PACKED["gzip"](halves[1]) + b"\0\0"
    assert decompress(padded, "gzip", 1 << 20) == (PAGE, True)


@pytest.mark.parametrize("name", ["gzip", "zlib"])
def test_a_wrong_checksum_costs_nothing_but_is_said(name: str) -> None:
    packed = PACKED[name](PAGE)
    wrong = packed[:-8] + bytes(4) + packed[-4:] if name == "gzip" else packed[:-4] + bytes(4)
    assert decompress(wrong, "gzip", 1 << 20) == (PAGE, False)


def test_a_gzip_header_with_a_name_and_more_is_passed_over() -> None:
    plain = PACKED["gzip"](PAGE)
    named = (
        plain[:3]
        + b"\x1e"
        + plain[4:10]
        + b"\x03\0abc"
        + b"page.html\0"
        + b"note\0"
        + b"\0\0"
        + plain[10:-8]
        + bytes(8)
    )
    assert decompress(named, "gzip", 1 << 20) == (PAGE, False)


@given(st.integers(40, 120))
def test_of_damaged_data_what_is_in_front_is_kept(at: int) -> None:
    packed = bytearray(gzip.compress(bytes(range(32, 127)) * 3 + PAGE + bytes(range(126, 31, -1)) * 3, mtime=0))
    packed[at : at + 8] = b"\xff" * 8
    try:
        decoded, complete = decompress(bytes(packed), "gzip", 1 << 20)
    except BadEncoding:
        return
    assert not complete
    assert decoded[:20] == bytes(range(32, 127))[:20]


@pytest.mark.parametrize("stated", ["gzip", "deflate", "br", "zstd", "compress"])
def test_what_was_decoded_before_is_left_as_it_is(stated: str) -> None:
    for body in (PAGE, b"x^2 + y^2 = z^2, as everybody knows.", "Größe".encode("utf-16"), b""):
        assert decompress(body, stated, 1 << 20) == (body, True)


@pytest.mark.parametrize("name", PACKED)
def test_no_header_is_needed(name: str) -> None:
    if name == "bare":
        assert unpack(PACKED[name](PAGE), 1 << 20) != PAGE, "nothing shows it"
    else:
        assert unpack(PACKED[name](PAGE), 1 << 20) == PAGE
    assert unpack(gzip.compress(PACKED["zlib"](PAGE)), 1 << 20) == PAGE, "twice"


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    unpack(body, 1 << 20)
    for name in ("gzip", "deflate", "br", "zstd"):
        with contextlib.suppress(BadEncoding):
            decompress(body, name, 1 << 20)


@pytest.mark.parametrize("name", PACKED)
def test_what_grows_beyond_the_limit_ends(name: str) -> None:
    bomb = PACKED[name](b"<p>" + bytes(1 << 22))
    with pytest.raises(BodyTooLarge):
        decompress(bomb, "br" if name == "br" else "deflate", 1 << 16)
    damaged = bomb[:-6] + bytes(6)
    if name in {"gzip", "zlib"}:
        with pytest.raises(BodyTooLarge):
            decompress(damaged, "gzip", 1 << 16)
