"""Records in segments are joined where all of them are in the file and fit; otherwise the first one counts, marked."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, cast

import pytest
from conftest import examples, members, record, rows, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liar import write as made
from liar.judge import InTurn

from archive.capture import Capture, Limits, Reject
from archive.examine import Examiner
from archive.intake import Settings
from archive.lake import Lake
from archive.records import Reading, RecordReader, Span, open_reader, web_archive
from archive.records import segments as module
from archive.records.record import Record
from archive.records.segments import join
from archive.text import extractor
from query.verify.run import verify

Write = Callable[[str, bytes], str]
DATE = "2015-03-04T05:06:07Z"
URL = "http://rivers.example/"
PAGE = (
    "<html><title>Rivers</title><body>" + "".join(f"<p>Paragraph {n} is about rivers.</p>" for n in range(40))
).encode()
BLOCK = made.message(PAGE + b"</body></html>", [("Content-Type", "text/html; charset=utf-8")])
FIRST = made.record_id("first")


def segments(
    block: bytes = BLOCK,
    cuts: tuple[int, ...] = (700, 1200),
    date: str = DATE,
    first: str = FIRST,
    more: dict[int, made.Fields] | None = None,
    drop: dict[int, set[str]] | None = None,
) -> list[bytes]:
    """Return the segments of a response.

    Args:
        more: further fields of a segment, by its number. They replace those of their name.
        drop: fields that a segment lacks.
    """
    edges = (0, *cuts, len(block))
    out = []
    for number, (start, end) in enumerate(pairwise(edges), 1):
        fields = {
            "WARC-Type": "response" if number == 1 else "continuation",
            "WARC-Record-ID": first if number == 1 else made.record_id(f"{first}{number}"),
            "WARC-Target-URI": URL,
            "WARC-Date": date,
            "WARC-Segment-Number": str(number),
            "WARC-Block-Digest": made.digest(block[start:end]),
        }
        if number == 1:
            fields["WARC-Payload-Digest"] = made.digest(block.partition(b"\r\n\r\n")[2])
            fields["Content-Type"] = "application/http; msgtype=response"
        else:
            fields["WARC-Segment-Origin-ID"] = first
        if number == len(edges) - 1:
            fields["WARC-Segment-Total-Length"] = str(len(block))
        fields |= dict((more or {}).get(number, []))
        kept = [(name, value) for name, value in fields.items() if name not in (drop or {}).get(number, set())]
        out.append(made.warc(block[start:end], kept))
    return out


def examined(content: bytes, max_record: int = 1 << 25, limits: Limits = Limits()) -> list[Any]:
    """Return the outcomes of a file; what is skipped as its kind."""
    examiner = Examiner("a.warc", extractor("resiliparse"), limits)
    reading = Reading("a.warc", max_record=max_record)
    outcomes = [examiner.examine(item) for _, item in web_archive.READER.read(io.BytesIO(content), reading)]
    return [each if isinstance(each, Capture | Reject) else each.kind for each in outcomes]


def only(content: bytes, **options: Any) -> Any:
    """Return the one capture or reject of a file."""
    (found,) = [each for each in examined(content, **options) if not isinstance(each, str)]
    return found


def whole() -> Capture:
    fields: made.Fields = [("WARC-Type", "response"), ("WARC-Target-URI", URL), ("WARC-Date", DATE), ("Content-Type", "application/http")]  # fmt: skip
    (capture,) = examined(made.warc(BLOCK, fields))
    return capture  # type: ignore[no-any-return]


def test_segments_are_joined() -> None:
    found = only(b"".join(segments()))
    assert found.text == whole().text
    assert (found.truncated, found.payload_check, found.block_check) == (None, "verified", "verified")
    assert found.dated.problem is None
    assert found.length == len(segments()[0])


def test_a_record_in_one_segment_is_whole() -> None:
    found = only(b"".join(segments(cuts=())))
    assert (found.text, found.truncated) == (whole().text, None)


@pytest.mark.parametrize(
    ("more", "drop", "truncated"),
    [
        ({}, {3: {"WARC-Segment-Total-Length"}}, "segment"),  # no last one
        ({3: [("WARC-Segment-Total-Length", "9999")]}, {}, "bad-segment"),
        ({3: [("WARC-Segment-Total-Length", "many")]}, {}, "bad-segment"),
        ({2: [("WARC-Segment-Total-Length", "9999")]}, {}, "bad-segment"),  # two last ones
        ({2: [("WARC-Segment-Origin-ID", "<urn:x:other>")]}, {}, "segment"),
        ({3: [("WARC-Segment-Origin-ID", "<urn:x:other>")]}, {}, "segment"),
        ({2: [("WARC-Segment-Number", "3")]}, {}, "bad-segment"),  # two of one number
        ({2: [("WARC-Segment-Number", "1")]}, {}, "bad-segment"),
        ({2: [("WARC-Segment-Number", "two")]}, {}, "bad-segment"),
        ({2: [("WARC-Segment-Number", "7")]}, {}, "bad-segment"),
        ({2: [("WARC-Target-URI", "http://other.example/")]}, {}, "bad-segment"),
        ({1: [("WARC-Segment-Number", "2")]}, {}, "bad-segment"),
        ({}, {1: {"WARC-Record-ID"}}, "bad-segment"),
    ],
)
def test_segments_that_do_not_fit_are_not_joined(
    more: dict[int, made.Fields], drop: dict[int, set[str]], truncated: str
) -> None:
    found = only(b"".join(segments(more=more, drop=drop)))
    assert found.truncated == truncated
    assert found.payload_check == "absent"
    assert found.dated.problem is None
    assert "Paragraph 5 " in found.text
    assert "Paragraph 39" not in found.text


def test_the_same_segment_twice_is_one() -> None:
    one, two, three = segments()
    assert only(one + two + two + three).text == whole().text


def test_a_segment_that_the_payload_does_not_fit_proves_nothing() -> None:
    others = segments(BLOCK.replace(b"about rivers", b"about canals"))
    found = only(segments()[0] + b"".join(others[1:]))
    assert (found.truncated, found.dated.problem, found.grade) == (None, "altered", "X")


def test_a_segment_that_was_altered_proves_nothing() -> None:
    one, two, three = segments(drop={1: {"WARC-Payload-Digest"}})
    assert only(one + two.replace(b"about rivers", b"about canals") + three).dated.problem == "altered"


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("WARC-Date", "2023-01-01T00:00:00Z", None),
        ("WARC-Date", "2023-13-45", "unparsable"),
        ("WARC-Date", "2999-01-01T00:00:00Z", "future"),
        ("WARC-Creation-Date", "2023-01-01T00:00:00Z", "made-later"),
        ("WARC-Source-URI", "https://web.archive.org/web/20230101000000/http://rivers.example/", "conflict"),
    ],
)
def test_what_a_segment_says_of_its_time_counts(number: int, field: str, value: str, problem: str | None) -> None:
    dated = only(b"".join(segments(more={number: [(field, value)]}))).dated
    assert dated.problem == problem
    if problem is None:
        assert dated.captured_at == datetime(2023, 1, 1, tzinfo=UTC)
        assert dated.captured_from == datetime(2015, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_an_earlier_date_of_a_segment_makes_the_page_no_earlier() -> None:
    dated = only(b"".join(segments(more={2: [("WARC-Date", "2001-01-01T00:00:00Z")]}))).dated
    assert dated.captured_at == datetime(2015, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_the_warcinfo_between_segments_counts_for_those_behind_it() -> None:
    one, two, three = segments()
    info = made.warcinfo("joined", datetime(2023, 6, 1, tzinfo=UTC), [("isPartOf", "CC-MAIN-2023-23")], [])
    for content in (one + info + two + three, one + two + info + three):
        found = only(content)
        assert found.text == whole().text
        assert found.dated.problem == "outside-crawl"
    assert only(one + two + three + info).dated.problem is None


def test_nothing_is_joined_over_damage() -> None:
    one, two, three = segments()
    broken = record(url="http://other.example/").replace(b"Content-Length: ", b"Content-Length: x", 1)
    captures = [each for each in examined(one + broken + two + three) if isinstance(each, Capture)]
    assert [each.truncated for each in captures] == ["segment"]
    recovered = [each for each in examined(broken + one + two + three) if isinstance(each, Capture)]
    assert [each.truncated for each in recovered] == ["segment"]


def test_another_first_segment_of_the_same_id_contradicts_the_one_in_front() -> None:
    one, two, three = segments()
    captures = [each for each in examined(one + one + two + three) if isinstance(each, Capture)]
    assert [each.truncated for each in captures] == ["bad-segment", None]
    captures = [each for each in examined(one + two + three + one) if isinstance(each, Capture)]
    assert [each.truncated for each in captures] == [None, "segment"]


def test_segments_in_front_of_the_first_one_are_not_its() -> None:
    one, two, three = segments()
    assert only(two + three + one).truncated == "segment"
    assert only(two + one + three).truncated == "segment"


def test_more_than_the_limit_is_too_large() -> None:
    found = only(b"".join(segments()), max_record=1500)
    assert (found.reason, found.record_id) == ("too-large", FIRST)
    long = b"".join(segments(BLOCK + b"x" * 90_000, (700, 1200)))
    assert only(long, max_record=80_000).reason == "too-large"
    assert only(long, max_record=120_000).truncated is None
    assert only(b"".join(segments()), limits=Limits(page=1000)).reason == "too-large"


def test_segments_too_far_behind_are_not_looked_for() -> None:
    one, two, three = segments()
    content = one + record(body="<p>" + "many words " * 2000) + two + three
    for reach, truncated in ((len(content), None), (10_000, "segment")):
        records = list(join(io.BytesIO(content), RecordReader(io.BytesIO(content)), 1 << 25, reach))
        assert records[0].missing == truncated


class _Watched(io.BytesIO):
    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_many_first_segments_read_the_file_twice_and_not_as_often_as_there_are_of_them() -> None:
    firsts = [segments(first=made.record_id(str(number)))[0] for number in range(2000)]
    file = _Watched(b"".join(firsts))
    records = list(web_archive.READER.read(file, Reading("a.warc")))
    assert len(records) == 2000
    assert {item.missing for _, item in records if isinstance(item, Record)} == {"segment"}
    assert file.count < 3 * len(file.getvalue())


@pytest.mark.parametrize("firsts", [1, 2000])
def test_each_segment_is_looked_at_once_however_many_there_are(firsts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fields: list[made.Fields] = [
        [("WARC-Type", "continuation"), ("WARC-Target-URI", URL), ("WARC-Segment-Number", str(number)),
         ("WARC-Segment-Origin-ID", FIRST)]
        for number in range(2, 4000)
    ]  # fmt: skip
    content = segments()[0] * firsts + b"".join(made.warc(b"y", each) for each in fields)
    calls = 0
    single = module._single

    def counted(record: Record, name: str) -> int | None:
        nonlocal calls
        calls += 1
        return single(record, name)

    monkeypatch.setattr(module, "_single", counted)
    records = list(web_archive.READER.read(io.BytesIO(content), Reading("a.warc")))
    assert calls < 4 * len(records)


DAMAGED = record(url="http://damaged.example/")[:-60]


@st.composite
def mixtures(draw: st.DrawFn) -> list[bytes]:
    """Draw segments in any order, some missing, some twice, some that contradict; warcinfo, pages, damage."""
    records = []
    for page in range(draw(st.integers(1, 4))):
        parts = segments(BLOCK.replace(b"rivers", f"the river {page}".encode()), first=made.record_id(f"page {page}"))
        wrong = segments(BLOCK.replace(b"rivers", b"canals"), (600,), first=made.record_id(f"page {page}"))
        records += [each for each in (*parts, *parts) if draw(st.integers(0, 3))]
        records += [each for each in wrong if not draw(st.integers(0, 6))]
    others = [
        DAMAGED,
        record(url="http://other.example/"),
        made.warcinfo("a", datetime(2015, 1, 1, tzinfo=UTC), [], []),
    ]
    records += draw(st.lists(st.sampled_from(others), max_size=4))
    kept = draw(st.permutations(records))
    return kept if draw(st.booleans()) else sorted(kept, key=lambda each: b"continuation" in each)


@settings(max_examples=examples(50), deadline=None, suppress_health_check=list(HealthCheck))
@given(mixtures(), st.booleans(), st.sampled_from([1 << 25, 6000, 2600]))
def test_what_is_joined_does_not_depend_on_where_the_reader_began(
    records: list[bytes], packed: bool, held: int
) -> None:
    content = members(*records) if packed else b"".join(records)

    def read(span: Span) -> list[tuple[Any, ...]]:
        found = web_archive.READER.read(io.BytesIO(content), Reading("a.warc", span))
        items = [item for _, item in found if isinstance(item, Record)]
        infos = [[info.offset for each in item.segments for info in each.infos] for item in items]
        return [
            (item.offset, item.recovered, item.missing, item.problem, item.content, around)
            for item, around in zip(items, infos, strict=True)
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_HELD", held)
        whole = read(Span())
        for each in whole:
            if not each[1]:  # a span that begins behind damage is given that
                assert read(Span(each[0], each[0] + 1))[0] == each


@dataclass
class _Case:
    records: list[bytes]
    pages: int


@st.composite
def cases(draw: st.DrawFn) -> _Case:
    """Draw segmented and other records, the segments of each in any places behind the first one."""
    records: list[bytes] = []
    pages = draw(st.integers(1, 3))
    for page in range(pages):
        block = BLOCK.replace(b"rivers", f"the river {page}".encode())
        cuts = draw(st.lists(st.integers(1, len(block) - 1), min_size=1, max_size=3, unique=True).map(sorted))
        parts = segments(block, tuple(cuts), first=made.record_id(f"page {page}"))
        at = draw(st.integers(0, len(records)))
        records.insert(at, parts[0])
        for part in parts[1:]:
            records.insert(draw(st.integers(at + 1, len(records))), part)
    for other in range(draw(st.integers(0, 4))):
        records.insert(draw(st.integers(0, len(records))), record(url=f"http://other.example/{other}"))
    return _Case(records, pages)


def _zip(content: bytes, compression: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        file.writestr("archive/a.warc.gz", content)
    return out.getvalue()


@settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases(), form=st.sampled_from(["plain", "members", "one", "zip"]), seed=st.integers(0, 99))
def test_segments_are_joined_wherever_they_are_behind_the_first_one(case: _Case, form: str, seed: int) -> None:
    content = b"".join(case.records)
    if form != "plain":
        content = members(*case.records) if form == "members" else gzip.compress(content, mtime=0)
    name = "a.warc"
    kind, file = ("wacz", _zip(members(*case.records), zipfile.ZIP_STORED)) if form == "zip" else ("records", content)
    found = [item for _, item in open_reader(kind).read(io.BytesIO(file), Reading(name)) if isinstance(item, Record)]
    firsts = [item for item in found if item.type == "response" and item.uri == URL]
    assert len(firsts) == case.pages
    for first in firsts:
        assert first.missing is None
        assert b"Paragraph 39" in first.content
        assert first.content.startswith(b"HTTP/1.1 200 OK")
    # a reader that begins at a record joins the same
    start = firsts[seed % case.pages]
    if form in {"plain", "members"}:
        span = Span(start.offset, start.offset + 1)
        ((_, again),) = list(web_archive.READER.read(io.BytesIO(file), Reading(name, span)))
        assert isinstance(again, Record)
        assert again.content == start.content


@pytest.mark.parametrize("span", [400, 900, 2000, 1 << 30])
@pytest.mark.parametrize("packed", [False, True])
def test_spans_change_nothing_and_verify_agrees(lake: Lake, write: Write, span: int, packed: bool) -> None:
    one, two, three = segments()
    others = [record(url=f"http://other.example/{n}") for n in range(6)]
    records = [one, *others[:3], two, *others[3:], three]
    path = write("a.warc.gz", members(*records)) if packed else write("a.warc", b"".join(records))
    assert take(lake, path, workers=cast(Any, InTurn()), span=span).captures == 7
    found = rows(lake, "SELECT truncated, payload_check FROM captures WHERE url = 'http://rivers.example/'")
    assert found == [(None, "verified")]
    checked = verify(lake, all=True)
    assert checked.sound, checked.findings


def test_a_deflated_entry_of_a_package_is_read_once_so_its_segments_are_not_joined(lake: Lake, write: Write) -> None:
    take(lake, write("a.wacz", _zip(b"".join(segments()), zipfile.ZIP_DEFLATED)))
    take(lake, write("b.wacz", _zip(b"".join(segments()), zipfile.ZIP_STORED)))
    assert rows(lake, "SELECT truncated FROM captures ORDER BY file") == [("segment",), (None,)]
    checked = verify(lake, all=True)
    assert checked.sound, checked.findings


def test_a_larger_limit_joins_what_was_too_large(lake: Lake, write: Write) -> None:
    path = write("a.warc", b"".join(segments()))
    assert dict(take(lake, path, settings=Settings(limits=Limits(record=1500))).rejects) == {"too-large": 1}
    assert take(lake, path).captures == 1
