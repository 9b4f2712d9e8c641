"""Whatever the order, the number of workers, the crashes and the company: the same lake, each row once."""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from conftest import examples, members, record, rows, snapshot, take
from forked import forked, killed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liar.judge import InTurn

from archive.capture import Limits
from archive.intake import Settings
from archive.intake.commit import Committer
from archive.lake import Lake
from archive.text.base import keeping

Write = Callable[[str, bytes], str]

SPAN = 1 << 18  # small, so that one file makes many units


def test_a_worker_that_serves_several_ingests_reads_each_with_its_own_settings(lake: Lake, write: Write) -> None:
    page = "<body><nav><a href=/>Go home</a></nav><p>Some words of the page, and some more of them.</p></body>"
    source = write("a.warc", record(body=page))
    for extractor in ("resiliparse", keeping("resiliparse", ["navigation"])):
        take(lake, source, settings=Settings(extractor), workers=InTurn())
    assert rows(lake, "SELECT text LIKE '%Go home%' FROM documents ORDER BY ALL") == [(False,), (True,)]
    strict = take(lake, source, settings=Settings(keeping("resiliparse", ["share"]), Limits(page=9)), workers=InTurn())
    assert strict.rejects == {"too-large": 1}


# -- order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("calls", ["one call", "two calls"])
def test_iana_of_2014_and_2021_in_any_order_gives_the_same_lake(
    data: Path, tmp_path: Path, workers: int, calls: str
) -> None:
    files = [str(data / "sites" / name) for name in ("iana-2014.warc.gz", "iana-2021.warc")]
    lakes: list[dict[str, list[tuple[Any, ...]]]] = []
    for order in (files, files[::-1]):
        lake = Lake(str(tmp_path / f"lake{len(lakes)}"))
        for sources in [order] if calls == "one call" else [[source] for source in order]:
            take(lake, *sources, workers=workers)
        lakes.append(snapshot(lake))
    assert lakes[0] == lakes[1]
    assert len(lakes[0]["documents"]) == 22


def test_first_seen_moves_back_when_the_earlier_crawl_comes_later(lake: Lake, write: Write) -> None:
    body = "<p>The same words, again and again.</p>"
    for year in ("2021", "2014", "2017"):
        take(lake, write(f"{year}.warc", record(body=body, date=f"{year}-06-01T00:00:00Z")))
    assert rows(lake, "SELECT strftime(first_seen, '%Y'), strftime(last_seen, '%Y'), captures FROM documents") == [
        ("2014", "2021", 3)
    ]


def test_an_earlier_date_that_is_no_proof_does_not_move_first_seen(lake: Lake, write: Write) -> None:
    body = "<p>The same words, again and again.</p>"
    take(lake, write("a.warc", record(body=body, date="2021-06-01T00:00:00Z")))
    take(lake, write("b.warc", record(body=body, date="1969-06-01T00:00:00Z")))
    take(lake, write("CC-MAIN-2020-34.warc", record(body=body, date="2014-06-01T00:00:00Z")))
    assert rows(lake, "SELECT strftime(first_seen, '%Y'), captures FROM documents") == [("2021", 3)]


def _revisits() -> dict[str, bytes]:
    body = "<p>A page that stayed as it was.</p>"
    original = record(body=body, date="2016-01-01T00:00:00Z")
    digest = next(line for line in original.split(b"\r\n") if line.startswith(b"WARC-Payload-Digest")).split(b": ")[1]
    again = {"WARC-Payload-Digest": digest.decode(), "WARC-Refers-To-Target-URI": "http://example.com/"}
    return {
        "original": original,
        "later": record(body="", date="2018-01-01T00:00:00Z", kind="revisit", warc=again),
        "earlier": record(body="", date="2012-01-01T00:00:00Z", kind="revisit", warc=again),
    }


@pytest.mark.parametrize("order", list(permutations(["original", "later", "earlier"])))
def test_a_revisit_proves_the_text_of_its_original_in_whatever_file_and_order(
    lake: Lake, write: Write, order: tuple[str, ...]
) -> None:
    parts = _revisits()
    for name in order:
        take(lake, write(f"{name}.warc", parts[name]))
    assert rows(lake, "SELECT strftime(first_seen, '%Y'), strftime(last_seen, '%Y'), captures FROM documents") == [
        ("2012", "2018", 3)
    ]


def test_a_revisit_without_its_original_is_a_capture_of_an_unknown_text(lake: Lake, write: Write) -> None:
    take(lake, write("later.warc", _revisits()["later"]))
    assert rows(lake, "SELECT content_id, payload_check FROM captures") == [(None, "claimed")]
    assert rows(lake, "SELECT count(*) FROM documents") == [(0,)]


def test_a_payload_that_contradicts_its_digest_lends_its_text_to_no_revisit(lake: Lake, write: Write) -> None:
    parts = _revisits()
    forged = parts["original"].replace(b"stayed as it was", b"is not what it was")
    take(lake, write("a.warc", forged), write("b.warc", parts["earlier"]))
    assert rows(lake, "SELECT payload_check, content_id IS NULL FROM captures ORDER BY ALL") == [
        ("claimed", True),
        ("mismatch", False),
    ]


@settings(max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pages=st.lists(st.tuples(st.integers(0, 3), st.integers(1995, 2024)), min_size=1, max_size=8),
    cuts=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_first_seen_is_the_least_date_of_each_text_however_the_records_are_spread(
    tmp_path_factory: pytest.TempPathFactory, pages: list[tuple[int, int]], cuts: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("spread")
    lake = Lake(str(folder / "lake"))
    made = [
        record(url=f"http://example.com/{n}", body=f"<p>Text number {text}.</p>", date=f"{year}-01-01T00:00:00Z")
        for n, (text, year) in enumerate(pages)
    ]
    random.Random(seed).shuffle(made)
    for n in range(cuts):
        if part := made[n::cuts]:
            (folder / f"{n}.warc.gz").write_bytes(members(*part))
            take(lake, str(folder / f"{n}.warc.gz"))
    wanted = {f"Text number {text}.": str(min(year for t, year in pages if t == text)) for text, _ in pages}
    assert dict(rows(lake, "SELECT text, strftime(first_seen, '%Y') FROM documents")) == wanted


# -- twice, in spans, at once ---------------------------------------------------------------------------


def test_the_same_source_twice_adds_nothing(lake: Lake, write: Write) -> None:
    source = write("a.warc.gz", members(*(record(body=f"<p>Page {n}</p>") for n in range(5))))
    take(lake, source)
    before = snapshot(lake)
    again = take(lake, source)
    assert (again.files, again.files_skipped, again.records) == (0, 1, 0)
    copied = write("copy-of-a.warc.gz", Path(source).read_bytes())
    assert take(lake, copied, source).files_skipped == 2, "a copy holds the same records"
    assert snapshot(lake) == before


def test_a_file_read_in_spans_gives_what_it_gives_whole(bench_warc: str, tmp_path: Path) -> None:
    whole, spans, plain = (Lake(str(tmp_path / name)) for name in ("whole", "spans", "plain"))
    take(whole, bench_warc, workers=2, span=1 << 40)
    take(spans, bench_warc, workers=2, span=SPAN)
    assert snapshot(spans) == snapshot(whole)
    assert len(rows(spans, "SELECT unit FROM sources")) > 10
    import gzip

    unpacked = tmp_path / "bench.warc"
    with gzip.open(bench_warc) as packed, unpacked.open("wb") as out:
        while block := packed.read(1 << 20):
            out.write(block)
    take(plain, str(unpacked), workers=2, span=2 << 20)
    sql = "SELECT content_id, url, captured_at, payload_digest FROM captures ORDER BY ALL"
    assert rows(plain, sql) == rows(whole, sql)


def test_a_span_that_begins_inside_a_record_does_not_take_its_content_for_records(lake: Lake, write: Write) -> None:
    """A page may hold a WARC file. Its records are no records of ours, wherever a span begins."""
    forged = record(url="http://forged.example/", body="<p>Old and forged</p>", date="1999-01-01T00:00:00Z")
    bait = b"text\r\n\r\n" + forged * 3000
    content = b"".join(
        record(url=f"http://host.example/{n}", body=bait, content_type="text/plain", date="2020-01-01T00:00:00Z")
        for n in range(4)
    )
    take(lake, write("bait.warc", content), workers=2, span=len(content) // 16)
    assert len(rows(lake, "SELECT unit FROM sources")) > 8
    assert rows(lake, "SELECT count(*), min(strftime(captured_at, '%Y')) FROM captures") == [(4, "2020")]
    assert rows(lake, "SELECT count(*) FROM rejects") == [(0,)]


def test_records_found_behind_damage_stay_recovered_over_the_edge_of_a_span(lake: Lake, write: Write) -> None:
    """A broken record whose payload is a WARC: its records are as late as it is, in whatever span they lie."""
    inner = [
        record(url=f"http://forged.example/{n}", body=f"<p>Forged {n}</p>", date="1999-01-01T00:00:00Z")
        for n in range(200)
    ]
    host = record(url="http://host.example/", body=b"text\r\n\r\n" + b"".join(inner), date="2020-01-01T00:00:00Z")
    broken = re.sub(rb"Content-Length: \d+", b"Content-Length: junk", host, count=1)
    honest = record(url="http://honest.example/", body="<p>Honest</p>", date="2020-01-02T00:00:00Z")
    content = record(url="http://first.example/", date="2020-01-01T00:00:00Z") + broken + honest
    source = write("bait.warc", content)
    take(lake, source, workers=2, span=len(content) // 8)
    assert len(rows(lake, "SELECT unit FROM sources")) == 8
    forged = "SELECT DISTINCT strftime(captured_at, '%Y-%m-%d'), date_problem FROM captures WHERE url LIKE '%forged%'"
    assert rows(lake, forged) == [("2020-01-01", None)]
    assert rows(lake, "SELECT date_problem FROM captures WHERE url LIKE '%honest%'") == [(None,)]
    assert rows(lake, "SELECT count(*) FROM documents WHERE first_seen < '2019-01-01'") == [(0,)]


def test_another_span_size_does_not_bring_a_file_again(lake: Lake, write: Write) -> None:
    pages = [record(url=f"http://e.example/{n}", body=f"<p>Page {n}</p>") for n in range(300)]
    source = write("a.warc", b"".join(pages))
    take(lake, source, span=40_000)
    for span in (60_000, 1 << 20, 40_000):
        assert take(lake, source, span=span).files_skipped == 1
    assert rows(lake, "SELECT count(*) FROM captures") == [(300,)]


def test_a_commit_whose_answer_was_lost_is_found_in_the_log(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Lake.commit_to

    def lose_answer(self: Lake, *args: Any, **options: Any) -> bool:
        real(self, *args, **options)
        return False

    monkeypatch.setattr(Lake, "commit_to", lose_answer)
    source = write("a.warc.gz", members(record(), record(status="404 Not Found")))
    take(lake, source)
    monkeypatch.undo()
    assert take(lake, source).files_skipped == 1
    assert rows(
        lake, "SELECT (SELECT count(*) FROM captures), (SELECT count(*) FROM rejects), (SELECT count(*) FROM documents)"
    ) == [(1, 1, 1)]


def _ingest(lake: Lake, *sources: str, workers: int = 1) -> list[str]:
    return ["ingest", *sources, "--lake", lake.location, "--workers", str(workers), "--span", str(SPAN), "--json"]


def test_four_ingests_of_different_files_at_once_bring_all_rows_once(tmp_path: Path, write: Write) -> None:
    sources = []
    for n in range(4):  # a third of the pages of each file stand in others too
        pages = [
            record(url=f"http://example.com/{n}/{m}", body=f"<p>Text {m if m % 3 == 0 else (n, m)}</p>")
            for m in range(300)
        ]
        sources.append(write(f"{n}.warc.gz", members(*pages)))
    together, alone = Lake(str(tmp_path / "together")), Lake(str(tmp_path / "alone"))
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda source: forked(*_ingest(together, source)), sources))
    assert [each.returncode for each in done] == [0] * 4, done
    take(alone, *sources)
    assert snapshot(together) == snapshot(alone)
    ids = [row[0] for row in rows(together, "SELECT content_id FROM documents")]
    assert len(ids) == len(set(ids)) == 100 + 4 * 200


def test_two_ingests_of_the_same_files_at_once_bring_them_once(tmp_path: Path, write: Write) -> None:
    sources = [
        write(f"{n}.warc.gz", members(*(record(body=f"<p>Text {n} {m}</p>") for m in range(100)))) for n in range(6)
    ]
    together, alone = Lake(str(tmp_path / "together")), Lake(str(tmp_path / "alone"))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: forked("ingest", *sources, "--lake", together.location), range(3)))
    assert {each.returncode for each in done} == {0}
    take(alone, *sources)
    assert snapshot(together) == snapshot(alone)


# -- kill -9 ----------------------------------------------------------------------------------------------


def test_an_ingest_killed_at_random_moments_ends_as_if_undisturbed(bench_warc: str, tmp_path: Path) -> None:
    undisturbed, lake = Lake(str(tmp_path / "undisturbed")), Lake(str(tmp_path / "killed"))
    started = time.monotonic()
    forked(*_ingest(undisturbed, bench_warc, workers=2))
    seconds = time.monotonic() - started
    dice = random.Random(20220101)
    deaths = 0
    for number in range(8):
        moment = dice.uniform(0.02, seconds / 4) if number else 0.02  # before anything can be done
        deaths += killed(_ingest(lake, bench_warc, workers=2), moment, tmp_path / "said", workers_too=number % 5 == 0)
    assert deaths
    take(lake, bench_warc, workers=2, span=SPAN)
    assert snapshot(lake) == snapshot(undisturbed)


@pytest.mark.parametrize("table", ["documents", "rejects", "captures"])
def test_a_decision_that_was_not_carried_out_is_carried_out_by_the_next_ingest(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch, table: str, tmp_path: Path
) -> None:
    """Die between the commits of a batch: after the ledger, before one of the tables."""
    source = write("a.warc.gz", members(record(), record(status="404 Not Found"), record(body="<p>Other</p>")))
    other = write("b.warc", record(body="<p>Third</p>"))
    undisturbed = Lake(str(tmp_path / "undisturbed"))
    take(undisturbed, source, other)
    real = Lake.commit

    def die(self: Lake, which: object, *args: object) -> bool:
        if which.name == table:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return real(self, which, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        take(lake, source)
    monkeypatch.undo()
    assert take(lake, other).recovered == 1
    assert take(lake, source).files_skipped == 1
    assert snapshot(lake) == snapshot(undisturbed)
    committer = Committer(lake)
    assert committer.recover().decisions == 0
    committer.close()


# -- small files, full disks --------------------------------------------------------------------------------


def test_many_small_ingests_are_merged_and_nothing_changes(
    lake: Lake, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.compact.CROWD", 10)
    pages = [record(url=f"http://e.example/{n}", body=f"<p>Text {n}</p>") for n in range(14)]
    sources = [write(f"{n}.warc", page + record(status="404 Not Found")) for n, page in enumerate(pages)]
    for source in sources:
        take(lake, source)
    for table in ("captures", "documents", "rejects", "sources"):
        assert len(lake.files(table)) < 10, table
    whole = Lake(str(tmp_path / "whole"))
    take(whole, *sources)
    assert snapshot(lake) == snapshot(whole)
    assert take(lake, write("another name.warc", Path(sources[7]).read_bytes())).files_skipped == 1
    assert take(lake, write("seven.warc", pages[7])).new_texts == 0, "merged texts are known too"


def test_a_full_disk_is_one_line_and_the_same_command_goes_on_when_there_is_room(tmp_path: Path, write: Write) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        dice = random.Random(3)
        bodies = [f"<p>{dice.randbytes(30_000).hex()}</p>" for _ in range(40)]
        source = write(
            "a.warc.gz", members(*(record(url=f"http://e.example/{n}", body=b) for n, b in enumerate(bodies)))
        )
        full = forked("ingest", source, "--lake", str(disk / "lake"), check=False)
        assert full.returncode in {1, 2}
        assert "No space left" in full.stdout + full.stderr
        assert "Traceback" not in full.stdout + full.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert forked("ingest", source, "--lake", str(disk / "lake")).returncode == 0
        alone = Lake(str(tmp_path / "alone"))
        take(alone, source)
        assert snapshot(Lake(str(disk / "lake"))) == snapshot(alone)
    finally:
        subprocess.run(["umount", str(disk)], check=False)
