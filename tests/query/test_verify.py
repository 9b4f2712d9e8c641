"""What was forged is found, and what is honest passes, wherever the records lie."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import command, members, record, take
from servers import ranges, served

from archive.errors import ExportError
from archive.lake import Lake
from query import merkle
from query.export import Arguments, export
from query.verify import Report, verify

BEFORE = "2022-01-01"
#: Pages, a page of the Wayback Machine, lines (the page among them twice), cells.
ROWS = 60 + 1 + 19 + 30
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


@pytest.fixture
def honest(lake: Lake, write: Write, tmp_path: Path) -> Path:
    """An export of captures of every kind of source that the lake reads."""
    plain, packed = pages(40), pages(60)[40:]
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
                "text": [f"Cell {n}." for n in range(30)],
                "date": ["2016-01-01T00:00:00Z"] * 30,
                "url": ["http://cell.org/"] * 30,
            }
        ),
        tmp_path / "cells.parquet",
        row_group_size=7,
    )
    take(lake, *sources, str(tmp_path / "cells.parquet"))
    export(lake, tmp_path / "set", Arguments(BEFORE, shard_size=4000), workers=1)
    return tmp_path / "set"


def test_an_honest_export_passes_row_by_row(honest: Path) -> None:
    report = verify(honest, rows=None, workers=1)
    assert report.is_sound, (report.problems, report.findings)
    assert report.traced == report.rows == report.kinds["agrees"] == ROWS


def test_a_sample_is_as_large_as_asked(honest: Path) -> None:
    report = verify(honest, rows=17, workers=2)
    assert (report.traced, report.kinds["agrees"]) == (17, 17)


def forge(out: Path, dice: random.Random, cover: bool) -> str:
    """Change one value of one row; with `cover`, also all hashes that tell of it."""
    manifest = json.loads((out / "manifest.json").read_bytes())
    shard = dice.choice(manifest["shards"])
    path = out / shard["folder"] / shard["files"][0]["name"]
    table = pq.read_table(path)
    row = dice.randrange(table.num_rows)
    values = table.slice(row, 1).to_pylist()[0]
    column = dice.choice(["text", "captured_at", "url"] + (["payload_digest"] if values["payload_digest"] else []))
    if column == "captured_at":
        values[column] -= timedelta(days=dice.randrange(1, 900), seconds=dice.randrange(1, 99))
    elif column == "payload_digest":
        values[column] = values[column][:-1] + ("A" if values[column][-1] != "A" else "B")
    else:
        values[column] = values[column] + dice.choice("xyz")
    if column == "text" and cover:
        values["content_id"] = hashlib.sha256(values["text"].encode()).hexdigest()
    forged = pa.Table.from_pylist([values], schema=table.schema)
    table = pa.concat_tables([table.slice(0, row), forged, table.slice(row + 1)])
    pq.write_table(table, path)
    if cover:
        shard["files"][0]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        shard["root"] = merkle.root(merkle.leaves(table))
        manifest["merkle_root"] = merkle.root(merkle.part_leaf(each["root"]) for each in manifest["shards"])
        (out / "manifest.json").write_text(json.dumps(manifest))
    return column


@pytest.mark.parametrize("cover", [False, True])
def test_every_one_of_50_random_forgeries_is_found(honest: Path, tmp_path: Path, cover: bool) -> None:
    """By the hashes; and where the forger made new ones, by the records."""
    for number in range(25):
        out = tmp_path / f"forged-{number}"
        shutil.copytree(honest, out)
        column = forge(out, random.Random(number), cover)
        report = verify(out, rows=None if cover else 0, workers=1)
        assert not report.is_sound, (number, column)
        if cover:
            assert not report.problems
            assert [finding.kind for finding in report.findings] == ["differs"], (number, column, report.findings)
        else:
            assert any("not the bytes" in problem for problem in report.problems)
            assert any("Merkle root" in problem for problem in report.problems)


def test_a_known_root_finds_a_set_that_was_made_anew(honest: Path) -> None:
    root = verify(honest, rows=0, workers=1).root
    assert verify(honest, rows=0, root=root, workers=1).is_sound
    assert not verify(honest, rows=0, root="0" * 64, workers=1).is_sound


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


def new_card(out: Path) -> None:
    (out / "README.md").write_text("All of it is from 1995.")


@pytest.mark.parametrize("damage", [missing, clipped, added, new_card])
def test_damage_to_the_folder_is_found(honest: Path, damage: Callable[[Path], None]) -> None:
    damage(honest)
    assert verify(honest, rows=0, workers=1).problems


def kinds(report: Report) -> dict[str, int]:
    return {kind: count for kind, count in report.kinds.items() if count}


def test_sources_that_are_gone_or_changed_are_told_apart(honest: Path, tmp_path: Path) -> None:
    (tmp_path / "sources" / "plain.warc").unlink()
    path = tmp_path / "sources" / "rows.jsonl"
    path.write_text(path.read_text().replace("Row 3", "Raw 3"))
    report = verify(honest, rows=None, workers=1)
    assert kinds(report) == {"gone": 20, "differs": 1, "agrees": ROWS - 21}


def test_sources_that_moved_are_found_by_a_new_prefix(honest: Path, tmp_path: Path) -> None:
    (tmp_path / "sources").rename(tmp_path / "elsewhere")
    assert kinds(verify(honest, rows=None, workers=1))["gone"] > 50
    moved = ((f"{tmp_path}/sources/", f"{tmp_path}/elsewhere/"),)
    assert verify(honest, rows=None, moved=moved, workers=1).is_sound


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """The sources on a web server, and the ranges that were asked for."""
    asked: list[str] = []
    with served(ranges(tmp_path / "sources", asked)) as address:
        yield address, asked


def test_records_on_a_web_server_are_read_by_ranges(honest: Path, tmp_path: Path, web: tuple[str, list[str]]) -> None:
    address, _ = web
    assert verify(honest, rows=None, moved=((f"{tmp_path}/sources/", f"{address}/"),), workers=1).is_sound


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
    export(lake, tmp_path / "set", Arguments(BEFORE), workers=1)
    asked.clear()
    assert verify(tmp_path / "set", rows=3, seed=1, workers=1).is_sound
    starts = [int(header.removeprefix("bytes=").strip("-")) for header in asked if header]
    assert starts
    assert all(start < size for start in starts)


def test_captures_on_s3_are_verified_there(lake: Lake, write: Write, tmp_path: Path, s3: str) -> None:
    import boto3

    path = write("s3.warc.gz", members(*pages(12)))
    boto3.client("s3").upload_file(path, s3, "s3.warc.gz")
    take(lake, f"s3://{s3}/s3.warc.gz")
    export(lake, tmp_path / "set", Arguments(BEFORE), workers=1)
    assert verify(tmp_path / "set", rows=None, workers=1).is_sound


def test_masked_texts_are_compared_as_masked(lake: Lake, write: Write, tmp_path: Path) -> None:
    take(lake, write("a.warc.gz", members(record(body="<p>Mail to jane@site.org today.</p>"))))
    export(lake, tmp_path / "set", Arguments(BEFORE, mask=True), workers=1)
    assert verify(tmp_path / "set", rows=None, workers=1).is_sound


def test_every_export_of_the_real_captures_is_sound(data: Path, lake: Lake, tmp_path: Path) -> None:
    take(lake, str(data / "commoncrawl"), str(data / "sites"), str(data / "wacz"), str(data / "awkward"), workers=2)
    export(lake, tmp_path / "set", Arguments(BEFORE, form="jsonl"))
    report = verify(tmp_path / "set", rows=None)
    assert report.is_sound, (report.problems, report.findings)
    assert report.traced > 300


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b'{"manifest": 1}', b'{"manifest": 2}'])
def test_what_is_no_export_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ExportError):
        verify(tmp_path)


def test_the_command_tells_what_it_found_and_exits_with_1(honest: Path) -> None:
    done = command("verify", str(honest), "--all", "--quiet")
    assert done.returncode == 0
    assert "agrees" in done.stdout
    clipped(honest)
    done = command("verify", str(honest), "--rows", "5", "--quiet")
    assert done.returncode == 1
    assert "not the bytes that the manifest states" in done.stdout


def test_a_lake_is_verified_by_the_records_that_its_texts_cite(honest: Path, lake: Lake, tmp_path: Path) -> None:
    report = verify(lake.location, rows=None, workers=1)
    assert report.is_sound, report.findings
    assert report.traced == report.rows == ROWS
    assert verify(lake.location, rows=5, workers=1).traced == 5
    (tmp_path / "sources" / "plain.warc").unlink()
    assert kinds(verify(lake.location, rows=None, workers=1))["gone"] == 20
