"""What odd commands, odd indexes and odd clocks do not break: no record is lost, and none is asked for too fast."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from minicc.fixtures import CRAWLS, minicc, pages_of  # noqa: F401
from minicc.make import page, write_collinfo, write_crawl, write_news
from servers import served

from archive.commoncrawl.arc import arc_files
from archive.commoncrawl.cluster import Cluster, add_lines
from archive.commoncrawl.columnar import select
from archive.commoncrawl.crawls import Crawl, crawls_of
from archive.commoncrawl.gate import Gate
from archive.commoncrawl.listings import files_of
from archive.commoncrawl.mirror import Access
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected
from archive.commoncrawl.selection import Selection
from archive.errors import ArchiveError, SourceError
from archive.evidence.crawls import frozen
from archive.evidence.names import crawl_windows
from archive.intake.crawled import Crawled
from archive.intake.plan import AlreadyIngested, plan
from archive.intake.result import IngestResult
from archive.intake.run import ingest
from archive.intake.unit import Batch, Settings
from archive.lake import Lake
from archive.sources import Listed
from archive.sources.take import RECORD, Take
from archive.witness.run import witness

CRAWL = "cc:CC-MAIN-2019-35"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def bring(lake: Lake, mirror: Path, *sources: str, **options: Any) -> IngestResult:
    return ingest(lake, sources or (CRAWL,), mirror=str(mirror), workers=1, **options)


def captures(lake: Lake) -> int:
    return int(lake.read("captures", ["unit"]).num_rows)


# -- files that are read again --------------------------------------------------------------------------


def test_a_file_that_is_read_again_with_another_operator_is_read_and_not_only_taken_out(
    lake: Lake, minicc: Path
) -> None:
    every = bring(lake, minicc, files=1).captures
    again = bring(lake, minicc, files=1, operator="Somebody")
    assert (again.captures, captures(lake)) == (every, every)
    assert bring(lake, minicc, files=1, operator="Somebody").files_skipped == 1


def test_a_selection_takes_nothing_out_of_a_file_that_the_lake_has_all_of(lake: Lake, minicc: Path) -> None:
    every = bring(lake, minicc, files=1).captures
    bring(lake, minicc, files=1, host="site3.de", operator="Somebody", max_record=64 << 20)
    assert captures(lake) == every


# -- lines of an index that name no place ---------------------------------------------------------------


@pytest.mark.parametrize(
    "stated",
    [
        {"offset": "9" * 25},
        {"offset": float("inf")},
        {"offset": "-5"},
        {"offset": str(1 << 45)},
        {"length": "0"},
        {"length": str(1 << 33)},
        {"filename": "crawl-data/\ud800.warc.gz"},
        {"filename": 7},
    ],
)
def test_a_line_that_names_no_place_is_counted_and_the_others_come(stated: dict[str, Any]) -> None:
    selected = Selected(Selection())
    good = {"filename": "crawl-data/a.warc.gz", "offset": "500", "length": "70", "digest": 5}
    add_lines([_line(good), _line({**good, **stated}), _line({**good, "offset": "900"})], Selection(), selected)
    assert (len(selected), selected.dropped) == (2, 1)


def _line(fields: dict[str, Any]) -> bytes:
    return f"org,example)/ 20190820120000 {json.dumps(fields)}".encode()


# -- what changes, and what is kept ---------------------------------------------------------------------


def test_the_list_of_a_month_of_news_grows_until_the_month_is_over(tmp_path: Path) -> None:
    crawl = Crawl("CC-NEWS-2019-08", datetime(2019, 8, 1, tzinfo=UTC), datetime(2019, 8, 31, 23, 59, 59, tzinfo=UTC))
    path = "crawl-data/CC-NEWS/2019/08/warc.paths.gz"
    pages = [page(f"http://news.example/{n}", f"News {n}", "2019-08-05T10:00:00") for n in range(4)]
    seen = []
    for count, fetched in ((1, datetime(2019, 8, 7)), (2, datetime(2019, 9, 2)), (3, datetime(2019, 10, 2)), (4, None)):
        write_news(tmp_path / "mirror", "2019-08", pages[:count], files=count)
        reach = Reach(Access(str(tmp_path / "mirror"), cache=str(tmp_path / "cache")))
        seen.append(len(files_of(reach, crawl)))
        if fetched:
            os.utime(reach.cache.path(path), (fetched.timestamp(),) * 2)
    assert seen == [1, 2, 3, 3]


# -- index tables of other writers ----------------------------------------------------------------------


def _of_table(folder: Path, change: Callable[[pa.Table], pa.Table], **wanted: Any) -> Selected:
    """Select from the index table of a crawl of 40 pages that somebody else has written."""
    write_crawl(folder, "CC-MAIN-2019-35", pages_of("CC-MAIN-2019-35", 40), parts=1)
    for path in folder.rglob("*.parquet"):
        pq.write_table(change(pq.ParquetFile(path).read()), path)
    selection = Selection.of(**wanted)
    selected = Selected(selection)
    crawl = Crawl("CC-MAIN-2019-35", datetime(2019, 8, 17, tzinfo=UTC), datetime(2019, 8, 26, tzinfo=UTC))
    select(Reach(Access(str(folder), cache=str(folder / "cache"))), crawl, selection, selected)
    return selected


def _as(column: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.schema.get_field_index(column), column, table[column].cast(kind, safe=False))

    return change


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("fetch_time", pa.int64()),
        ("fetch_time", pa.string()),
        ("fetch_status", pa.string()),
        ("warc_record_offset", pa.float64()),
    ],
)
def test_a_column_of_another_type_is_named_and_not_taken_for_something_else(
    tmp_path: Path, column: str, kind: pa.DataType
) -> None:
    with pytest.raises(SourceError, match=rf"another type: {column} \({kind}\)"):
        _of_table(tmp_path, _as(column, kind), status=[200], before="2019-08-25")


@pytest.mark.parametrize("column", ["warc_filename", "content_digest", "content_languages", "content_mime_type"])
def test_texts_that_a_table_has_as_bytes_are_texts(tmp_path: Path, column: str) -> None:
    wanted: dict[str, Any] = {"language": ["por"], "mime": ["*x*/*ht*l*"]}
    expected = len(_of_table(tmp_path / "as", lambda table: table, **wanted))
    assert len(_of_table(tmp_path / "bytes", _as(column, pa.binary()), **wanted)) == expected > 5


# -- commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"status": [70_000]}, "no status of HTTP"),
        ({"host": ["*.example.org"]}, "--domain has all below"),
        ({"host": ["\udcff.org"]}, "no name of a host"),
    ],
)
def test_what_names_nothing_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        Selection.of(**options)


@pytest.mark.parametrize("source", ["cc:0000", "cc:9999", "cc:..9999", "cc:0000..2014"])
def test_years_that_no_calendar_has_are_named(source: str) -> None:
    with pytest.raises(SourceError, match="names no crawl"):
        crawls_of(source, frozen)


def test_a_source_in_upper_case_or_with_blanks_is_the_same_one() -> None:
    assert crawls_of("CC: cc-main-2019-35 ", frozen) == crawls_of("cc:CC-MAIN-2019-35", frozen)
    assert crawls_of("cc:2013 .. 2014", frozen) == crawls_of("cc:2013..2014", frozen)


# -- lists that are none --------------------------------------------------------------------------------


@pytest.mark.parametrize("crawl", [5, None, "../../../etc", "cc-main-2019-35", "CC-NEWS-2019-08"])
def test_a_list_of_crawls_with_a_name_that_is_none_is_named(tmp_path: Path, crawl: Any) -> None:
    row = {"id": crawl, "from": "2019-08-17T10:26:24", "to": "2019-08-26T11:13:56"}
    (tmp_path / "collinfo.json").write_text(json.dumps([row]))
    with pytest.raises(SourceError, match="no list of crawls"):
        Reach(Access(str(tmp_path), cache=str(tmp_path / "cache"))).published()


def test_a_list_of_crawls_of_brackets_is_named(tmp_path: Path) -> None:
    (tmp_path / "collinfo.json").write_text("[" * 100_000)
    with pytest.raises(SourceError, match="no list of crawls"):
        Reach(Access(str(tmp_path), cache=str(tmp_path / "cache"))).published()


def test_a_list_of_files_without_a_file_is_an_error_and_a_file_that_is_there_twice_is_one(tmp_path: Path) -> None:
    crawl = Crawl("CC-MAIN-2019-35", datetime(2019, 8, 17, tzinfo=UTC), datetime(2019, 8, 26, tzinfo=UTC))
    path = tmp_path / "crawl-data/CC-MAIN-2019-35/warc.paths.gz"
    path.parent.mkdir(parents=True)
    reach = Reach(Access(str(tmp_path), cache=str(tmp_path / "cache")))
    path.write_bytes(gzip.compress(b" \n\n"))
    with pytest.raises(SourceError, match="names no file"):
        files_of(reach, crawl)
    path.write_bytes(gzip.compress(b"crawl-data/a.warc.gz\ncrawl-data/a.warc.gz\n"))
    assert files_of(reach, crawl) == ["crawl-data/a.warc.gz"]


# -- one file in two indexes ----------------------------------------------------------------------------


def test_records_that_the_indexes_of_two_crawls_name_of_one_file_all_come() -> None:
    def named(*offsets: int) -> Listed:
        records = np.zeros(len(offsets), RECORD)
        records["offset"], records["length"] = offsets, 100
        return Listed("https://data.commoncrawl.org/x.warc.gz", None, "cc:x", "x.warc.gz", "records", Take(records))

    batches = list(plan(None, [named(500, 900), named(500, 700), named(700, 900)], Settings()))
    planned = [unit.take.offsets.tolist() for each in batches if isinstance(each, Batch) for unit in each.units]  # type: ignore[union-attr]
    assert sorted(planned) == [[500, 900], [700]]
    assert sum(isinstance(each, AlreadyIngested) for each in batches) == 1


@pytest.mark.parametrize("price", [float("nan"), -5.0, float("inf")])
def test_a_price_that_is_none_is_refused(lake: Lake, price: float) -> None:
    with pytest.raises(ArchiveError, match="the price of an hour"):
        Crawled().cost(lake, [CRAWL], "resiliparse", price)


def test_dates_that_leave_out_all_crawls_are_an_error(lake: Lake, minicc: Path) -> None:
    with pytest.raises(SourceError, match="which ran from 2019-08-17 to 2019-08-26"):
        bring(lake, minicc, before="1990")


# -- what is not there, and what a header cannot have ---------------------------------------------------


def test_a_contact_of_any_letters_is_a_header(tmp_path: Path) -> None:
    agent = Access(contact="Łukasz\r\nX-Other: 1 <l@x.example>").agent
    assert agent.endswith("(+%C5%81ukasz X-Other: 1 <l@x.example>)")
    agent.encode("ascii")


def test_the_folder_of_a_gate_can_be_deleted_while_it_is_used(tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gates", "data.example", 1000.0)
    gate.wait()
    shutil.rmtree(tmp_path / "gates")
    with gate.stream():
        gate.wait()
    assert gate.requests == 2


# -- dates ----------------------------------------------------------------------------------------------


def test_a_month_of_news_bounds_the_dates_of_its_files_whatever_their_names() -> None:
    folder = "https://data.commoncrawl.org/crawl-data/CC-NEWS/2019/08"
    (named,) = crawl_windows(f"{folder}/x.warc.gz")
    assert named.holds(datetime(2019, 8, 5, tzinfo=UTC))
    assert not named.holds(datetime(2019, 6, 1, tzinfo=UTC))
    windows = crawl_windows(f"{folder}/CC-NEWS-20170805100000-00000.warc.gz")
    assert not all(each.holds(datetime(2017, 8, 6, tzinfo=UTC)) for each in windows)


def test_a_file_whose_path_names_no_crawl_is_not_read(lake: Lake, tmp_path: Path) -> None:
    old = [page("http://a.example/1", "An old page", "2012-08-20T12:00:00")]
    write_news(tmp_path, "2019-08", old, files=1)
    (file,) = tmp_path.rglob("*.warc.gz")
    (tmp_path / "crawl-data/misc").mkdir()
    file.rename(tmp_path / "crawl-data/misc/x.warc.gz")
    path = tmp_path / "crawl-data/CC-NEWS/2019/08/warc.paths.gz"
    path.write_bytes(gzip.compress(b"crawl-data/misc/x.warc.gz\n"))
    failed = bring(lake, tmp_path, "cc:CC-NEWS-2019-08").files_failed
    assert [("x.warc.gz" in file, "names no crawl" in why) for file, why in failed.items()] == [(True, True)]


# -- blocks of the sorted index -------------------------------------------------------------------------


def _blocks_of(folder: Path, block: bytes, offset: str = "0", length: str = "") -> Cluster:
    index = folder / "cc-index/collections/CC-MAIN-2019-35/indexes"
    index.mkdir(parents=True)
    (index / "cdx-00000.gz").write_bytes(block)
    line = f"org,example)/ 20190820120000\tcdx-00000.gz\t{offset}\t{length or len(block)}\t1\n"
    (index / "cluster.idx").write_text(line)
    paths = folder / "crawl-data/CC-MAIN-2019-35/cc-index.paths.gz"
    paths.parent.mkdir(parents=True)
    names = "".join(f"{path.relative_to(folder)}\n" for path in index.iterdir())
    paths.write_bytes(gzip.compress(names.encode()))
    crawl = Crawl("CC-MAIN-2019-35", datetime(2019, 8, 17, tzinfo=UTC), datetime(2019, 8, 26, tzinfo=UTC))
    return Cluster(Reach(Access(str(folder), cache=str(folder / "cache"))), crawl)


@pytest.mark.parametrize(("offset", "length"), [("-5", "20"), ("0", "9" * 20), ("9" * 20, "5"), ("0", "0")])
def test_a_block_at_no_place_is_named(tmp_path: Path, offset: str, length: str) -> None:
    cluster = _blocks_of(tmp_path, gzip.compress(b"a\n"), offset, length)
    with pytest.raises(SourceError, match="no line of such an index"):
        list(cluster.lines(Selection()))


def test_a_block_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    cluster = _blocks_of(tmp_path, gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert list(cluster.lines(Selection())) == [b"a", b"b"]


def test_a_block_that_unpacks_to_more_than_any_block_has_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.commoncrawl.cluster._LARGEST_LINES", 1 << 16)
    cluster = _blocks_of(tmp_path, gzip.compress(b"\n" * (1 << 17)))
    with pytest.raises(SourceError, match="more than 65,536 bytes"):
        list(cluster.lines(Selection()))


@pytest.mark.parametrize("text", ['{"filename": "crawl-001/a.arc.gz"}', '{"filename":"crawl-001\\/a.arc.gz"}'])
def test_the_files_of_a_crawl_before_2013_are_found_in_json_of_any_form(tmp_path: Path, text: str) -> None:
    cluster = _blocks_of(tmp_path, gzip.compress(f"org,example)/ 20080620120000 {text}\n".encode()))
    assert arc_files(cluster._reach, cluster.crawl) == ["crawl-001/a.arc.gz"]


def test_a_crawl_before_2013_whose_index_names_no_file_is_an_error(tmp_path: Path) -> None:
    cluster = _blocks_of(tmp_path, gzip.compress(b"org,example)/ 20080620120000 {}\n"))
    with pytest.raises(SourceError, match="names no file"):
        arc_files(cluster._reach, cluster.crawl)


def test_an_index_that_cannot_be_read_holds_up_no_other_crawl_of_a_witness(lake: Lake, tmp_path: Path) -> None:
    crawls = ("CC-MAIN-2019-35", "CC-MAIN-2020-34")
    for crawl in crawls:
        write_crawl(tmp_path, crawl, pages_of(crawl, 8))
    write_collinfo(tmp_path, {crawl: CRAWLS[crawl] for crawl in crawls})
    bring(lake, tmp_path, files=1)
    (tmp_path / "cc-index/collections/CC-MAIN-2019-35/indexes/cluster.idx").unlink()
    result = witness(lake, "cc:2019..2020", host="site3.de", mirror=str(tmp_path), workers=1)
    assert (list(result.files_failed), result.lines > 0) == (["CC-MAIN-2019-35"], True)


# -- answers without end --------------------------------------------------------------------------------


class _Endless(http.server.BaseHTTPRequestHandler):
    """Answers every request with a part, or with all of a file, that does not end."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        part = self.headers.get("Range")
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", "bytes 0-99/1000")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass


def test_an_answer_without_end_is_given_up_and_fills_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.commoncrawl.mirror._LARGEST", 1 << 20)
    with served(_Endless) as address:
        mirror = Access(address, rate=1e6, cache=str(tmp_path)).open()
        with pytest.raises(SourceError, match="sends more than 1,048,576 bytes"):
            mirror.collinfo()
        with pytest.raises(SourceError, match="sends more than 100 bytes"):
            mirror.read("crawl-data/x", 0, 100)


def test_a_list_that_unpacks_without_end_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.commoncrawl.reach._LARGEST", 1 << 20)
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"\n" * (3 << 20)))
    with pytest.raises(SourceError, match="more than 1,048,576 bytes"):
        Reach(Access(str(tmp_path), cache=str(tmp_path / "cache"))).gunzipped("x.gz")


def test_one_host_has_one_gate_however_it_is_written(tmp_path: Path) -> None:
    names = ("https://Data.example", "https://data.example:443/", "http://me:secret@data.example")
    assert {Access(name, cache=str(tmp_path)).gate(name).host for name in names} == {"data.example"}


def test_a_path_is_asked_for_as_it_is_so_that_a_file_has_one_name(tmp_path: Path) -> None:
    asked: list[str] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with served(Answers) as address:
        mirror = Access(address, rate=1e6, cache=str(tmp_path)).open()
        with pytest.raises(SourceError, match="there is no such file"):
            mirror.read("crawl%2Ddata/a?b.gz", 0, 10)
    assert asked == ["/crawl%252Ddata/a%3Fb.gz"]
