"""Attestations reach the captures: a text existed by the moment that a time stamp of its file proves, whatever its own
date says."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from authority import Authority
from conftest import examples, members, record, rows, take
from forked import forked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lowbackground as lb
from archive.errors import ArchiveError
from archive.lake import Lake

Write = Callable[[str, bytes], str]
PAST, FAR = "2016-01-01", "2900-01-01"


def page(name: str, date: str = "2015-03-04T05:06:07Z", **options: Any) -> bytes:
    return record(f"http://{name}.example/", f"<p>The text {name}.</p>", date, **options)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "a")


def attest(lake: Lake, source: str, authority: Authority) -> datetime:
    token = Path(f"{source}.tsr")
    token.write_bytes(authority.stamp(Path(source).read_bytes()))
    at = lb.attest(lake, source, token, certificate=[authority.root]).at
    assert at is not None
    return at


def clean(lake: Lake, before: str, grade: str = "D") -> list[tuple[Any, ...]]:
    return rows(lake, f"""
        SELECT text[10:-2], first_seen, grade, date_source FROM clean('{before}', grade := '{grade}') ORDER BY ALL
    """)  # fmt: skip


@pytest.fixture
def source(write: Write) -> str:
    row = {"WARC-Creation-Date": "2026-01-01T00:00:00Z"}
    return write("a.warc.gz", members(page("plain"), page("future", "2950-01-01T00:00:00Z"), page("late", warc=row),
                                      page("claimed", kind="resource")))  # fmt: skip


def test_a_time_stamp_gives_every_capture_of_the_file_grade_a_from_then_on(
    lake: Lake, source: str, write: Write, authority: Authority
) -> None:
    take(lake, source, write("b.warc", page("other")))
    own = datetime(2015, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert clean(lake, FAR) == [("other", own, "D", "warc"), ("plain", own, "D", "warc")]
    assert clean(lake, FAR, "A") == []
    at = attest(lake, source, authority)
    names = ["claimed", "future", "late", "plain"]
    assert clean(lake, FAR, "A") == [(name, at, "A", "attested") for name in names]
    # the earlier of both counts where the grade of the own date is good enough, whatever else contradicts it
    assert clean(lake, PAST) == [("other", own, "D", "warc"), ("plain", own, "D", "warc")]
    assert [row[:2] for row in clean(lake, FAR)] == [
        ("claimed", at), ("future", at), ("late", at), ("other", own), ("plain", own),
    ]  # fmt: skip
    assert [row for row in clean(lake, FAR, "E") if row[0] == "claimed"] == [("claimed", own, "E", "warc")]
    # not one microsecond before
    assert clean(lake, at.isoformat(), "A") == []
    assert clean(lake, PAST, "A") == []
    found = "SELECT url, existed_by, attested_by FROM captures ORDER BY url"
    assert {(url, when, by) for url, when, by in rows(lake, found) if when} == {
        (f"http://{name}.example/", at, "Test Stamps") for name in names
    }
    assert rows(lake, "SELECT count(*) FROM captures") == [(5,)]
    assert rows(lake, "SELECT count(first_seen), sum(captures) FROM documents") == [(5, 5)]
    claims = rows(lake, "SELECT evidence FROM clean('2900-01-01') WHERE url LIKE '%future%'")[0][0]
    assert claims[-1] == {"kind": "attested", "at": at, "agrees": True}


def test_a_time_stamp_from_before_the_ingest_bounds_what_comes(
    lake: Lake, source: str, write: Write, authority: Authority
) -> None:
    take(lake, write("b.warc", page("other")))
    at = attest(lake, source, authority)
    assert clean(lake, FAR, "A") == []
    take(lake, source)
    assert {row[1] for row in clean(lake, FAR, "A")} == {at}
    lb.ingest(lake, source, again=True, workers=1)
    assert len(clean(lake, FAR, "A")) == 4
    lb.forget(lake, source)
    assert clean(lake, FAR, "A") == []


@pytest.mark.parametrize("first", ["attested", "retracted"])
def test_a_retracted_file_proves_nothing_and_has_grade_x(
    lake: Lake, source: str, authority: Authority, first: str
) -> None:
    take(lake, source)
    if first == "attested":
        attest(lake, source, authority)
    lb.retract(lake, source, reason="made up")
    if first == "retracted":
        attest(lake, source, authority)
    assert rows(lake, "SELECT DISTINCT grade, existed_by, attested_by FROM captures") == [("X", None, None)]
    assert [clean(lake, FAR, grade) for grade in "ABCDE"] == [[]] * 5
    assert rows(lake, "SELECT count(first_seen) FROM documents") == [(0,)]
    assert lb.stats(lake).captures_by_grade == {"X": 4}


def test_a_revisit_in_a_stamped_file_shows_that_the_payload_existed(
    lake: Lake, write: Write, authority: Authority
) -> None:
    original = page("one", "2950-01-01T00:00:00Z")
    digest = next(line for line in original.split(b"\r\n") if line.startswith(b"WARC-Payload-Digest")).split(b": ")[1]
    again = page("one", "2018-01-01T00:00:00Z", kind="revisit", warc={"WARC-Payload-Digest": digest.decode()})
    revisit = write("revisit.warc", again)
    take(lake, write("original.warc", original), revisit)
    at = attest(lake, revisit, authority)
    assert clean(lake, FAR, "A") == [("one", at, "A", "attested")]


def test_spans_of_a_file_are_bounded_together(lake: Lake, write: Write, authority: Authority) -> None:
    source = write("many.warc", b"".join(page(f"n{number}") for number in range(60)))
    take(lake, source, span=4_000)
    assert rows(lake, "SELECT count(*) > 3, count(sha256) FROM sources") == [(True, 1)]
    attest(lake, source, authority)
    assert len(clean(lake, FAR, "A")) == 60
    assert lb.attest(lake, source, f"{source}.tsr", certificate=[authority.root]).captures == 60


@settings(max_examples=examples(6), suppress_health_check=list(HealthCheck))
@given(
    own=st.lists(st.tuples(st.sampled_from("CDEX"), st.integers(0, 9)), min_size=1, max_size=4),
    bounds=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=4, max_size=4),
    asked=st.lists(st.tuples(st.integers(0, 10), st.sampled_from("ACDE")), min_size=4, max_size=4),
)
def test_what_is_clean_is_the_earliest_moment_of_a_grade_that_is_good_enough(
    tmp_path_factory: pytest.TempPathFactory,
    own: list[tuple[str, int]],
    bounds: list[int | None],
    asked: list[tuple[int, str]],
) -> None:
    """One text in files of grade C to X with dates and bounds, against the definition."""
    folder = tmp_path_factory.mktemp("moments")
    lake, text, stamps = Lake(str(folder / "lake")), "<p>One text.</p>", []
    forms: dict[str, dict[str, Any]] = {
        "C": {}, "D": {}, "E": {"kind": "resource"}, "X": {"warc": {"WARC-Creation-Date": "2030-01-01T00:00:00Z"}},
    }  # fmt: skip
    for number, (own_grade, year) in enumerate(own):
        date = f"20{10 + year}-06-01T00:00:00Z"
        http = {"Date": f"Tue, 01 Jun 20{10 + year} 00:00:00 GMT"} if own_grade == "C" else None
        path = folder / f"{number}.warc"
        path.write_bytes(record(f"http://{number}.example/", text, date, http=http, **forms[own_grade]))
        if (bound := bounds[number]) is not None:
            subject = hashlib.sha256(path.read_bytes()).hexdigest()
            stamps.append({"subject_sha256": subject, "kind": "rfc3161", "at": datetime(2010 + bound, 6, 1, tzinfo=UTC),
                           "by": "T", "token": b"t", "verified": True})  # fmt: skip
    take(lake, *map(str, sorted(folder.glob("*.warc"))))
    from archive.attestations.rows import add_rows
    from archive.tables import ATTESTATIONS

    if stamps:
        add_rows(lake, ATTESTATIONS, stamps, "test")
    moments = [(year, own_grade) for own_grade, year in own if own_grade != "X"]
    moments += [(bound, "A") for bound, _ in zip(bounds, own, strict=False) if bound is not None]
    db = lb.connect(lake)
    for before, grade in asked:
        expected = min((year for year, each in moments if each <= grade and year < before), default=None)
        clean = f"SELECT year(first_seen) - 2010, grade FROM clean('{2010 + before}-06-01', grade := '{grade}')"
        found = db.execute(clean).fetchall()
        assert [year for year, _ in found] == ([] if expected is None else [expected])
        assert all((expected, each) in moments and each <= grade for _, each in found)


# -- WACZ ---------------------------------------------------------------------------------------------


def test_a_signed_package_bounds_its_captures_by_itself(lake: Lake, data: Path, tmp_path: Path) -> None:
    signed = str(data / "wacz" / "valid_signed_example_1.wacz")
    lb.ingest(lake, [signed, data / "wacz" / "invalid_signed_example_1.wacz"], workers=1)
    at = datetime(2022, 1, 18, 19, 0, 12, tzinfo=UTC)
    found = rows(lake, "SELECT existed_by, attested_by, file LIKE '%/valid_signed%' FROM captures ORDER BY 1")
    assert found == [(at, "www.freetsa.org for btrix-sign-test.webrecorder.net", True), (None, None, False)]
    assert rows(lake, "SELECT first_seen, grade FROM clean('2022-02-01', grade := 'A')") == [(at, "A")]
    assert rows(lake, "FROM clean('2022-01-18T19:00:12Z', grade := 'A')") == []
    assert rows(lake, "SELECT sum(bounded) FROM sources") == [(1,)]
    lb.export(lake, tmp_path / "set", before="2022-02-01", grade="A", workers=1)
    assert lb.verify(tmp_path / "set", all=True, workers=1).kinds["agrees"] == 1  # the package has its signature


# -- export and verify --------------------------------------------------------------------------------


def test_verify_checks_the_bound_of_a_row(lake: Lake, source: str, tmp_path: Path, authority: Authority) -> None:
    take(lake, source)
    at = attest(lake, source, authority)
    exported = lb.export(lake, tmp_path / "set", before=FAR, grade="A", workers=1)
    assert exported.grades == {"A": 4}
    assert {(row["captured_at"], row["date_source"], row["grade"]) for row in lb.load(tmp_path / "set")} == {
        (at, "attested", "A")
    }
    assert lb.verify(lake, all=True, workers=1).sound
    known = lb.verify(tmp_path / "set", all=True, lake=lake, workers=1)
    assert (known.sound, known.kinds["agrees"]) == (True, 4)
    # nothing here shows the time stamp
    alone = lb.verify(tmp_path / "set", all=True, workers=1)
    assert (alone.sound, alone.kinds["unchecked"]) == (False, 4)
    assert "--lake" in alone.findings[0].detail
    # a lake without it shows that there is none
    other = Lake(str(tmp_path / "other"))
    take(other, source)
    against = lb.verify(tmp_path / "set", all=True, lake=other, workers=1)
    assert (against.sound, against.kinds["differs"]) == (False, 4)
    # an export is made anew after an attestation
    lb.retract(lake, source, reason="made up")
    with pytest.raises(ArchiveError):
        lb.export(lake, tmp_path / "set", before=FAR, grade="A", workers=1)


# -- published ----------------------------------------------------------------------------------------


def test_a_publication_with_a_checksum_is_of_grade_d_and_without_one_a_claim(
    lake: Lake, write: Write, tmp_path: Path
) -> None:
    rows_of = [json.dumps({"text": f"Row {n}.", "date": "2023-01-01"}).encode() for n in range(3)]
    one, two, three = (write(f"{n}.jsonl", rows_of[n]) for n in range(3))
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(rows_of[0]).hexdigest()}  0.jsonl\n")
    result = lb.ingest(lake, one, published="2020-12-31", attest=["doi:10.1/x", str(sums)], workers=1)
    assert (result.files_published, result.files_unpublished) == (1, {})
    lb.ingest(lake, two, published="2020-12-31", attest="doi:10.1/x", workers=1)
    # the last instant of the day, wherever
    at = datetime(2021, 1, 1, 13, 59, 59, 999999, tzinfo=UTC)
    found = "SELECT text, first_seen, grade, date_source FROM clean('2022-01-01', grade := '{}') ORDER BY text"
    assert rows(lake, found.format("D")) == [("Row 0.", at, "D", "published")]
    assert rows(lake, found.format("C")) == []
    assert rows(lake, found.format("E")) == [
        ("Row 0.", at, "D", "published"),
        ("Row 1.", at, "E", "published"),
    ]
    assert rows(lake, 'SELECT kind, "at", "by", verified FROM attestations ORDER BY verified') == [
        ("published", at, "doi:10.1/x", False),
        ("published", at, "doi:10.1/x", True),
    ]
    # a file that is known can be attested, once; one with another checksum cannot
    for _ in range(2):
        checked = f"sha256:{hashlib.sha256(rows_of[1]).hexdigest()}"
        again = lb.ingest(lake, [two, three], published="2020-12-31", attest=["doi:10.1/x", checked], workers=1)
        assert (again.files_published, set(again.files_unpublished)) == (1, {three})
        assert lake.rows("attestations") == 3
    assert [row[0] for row in rows(lake, found.format("D"))] == ["Row 0.", "Row 1."]
    lb.export(lake, tmp_path / "set", before="2022-01-01", workers=1)
    assert lb.verify(tmp_path / "set", all=True, lake=lake, workers=1).sound
    assert not lb.verify(tmp_path / "set", all=True, workers=1).sound


@pytest.mark.parametrize(
    ("published", "attest", "said"),
    [
        ("2020", None, "needs --attest"),
        (None, "doi:10.1/x", "needs --published"),
        ("yesterday", "doi:10.1/x", "is no date"),
        ("2999-01-01", "doi:10.1/x", "in the future"),
        ("2020", f"sha256:{'0' * 64}", "a place where"),
    ],
)
def test_half_a_publication_is_refused_before_any_work(
    lake: Lake, source: str, published: str | None, attest: str | None, said: str
) -> None:
    with pytest.raises(ArchiveError, match=said):
        lb.ingest(lake, source, published=published, attest=attest, workers=1)
    assert not lake.exists()


# -- whole files --------------------------------------------------------------------------------------


def test_a_copy_or_a_moved_file_is_known_by_its_hash_and_one_that_looks_the_same_is_not(
    lake: Lake, write: Write
) -> None:
    body = "<p>" + "".join(f"word{number} " for number in range(40_000))
    one = write("one.warc", record(body=body))
    content = Path(one).read_bytes()
    take(lake, one)
    time = os.stat(one).st_mtime_ns
    assert rows(lake, "SELECT sha256 FROM sources") == [(hashlib.sha256(content).hexdigest(),)]
    copy = write("copy.warc", content)
    os.utime(copy, ns=(1, 1))
    assert take(lake, copy).files_skipped == 1
    moved = f"{one}.moved"
    shutil.move(one, moved)
    os.utime(moved, ns=(2, 2))
    assert take(lake, moved).files_skipped == 1
    # size, time and samples of the first, which is gone
    at = content.index(b"word", (len(content) - 8192) * 7 // 15 + 8192)  # between two of the samples
    assert at < (len(content) - 8192) * 8 // 15
    altered = write("altered.warc", content[:at] + b"WORD" + content[at + 4 :])
    os.utime(altered, ns=(time, time))
    take(lake, altered)
    assert rows(lake, "SELECT count(*) FROM documents") == [(2,)]
    assert take(lake, altered).files_skipped == 1


def test_the_command_says_how_many_captures_it_bounds(lake: Lake, source: str, authority: Authority) -> None:
    take(lake, source)
    token = Path(f"{source}.tsr")
    token.write_bytes(authority.stamp(Path(source).read_bytes()))
    words = ["attest", source, str(token), "--lake", lake.location, "--certificate", str(authority.root)]
    assert "4 captures of the lake existed by then: grade A" in forked(*words).stdout
