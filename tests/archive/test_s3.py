"""The same on an object store, also when it answers 503 and drops connections."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from conftest import members, record, rows, snapshot, take
from forked import forked, killed
from servers import flaky_proxy

from archive.lake import Lake

Write = Callable[[str, bytes], str]


def pages(n: int, count: int = 120) -> bytes:
    return members(
        *(
            record(url=f"http://e.example/{n}/{m}", body=f"<p>Text {m if m % 3 == 0 else (n, m)}</p>")
            for m in range(count)
        )
    )


def upload(server: str, bucket: str, key: str, content: bytes) -> None:
    boto3.client("s3", endpoint_url=server).put_object(Bucket=bucket, Key=key, Body=content)


def test_a_lake_on_s3_shows_what_a_lake_on_disk_shows(s3: str, write: Write, tmp_path: Path) -> None:
    sources = [write(f"{n}.warc.gz", pages(n)) for n in range(2)]
    remote, local = Lake(f"s3://{s3}/a/lake"), Lake(str(tmp_path / "lake"))
    take(remote, *sources, workers=2)
    take(local, *sources)
    assert snapshot(remote) == snapshot(local)
    assert rows(remote, "SELECT count(*) FROM documents WHERE first_seen IS NOT NULL") == [(200,)]
    assert take(remote, *sources).files_skipped == 2


def test_sources_on_s3_are_found_by_object_prefix_and_pattern(s3: str, server: str, lake: Lake) -> None:
    for key in ("in/a.warc.gz", "in/deep/b.warc.gz", "in/deep/c.txt", "out/d.warc.gz"):
        upload(server, s3, key, members(record(body=f"<p>{key}</p>")))
    assert take(lake, f"s3://{s3}/in/a.warc.gz").files == 1
    assert take(lake, f"s3://{s3}/in/*.warc.gz").files_skipped == 1
    assert take(lake, f"s3://{s3}/in/**/*.warc.gz").files == 1
    assert take(lake, f"s3://{s3}/in").files == 1
    assert rows(lake, "SELECT file FROM captures ORDER BY 1")[0] == (f"s3://{s3}/in/a.warc.gz",)
    done = forked("ingest", f"s3://{s3}/nothing", "--lake", lake.location, check=False)
    assert done.returncode == 2
    assert "no object has this name or prefix" in done.stderr


def test_a_large_object_is_read_in_spans(s3: str, server: str) -> None:
    upload(server, s3, "large.warc.gz", pages(1, 1000))
    lake = Lake(f"s3://{s3}/lake")
    summary = take(lake, f"s3://{s3}/large.warc.gz", workers=2, span=60_000)
    assert summary.captures == 1000
    assert rows(lake, "SELECT count(*) > 3, sum(captures) FROM sources") == [(True, 1000)]


def test_a_server_that_fails_now_and_then_changes_nothing(
    s3: str, server: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(server, s3, "in/0.warc.gz", pages(0, 500))
    sources = [f"s3://{s3}/in/0.warc.gz", write("1.warc.gz", pages(1))]
    local = Lake(str(tmp_path / "lake"))
    take(local, *sources)
    with flaky_proxy(server, share=0.15) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        flaky = Lake(f"s3://{s3}/flaky")
        take(flaky, *sources, workers=2)
        assert take(flaky, *sources).files_skipped == 2
        assert snapshot(flaky) == snapshot(local)


def test_four_ingests_at_once_into_one_lake_on_s3_bring_all_rows_once(s3: str, write: Write, tmp_path: Path) -> None:
    sources = [write(f"{n}.warc.gz", pages(n)) for n in range(4)]
    together, alone = Lake(f"s3://{s3}/together"), Lake(str(tmp_path / "alone"))
    ingest = lambda source: forked("ingest", source, "--lake", together.location, "--workers", "1", "--json")  # noqa: E731
    with ThreadPoolExecutor(4) as pool:
        assert [done.returncode for done in pool.map(ingest, sources)] == [0] * 4
    take(alone, *sources)
    assert snapshot(together) == snapshot(alone)


def test_an_ingest_into_s3_killed_at_random_moments_ends_as_if_undisturbed(
    s3: str, write: Write, tmp_path: Path
) -> None:
    source = write("0.warc.gz", pages(0, 500))
    lake, alone = Lake(f"s3://{s3}/killed"), Lake(str(tmp_path / "alone"))
    args = ["ingest", source, "--lake", lake.location, "--workers", "2", "--span", "25k", "--json"]
    dice = random.Random(5)
    for number in range(8):
        killed(args, dice.uniform(0.1, 1.5), tmp_path / "said", workers_too=number % 5 == 0)
    take(lake, source, workers=2, span=25_000)
    take(alone, source, workers=2, span=25_000)
    assert snapshot(lake) == snapshot(alone)
    assert len(rows(lake, "SELECT unit FROM sources")) > 4
