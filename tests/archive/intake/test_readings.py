"""One payload that gives several texts: what is ingested later takes nothing out of `clean`, and puts in nothing early."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import examples, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liar import write as made
from liar.judge import PLACE, InTurn

import query
from archive.capture import Limits
from archive.intake import Settings
from archive.lake import Lake
from archive.page import page_of
from archive.reasons import Unusable
from archive.text import content_id, extractor
from archive.text.charset import stated as stated_charset

_WORDS = "<p>Un été à la mer, près de la forêt. Elle a dit que non, et puis ça.</p>"
#: Orders of captures. Each takes a second or two.
EXAMPLES = examples(3)
BODIES = (
    f"<html><body>{_WORDS}</body></html>".encode("latin-1"),
    f'<html><head><meta charset="iso-8859-15"></head><body>{_WORDS}</body></html>'.encode("latin-1"),
    f"<html><body>{_WORDS}</body></html>".encode(),
    _WORDS.encode("latin-1"),
    b"<html><body><p>Words of ASCII alone, which any charset reads alike.</p></body></html>",
)
TYPES = ("text/html", "text/html; charset=utf-8", "text/html; charset=windows-1252", "text/html; charset=koi8-r",
         "text/html; charset=nonsense", "text/plain", "text/plain; charset=utf-8")  # fmt: skip
CUTS = [datetime(year, 7, 1, tzinfo=UTC) for year in range(2010, 2024, 2)]


@dataclass(frozen=True)
class Seen:
    """A capture of one of the payloads.

    Attributes:
        content_type: of the HTTP header; None for a revisit without any.
    """

    body: int
    content_type: str | None
    day: int
    is_revisit: bool
    extractor: str = "resiliparse"

    @property
    def moment(self) -> datetime:
        return datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=self.day)

    def record(self) -> bytes:
        body = BODIES[self.body]
        stated: made.Fields = [("WARC-Payload-Digest", made.digest(body))]
        block = b"" if self.content_type is None else made.message(
            b"" if self.is_revisit else body, [("Content-Type", self.content_type)])  # fmt: skip
        fields: made.Fields = [
            ("WARC-Type", "revisit" if self.is_revisit else "response"),
            ("WARC-Target-URI", f"http://sea.example/{self.body}"),
            ("WARC-Date", made.w3c(self.moment)),
            ("Content-Type", "application/http; msgtype=response"),
            ("WARC-Profile", "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"),
            *stated,
        ]
        return made.warc(block, fields)

    def texts(self, content_type: str) -> set[str | None]:
        """Return what the payload may give with a header: without a charset, what windows-1252 gives, too."""
        known = {"text/html", "text/plain", "text/html; charset=nonsense"}
        default = {f"{content_type.partition(';')[0]}; charset=windows-1252"}
        wanted = {content_type} | (default if content_type in known and b"<meta" not in BODIES[self.body] else set())
        return {self.text(each) for each in wanted}

    def is_read_with(self, content_type: str) -> bool:
        """Whether this capture is read with the charset of another header, or that has none."""
        used = page_of(BODIES[self.body], self.content_type or "", extractor(self.extractor), Limits())[1]
        return stated_charset(content_type) in {None, used}

    def text(self, content_type: str) -> str | None:
        try:
            page, *_ = page_of(BODIES[self.body], content_type, extractor(self.extractor), Limits())
        except Unusable:
            return None
        return content_id(page.text)


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    is_revisit = draw(st.booleans())
    types = st.sampled_from((*TYPES, None)) if is_revisit else st.sampled_from(TYPES)
    used = "resiliparse" if is_revisit else draw(st.sampled_from(["resiliparse", "resiliparse", "trafilatura"]))
    return Seen(draw(st.integers(0, len(BODIES) - 1)), draw(types), draw(st.integers(0, 5000)), is_revisit, used)


def clean(lake: Lake) -> dict[str, datetime]:
    """Return when each text that is clean was first seen: that says of any date whether it is clean before it."""
    with query.connect(lake) as db:
        found = dict(db.execute("SELECT content_id, first_seen FROM clean('9999-01-01')").fetchall())
        for cut in CUTS:
            at = db.execute(f"SELECT content_id FROM clean('{cut:%Y-%m-%d}')").fetchall()
            assert {id_ for (id_,) in at} == {id_ for id_, moment in found.items() if moment < cut}
        return found


def expected(captures: list[Seen]) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """Return by when each text is proven surely, and by when it may be at the earliest.

    A revisit proves the text that the charset of its own header gives of the payload, where some capture gave it, or that
    the payload gives alone where the header has no charset. One without a header
    may prove what the payload gives under any media type.
    """
    surely: dict[str, datetime] = {}
    perhaps: dict[str, datetime] = {}

    def note(found: dict[str, datetime], text: str, moment: datetime) -> None:
        found[text] = min(moment, found.get(text, moment))

    for one in captures:
        if one.is_revisit or one.content_type is None or (text := one.text(one.content_type)) is None:
            continue
        note(surely, text, one.moment)
        note(perhaps, text, one.moment)
        for other in captures:
            if not other.is_revisit or other.body != one.body:
                continue
            stated = other.content_type
            headers = ["text/html", "text/plain"] if stated is None else [stated]
            if one.moment <= other.moment or any(text in one.texts(header) for header in headers):
                note(perhaps, text, other.moment)
            both = stated and stated.startswith("text/html") and one.content_type.startswith("text/html")
            if stated and both and one.text(stated) == text and one.is_read_with(stated):
                note(surely, text, other.moment)
    return surely, perhaps


def bring(lake: Lake, folder: Path, captures: list[Seen]) -> None:
    for one in captures:
        path = folder / f"{abs(hash(one))}.warc"
        path.write_bytes(one.record())
        take(lake, str(path), settings=Settings(extractor=one.extractor), workers=InTurn())  # type: ignore[arg-type]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(captures=st.lists(seen(), min_size=2, max_size=4, unique=True), order=st.randoms(use_true_random=False))
def test_what_comes_later_takes_nothing_away_and_puts_in_nothing_early(captures: list[Seen], order: Any) -> None:
    pytest.importorskip("trafilatura")
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        lake, before = Lake(f"{folder}/lake"), dict[str, datetime]()
        for number, one in enumerate(captures):
            bring(lake, Path(folder), [one])
            now = clean(lake)
            for text, at in before.items():
                assert text in now, "a text left `clean`"
                assert now[text] <= at, "a text left `clean` for some date"
            surely, perhaps = expected(captures[: number + 1])
            assert set(now) == set(surely)
            for text, at in now.items():
                assert perhaps[text] <= at <= surely[text]
            before = now
        shuffled = list(captures)
        order.shuffle(shuffled)
        other = Lake(f"{folder}/other")
        bring(other, Path(folder), shuffled)
        assert clean(other) == before


@pytest.mark.parametrize("late_first", [False, True])
def test_another_charset_of_2023_gives_no_text_of_2015(tmp_path: Path, late_first: bool) -> None:
    known = [Seen(0, "text/html", 1800, True), Seen(0, "text/html; charset=windows-1252", 2200, False)]
    late = Seen(0, "text/html; charset=koi8-r", 4800, False)
    lake = Lake(str(tmp_path / "lake"))
    bring(lake, tmp_path, [late, *known] if late_first else [*known, late])
    found = clean(lake)
    assert found == {
        late.text("text/html; charset=windows-1252"): known[0].moment,
        late.text("text/html; charset=koi8-r"): late.moment,
    }


@pytest.mark.parametrize("charset", ["windows-1252", "koi8-r"])
def test_a_revisit_proves_the_reading_that_its_own_header_states(tmp_path: Path, charset: str) -> None:
    stated = f"text/html; charset={charset}"
    again, original = Seen(0, stated, 1800, True), Seen(0, stated, 2200, False)
    lake = Lake(str(tmp_path / "lake"))
    bring(lake, tmp_path, [again, original, Seen(0, "text/html; charset=utf-8", 4000, False)])
    assert clean(lake)[original.text(stated) or ""] == again.moment
