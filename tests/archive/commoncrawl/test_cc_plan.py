"""A plan reads each wanted record once, with the cheaper of parts and whole files, and knows beforehand what it costs."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import peak_of
from hypothesis import given
from hypothesis import strategies as st
from minicc.fixtures import cc, minicc, reach_of  # noqa: F401
from minicc.make import Capture, page, write_arc_crawl, write_collinfo, write_crawl
from minicc.serve import Server, serve

from archive.commoncrawl.cache import Cache
from archive.commoncrawl.cost import Rates, cost, rows_of
from archive.commoncrawl.forecast import forecast
from archive.commoncrawl.paths import canonical
from archive.commoncrawl.plan import CrawlPlan, plan, streams
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import RECORD, Selected, sha1s
from archive.commoncrawl.selection import Selection
from archive.commoncrawl.source import ByMirror
from archive.errors import SourceError
from archive.sources.take import GAP, Take, joined

ReachOf = Callable[..., Reach]


def as_base32(data: bytes) -> str:
    return base64.b32encode(data).decode()


def planned(reach: Reach, *sources: str, **options: object) -> list[CrawlPlan]:
    return list(plan(reach, reach.crawls(sources), Selection.of(**options)))  # type: ignore[arg-type]


def test_without_a_selection_the_files_are_those_of_the_list(cc: Server, reach_of: ReachOf) -> None:
    (found,) = planned(reach_of(cc.address), "cc:CC-MAIN-2019-35")
    assert len(found.files) == found.file_count == 4
    assert all("/warc/" in path for path in found.files)
    (wet,) = planned(reach_of(cc.address), "cc:CC-MAIN-2019-35", subset="wet")
    assert all(path.endswith(".warc.wet.gz") for path in wet.files)
    (news,) = planned(reach_of(cc.address), "cc:CC-NEWS-2019-08")
    assert all(path.startswith("crawl-data/CC-NEWS/2019/08/CC-NEWS-20190805") for path in news.files)
    assert [each.path.rpartition("/")[2] for each in cc.log] == [
        "collinfo.json",
        "warc.paths.gz",
        "wet.paths.gz",
        "warc.paths.gz",
    ]


def test_some_files_are_the_same_in_every_run_and_parts_share_none(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    (two,), (three,) = (planned(reach, "cc:CC-MAIN-2019-35", files=number) for number in (2, 3))
    assert two.files == three.files[:2]
    parts = [planned(reach, "cc:CC-MAIN-2019-35", part=f"{n}/2")[0].files for n in (1, 2)]
    (whole,) = planned(reach, "cc:CC-MAIN-2019-35")
    assert sorted(parts[0] + parts[1]) == sorted(whole.files)
    (of_files,) = planned(reach, "cc:CC-MAIN-2019-35", files=2, tld=["pt"])
    assert {work.path for work in of_files} <= set(two.files)


@given(st.lists(st.text("abc/-.0123", min_size=1, max_size=12), unique=True), st.integers(1, 40))
def test_each_file_and_record_is_of_exactly_one_part(paths: list[str], count: int) -> None:
    parts = [Selection.of(part=f"{number}/{count}") for number in range(1, count + 1)]
    chosen = [path for part in parts for path in part.chosen(paths)]
    assert sorted(chosen) == sorted(paths)
    records = [found for part in parts for found in _records_of(Selected(part), paths)]
    assert sorted(records) == sorted((path, offset) for path in paths for offset in (0, 7))


def _records_of(selected: Selected, paths: list[str]) -> list[tuple[str, int]]:
    """Add two records of each file, and return those that are chosen."""
    of, offsets = np.repeat(np.arange(len(paths)), 2), np.tile(np.asarray([0, 7]), len(paths))
    selected.add(paths, of, offsets, np.ones(len(of), np.int64), [None] * len(of), np.zeros(len(of), np.int64))
    return [(selected.paths[row["file"]], int(row["offset"])) for some in selected.sorted() for row in some]


@given(st.lists(st.one_of(st.none(), st.text(max_size=40), st.binary(min_size=20, max_size=20).map(as_base32))))
def test_digests_are_decoded_as_the_standard_library_does(stated: list[str | None]) -> None:
    def one(text: str | None) -> bytes:
        try:
            found = base64.b32decode(text or "")
        except ValueError:
            return b""
        return found.rstrip(b"\0") if len(found) == 20 else b""

    assert sha1s(stated).tolist() == [one(text) for text in stated]


def test_dates_leave_out_crawls_and_filter_those_that_they_cut(minicc: Path, reach_of: ReachOf) -> None:
    found = planned(reach_of(minicc), "cc:2013..2021", after="2019-08-20")
    assert [each.crawl.id for each in found] == ["CC-MAIN-2019-35", "CC-MAIN-2020-34"]
    assert found[0].record_count
    assert not found[0].files
    assert len(found[1].files) == 4, "all of it is later"


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("cc:2014..2019", {"language": ["por"]}, "CC-MAIN-2014-35: --language needs .* since CC-MAIN-2018-39"),
        ("cc:CC-NEWS-2019-08", {"host": ["a.example"]}, "no index lists the records of CC-NEWS"),
        ("cc:CC-MAIN-2019-35", {"host": ["a.example"], "subset": "wet"}, "no index lists the records of these files"),
        ("cc:CC-MAIN-2008-2009", {"subset": "wet"}, "no WET files"),
        ("cc:CC-MAIN-2019-35", {"language": ["pt"]}, "three letters"),
        ("cc:CC-MAIN-2019-35", {"host": ["http://a.example/"]}, "an address is for --url"),
        ("cc:CC-MAIN-2019-35", {"sample": 1.5}, "a part of all"),
        ("cc:CC-MAIN-2019-35", {"files": 0}, "a number of files"),
        ("cc:CC-MAIN-2019-35", {"part": "4/3"}, "3/16"),
        ("cc:CC-MAIN-2019-35", {"after": "soon"}, "no date"),
        ("cc:CC-MAIN-2019-35", {"after": "2020", "before": "2019"}, "must be before"),
        ("cc:CC-MAIN-2019-35", {"url": ["http://"]}, "has no host"),
        ("cc:CC-MAIN-2019-35", {"subset": "wat"}, "warc or wet"),
    ],
)
def test_a_selection_that_nothing_can_tell_is_an_error_before_any_request(
    cc: Server, reach_of: ReachOf, source: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        planned(reach_of(cc.address), source, **options)
    assert [each.path for each in cc.log] in ([], ["collinfo.json"])


# -- parts or whole files ------------------------------------------------------------------------------


def records(*rows: tuple[int, int, int]) -> np.ndarray:
    """Records by number of the file, offset and length."""
    found = np.zeros(len(rows), RECORD)
    for at, (file, offset, length) in enumerate(rows):
        found[at] = (file, offset, length, b"", 0)
    return found


def test_near_records_are_one_part_and_each_record_is_in_one() -> None:
    take = Take(records((0, 0, 10), (0, 10, 10), (0, 20 + GAP, 5), (0, 26 + 2 * GAP, 5)), False)
    assert take.ranges == [(0, 25 + GAP), (26 + 2 * GAP, 31 + 2 * GAP)]


@given(
    parts=st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**5)), min_size=1, max_size=50),
    gap=st.integers(0, 10**5),
)
def test_joined_parts_hold_every_part_and_leave_no_small_gap(parts: list[tuple[int, int]], gap: int) -> None:
    parts.sort()
    starts = np.asarray([start for start, _ in parts], np.int64)
    stops = starts + np.asarray([length for _, length in parts], np.int64)
    first = joined(starts, stops, gap).tolist()
    ranges = [(starts[a], stops[a:b].max()) for a, b in zip(first, [*first[1:], len(parts)], strict=True)]
    assert all(
        any(low <= start and stop <= high for low, high in ranges) for start, stop in zip(starts, stops, strict=True)
    )
    assert all(after[0] - before[1] > gap for before, after in pairwise(ranges))


def test_a_file_is_streamed_where_its_parts_would_take_longer(minicc: Path, reach_of: ReachOf) -> None:
    """Every second page of four files of 70 kB, no two of them near each other."""
    for gap, bandwidth, streamed in ((0, 1e9, True), (0, 1000.0, False), (GAP, 1e9, False)):
        reach = reach_of(minicc, bandwidth=bandwidth)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("archive.commoncrawl.plan.GAP", gap)
            (found,) = planned(reach, "cc:CC-MAIN-2019-35", sample=0.5)
            works = list(found)
            assert [work.take.streams for work in works] == [streamed] * 4
            assert all(work.take.ranges == [] for work in works if work.take.streams)
            assert all(len(work.take.offsets) > 10 for work in works)


def test_a_few_records_of_a_large_file_are_read_by_parts(cc: Server, reach_of: ReachOf) -> None:
    """At 20 MB/s and a request a second, a file of 1 GB takes as long as 50 requests."""
    reach = reach_of(cc.address, rate=1.0)
    assert reach.worth == 20_000_000
    crawl = reach_of(cc.address).crawls(["cc:CC-MAIN-2019-35"])[0]
    reach.cache.put(f"sizes/{crawl.id}.json", json.dumps({"a": 10**9, "b": 10**9}).encode())
    of_a = [(0, n * 20_000_000, 5000) for n in range(45)]
    of_b = [(1, n * 18_000_000, 5000) for n in range(55)]
    assert streams(reach, crawl, [records(*of_a, *of_b)], ["a", "b"]).tolist() == [False, True]


# -- numbers -------------------------------------------------------------------------------------------


def test_the_cost_of_whole_files_is_what_they_then_take(cc: Server, reach_of: ReachOf, minicc: Path) -> None:
    reach = reach_of(cc.address, rate=1e6)
    plans = planned(reach, "cc:2014..2020")
    found = cost(reach, plans, dollars_per_hour=2.0)
    files = [path for each in plans for path in each.files]
    assert found.total.files == found.total.requests == found.total.streamed == len(files) == 12
    assert found.total.bytes == sum((minicc / path).stat().st_size for path in files)
    assert not found.total.estimated, "each was asked"
    assert found.total.records == 3 * (240 - 6)
    assert found.core_hours == pytest.approx(3 * 234 / 357 / 3600)
    assert found.dollars == pytest.approx(2.0 * max(found.hours, found.core_hours))
    assert [row[0] for row in rows_of(found)] == ["CC-MAIN-2014-35", "CC-MAIN-2019-35", "CC-MAIN-2020-34", "all"]
    cc.forget()
    assert cost(reach, planned(reach, "cc:2014..2020")) == cost(reach, plans)
    assert cc.log == [], "what was asked once is not asked again"


def test_the_cost_of_records_is_the_requests_and_bytes_that_they_take(cc: Server, reach_of: ReachOf) -> None:
    reach = reach_of(cc.address)
    plans = planned(reach, "cc:..2021", host=["site3.de", "site1.org"])
    found = cost(reach, plans)
    cc.forget()
    count = 0
    for each in plans:
        for work in each:
            with ByMirror(reach.access).open(canonical(work.path), work.take) as file:
                for offset in work.take.offsets:
                    file.seek(offset)
                    assert file.read(2) == b"\x1f\x8b"
                    count += 1
    assert found.total.requests == len(cc.log) > 0
    assert found.total.bytes == sum(each.sent for each in cc.log)
    assert found.total.records == count == 4 * (2 * 20 - 2)


def test_what_no_index_counts_is_not_guessed(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    found = cost(reach, planned(reach, "cc:CC-NEWS-2019-08"))
    assert found.total.records is None
    assert found.total.bytes > 0
    assert list({row[2] for row in rows_of(found)}) == ["not known"]


def test_the_rates_of_a_lake_count_where_they_are_known(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    rates = Rates(core_seconds=36.0, lake_bytes=1000.0, of="this lake")
    found = cost(reach, planned(reach, "cc:CC-MAIN-2019-35", tld=["pt"]), rates=rates)
    assert (found.core_hours, found.lake_bytes) == (
        pytest.approx(found.total.records / 100),
        found.total.records * 1000,
    )


def test_files_of_other_sizes_than_those_that_were_asked_are_estimated(tmp_path: Path, reach_of: ReachOf) -> None:
    root = tmp_path / "many"
    captures = [page(f"http://a{n}.example/", "some words " * 20) for n in range(400)]
    write_crawl(root, "CC-MAIN-2019-35", captures, files=40)
    write_collinfo(root, {"CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56")})
    reach = reach_of(root)
    plans = planned(reach, "cc:CC-MAIN-2019-35")
    found = cost(reach, plans)
    true = sum((root / path).stat().st_size for path in plans[0].files)
    assert found.total.estimated
    assert found.total.bytes == pytest.approx(true, rel=0.1)
    assert found.total.records == 400


def test_the_files_of_a_crawl_before_2013_are_those_that_its_index_names(
    cc: Server, reach_of: ReachOf, minicc: Path
) -> None:
    reach = reach_of(cc.address)
    (found,) = planned(reach, "cc:CC-MAIN-2008-2009")
    there = sorted(str(path.relative_to(minicc)) for path in (minicc / "crawl-001").rglob("*.arc.gz"))
    assert sorted(found.files) == there
    assert len(there) == 2
    cc.forget()
    assert planned(reach, "cc:CC-MAIN-2008-2009", files=1)[0].files == found.files[:1]
    assert cc.log == []


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl whose index table has 24 parts, and one of 2009 whose index has 600 blocks."""
    root = tmp_path_factory.mktemp("large")
    dice = random.Random(3)

    def pages(count: int, date: str) -> list[Capture]:
        return [
            page(f"http://h{dice.randrange(10**6)}.example/{n}", " ".join(dice.choices(WORDS, k=80)), f"{date}T00:00:{n % 60:02}",
                 languages=dice.choices(["por", "eng"], [1, 9])[0])
            for n in range(count)
        ]  # fmt: skip

    write_crawl(root, "CC-MAIN-2019-35", pages(2400, "2019-08-20"), files=20, parts=24, group=25)
    write_arc_crawl(root, "CC-MAIN-2009-2010", pages(2400, "2009-08-20"), files=30, block=4)
    write_collinfo(
        root,
        {
            "CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56"),
            "CC-MAIN-2009-2010": ("2009-07-02T15:25:48", "2010-09-10T21:44:53"),
        },
    )
    return root


WORDS = [f"word{number}" for number in range(500)]


@pytest.mark.parametrize("options", [{"sample": 0.3}, {"mime": ["text/html"]}, {"language": ["por"]}], ids=str)
def test_a_large_table_is_estimated_by_a_part_of_it(large: Path, reach_of: ReachOf, options: dict[str, object]) -> None:
    with serve(large) as server:
        reach = reach_of(server.address, bandwidth=1e4)
        (crawl,), selection = reach.crawls(["cc:CC-MAIN-2019-35"]), Selection.of(**options)  # type: ignore[arg-type]
        guess = forecast(reach, crawl, selection)
        asked = len(server.log)
        assert guess is not None
        assert guess.estimated
        exact = cost(reach, plan(reach, [crawl], selection)).total
        assert asked < (len(server.log) - asked) * 0.8
    tolerance = 0.35 if "language" in options else 0.15  # 12 row groups have 30 pages in Portuguese
    assert guess.records == pytest.approx(exact.records, rel=tolerance)
    assert guess.files == pytest.approx(exact.files, rel=0.1)


def test_a_crawl_before_2013_is_estimated_by_some_blocks_of_its_index(
    large: Path, reach_of: ReachOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.commoncrawl.cluster.PAGE", 1024)
    with serve(large) as server:
        reach = reach_of(server.address)
        (crawl,) = reach.crawls(["cc:CC-MAIN-2009-2010"])
        guess = forecast(reach, crawl, Selection())
        assert guess is not None
        assert len(server.log) < 80
    true = [path.stat().st_size for path in (large / "crawl-002").rglob("*.arc.gz")]
    assert guess.records == pytest.approx(2400, rel=0.1)
    assert guess.bytes == pytest.approx(sum(true), rel=0.1)
    assert guess.files == pytest.approx(len(true), rel=0.15)
    (found,) = planned(reach_of(large), "cc:CC-MAIN-2009-2010")
    assert len(found.files) == len(true)
    assert forecast(reach_of(large), crawl, Selection()) is None, "its files are known now"


def test_a_list_of_56_000_files_is_planned_at_once(tmp_path: Path, reach_of: ReachOf) -> None:
    import gzip

    root = tmp_path / "long"
    lines = [
        f"crawl-data/CC-MAIN-2019-35/segments/1.{n % 100}/warc/CC-MAIN-{n:014}-{n:05}.warc.gz\n" for n in range(56_000)
    ]
    (root / "crawl-data/CC-MAIN-2019-35").mkdir(parents=True)
    (root / "crawl-data/CC-MAIN-2019-35/warc.paths.gz").write_bytes(gzip.compress("".join(lines).encode()))
    write_collinfo(root, {"CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56")})
    began = time.monotonic()
    (found,) = planned(reach_of(root), "cc:CC-MAIN-2019-35")
    assert len(list(found)) == 56_000
    assert time.monotonic() - began < 10


_MEMORY = """
import numpy as np
from archive.commoncrawl.selected import Selected
from archive.commoncrawl.selection import Selection
count, chunk = 3_000_000, 1 << 15
selected, dice = Selected(Selection()), np.random.default_rng(1)
paths = [f"crawl-data/CC-MAIN-2019-35/segments/1.{n % 100}/warc/CC-MAIN-{n:014}-{n:05}.warc.gz" for n in range(56_000)]
digest = "B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A"
for begin in range(0, count, chunk):
    rows = min(chunk, count - begin)
    used = np.unique(dice.integers(0, len(paths), 2000))
    selected.add([paths[n] for n in used], dice.integers(0, len(used), rows), dice.integers(0, 10**9, rows),
                 dice.integers(400, 10**5, rows), [digest] * rows, np.full(rows, 1_566_000_000))
records = selected.sorted()
print(sum(map(len, records)))
"""


@pytest.mark.slow
def test_three_million_records_are_planned_in_300_mb() -> None:
    records, kilobytes = peak_of(_MEMORY)
    assert int(records) > 3_000_000 * 0.99
    assert kilobytes * 1024 < 300e6


# -- the cache -----------------------------------------------------------------------------------------


def test_a_file_of_the_cache_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(RuntimeError):
        cache.write("a/b", lambda part: (part.write_bytes(b"half"), _fail())[0])  # type: ignore[arg-type,return-value]
    assert cache.get("a/b") is None
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []
    assert cache.kept("a/b", lambda: b"all") == b"all"
    assert cache.kept("a/b", _fail) == b"all"  # type: ignore[arg-type]
    assert cache.get("a/b", age=-1.0) is None


def _fail() -> bytes:
    raise RuntimeError


def test_mirrors_that_are_copies_keep_what_they_have_apart(tmp_path: Path) -> None:
    Cache(tmp_path).put("x", b"own")
    assert Cache(tmp_path, "http://a").get("x") is None
    assert Cache(tmp_path, "").get("x") == b"own"


def test_a_record_that_two_indexes_name_is_planned_once() -> None:
    selected = Selected(Selection())
    for _ in range(2):
        selected.add(
            ["a", "b"],
            np.asarray([1, 0, 0]),
            np.asarray([5, 9, 5]),
            np.asarray([1, 1, 1]),
            [None] * 3,
            np.zeros(3, np.int64),
        )
    found = selected.sorted()
    assert sorted((selected.paths[row["file"]], int(row["offset"])) for some in found for row in some) == [
        ("a", 5),
        ("a", 9),
        ("b", 5),
    ]
