"""`archive witness`: index lines of another holder confirm captures, and prove no text by themselves."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import members, record, rows, take
from forked import forked
from servers import ranges, served

import lowbackground as lb
from archive.errors import LakeError, SourceError
from archive.lake import Lake
from archive.proofs import attach
from archive.tables import CAPTURES

Write = Callable[[str, bytes], str]
HEADER = " CDX N b a m s k r M S V g\n"
DATE = "Wed, 04 Mar 2015 05:06:07 GMT"


def line(digest: str, at: str = "20150304100000", name: str = "theirs.warc.gz") -> str:
    """A line of CDX with 11 columns."""
    return f"com,example)/ {at} http://example.com/ text/html 200 {digest.removeprefix('sha1:')} - - 100 1 {name}\n"


def digests(lake: Lake) -> list[str]:
    return [
        each for (each,) in rows(lake, "SELECT payload_digest FROM captures WHERE record_type <> 'index' ORDER BY url")
    ]


def grades(lake: Lake, of: str = "captures") -> list[str]:
    return [each for (each,) in rows(lake, f"SELECT grade FROM {of} WHERE record_type <> 'index' ORDER BY url")]


@pytest.fixture
def page(lake: Lake, write: Write) -> str:
    """Ingest one page of 2015 by a library; return its digest."""
    source = write("mine.warc.gz", members(record(http={"Date": DATE})))
    lb.ingest(lake, source, operator="The  Library", workers=1)
    assert grades(lake) == ["C"]
    return digests(lake)[0]


def test_another_holders_line_within_a_day_makes_grade_b(lake: Lake, page: str, write: Write) -> None:
    other = "A" * 31 + "B"
    index = write("theirs.cdx", (HEADER + line(page) + line(other) + "bad\n\n").encode())
    result = lb.witness(lake, index, operator="internet  archive", workers=1)
    assert (result.files, result.lines, result.matched, result.unmatched) == (1, 4, 1, 1)
    assert (result.rejects, result.skipped) == ({"bad-line": 1}, {"index-header": 1})
    assert (result.digests, result.corroborated) == (1, 1)
    assert grades(lake) == ["B"]
    assert rows(lake, "SELECT grade, year(first_seen) FROM clean('2022-01-01', grade := 'B')") == [("B", 2015)]
    (row,) = lake.read("captures").filter(lake_is_index(lake)).to_pylist()
    assert (row["content_id"], row["operator"], row["grade"], row["date_source"]) == (
        None,
        "Internet Archive",
        "E",
        "index",
    )
    assert (row["file"], row["via"], row["payload_digest"], row["status"]) == (index, "theirs.warc.gz", page, 200)
    cited = Path(index).read_bytes()[row["offset"] : row["offset"] + row["length"]]
    assert cited.decode() == line(page)
    assert rows(lake, "SELECT captures FROM documents") == [(1,)]


def lake_is_index(lake: Lake):  # type: ignore[no-untyped-def]
    import pyarrow.compute as pc

    return pc.field("record_type") == "index"


def test_what_confirms_nothing(lake: Lake, page: str, write: Write) -> None:
    lines = {
        "two days off": ("20150306120000", "theirs.warc.gz", "Another"),
        "two days before": ("20150302000000", "theirs.warc.gz", "Another"),
        "the day is not stated": ("201503", "theirs.warc.gz", "Another"),
        "the same holder": ("20150304050607", "theirs.warc.gz", "the LIBRARY "),
        "of the very file": ("20150304050607", "x/mine.warc.gz", "Another"),
    }
    for why, (at, name, operator) in lines.items():
        index = write(f"{why}.cdx", line(page, at, name).encode())
        result = lb.witness(lake, index, operator=operator, workers=1)
        assert (result.matched, result.corroborated) == (1, 0), why
    assert grades(lake) == ["C"]


def test_a_forged_index_makes_no_text_clean(lake: Lake, write: Write) -> None:
    take(lake, write("late.warc", record(date="2023-01-01T00:00:00Z")))
    index = write(
        "early.cdx", "".join(line(digests(lake)[0], f"20{year}0101000000") for year in range(10, 25)).encode()
    )
    assert lb.witness(lake, index, operator="Liar", workers=1).matched == 15
    for grade in "ABCDE":
        assert rows(lake, f"SELECT * FROM clean('2022-01-01', grade := '{grade}')") == []
    assert rows(lake, "SELECT year(first_seen) FROM documents") == [(2023,)]


def test_an_operator_that_is_not_known_is_not_another_one(lake: Lake, write: Write) -> None:
    take(lake, write("mine.warc", record()))
    index = write("x.cdx", line(digests(lake)[0]).encode())
    assert lb.witness(lake, index, operator="Another", workers=1).corroborated == 0


def test_a_known_index_is_skipped_until_the_lake_has_other_digests(lake: Lake, page: str, write: Write) -> None:
    later = write("later.warc", record(url="http://later.example/", body="<p>Later words</p>"))
    other = record_digest(later)
    index = write("x.cdx", (line(page) + line(other)).encode())
    assert lb.witness(lake, index, operator="Another", workers=1).matched == 1
    again = lb.witness(lake, index, operator=" ANOTHER", workers=1)
    assert (again.files, again.files_skipped) == (0, 1)
    lb.ingest(lake, later, operator="The Library", workers=1)
    result = lb.witness(lake, index, operator="another", workers=1)
    assert (result.files, result.matched, result.corroborated) == (1, 2, 2)
    assert rows(lake, "SELECT count(*) FROM captures WHERE record_type = 'index'") == [(2,)]  # not three
    assert rows(lake, "SELECT count(*) FROM sources WHERE format = 'index'") == [(1,)]


def record_digest(path: str) -> str:
    from warcio.archiveiterator import ArchiveIterator

    with open(path, "rb") as file:
        return str(next(iter(ArchiveIterator(file))).rec_headers.get_header("WARC-Payload-Digest"))


def test_forget_and_retract_work_on_an_index(lake: Lake, page: str, write: Write) -> None:
    index = write("x.cdx", line(page).encode())
    lb.witness(lake, index, operator="Another", workers=1)
    assert grades(lake) == ["B"]
    lb.retract(lake, index, reason="made up")
    assert grades(lake) == ["C"]
    assert lb.forget(lake, index).captures == 1
    assert rows(lake, "SELECT count(*) FROM captures") == [(1,)]
    lb.witness(lake, index, operator="Another", workers=1)
    assert grades(lake) == ["C"]  # it is still retracted
    lb.ingest(lake, [str(Path(index).parent / "mine.warc.gz")], again=True, operator="The Library", workers=1)
    assert rows(lake, "SELECT count(*) FROM captures WHERE record_type = 'index'") == [(1,)]


def test_common_crawls_index_names_its_holder(lake: Lake, page: str, write: Write) -> None:
    filename = "crawl-data/CC-MAIN-2015-11/segments/1424936459277.13/warc/CC-MAIN-20150226-00001.warc.gz"
    fields = {"url": "http://example.com/", "digest": page[5:], "length": "1", "offset": "2", "filename": filename}
    content = f"com,example)/ 20150304100000 {json.dumps(fields)}\n".encode()
    index = write("cdx-00000.gz", gzip.compress(content) + gzip.compress(content))
    result = lb.witness(lake, index, workers=2)
    assert (result.matched, result.corroborated) == (2, 1)
    assert rows(lake, "SELECT DISTINCT operator FROM captures WHERE record_type = 'index'") == [("Common Crawl",)]
    lb.witness(lake, index, operator="Somebody", workers=1)  # the lines know better
    assert rows(lake, "SELECT DISTINCT operator FROM captures WHERE record_type = 'index'") == [("Common Crawl",)]


def test_the_holder_must_be_named(lake: Lake, page: str, write: Write) -> None:
    with pytest.raises(SourceError, match="who holds these captures"):
        lb.witness(lake, write("x.cdx", line(page).encode()), workers=1)
    with pytest.raises(LakeError, match="there is no lake here"):
        lb.witness(lake.location + "-none", write("x.cdx", line(page).encode()), operator="a", workers=1)


def test_a_clipped_gzip_is_said_with_what_was_read(lake: Lake, page: str, write: Write) -> None:
    content = gzip.compress("".join(line(page, f"2015030{day}000000") for day in range(1, 9)).encode() * 500)
    index = write("x.cdx.gz", content[: len(content) // 2])
    result = lb.witness(lake, index, operator="Another", workers=1)
    assert result.rejects["truncated"] == 1
    assert 0 < result.matched < 4000
    assert rows(lake, "SELECT reason, record_type FROM rejects WHERE reason = 'truncated'") == [("truncated", "index")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty-file"), (b"A letter.\nTo somebody.\n", "unknown-format"), (b"\x1f\x8b\x08" + b"x" * 99, "truncated")],
)
def test_a_file_that_is_no_index_is_one_reject(
    lake: Lake, page: str, write: Write, content: bytes, reason: str
) -> None:
    result = lb.witness(lake, write("x", content), operator="Another", workers=1)
    assert result.rejects == {reason: 1}


def test_md5_and_missing_digests_link_nothing(lake: Lake, page: str, write: Write) -> None:
    content = (
        line("-")
        + line("0" * 32)
        + line("d41d8cd98f00b204e9800998ecf8427e")
        + line("md5:d41d8cd98f00b204e9800998ecf8427e")
    )
    result = lb.witness(lake, write("x.cdx", content.encode()), operator="Another", workers=1)
    assert result.skipped == {"no-digest": 2, "weak-digest": 2}


def test_stats_count_lines_apart_from_pages(lake: Lake, page: str, write: Write) -> None:
    before = lb.stats(lake)
    lb.witness(lake, write("x.cdx", (line(page) * 3).encode()), operator="Another", workers=1)
    after = lb.stats(lake)
    assert (before.captures, before.index_lines, after.captures, after.index_lines) == (1, 0, 1, 3)
    assert (after.records, after.captures_by_month) == (before.records, before.captures_by_month)
    assert (before.captures_by_grade, after.captures_by_grade) == ({"C": 1}, {"B": 1})


def test_the_command_shows_and_prints_what_it_did(lake: Lake, page: str, write: Write) -> None:
    index = write("x.cdx", (line(page) + line("A" * 31 + "B")).encode())
    words = ["witness", index, "--lake", lake.location, "--operator", "Another"]
    assert json.loads(forked(*words, "--json").stdout)["matched"] == 1
    assert "1 capture of the lake of grade B" in forked(*words).stdout
    assert forked("witness", index, "--lake", lake.location, check=False).returncode == 2


def test_two_operators_with_one_text_make_grade_b(lake: Lake, page: str, write: Write) -> None:
    assert rows(lake, "SELECT * FROM clean('2022-01-01', grade := 'B')") == []
    lb.ingest(
        lake,
        write("b.warc", record(url="http://b.example/", date="2019-01-01T00:00:00Z")),
        operator="Another",
        workers=1,
    )
    asked = "SELECT grade, year(first_seen) FROM clean('{}', grade := '{}')"
    assert rows(lake, asked.format("2022-01-01", "B")) == [("B", 2015)]
    assert rows(lake, asked.format("2018-01-01", "B")) == []
    assert rows(lake, asked.format("2022-01-01", "D")) == [("C", 2015)]


def test_verify_checks_grade_b_against_the_lake(lake: Lake, page: str, write: Write, tmp_path: Path) -> None:
    lb.witness(lake, write("x.cdx", line(page).encode()), operator="Another", workers=1)
    assert lb.verify(lake, all=True, workers=1).kinds["agrees"] == 1
    assert lb.export(lake, tmp_path / "set", before="2022-01-01", grade="B", workers=1).grades == {"B": 1}
    alone = lb.verify(tmp_path / "set", all=True, workers=1)
    assert (alone.sound, alone.kinds["unchecked"]) == (False, 1)
    assert "--lake names the lake" in alone.findings[0].detail
    assert lb.verify(tmp_path / "set", all=True, lake=lake, workers=1).sound
    lb.forget(lake, str(Path(write("y", b"")).parent / "x.cdx"))
    (finding,) = lb.verify(tmp_path / "set", all=True, lake=lake, workers=1).findings
    assert (finding.kind, "no other archive" in finding.detail) == ("differs", True)


def test_a_revisit_is_confirmed_like_a_page(lake: Lake, page: str, write: Write, tmp_path: Path) -> None:
    again = {
        "WARC-Payload-Digest": page,
        "WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest",
    }
    seen = record(date="2014-01-01T00:00:00Z", kind="revisit", body="", warc=again)
    lb.ingest(lake, write("r.warc", seen), operator="The Library", workers=1)
    lb.witness(lake, write("x.cdx", line(page, "20140101000000").encode()), operator="Another", workers=1)
    assert rows(lake, "SELECT record_type, grade FROM clean('2022-01-01')") == [("revisit", "B")]
    lb.export(lake, tmp_path / "set", before="2022-01-01", workers=1)
    assert lb.verify(tmp_path / "set", all=True, lake=lake, workers=1).sound


class Killed(BaseException):
    pass


def die(*_: object, **__: object) -> None:
    raise Killed


def test_killed_between_the_ledger_and_the_captures_loses_and_doubles_nothing(
    lake: Lake, page: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write("x.cdx", line(page).encode())
    with monkeypatch.context() as patch:
        patch.setattr("archive.intake.decisions.apply", die)
        with pytest.raises(Killed):
            lb.witness(lake, index, operator="Another", workers=1)
    assert rows(lake, "SELECT count(*) FROM sources WHERE format = 'index'") == [(1,)]
    assert rows(lake, "SELECT count(*) FROM captures WHERE record_type = 'index'") == [(0,)]
    assert lb.witness(lake, index, operator="Another", workers=1).files_skipped == 1
    assert rows(lake, "SELECT count(*) FROM captures WHERE record_type = 'index'") == [(1,)]
    assert grades(lake) == ["B"]


def test_killed_before_the_older_lines_are_out_the_next_run_takes_them_out(
    lake: Lake, page: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write("x.cdx", line(page).encode())
    lb.witness(lake, index, operator="Another", workers=1)
    take(lake, write("more.warc", record(url="http://more.example/", body="<p>More.</p>")))
    with monkeypatch.context() as patch:
        patch.setattr("archive.witness.run.take_out", die)
        with pytest.raises(Killed):
            lb.witness(lake, index, operator="Another", workers=1)
    assert grades(lake)[0] == "B"
    assert rows(lake, "SELECT count(*) FROM captures WHERE record_type = 'index'") == [(2,)]
    assert lb.witness(lake, index, operator="Another", workers=1).files_skipped == 1
    assert rows(lake, "SELECT count(*) FROM captures WHERE record_type = 'index'") == [(1,)]


def test_two_at_once_keep_each_line_once(lake: Lake, page: str, write: Write) -> None:
    indexes = [write(f"{n}.cdx", (line(page) + line("A" * 31 + "BCDEFGH"[n])).encode()) for n in range(6)]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(lb.witness, lake, indexes, operator="Another", workers=1) for _ in range(2)]
        results = [run.result() for run in runs]
    assert sum(result.files for result in results) == 6
    assert rows(lake, "SELECT count(*) FROM captures WHERE record_type = 'index'") == [(6,)]


def test_a_line_at_the_border_of_a_member_and_behind_damage(lake: Lake, page: str, write: Write) -> None:
    one, other = line(page), line("A" * 31 + "B")
    content = gzip.compress((other * 9).encode()) + gzip.compress((other + one).encode())
    result = lb.witness(lake, write("whole.cdx.gz", content), operator="Another", workers=1)
    assert (result.lines, result.matched) == (11, 1)
    (row,) = rows(lake, "SELECT \"offset\", skip, length FROM captures WHERE record_type = 'index'")
    assert row == (len(gzip.compress((other * 9).encode())), len(other), None)
    damaged = bytearray(content)
    damaged[12:20] = b"\0" * 8
    result = lb.witness(lake, write("damaged.cdx.gz", bytes(damaged)), operator="Another", workers=1)
    assert (result.matched, result.rejects["bad-compression"]) == (1, 1)


def test_an_address_of_a_server_is_a_source(lake: Lake, page: str, write: Write) -> None:
    folder = Path(write("served/x.cdx", line(page).encode())).parent
    with served(ranges(folder, [])) as server:
        result = lb.witness(lake, f"{server}/x.cdx", operator="Another", workers=1)
    assert (result.matched, result.corroborated) == (1, 1)


def test_ingest_takes_the_users_word_for_who_made_an_archive(lake: Lake, write: Write) -> None:
    info = b"operator: Somebody\r\n"
    warcinfo = (
        b"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2015-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        b"Content-Type: application/warc-fields\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n" % (len(info), info)
    )
    source = write("a.warc", warcinfo + record())
    replay = "http://web.archive.org/web/20150304050607id_/http://example.org/"
    theirs = write("CC-MAIN-2015-11.warc", record(date="2015-03-04T05:06:07Z"))
    replayed = write("replay.warc", record(replay, http={"Memento-Datetime": "Wed, 04 Mar 2015 05:06:07 GMT"}))
    asked = "SELECT DISTINCT operator FROM captures ORDER BY 1"
    lb.ingest(lake, source, workers=1)
    assert rows(lake, asked) == [("Somebody",)]
    assert lb.ingest(lake, source, operator=" My   Library", workers=1).files == 1  # known, and read again
    assert rows(lake, asked) == [("My Library",)]
    assert lb.ingest(lake, source, operator="My Library", workers=1).files_skipped == 1
    assert lb.ingest(lake, source, workers=1).files_skipped == 1
    assert "Somebody" in rows(lake, "SELECT infos FROM sources")[0][0]  # the ledger keeps the file's own word
    lb.forget(lake, source)
    lb.ingest(lake, [theirs, replayed], operator="My Library", workers=1)
    assert rows(lake, asked) == [("Common Crawl",), ("Internet Archive",)]


def test_names_of_the_same_letters_are_one_archive(lake: Lake, write: Write) -> None:
    names = ("The Library", "THE  library", "TheLibrary.", "<the-library>", "The Lib\u200brary")
    for number, name in enumerate(names):
        lb.ingest(lake, write(f"{number}.warc", record(date=f"201{number}-01-01T00:00:00Z")), operator=name, workers=1)
    assert rows(lake, "SELECT count(*) FROM clean('2022-01-01', archives := 2)") == [(0,)]
    assert rows(lake, "SELECT count(*) FROM clean('2022-01-01', grade := 'B')") == [(0,)]
    captured = rows(lake, "SELECT payload_digest FROM captures LIMIT 1")[0][0]
    lb.witness(lake, write("own.cdx", line(captured, at="20100101000000").encode()), operator='"TheLibrary"', workers=1)
    assert "B" not in grades(lake)
    lb.witness(lake, write("other.cdx", line(captured, at="20100101000000").encode()), operator="Library", workers=1)
    assert grades(lake).count("B") == 1


def test_a_lake_without_texts_keeps_grade_and_operator(lake: Lake, page: str, write: Write, tmp_path: Path) -> None:
    replay = "http://web.archive.org/web/20150304050607id_/http://example.org/"
    memento = {"Memento-Datetime": "Wed, 04 Mar 2015 05:06:07 GMT"}
    take(lake, write("replay.warc", record(replay, body="<p>" + "Other words. " * 30 + "</p>", http=memento)))
    lb.witness(lake, write("x.cdx", line(page).encode()), operator="Another", workers=1)
    lb.index(lake, witness_only=tmp_path / "textless", workers=1)
    asked = "SELECT grade, operator, date_source FROM clean('2022-01-01') ORDER BY url"
    assert rows(lake, asked) == [("B", "The Library", "warc"), ("D", "Internet Archive", "cdx")]
    stored = "SELECT grade, operator, date_source FROM captures ORDER BY url"
    assert rows(Lake(str(tmp_path / "textless")), stored) == rows(lake, asked)


def test_grade_b_is_given_where_the_rule_gives_it_and_nowhere_else(lake: Lake, write: Write) -> None:
    """Pages and lines of random times and holders: the view agrees with the rule in plain Python."""
    dice, start = random.Random(7), datetime(2015, 3, 4, 12, tzinfo=UTC)
    holders = ("One", "Two", None)
    for holder in holders:
        pages = []
        for number in range(12):
            at = start + timedelta(hours=dice.randrange(-60, 60))
            url = f"http://example.com/{holder}/{number}"
            pages.append(record(url, f"<p>Page {number % 6}.</p>", at.strftime("%Y-%m-%dT%H:%M:%SZ")))
        lb.ingest(lake, write(f"{holder}.warc.gz", members(*pages)), operator=holder, workers=1)
    known = sorted(set(digests(lake)))
    lines: list[tuple[str, datetime, str, str]] = []
    for holder in ("ONE", "two", "Three"):
        mine = [
            (
                dice.choice(known),
                start + timedelta(hours=dice.randrange(-60, 60)),
                holder.lower(),
                dice.choice(["One.warc.gz", "Two.warc.gz", "x.warc.gz"]),
            )
            for _ in range(8)
        ]
        text = "".join(line(digest, at.strftime("%Y%m%d%H%M%S"), name) for digest, at, _, name in mine)
        lb.witness(lake, write(f"{holder}.cdx", text.encode()), operator=holder, workers=1)
        lines += mine
    found = rows(
        lake, "SELECT payload_digest, captured_at, operator, file, grade FROM captures WHERE content_id NOTNULL"
    )
    assert len(found) == 36
    for digest, at, operator, file, grade in found:
        confirmed = any(
            digest == theirs
            and abs(at - when) <= timedelta(days=1)
            and operator is not None
            and holder != operator.lower()
            and name != Path(file).name
            for theirs, when, holder, name in lines
        )
        assert grade == ("B" if confirmed else "D"), (digest, at, operator)
    assert {grade for *_, grade in found} == {"B", "D"}


def test_the_index_in_a_package_confirms_none_of_its_files(lake: Lake, write: Write, data: Path) -> None:
    package = data / "wacz" / "valid_signed_example_1.wacz"
    lb.ingest(lake, package, operator="One", workers=1)
    before = sorted(grades(lake))
    with zipfile.ZipFile(package) as opened:
        content = gzip.decompress(opened.read("indexes/index.cdx.gz"))
    result = lb.witness(lake, write("index.cdx", content), operator="Two", workers=1)
    assert result.matched > 0
    assert result.corroborated == 0
    assert sorted(grades(lake)) == before


def test_a_lake_without_index_lines_does_not_pay_for_them(lake: Lake, page: str, write: Write) -> None:
    def joins() -> int:
        db, views, *_ = attach(lake, [CAPTURES])
        db.close()
        return sum(view.select.count("JOIN") for view in views)

    assert joins() == 0
    lb.witness(lake, write("x.cdx", line(page).encode()), operator="Another", workers=1)
    assert joins() == 2  # by the digest of a body without its chunks, and with them
