"""A file on a web server is read by the parts that are needed, and each part is the one that was asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicc.serve import Fault, Server, serve

from archive.errors import SourceError
from archive.sources import open_bytes
from archive.sources.http import HttpFile
from archive.sources.take import GAP, RECORD, PartsOfFile, Take

DATA = random.Random(5).randbytes(6 << 20)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("web")
    (root / "a.bin").write_bytes(DATA)
    with serve(Path(root)) as server:
        yield server


@pytest.fixture(autouse=True)
def fresh(web: Server) -> None:
    web.faults = []
    web.forget()


@settings(max_examples=30)
@given(reads=st.lists(st.tuples(st.integers(0, len(DATA) + 10), st.integers(0, 400_000)), max_size=8))
def test_whatever_is_read_after_whatever_seeks_is_what_the_file_has(web: Server, reads: list[tuple[int, int]]) -> None:
    with open_bytes(f"{web.address}/a.bin") as file:
        for offset, count in reads:
            file.seek(offset)
            assert file.read(count) == DATA[offset : offset + count]


def test_not_much_more_is_sent_than_is_read_behind_a_seek(web: Server) -> None:
    with HttpFile(f"{web.address}/a.bin") as file:
        for offset in range(5 << 20, 0, -(1 << 20)):
            file.seek(offset)
            assert file.read(1000) == DATA[offset : offset + 1000]
    ranged = [each for each in web.log if each.range]
    assert len(ranged) == 5
    assert sum(each.sent for each in ranged) <= 5 * (1 << 18)


def test_reading_on_behind_a_seek_asks_for_more_each_time(web: Server) -> None:
    with HttpFile(f"{web.address}/a.bin") as file:
        file.seek(1000)
        assert file.readall() == DATA[1000:]
    sizes = [each.sent for each in web.log if each.range]
    assert sizes[:-1] == [1 << 18, 1 << 19, 1 << 20, 1 << 21]
    assert sum(sizes) == len(DATA) - 1000


def test_one_request_reads_a_file_that_is_read_in_order(web: Server) -> None:
    with open_bytes(f"{web.address}/a.bin") as file:
        assert file.read() == DATA
    assert [each.range for each in web.log] == [""]


@pytest.mark.parametrize("kind", ["truncate", "reset-inside"])
def test_a_part_that_breaks_off_is_taken_up_where_it_broke(web: Server, kind: str) -> None:
    web.faults = [Fault(kind, ranges=True, times=2)]
    with HttpFile(f"{web.address}/a.bin") as file:
        file.seek(3 << 20)
        assert file.readall() == DATA[3 << 20 :]


def test_another_part_than_was_asked_for_is_an_error(web: Server) -> None:
    web.faults = [Fault("wrong-range", times=None)]
    with HttpFile(f"{web.address}/a.bin") as file:
        file.seek(1 << 20)
        with pytest.raises(SourceError, match="the server sent bytes"):
            file.read(10)


def test_a_server_that_gives_no_parts_is_read_up_to_the_place(web: Server) -> None:
    web.faults = [Fault("whole", times=None)]
    with HttpFile(f"{web.address}/a.bin") as file:
        file.seek(5 << 20)
        assert file.readall() == DATA[5 << 20 :]


# -- what is wanted of a file --------------------------------------------------------------------------

_PLACES = st.lists(st.tuples(st.integers(100, 3 << 20), st.integers(1, 100_000)), min_size=1, max_size=30, unique=True)


def take(places: list[tuple[int, int]]) -> Take:
    records = np.zeros(len(places), RECORD)
    for row, (offset, length) in enumerate(sorted(places)):
        records[row] = (offset, length, b"", 0)
    return Take(records, False)


@given(places=_PLACES, requests=st.integers(1, 5))
def test_pieces_hold_every_record_once_and_no_piece_asks_more_often_than_it_may(
    places: list[tuple[int, int]], requests: int
) -> None:
    wanted = take(places)
    pieces = list(wanted.split(requests))
    assert np.concatenate([piece.offsets for piece in pieces]).tolist() == wanted.offsets.tolist()  # type: ignore[union-attr]
    assert all(piece.requests <= requests for piece in pieces)
    assert len({piece.identity for piece in pieces}) == len(pieces)


@given(places=_PLACES, known=st.sets(st.integers(0, 3 << 20), max_size=20), share=st.floats(0, 1))
def test_what_is_left_is_what_is_not_known(places: list[tuple[int, int]], known: set[int], share: float) -> None:
    wanted = take(places)
    known |= {offset for offset, _ in places[: int(len(places) * share)]}
    left = wanted.without(np.asarray(sorted(known), np.int64))
    assert (set() if left is None else set(left.offsets.tolist())) == {offset for offset, _ in places} - known  # type: ignore[union-attr]


@given(places=_PLACES)
def test_each_record_can_be_read_at_its_offset_and_each_part_is_fetched_once_in_order(
    places: list[tuple[int, int]],
) -> None:
    wanted, fetched = take(places), list[tuple[int, int]]()

    def fetch(start: int, stop: int) -> bytes:
        fetched.append((start, stop))
        return DATA[start:stop]

    file = PartsOfFile(DATA[:100], wanted.ranges, fetch)
    assert file.read(8) == DATA[:8]
    for offset, length in sorted(places):
        file.seek(offset)
        assert file.read(length) == DATA[offset : offset + length]
    assert fetched == wanted.ranges


def test_between_two_parts_the_file_seems_to_end() -> None:
    wanted = take([(1000, 50), (2000 + GAP, 50)])
    file = PartsOfFile(b"head", wanted.ranges, lambda start, stop: DATA[start:stop])
    file.seek(1000)
    assert file.read() == DATA[1000:1050]
    assert file.read() == b""
    file.seek(2)
    assert file.read(10) == b"ad"
