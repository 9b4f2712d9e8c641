"""Joined archives: what is in the lake depends on the bytes, not on spans, workers or order; and verify agrees."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from conftest import examples, members, snapshot, take
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from liar import write as made
from liar.judge import PLACE, InTurn

from archive.lake import Lake
from query.verify.run import verify

#: Joined files of each format. A file costs a second or two.
EXAMPLES = examples(3)
CRAWLS = ("CC-MAIN-2013-20", "CC-MAIN-2019-13", "CC-MAIN-2023-23")
DAYS = (datetime(2013, 5, 20, tzinfo=UTC), datetime(2019, 3, 25, tzinfo=UTC), datetime(2023, 6, 5, tzinfo=UTC))


@dataclass(frozen=True)
class Piece:
    """One archive of those that are joined.

    Attributes:
        info: the crawl that its warcinfo names, by number; or `none` where it has no warcinfo, `silent` where that names
            no crawl, `broken` where its length is wrong.
        cites: what the records cite as their warcinfo: their own, that of the first archive, or one that is nowhere.
        damage: in front of its second record.
    """

    info: str
    cites: str
    moment: int
    records: int
    segmented: bool
    damage: str
    seed: int


def pieces(damage: tuple[str, ...] = ("", "", "", "junk", "length", "hole", "header")) -> st.SearchStrategy[Piece]:
    return st.builds(
        Piece,
        info=st.sampled_from(["0", "1", "2", "none", "silent", "broken"]),
        cites=st.sampled_from(["own", "nothing", "first", "nowhere"]),
        moment=st.integers(0, 2),
        records=st.integers(1, 4),
        segmented=st.booleans(),
        damage=st.sampled_from(damage),
        seed=st.integers(0, 1 << 16),
    )


def _page(number: int, at: int) -> bytes:
    words = "".join(f"<p>Paragraph {n} of page {at} in archive {number}.</p>" for n in range(3))
    return f"<html><title>{at}</title><body>{words}</body></html>".encode()


def _damaged(record: bytes, damage: str) -> bytes:
    if damage == "junk":
        return b"these bytes are no record\r\n" * 3 + record
    if damage == "hole":
        return bytes(90) + record[90:]
    if damage == "header":
        return record.replace(b"Content-Length", b"Content-Weight", 1)
    if damage == "length":
        at = record.index(b"Content-Length: ") + 16
        end = record.index(b"\r\n", at)
        return record[:at] + b"%d" % (int(record[at:end]) + 300) + record[end:]
    return record


def warc(piece: Piece, number: int) -> list[bytes]:
    dice = Random(piece.seed)
    records: list[bytes] = []
    if piece.info != "none":
        names: made.Fields = [("isPartOf", CRAWLS[int(piece.info)])] if piece.info.isdigit() else [("robots", "obey")]
        off = 20 if piece.info == "broken" else 0
        records.append(made.warcinfo(f"info {number}", DAYS[piece.moment], names, [], off))
    cited = {"own": f"info {number}", "first": "info 0", "nowhere": "nowhere"}.get(piece.cites)
    for at in range(piece.records):
        moment = DAYS[piece.moment] + timedelta(hours=at)
        block = made.message(_page(number, at), [("Content-Type", "text/html"), ("Date", made.http_date(moment))])
        name = made.record_id(f"{number} {at}")
        url = f"http://joined.example/{number}/{at}"
        common: made.Fields = [("WARC-Target-URI", url), ("WARC-Date", made.w3c(moment))]
        common += [("WARC-Warcinfo-ID", made.record_id(cited))] if cited else []
        head: made.Fields = [("WARC-Type", "response"), ("WARC-Record-ID", name),
                             ("Content-Type", "application/http; msgtype=response"), *common]  # fmt: skip
        if piece.segmented and at == 0:
            cut = dice.randrange(60, len(block) - 1)
            rest: made.Fields = [("WARC-Type", "continuation"), ("WARC-Segment-Number", "2"), *common,
                                 ("WARC-Segment-Origin-ID", name), ("WARC-Segment-Total-Length", str(len(block)))]  # fmt: skip
            records.append(made.warc(block[:cut], [*head, ("WARC-Segment-Number", "1")]))
            records.append(made.warc(block[cut:], rest))
        else:
            records.append(made.warc(block, [*head, ("WARC-Payload-Digest", made.digest(_page(number, at)))]))
        if at == 1:
            records[-1] = _damaged(records[-1], piece.damage)
    if piece.segmented and dice.random() < 0.5:  # the rest comes later
        place = next(n for n, each in enumerate(records) if b"continuation" in each[:60])
        records.append(records.pop(place))
    return records


def arc(piece: Piece, number: int) -> list[bytes]:
    pacific = piece.info in {"0", "1"}
    records = []
    if piece.info != "none":
        records.append(
            made.filedesc(f"{number}.arc", DAYS[piece.moment], "CommonCrawl" if pacific else "InternetArchive")
        )
    for at in range(piece.records):
        moment = DAYS[piece.moment] + timedelta(hours=at)
        stamps: made.Fields = []
        if piece.cites == "own":
            stamps.append(("x_commoncrawl_FetchTimestamp", str(int(moment.timestamp() * 1000))))
        block = made.message(_page(number, at), [("Content-Type", "text/html"), *stamps])
        length = len(block) + 150 if piece.damage == "length" and at == 1 else None
        record = made.arc(block, f"http://joined.example/{number}/{at}", made.stamp(moment), length=length)
        if piece.damage in {"junk", "hole"} and at == 1:
            record = _damaged(record, piece.damage)
        records.append(record)
    return records


def _same(archives: list[list[bytes]], packed: bool, format_: str, *spans: int) -> None:
    records = [record for archive in archives for record in archive]
    _same_bytes(members(*records) if packed else b"".join(records), packed, format_, *spans)


def _same_bytes(content: bytes, packed: bool, format_: str, *spans: int) -> None:
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        path = Path(folder) / f"a.{format_}{'.gz' if packed else ''}"
        path.write_bytes(content)
        whole = Lake(f"{folder}/whole")
        take(whole, str(path), workers=InTurn(), span=1 << 30)  # type: ignore[arg-type]
        for span in spans:
            cut = Lake(f"{folder}/{span}")
            take(cut, str(path), workers=InTurn(), span=span)  # type: ignore[arg-type]
            assert snapshot(cut) == snapshot(whole), span
        checked = verify(cut, all=True, workers=InTurn())
        assert checked.sound, checked.findings


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(joined=st.lists(pieces(), min_size=2, max_size=3), packed=st.booleans(), share=st.floats(0.06, 0.6))
@example(
    joined=[
        Piece("none", "first", 2, 2, True, "length", 2009),
        Piece("1", "first", 2, 3, False, "", 492),
        Piece("none", "first", 2, 1, True, "", 3616),
    ],
    packed=True,
    share=0.568,
)
def test_joined_warc_files_give_the_same_for_any_span(joined: list[Piece], packed: bool, share: float) -> None:
    archives = [warc(piece, number) for number, piece in enumerate(joined)]
    _same(archives, packed, "warc", _span(archives, packed, share))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(joined=st.lists(pieces(), min_size=2, max_size=3), packed=st.booleans(), share=st.floats(0.06, 0.6))
def test_joined_arc_files_give_the_same_for_any_span(joined: list[Piece], packed: bool, share: float) -> None:
    archives = [arc(piece, number) for number, piece in enumerate(joined)]
    _same(archives, packed, "arc", _span(archives, packed, share))


def _span(archives: list[list[bytes]], packed: bool, share: float) -> int:
    records = [record for archive in archives for record in archive]
    return max(int(len(members(*records) if packed else b"".join(records)) * share), 30)


def test_the_smallest_spans_give_the_same() -> None:
    joined = [Piece("0", "nothing", 0, 2, True, "", 1), Piece("2", "nothing", 0, 2, False, "junk", 2)]
    for make, format_ in ((warc, "warc"), (arc, "arc")):
        for packed in (False, True):
            archives = [make(piece, number) for number, piece in enumerate(joined)]
            _same(archives, packed, format_, 75 if packed else 60)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_hole_behind_a_warcinfo_or_a_page_gives_the_same_for_any_span(lost: int, packed: bool) -> None:
    parts = [members(each) if packed else each for each in warc(Piece("0", "own", 0, 4, False, "", 1), 0)]
    parts[lost] = parts[lost][:-40] + bytes(30) + parts[lost][-10:]
    _same_bytes(b"".join(parts), packed, "warc", 100)


def test_processes_give_the_same(tmp_path: Path) -> None:
    joined = [Piece("0", "nothing", 0, 4, True, "", 1), Piece("2", "nothing", 0, 4, False, "junk", 2)]
    path = tmp_path / "a.warc"
    path.write_bytes(b"".join(record for number, piece in enumerate(joined) for record in warc(piece, number)))
    one, two = Lake(str(tmp_path / "one")), Lake(str(tmp_path / "two"))
    take(one, str(path), span=1 << 30)
    take(two, str(path), span=900, workers=2)
    assert snapshot(one) == snapshot(two)
