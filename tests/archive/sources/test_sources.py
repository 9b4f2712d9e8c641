"""What can be a source: the formats, found by content, from disk and from web servers."""

from __future__ import annotations

import gzip
import http.server
import io
import json
import os
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from conftest import members, record, rows, take
from forked import forked
from servers import flaky_proxy, served

from archive.errors import SourceError
from archive.intake import Settings
from archive.lake import Lake
from archive.records import RecordReader, Span
from archive.records.rows import Columns

Write = Callable[[str, bytes], str]

RECORDS = [record(url=f"http://e.example/{n}", body=f"<p>Page number {n}.</p>") for n in range(5)]
PLAIN = b"".join(RECORDS)


def _zstd(*records: bytes) -> bytes:
    return b"".join(zstandard.ZstdCompressor().compress(each) for each in records)


def _zstd_with_dictionary(compressed: bool) -> bytes:
    dictionary = zstandard.ZstdCompressionDict(PLAIN * 3)
    frame = dictionary.as_bytes()
    if compressed:
        frame = zstandard.ZstdCompressor().compress(frame)
    body = b"".join(zstandard.ZstdCompressor(dict_data=dictionary).compress(each) for each in RECORDS)
    return b"\x5d\x2a\x4d\x18" + len(frame).to_bytes(4, "little") + frame + body


def _lf_header(each: bytes) -> bytes:
    header, _, block = each.partition(b"\r\n\r\n")
    return header.replace(b"\r\n", b"\n") + b"\n\n" + block


ENCODED = {
    "plain": PLAIN,
    "a gzip member each": members(*RECORDS),
    "one gzip member": gzip.compress(PLAIN),
    "gzip members that split records": gzip.compress(PLAIN[:1000])
    + gzip.compress(PLAIN[1000:1500])
    + gzip.compress(PLAIN[1500:]),
    "empty gzip members between": gzip.compress(b"").join([b"", *map(gzip.compress, RECORDS), b""]),
    "zeros behind": members(*RECORDS) + bytes(4096),
    "a zstd frame each": _zstd(*RECORDS),
    "one zstd frame": _zstd(PLAIN),
    "zstd with a dictionary": _zstd_with_dictionary(False),
    "zstd with a compressed dictionary": _zstd_with_dictionary(True),
    "lz4": b"".join(lz4.frame.compress(each) for each in RECORDS),
    "LF for CRLF in headers": b"".join(_lf_header(each) for each in RECORDS),
}


@pytest.mark.parametrize("name", ENCODED)
def test_records_are_found_whatever_the_compression_and_the_name(lake: Lake, write: Write, name: str) -> None:
    summary = take(lake, write("a file without a telling name", ENCODED[name]))
    assert (summary.captures, summary.rejects.total()) == (5, 0)
    assert {text for (text,) in rows(lake, "SELECT text FROM documents")} == {f"Page number {n}." for n in range(5)}


@pytest.mark.parametrize("name", [name for name in ENCODED if "split" not in name])
def test_the_address_of_a_capture_leads_back_to_its_record(lake: Lake, write: Write, name: str) -> None:
    path = write("a", ENCODED[name])
    take(lake, path)
    dictionary = b""
    if name.startswith("zstd with"):  # it stands in front, and every frame needs it
        dictionary = ENCODED[name][: 8 + int.from_bytes(ENCODED[name][4:8], "little")]
    found_rows = rows(lake, 'SELECT url, "offset", length, skip FROM captures')
    assert len(found_rows) == 5
    for url, offset, length, skip in found_rows:
        data = dictionary + Path(path).read_bytes()[offset : offset + length if length else None]
        reader = RecordReader(io.BytesIO(data), Span())
        assert any(found.uri == url and found.skip == skip for found in reader)


def test_a_wacz_is_read_in_place_and_its_records_are_cited_by_entry(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "site.wacz"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("datapackage.json", "{}")
        package.writestr("archive/a.warc.gz", members(*RECORDS[:3]))
        package.writestr("archive/b.warc", b"".join(RECORDS[3:]))
    assert take(lake, str(path)).captures == 5
    files = [file for (file,) in rows(lake, "SELECT DISTINCT file FROM captures ORDER BY 1")]
    assert files == [f"{path}!/archive/a.warc.gz", f"{path}!/archive/b.warc"]


# -- data sets ------------------------------------------------------------------------------------------

SHAPES: dict[str, dict[str, Any]] = {
    "Dolma": {
        "id": "1",
        "text": "T",
        "created": "2020-03-29T09:04:10Z",
        "added": "2023-04-07",
        "metadata": {"url": "http://u/"},
    },
    "C4": {"text": "T", "timestamp": "2020-03-29T09:04:10Z", "url": "http://u/"},
    "FineWeb": {
        "text": "T",
        "id": "x",
        "dump": "CC-MAIN-2020-16",
        "url": "http://u/",
        "date": "2020-03-29T09:04:10Z",
        "language": "en",
    },
    "CmonCrawl": {"html": "<p>T</p>", "domain_record": {"url": "http://u/", "timestamp": "2020-03-29 09:04:10"}},
}


#: The latest of a row's dates counts, and where it has no zone, it may be of any.
LATEST = {
    "Dolma": "2023-04-08T13:59:59.999999+00:00",
    "C4": "2020-03-29T09:04:10+00:00",
    "FineWeb": "2020-03-29T09:04:10+00:00",
    "CmonCrawl": "2020-03-29T23:04:10+00:00",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["jsonl", "gzip", "zstd", "parquet"])
def test_the_shapes_of_known_data_sets_need_no_flags(lake: Lake, write: Write, shape: str, form: str) -> None:
    line = json.dumps(SHAPES[shape]).encode() + b"\n"
    path = write("data", {"gzip": gzip.compress(line), "zstd": zstandard.compress(line)}.get(form, line))
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist([SHAPES[shape]]), path)
    take(lake, path)
    found = rows(
        lake, "SELECT text, c.url, c.date_source, captured_at FROM captures AS c JOIN documents USING (content_id)"
    )
    assert [(*row[:3], row[3].isoformat()) for row in found] == [("T", "http://u/", "dataset", LATEST[shape])]


def test_other_columns_are_named_by_flags(lake: Lake, write: Write) -> None:
    line = json.dumps({"body": {"clean": "T"}, "text": "not this", "seen": "2020-03-29", "link": "http://u/"}) + "\n"
    path = write("data.jsonl", line.encode())
    options = ["--text-column", "body.clean", "--date-column", "seen", "--url-column", "link"]
    forked("ingest", path, "--lake", lake.location, *options)
    found = rows(lake, "SELECT text, captures.url, captured_at FROM captures JOIN documents USING (content_id)")
    assert found == [("T", "http://u/", datetime(2020, 3, 30, 13, 59, 59, 999999, tzinfo=UTC))]


def test_dates_of_parquet_may_be_times_days_strings_or_seconds_since_1970(lake: Lake, tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "time": datetime(2020, 3, 29, 9, 4, 10),
        "zoned": datetime(2020, 3, 29, 9, 4, 10, tzinfo=UTC),
        "day": date(2020, 3, 29),
        "number": 1585472650,
    }
    for name, value in values.items():
        pq.write_table(pa.Table.from_pylist([{"text": f"Text {name}", "date": value}]), tmp_path / f"{name}.parquet")
    take(lake, *(str(tmp_path / f"{name}.parquet") for name in values))
    found = rows(
        lake,
        "SELECT text, strftime(captured_at, '%H:%M:%S'), date_problem FROM captures JOIN documents USING (content_id) ORDER BY 1",
    )
    assert found == [
        ("Text day", "13:59:59", None),
        ("Text number", "09:04:10", None),
        ("Text time", "23:04:10", None),
        ("Text zoned", "09:04:10", None),
    ]


def test_a_data_set_row_outside_the_crawl_it_names_is_no_proof(lake: Lake, write: Write) -> None:
    line = json.dumps({**SHAPES["FineWeb"], "date": "2012-01-01T00:00:00Z"}) + "\n"
    take(lake, write("a.jsonl", line.encode()))
    assert rows(lake, "SELECT date_problem FROM captures") == [("outside-crawl",)]


def test_bad_rows_cost_themselves(lake: Lake, write: Write) -> None:
    good = {"text": "Good", "date": "2020-01-01"}
    lines = [
        json.dumps(good),
        "{broken",
        "[]",
        json.dumps({"title": "no text"}),
        json.dumps({"text": ""}),
        '{"text": "Q", "date": "2020-01-01"}',
        "",
    ]
    summary = take(lake, write("a.jsonl", "\n".join(lines).encode()))
    assert summary.rejects == {"bad-row": 2, "no-text-column": 1, "empty-text": 1}
    assert summary.captures == 2
    offsets = rows(lake, "SELECT \"offset\" FROM rejects WHERE reason = 'bad-row' ORDER BY 1")
    assert [offset for (offset,) in offsets] == [len(lines[0]) + 1, len(lines[0]) + len(lines[1]) + 2]


def test_a_parquet_file_is_read_a_batch_at_a_time(lake: Lake, tmp_path: Path) -> None:
    table = pa.table(
        {"text": [f"Text number {n}" for n in range(3000)], "date": ["2020-01-01"] * 3000, "junk": [b"x" * 1000] * 3000}
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=500)
    assert take(lake, str(tmp_path / "a.parquet")).captures == 3000
    assert rows(lake, 'SELECT min("offset"), max("offset") FROM captures') == [(0, 2999)]


# -- where they lie ---------------------------------------------------------------------------------------


def test_a_folder_and_a_pattern_name_all_their_files(lake: Lake, write: Write, tmp_path: Path) -> None:
    for n, name in enumerate(["x/a.warc", "x/y/b.warc", "x/y/c.txt"]):
        write(name, RECORDS[n])
    root = str(tmp_path / "sources")
    assert take(lake, f"{root}/**/*.warc").files == 2
    assert take(lake, root).files == 1


def test_a_folder_that_holds_the_lake_itself_does_not_feed_it_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(PLAIN)
    lake = Lake(str(tmp_path / "lake"))
    assert take(lake, str(tmp_path)).captures == 5
    again = take(lake, str(tmp_path))
    assert (again.files, again.files_skipped) == (0, 1)


@pytest.mark.parametrize("source", ["nothing-there", "no/match/*.warc"])
def test_a_source_that_is_not_there_is_one_line_and_exit_status_2(lake: Lake, source: str) -> None:
    done = forked("ingest", source, "--lake", lake.location, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"archive: {source}: no such file")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any user may enter and write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_named_and_holds_up_nothing_else(place: Path) -> None:
    sources = place / "sources"
    names = ("a.warc", "closed/b.warc", "secret.warc", "z/d.warc")
    for number, name in enumerate(names):
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_bytes(RECORDS[number])
    (sources / "secret.warc").chmod(0)
    (sources / "closed").chmod(0o600)  # its names can be listed, its files not be opened
    (sources / "loop.warc").symlink_to("loop.warc")
    root = os.geteuid() == 0  # may read anything
    if root:
        for path in (sources, *sources.rglob("*")):
            os.chown(path, 65534, 65534, follow_symlinks=False)
    lake = Lake(str(place / "lake"))
    done = forked("ingest", str(sources), "--lake", lake.location, "--json", user=65534 if root else None, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads(done.stdout)
    assert summary["captures"] == 2, done.stdout
    failed: dict[str, str] = summary["files_failed"]
    assert "ermission denied" in failed[str(sources / "secret.warc")]
    (closed,) = (name for name in failed if name.startswith(str(sources / "closed")))
    assert "may not be looked at" in failed[closed]
    assert set(failed) <= {str(sources / "secret.warc"), closed, str(sources / "loop.warc")}
    assert rows(lake, "SELECT url FROM captures ORDER BY 1") == [("http://e.example/0",), ("http://e.example/3",)]


def _handler(folder: Path) -> Any:
    class Handler(http.server.SimpleHTTPRequestHandler):
        """Serves files, without ranges."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

    return partial(Handler, directory=str(folder))


class Ranged(http.server.BaseHTTPRequestHandler):
    """Serves one file with ranges, and breaks off each answer after some bytes."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, content: bytes, cut: int, **kwargs: Any) -> None:
        self.content, self.cut = content, cut
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        begin = 0
        if wanted := self.headers.get("Range"):
            begin = int(wanted.removeprefix("bytes=").partition("-")[0])
        if begin >= len(self.content):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(self.content) - begin))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(self.content[begin : begin + self.cut])
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def test_a_file_on_a_web_server_streams_also_without_ranges(lake: Lake, write: Write, tmp_path: Path) -> None:
    write("a.warc.gz", members(*RECORDS))
    with served(_handler(tmp_path / "sources")) as address:
        summary = take(lake, f"{address}/a.warc.gz")
        assert summary.captures == 5
        assert take(lake, f"{address}/a.warc.gz").files_skipped == 1
        done = forked("ingest", f"{address}/missing.warc.gz", "--lake", lake.location, check=False)
        assert done.returncode == 2
        assert "the server answered 404" in done.stderr
    assert rows(lake, "SELECT DISTINCT file FROM captures") == [(f"{address}/a.warc.gz",)]


def test_a_connection_that_breaks_again_and_again_is_taken_up_where_it_broke(lake: Lake) -> None:
    noise = random.Random(1)
    body = [f"<p>{n} {' '.join(f'{noise.random():.9f}' for _ in range(500))}</p>" for n in range(40)]
    content = members(*(record(url=f"http://e.example/{n}", body=text) for n, text in enumerate(body)))
    with served(partial(Ranged, content=content, cut=20_000)) as address:
        assert take(lake, f"{address}/a.warc.gz").captures == 40
        assert rows(lake, "SELECT count(*) FROM rejects") == [(0,)]


def test_a_web_server_that_answers_503_now_and_then_changes_nothing(lake: Lake, write: Write, tmp_path: Path) -> None:
    write("a.warc.gz", members(*RECORDS))
    with served(_handler(tmp_path / "sources")) as address, flaky_proxy(address, share=0.4) as proxy:
        assert take(lake, f"{proxy}/a.warc.gz").captures == 5


def test_a_wacz_on_a_web_server_is_read_by_ranges(lake: Lake) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("archive/a.warc.gz", members(*RECORDS))
    with served(partial(Ranged, content=out.getvalue(), cut=1 << 30)) as address:
        assert take(lake, f"{address}/a.wacz").captures == 5


def test_a_lake_on_a_web_server_is_refused_with_a_reason() -> None:
    with pytest.raises(Exception, match="not a web server"):
        Lake("https://example.org/lake")


def test_settings_reach_the_reader(lake: Lake, write: Write) -> None:
    path = write("a.jsonl", b'{"x": "T", "text": "no", "date": "2020-01-01"}\n')
    take(lake, path, settings=Settings(columns=Columns(text="x")))
    assert rows(lake, "SELECT text FROM documents") == [("T",)]
    with pytest.raises(SourceError):
        take(lake, "")


@pytest.mark.parametrize(
    ("line", "date", "uri"),
    [
        (b"http://a/ 1.2.3.4 20080619163439 text/html 12", "20080619163439", "http://a/"),
        (b"http://a/b c 1.2.3.4 20080619163439 text/html 12", "20080619163439", "http://a/b c"),
        (b"http://a/ 1.2.3.4 20080619163439 text/html; charset=utf-8 12", "20080619163439", "http://a/"),
        (
            b"http://a/ 1.1.1.1 19990101000000 x 1.2.3.4 20080619163439 text/html; charset=utf-8 12",
            "20080619163439",
            "http://a/",
        ),
        (b"http://a/ 1.2.3.4 20080619163439 19990101000000 12", "20080619163439", "http://a/"),
        (b"http://a/ 20031219215023 63.241.1.1 text/html 12", "20031219215023", "http://a/"),
        (b"http://a/ 1.2.3.4 20080619163439 text/html 200 sum - 1234567890 file.arc 12", "20080619163439", "http://a/"),
    ],
)
def test_of_several_fields_that_look_like_dates_the_latest_counts(line: bytes, date: str, uri: str) -> None:
    from archive.records.record import parse_arc_line

    fields, length = parse_arc_line(line)
    assert (fields["date"], fields["uri"], length) == (date, uri, 12)


def test_sources_that_overlap_or_are_copies_are_all_of_use(lake: Lake, write: Write) -> None:
    one, copy = write("s1/a.warc", RECORDS[0]), write("s2/b.warc", RECORDS[0])
    summary = take(lake, str(Path(one).parent), one, str(Path(copy).parent))
    assert (summary.captures, summary.sources_useless) == (1, {})
    assert take(lake, one, copy).sources_useless == {}


def test_of_an_export_the_shards_are_read_and_of_a_folder_that_looks_like_one_all_files(
    lake: Lake, write: Write, tmp_path: Path
) -> None:
    folder = Path(write("set/x.jsonl", b'{"text": "Words of x.", "date": "2014-05-06"}\n')).parent
    write("set/train/t.jsonl", b'{"text": "Words of t.", "date": "2014-05-06"}\n')
    listed = [{"folder": "train", "files": [{"name": "t.jsonl"}]}, {"folder": "/etc", "files": [{"name": "hostname"}]}]
    stated = {"merkle_root": "", "arguments": {}, "shards": listed, "files": [{"name": "README.md"}]}
    write("set/manifest.json", json.dumps(stated).encode())
    write("set/README.md", b"A card.")
    summary = take(lake, str(folder))
    assert (summary.files, summary.captures, summary.rejects.total()) == (2, 2, 0)


def test_of_a_certified_data_set_only_the_rows_are_read(lake: Lake, write: Write) -> None:
    row = b'{"text": "Words of x.", "date": "2014-05-06", "proof": "none"}\n'
    folder = Path(write("proven/a/x.jsonl", row)).parent.parent
    write("proven/_certify/manifest.json", json.dumps({"arguments": {}, "files": {"a/x.jsonl": {}}}).encode())
    write("proven/README.md", b"---\ntags:\n- dated\n---\n")
    write("proven/.made-by-archive", b'{"archive": "certify", "token": "0123456789abcdef"}\n')
    summary = take(lake, str(folder))
    assert (summary.files, summary.captures, summary.rejects.total()) == (1, 1, 0)


def test_a_folder_whose_manifest_is_odd_is_a_folder_as_any(lake: Lake, write: Write) -> None:
    folder = Path(write("odd/x.jsonl", b'{"text": "Words of x.", "date": "2014-05-06"}\n')).parent
    write("odd/_certify/manifest.json", b"[" * 100_000)
    write("odd/manifest.json", b"[" * 100_001)
    summary = take(lake, str(folder))
    assert (summary.files, summary.captures) == (3, 1)
