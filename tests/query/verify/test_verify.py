"""What was forged is found, and what is honest passes, wherever the records lie."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import examples, members, record, take
from forging import rewrite, seal
from forked import forked
from servers import ranges, served

from archive.errors import ExportError
from archive.intake import ingest
from archive.lake import Lake
from query import merkle
from query.dataset import load
from query.export.run import export
from query.rows import SINCE_3
from query.verify.run import VerifyResult, verify

BEFORE = "2022-01-01"
#: Pages, a page of the Wayback Machine, lines (the page among them twice), cells.
ROWS = 24 + 1 + 19 + 12
Write = Callable[[str, bytes], str]


def pages(count: int, **options: Any) -> list[bytes]:
    return [
        record(
            f"http://site{n}.org/",
            f"<title>T{n}</title><p>Words of page {n}.</p>",
            f"201{n % 10}-05-06T07:08:09Z",
            **options,
        )
        for n in range(count)
    ]


def made(folder: Path) -> Path:
    """An export of captures of every kind of source that the lake reads; lake and sources lie beside it."""
    lake = Lake(str(folder / "lake"))
    (folder / "sources").mkdir()

    def write(name: str, content: bytes) -> str:
        (folder / "sources" / name).write_bytes(content)
        return str(folder / "sources" / name)

    plain, packed = pages(16), pages(24)[16:]
    digest = next(line for line in plain[3].decode().splitlines() if line.startswith("WARC-Payload-Digest")).split(
        ": "
    )[1]
    revisit = record("http://site3.org/", "", "2009-01-01T00:00:00Z", "revisit", warc={"WARC-Payload-Digest": digest})
    wayback = record("http://web.archive.org/web/20080102030405/http://old.org/", "<p>An old page.</p>", None)
    rows = [{"text": f"Row {n} of a data set.", "date": "2019-05-06", "url": f"http://row{n}.org/"} for n in range(9)]
    html = {"html": "<p>Some page in a data set.</p>", "date": "2018-01-01", "url": "http://html.org/"}
    lines = "".join(json.dumps(row) + "\n" for row in [*rows, html])
    sources = [
        write("members.warc.gz", members(*plain)),
        write("plain.warc", b"".join(packed)),
        write("one.warc.gz", gzip.compress(b"".join([revisit, wayback]), mtime=0)),
        write("rows.jsonl", lines.encode()),
        write("packed.jsonl.gz", gzip.compress(lines.replace("Row", "Line").encode())),
    ]
    pq.write_table(
        pa.table(
            {
                "text": [f"Cell {n}." for n in range(12)],
                "date": ["2016-01-01T00:00:00Z"] * 12,
                "url": ["http://cell.org/"] * 12,
            }
        ),
        folder / "cells.parquet",
        row_group_size=5,
    )
    take(lake, *sources, str(folder / "cells.parquet"))
    export(lake, folder / "set", before=BEFORE, grade="E", shard_size=4000, workers=1)
    return folder / "set"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("honest"))


@pytest.fixture
def honest(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, whose records are those of all: not to be changed."""
    return Path(shutil.copytree(kept, tmp_path / "set"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """One of the test's own, with its records."""
    return made(tmp_path)


def test_an_honest_export_passes_row_by_row(honest: Path) -> None:
    report = verify(honest, all=True, workers=1)
    assert report.sound, (report.problems, report.findings)
    assert report.traced == report.rows == report.kinds["agrees"] == ROWS


def test_a_sample_is_as_large_as_asked(honest: Path) -> None:
    report = verify(honest, rows=17, workers=2)
    assert (report.traced, report.kinds["agrees"]) == (17, 17)


def forge(out: Path, dice: random.Random, cover: bool) -> str:
    """Change one value of one row; with `cover`, also all hashes that tell of it."""
    manifest = json.loads((out / "manifest.json").read_bytes())
    number = dice.randrange(len(manifest["shards"]))
    column = ""

    def change(rows: list[dict[str, Any]]) -> None:
        nonlocal column
        row = dice.choice(rows)
        column = dice.choice(["text", "captured_at", "url"] + (["payload_digest"] if row["payload_digest"] else []))
        if column == "captured_at":
            row[column] -= timedelta(days=dice.randrange(1, 900), seconds=dice.randrange(1, 99))
        else:
            row[column] = row[column][:-1] + ("A" if row[column][-1] != "A" else "B")
        if column == "text" and cover:
            row["content_id"] = hashlib.sha256(row["text"].encode()).hexdigest()

    if cover:
        rewrite(out, change, number)
    else:
        path = out / "train" / f"train-{number:05d}.parquet"
        table = pq.read_table(path)
        rows = table.to_pylist()
        change(rows)
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    return column


@pytest.mark.parametrize("cover", [False, True])
def test_every_random_forgery_is_found(honest: Path, tmp_path: Path, cover: bool) -> None:
    """By the hashes; and where the forger made new ones, by the records."""
    for number in range(25 if cover else examples(8)):
        out = tmp_path / f"forged-{number}"
        shutil.copytree(honest, out)
        column = forge(out, random.Random(number), cover)
        report = verify(out, rows=0, all=cover, workers=1)
        assert not report.sound, (number, column)
        if cover:
            assert not [problem for problem in report.problems if "domain" not in problem]
            assert [finding.kind for finding in report.findings] == ["differs"], (number, column, report.findings)
        else:
            assert any("not the bytes" in problem for problem in report.problems)
            assert any("Merkle root" in problem for problem in report.problems)


def first_of(kind: str) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    return lambda rows: next(row for row in rows if row["record_type"] == kind)


def set_to(column: str, value: Any, kind: str = "response") -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        first_of(kind)(rows)[column] = value

    return change


def twice(rows: list[dict[str, Any]]) -> None:
    rows.append(dict(rows[0]))


def swapped(rows: list[dict[str, Any]]) -> None:
    for name in ("text", "content_id"):
        rows[0][name], rows[1][name] = rows[1][name], rows[0][name]


def borrowed(rows: list[dict[str, Any]]) -> None:
    """A text whose date is that of another page, by the path of a revisit."""
    row, other = (row for row in rows[:9] if row["record_type"] == "response" and row["url"]), None
    one, other = list(row)[:2]
    for name in ("file", "offset", "length", "skip"):
        one[f"text_{name}"], one[name] = one[name], other[name]
    for name in ("url", "captured_at", "record_id", "title"):
        one[name] = other[name]


@pytest.mark.parametrize(
    "change",
    [
        twice,
        swapped,
        borrowed,
        set_to("record_type", None),
        set_to("record_type", "revisit"),
        set_to("payload_digest", None),
        set_to("extractor", None),
        set_to("extractor", "plain/1"),
        set_to("date_source", "cdx"),
        set_to("record_id", "<urn:uuid:0>"),
        set_to("title", "Another"),
        set_to("length", 17),
        set_to("skip", 5),
        set_to("offset", 3),
        set_to("language", "fr"),
        set_to("domain", "other.org"),
        set_to("file", None),
        set_to("file", "/dev/null"),
        set_to("file", "http://[::1"),
        set_to("date_source", "warc", "row"),
        set_to("record_type", "response", "row"),
    ],
)
def test_no_value_of_a_row_can_be_forged_without_trace(
    honest: Path, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    """Though every hash and number was made anew."""
    rewrite(honest, change)
    assert not verify(honest, all=True, workers=1).sound


def test_two_rows_that_cite_one_record_are_both_compared(honest: Path) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        row = dict(first_of("row")(rows))
        row["text"] = "Never written."
        row["content_id"] = hashlib.sha256(row["text"].encode()).hexdigest()
        rows.insert(0, row)

    rewrite(honest, change)
    assert not verify(honest, all=True, workers=1).sound


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("arguments", "mask"), True),
        (("arguments", "tokenizer"), "nowhere/tokenizer.json"),
        (("arguments", "format"), "ds"),
        (("shards", 0, "rows"), 10**18),
        (("shards", 0, "rows"), -5),
        (("shards", 0, "files", 0, "name"), "../../../../etc/passwd"),
        (("months",), {"1999-01": 3}),
        (("chars",), 3),
        (("files",), []),
    ],
)
def test_a_manifest_that_was_changed_is_found(honest: Path, path: tuple[str | int, ...], value: Any) -> None:
    manifest = json.loads((honest / "manifest.json").read_bytes())
    inner = manifest
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (honest / "manifest.json").write_text(json.dumps(manifest))
    with contextlib.suppress(ExportError):
        assert not verify(honest, rows=5, workers=1).sound


def test_a_line_with_a_name_twice_is_no_row(lake: Lake, write: Write, tmp_path: Path) -> None:
    """One reader takes the first value, another the last."""
    import zstandard

    take(lake, write("a.warc.gz", members(*pages(3))))
    export(lake, tmp_path / "set", before=BEFORE, format="jsonl", workers=1)
    path = tmp_path / "set" / "train" / "train-00000.jsonl.zst"
    lines = zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read()
    forged = lines.replace(b'{"content_id"', b'{"text":"Forged.","content_id"', 1)
    path.write_bytes(zstandard.ZstdCompressor().compress(forged))
    assert any("twice" in problem for problem in verify(tmp_path / "set", rows=0, workers=1).problems)


def test_a_record_that_only_stands_in_a_page_proves_nothing(lake: Lake, write: Write, tmp_path: Path) -> None:
    inner = record("http://old.org/", "<p>Never seen then.</p>", "2003-01-01T00:00:00Z")
    outer = record(body=b"<p>A page about archives:</p>\r\n\r\n" + inner, date="2021-01-01T00:00:00Z")
    other = record("http://b.org/", "<p>Another.</p>", "2020-01-01T00:00:00Z")
    path = write("plain.warc", outer + other)
    honest = write("inner.warc", inner)
    take(lake, path, honest)
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    assert verify(tmp_path / "set", all=True, workers=1).sound

    def change(rows: list[dict[str, Any]]) -> None:
        row = next(row for row in rows if row["url"] == "http://old.org/")
        row["file"], row["offset"] = path, (outer + other).index(inner)

    rewrite(tmp_path / "set", change)
    assert [finding.kind for finding in verify(tmp_path / "set", all=True, workers=1).findings] == ["gone"]


def test_joined_files_keep_the_crawl_of_each_warcinfo(lake: Lake, write: Write, tmp_path: Path) -> None:
    def part(number: int, crawl: str, date: str) -> list[bytes]:
        info = f"<urn:uuid:00000000-0000-0000-0000-00000000000{number}>"
        head = (
            f"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Record-ID: {info}\r\nWARC-Date: {date}\r\n"
            f"Content-Type: application/warc-fields\r\nContent-Length: {len(crawl) + 10}\r\n\r\n"
            f"isPartOf: {crawl}\r\n\r\n"
        ).encode()
        page = record(f"http://{number}.org/", f"<p>Page {number}.</p>", date, warc={"WARC-Warcinfo-ID": info})
        return [head, page]

    first = part(1, "CC-MAIN-2014-35", "2014-08-30T00:00:00Z")
    second = part(2, "CC-MAIN-2019-35", "2019-08-20T00:00:00Z")
    take(lake, write("joined.warc.gz", members(*first, *second)))
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    report = verify(tmp_path / "set", all=True, workers=1)
    assert report.sound, report.findings
    assert report.rows == 2


def test_joined_files_on_a_web_server_keep_the_crawl_of_each_warcinfo_too(
    lake: Lake, write: Write, tmp_path: Path, web: tuple[str, list[str]]
) -> None:
    """Whoever reads a record by its address does not see the warcinfo in front, which it need not cite."""
    records = []
    for crawl, date in (("CC-MAIN-2019-35", "2019-08-20T00:00:00Z"), ("CC-MAIN-2014-35", "2014-08-30T00:00:00Z")):
        fields = f"isPartOf: {crawl}\r\n"
        records.append(
            f"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: {date}\r\nWARC-Record-ID: <urn:x:{crawl}>\r\n"
            f"Content-Length: {len(fields)}\r\n\r\n{fields}\r\n\r\n".encode()
        )
        records += [record(f"http://{crawl}.org/{n}", f"<p>Page {n} of {crawl}.</p>", date) for n in range(3)]
    take(lake, write("joined.warc.gz", members(*records)))
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    address, _ = web
    report = verify(tmp_path / "set", all=True, moved=[f"{tmp_path}/sources/={address}/"], workers=1)
    assert report.rows == 6
    assert report.sound, report.findings


def test_a_known_root_finds_a_set_that_was_made_anew(honest: Path) -> None:
    root = verify(honest, rows=0, workers=1).merkle_root
    assert verify(honest, rows=0, root=root, workers=1).sound
    assert not verify(honest, rows=0, root="0" * 64, workers=1).sound


def roots(out: Path) -> tuple[str, str]:
    manifest = json.loads((out / "manifest.json").read_bytes())
    return manifest["merkle_root"], manifest["content_root"]


def test_the_content_root_is_the_same_wherever_the_files_lie(kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "far" / "away"
    options: dict[str, Any] = {"before": BEFORE, "grade": "E", "shard_size": 4000}
    shutil.copytree(kept.parent / "sources", other / "sources")
    shutil.copy(kept.parent / "cells.parquet", other)
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(other))
    export(lake, tmp_path / "own", **options, workers=1)
    assert roots(tmp_path / "own")[0] != roots(kept)[0]
    assert roots(tmp_path / "own")[1] == roots(kept)[1]
    report = verify(tmp_path / "own", rows=0, root=roots(kept)[1], workers=1)
    assert report.sound, report.problems
    assert (report.merkle_root, report.content_root) == roots(tmp_path / "own")
    assert roots(kept)[1] in (tmp_path / "own" / "README.md").read_text()
    shutil.copytree(tmp_path / "lake", tmp_path / "copy")
    export(Lake(str(tmp_path / "copy")), tmp_path / "again", **options, workers=1)
    assert roots(tmp_path / "again") == roots(tmp_path / "own")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", lambda text: text + "."),
        ("captured_at", lambda at: at - timedelta(microseconds=1)),
        ("payload_digest", lambda digest: digest[:-1] + ("A" if digest[-1] != "A" else "B")),
        ("offset", lambda offset: offset + 1),
        ("url", lambda url: url + "x"),
    ],
)
def test_whatever_else_changes_gives_another_content_root(
    honest: Path, column: str, value: Callable[[Any], Any]
) -> None:
    root = roots(honest)[1]

    def change(rows: list[dict[str, Any]]) -> None:
        row = next(row for row in rows if row[column] is not None)
        row[column] = value(row[column])

    rewrite(honest, change)
    assert verify(honest, rows=0, workers=1).content_root == roots(honest)[1] != root
    assert not verify(honest, rows=0, root=root, workers=1).sound


def test_a_content_root_that_was_changed_is_found(honest: Path) -> None:
    manifest = json.loads((honest / "manifest.json").read_bytes())
    manifest["content_root"] = "0" * 64
    (honest / "manifest.json").write_text(json.dumps(manifest))
    assert any("content root" in problem for problem in verify(honest, rows=0, workers=1).problems)


def test_rows_that_break_the_arguments_are_found(honest: Path) -> None:
    path = honest / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["arguments"]["before"] = "2015-01-01T00:00:00+00:00"
    path.write_text(json.dumps(manifest))
    assert any("not captured before 2015" in problem for problem in verify(honest, rows=0, workers=1).problems)


def missing(out: Path) -> None:
    next((out / "train").iterdir()).unlink()


def clipped(out: Path) -> None:
    path = next((out / "train").iterdir())
    path.write_bytes(path.read_bytes()[:-100])


def added(out: Path) -> None:
    first = next((out / "train").iterdir())
    shutil.copy(first, first.with_name("train-99999.parquet"))


def below(out: Path) -> None:
    (out / "train" / "more").mkdir()
    shutil.copy(next((out / "train").glob("*.parquet")), out / "train" / "more" / "x.parquet")


def new_card(out: Path) -> None:
    (out / "README.md").write_text("All of it is from 1995.")


@pytest.mark.parametrize("damage", [missing, clipped, added, below, new_card])
def test_damage_to_the_folder_is_found(honest: Path, damage: Callable[[Path], None]) -> None:
    damage(honest)
    assert verify(honest, rows=0, workers=1).problems


def kinds(report: VerifyResult) -> dict[str, int]:
    return {kind: count for kind, count in report.kinds.items() if count}


def test_sources_that_are_gone_or_changed_are_told_apart(own: Path, tmp_path: Path) -> None:
    (tmp_path / "sources" / "plain.warc").unlink()
    path = tmp_path / "sources" / "rows.jsonl"
    path.write_text(path.read_text().replace("Row 3", "Raw 3"))
    report = verify(own, all=True, workers=1)
    assert kinds(report) == {"gone": 8, "differs": 1, "agrees": ROWS - 9}


def test_sources_that_moved_are_found_by_a_new_prefix(own: Path, tmp_path: Path) -> None:
    (tmp_path / "sources").rename(tmp_path / "elsewhere")
    assert kinds(verify(own, all=True, workers=1))["gone"] == ROWS - 12
    moved = {f"{tmp_path}/sources/": f"{tmp_path}/elsewhere/"}
    assert verify(own, all=True, moved=moved, workers=1).sound


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """The sources on a web server, and the ranges that were asked for."""
    asked: list[str] = []
    with served(ranges(tmp_path / "sources", asked)) as address:
        yield address, asked


def test_records_on_a_web_server_are_read_by_ranges(own: Path, tmp_path: Path, web: tuple[str, list[str]]) -> None:
    address, _ = web
    assert verify(own, all=True, moved=[f"{tmp_path}/sources/={address}/"], workers=1).sound


def test_captures_that_were_ingested_from_the_web_are_verified_there(
    lake: Lake, write: Write, tmp_path: Path, web: tuple[str, list[str]]
) -> None:
    address, asked = web
    noise = [
        record(f"http://noise{n}.org/", f"<p>Some words: {random.Random(n).randbytes(90_000).hex()}</p>")
        for n in range(12)
    ]
    size = Path(write("web.warc.gz", members(*noise))).stat().st_size
    take(lake, f"{address}/web.warc.gz")
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    asked.clear()
    assert kinds(verify(tmp_path / "set", all=True, workers=1)) == {"unchecked": 12}
    refused = verify(tmp_path / "set", rows=3, seed=1, network=True, workers=1)
    assert kinds(refused) == {"gone": 3}
    assert "no public address" in refused.findings[0].detail
    assert not asked
    moved = [f"{address}/={address}/"]  # what the user names may be anywhere
    assert verify(tmp_path / "set", rows=3, seed=1, moved=moved, workers=1).sound
    starts = [int(header.removeprefix("bytes=").partition("-")[0]) for header in asked if header]
    assert starts
    assert all(start < size for start in starts)


def test_captures_on_s3_are_verified_there(lake: Lake, write: Write, tmp_path: Path, s3: str) -> None:
    import boto3

    path = write("s3.warc.gz", members(*pages(12)))
    boto3.client("s3").upload_file(path, s3, "s3.warc.gz")
    take(lake, f"s3://{s3}/s3.warc.gz")
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    assert kinds(verify(tmp_path / "set", all=True, workers=1)) == {"unchecked": 12}
    assert verify(tmp_path / "set", all=True, network=True, workers=1).sound


def test_masked_texts_are_compared_as_masked(lake: Lake, write: Write, tmp_path: Path) -> None:
    take(lake, write("a.warc.gz", members(record(body="<p>Mail to jane@site.org today.</p>"))))
    export(lake, tmp_path / "set", before=BEFORE, mask=True, workers=1)
    assert verify(tmp_path / "set", all=True, workers=1).sound


def test_every_export_of_the_real_captures_is_sound(data: Path, lake: Lake, tmp_path: Path) -> None:
    take(lake, str(data / "commoncrawl"), str(data / "sites"), str(data / "wacz"), str(data / "awkward"), workers=2)
    export(lake, tmp_path / "set", before=BEFORE, grade="E", format="jsonl")
    report = verify(tmp_path / "set", all=True)
    assert report.sound, (report.problems, report.findings)
    assert report.traced > 300


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b'{"manifest": 1}', b'{"version": 2}', b'{"version": 3}'])
def test_what_is_no_export_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ExportError):
        verify(tmp_path)


def test_the_command_tells_what_it_found_and_exits_with_1(honest: Path) -> None:
    done = forked("verify", str(honest), "--all", "--quiet")
    assert done.returncode == 0
    assert "agrees" in done.stdout
    clipped(honest)
    done = forked("verify", str(honest), "--rows", "5", "--quiet")
    assert done.returncode == 1
    assert "not the bytes that the manifest states" in done.stdout


def test_the_report_is_printed_as_json_with_kinds_problems_and_findings(own: Path, tmp_path: Path) -> None:
    told = json.loads(forked("verify", str(own), "--all", "--json").stdout)
    assert told["kinds"] == {"agrees": ROWS, "gone": 0, "differs": 0, "unchecked": 0}
    assert (told["sound"], told["problems"], told["findings"]) == (True, [], [])
    assert (told["merkle_root"], told["content_root"]) == roots(own)
    clipped(own)
    (tmp_path / "cells.parquet").unlink()
    done = forked("verify", str(own), "--all", "--json", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert told["kinds"]["gone"] == len(told["findings"]) > 5
    assert told["findings"][0].keys() == {"row", "kind", "detail"}
    assert not told["sound"]
    assert any("not the bytes" in problem for problem in told["problems"])


def test_a_lake_is_verified_by_the_records_that_its_texts_cite(own: Path, lake: Lake, tmp_path: Path) -> None:
    report = verify(lake.location, all=True, workers=1)
    assert report.sound, report.findings
    assert report.traced == report.rows == ROWS
    assert verify(lake.location, rows=5, workers=1).traced == 5
    (tmp_path / "sources" / "plain.warc").unlink()
    assert kinds(verify(lake.location, all=True, workers=1))["gone"] == 8


def stored(data: bytes) -> bytes:
    """Return a gzip member that holds its content as it is."""
    return gzip.compress(data, compresslevel=0, mtime=0)


def test_a_member_that_only_stands_in_a_stored_page_proves_nothing(lake: Lake, write: Write, tmp_path: Path) -> None:
    inner = stored(record("http://old.org/", "<p>Never seen then.</p>", "2003-01-01T00:00:00Z"))
    outer = stored(record("http://c.org/", b"<p>A page about archives.</p>" + inner, "2021-01-01T00:00:00Z"))
    path, honest = write("outer.warc.gz", outer), write("inner.warc.gz", inner)
    take(lake, path, honest)
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    report = verify(tmp_path / "set", all=True, workers=1)
    assert report.sound, report.findings
    assert report.walked == report.rows

    def change(rows: list[dict[str, Any]]) -> None:
        row = next(row for row in rows if row["url"] == "http://old.org/")
        row["file"], row["offset"] = path, outer.index(inner)

    rewrite(tmp_path / "set", change)
    assert kinds(verify(tmp_path / "set", all=True, workers=1)) == {"agrees": 1, "gone": 1}


def test_the_end_of_a_line_is_no_row(lake: Lake, write: Write, tmp_path: Path) -> None:
    lines = "".join(f" {json.dumps({'text': f'Row {n}.', 'date': '2010-01-01'})}\n" for n in range(2))
    take(lake, write("rows.jsonl", lines.encode()))
    export(lake, tmp_path / "set", before=BEFORE, grade="E", workers=1)
    assert verify(tmp_path / "set", all=True, workers=1).sound

    def change(rows: list[dict[str, Any]]) -> None:
        next(each for each in rows if each["offset"])["offset"] += 1

    rewrite(tmp_path / "set", change)
    assert kinds(verify(tmp_path / "set", all=True, workers=1)) == {"agrees": 1, "gone": 1}


def test_the_date_of_a_row_is_the_one_that_the_reader_takes(lake: Lake, write: Write, tmp_path: Path) -> None:
    row = {"text": "Of several dates.", "created": "2013-04-05T00:00:00Z", "added": "2019-04-05T00:00:00Z"}
    take(lake, write("rows.jsonl", json.dumps(row).encode() + b"\n"))
    export(lake, tmp_path / "set", before=BEFORE, grade="E", workers=1)
    assert verify(tmp_path / "set", all=True, workers=1).sound

    def earlier(rows: list[dict[str, Any]]) -> None:
        rows[0]["captured_at"] = rows[0]["captured_at"].replace(year=2013)
        rows[0]["evidence"] = ["created 2013-04-05T00:00:00Z agrees"]

    rewrite(tmp_path / "set", earlier)
    (finding,) = verify(tmp_path / "set", all=True, workers=1).findings
    assert finding.detail.startswith("date: the row says 2013")


def test_a_date_column_that_the_user_named_is_found(lake: Lake, write: Write, tmp_path: Path) -> None:
    row = {"text": "Of a column of its own.", "published": "2013-04-05T00:00:00Z"}
    ingest(lake, [write("rows.jsonl", json.dumps(row).encode() + b"\n")], date_column="published", workers=1)
    export(lake, tmp_path / "set", before=BEFORE, grade="E", workers=1)
    report = verify(tmp_path / "set", all=True, workers=1)
    assert report.sound, report.findings


@pytest.mark.parametrize(
    ("column", "value", "detail"),
    [("grade", "C", "grade"), ("evidence", [], "evidence"), ("robots", None, "opts out"), ("grade", "B", "grade")],
)
def test_grade_evidence_and_refusals_are_recomputed(
    lake: Lake, write: Write, tmp_path: Path, column: str, value: Any, detail: str
) -> None:
    page = record("http://a.org/", "<meta name=robots content=noai><p>Words.</p>", "2015-05-06T07:08:09Z")
    take(lake, write("a.warc.gz", members(page)))
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    assert verify(tmp_path / "set", all=True, workers=1).sound
    rewrite(tmp_path / "set", lambda rows: rows[0].update({column: value}))
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_bytes())
    manifest["arguments"]["honour_opt_outs"] = column == "robots"
    seal(tmp_path / "set", manifest)
    report = verify(tmp_path / "set", all=True, workers=1)
    assert not report.problems
    assert detail in report.findings[0].detail


@pytest.mark.parametrize("packed", [False, True])
def test_honest_rows_behind_damage_agree(lake: Lake, write: Write, tmp_path: Path, packed: bool) -> None:
    """The date of what is found behind damage is at least that of the damaged record, which no row cites."""
    first = record("http://first.org/", "<p>First.</p>", "2012-01-01T00:00:00Z")
    damaged = record(
        "http://damaged.org/", f"<p>Damaged {random.Random(1).randbytes(900).hex()}.</p>", "2018-01-01T00:00:00Z"
    )
    rest = [record(f"http://b{n}.org/", f"<p>Behind {n}.</p>", "2014-01-01T00:00:00Z") for n in range(3)]
    length = int(re.search(rb"Content-Length: (\d+)", damaged)[1])  # type: ignore[index]
    damaged = damaged.replace(b"Content-Length: %d" % length, b"Content-Length: %d" % (length + 30), 1)
    content = first + damaged + b"".join(rest)
    path = write("a.warc.gz", gzip.compress(content, mtime=0)) if packed else write("a.warc", content)
    take(lake, path)
    export(lake, tmp_path / "set", before=BEFORE, grade="E", workers=1)
    assert {row["captured_at"].year for row in load(tmp_path / "set")} == {2012, 2018}
    report = verify(tmp_path / "set", all=True, workers=1)
    assert report.sound, report.findings


def test_a_card_that_leads_elsewhere_is_found(honest: Path) -> None:
    """Its hash was made anew, and so was the manifest; only the program knows what it writes."""
    (honest / "other").mkdir()
    shutil.copy(honest / "train" / "train-00000.parquet", honest / "other" / "x.parquet")
    manifest = json.loads((honest / "manifest.json").read_bytes())
    card = (honest / "README.md").read_text().replace('path: "train/*.parquet"', 'path: "other/*.parquet"')
    (honest / "README.md").write_text(card)
    file = next(file for file in manifest["files"] if file["name"] == "README.md")
    file |= {"sha256": hashlib.sha256(card.encode()).hexdigest(), "bytes": len(card.encode())}
    for program in (manifest["program"], "lowbackground 0.0.1"):
        (honest / "manifest.json").write_text(json.dumps(manifest | {"program": program}))
        problems = verify(honest, rows=0, workers=1).problems
        assert any(problem.startswith("README.md: ") for problem in problems), problems
        assert "other/x.parquet: not of this export" in problems


def test_a_link_in_a_set_is_found(honest: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (honest / "more").symlink_to(tmp_path / "outside")
    assert any(problem.startswith("more: ") for problem in verify(honest, rows=0, workers=1).problems)


@pytest.mark.parametrize(("name", "value"), [("near", True), ("before", "2021-06-01T00:00:00+00:00"), ("preset", "c4")])
def test_a_known_root_tells_of_other_arguments(honest: Path, name: str, value: Any) -> None:
    root = roots(honest)
    manifest = json.loads((honest / "manifest.json").read_bytes())
    manifest["arguments"][name] = value
    seal(honest, manifest)
    assert verify(honest, rows=0, workers=1).sound or name == "before"
    for each in root:
        assert not verify(honest, rows=0, root=each, workers=1).sound


def test_a_set_of_version_2_still_loads_and_is_verified(lake: Lake, write: Write, tmp_path: Path) -> None:
    """Its rows have no grade, and its roots cover the rows alone."""
    take(lake, write("a.warc.gz", members(*pages(9))))
    export(lake, tmp_path / "set", before=BEFORE, workers=1)
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_bytes())
    for name in ("grade", "archives"):
        del manifest["arguments"][name]
    del manifest["grades"]
    (shard,) = manifest["shards"]
    path = tmp_path / "set" / "train" / "train-00000.parquet"
    table = pq.read_table(path).drop_columns(list(SINCE_3))
    pq.write_table(table, path)
    shard["files"][0] |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    shard["merkle_root"] = merkle.root(merkle.leaves(table))
    shard["content_root"] = merkle.root(merkle.leaves(table, merkle.LOCATION))
    manifest |= {"version": 2, "program": "lowbackground 0.1", "bytes": path.stat().st_size}
    manifest |= {name: merkle.root([merkle.part_leaf(shard[name])]) for name in ("merkle_root", "content_root")}
    (tmp_path / "set" / "manifest.json").write_text(json.dumps(manifest))
    assert "grade" not in load(tmp_path / "set").to_arrow().column_names
    report = verify(tmp_path / "set", all=True, workers=1)
    assert report.sound, (report.problems, report.findings)
