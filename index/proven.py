"""The texts that a lake proves to be older than a date: those with an acceptable capture from before."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.errors import ArchiveError
from archive.evidence.grade import DEFAULT
from archive.lake import Lake
from archive.proofs import ACCEPTABLE, connect, enough, graded, shown
from index import ids
from index.ids import Ids

#: Later than all captures: where nobody names a date.
END = datetime.max.replace(tzinfo=UTC)
#: The earliest capture that counts, as in the view `proofs`; the parameters are those of SQL.
_PROVEN = f"""
CREATE TEMP TABLE proven AS
SELECT content_id, epoch_us(min(captured_at)) AS moment,
       min({{'at': captured_at, 'file': file, 'offset': "offset", 'skip': skip, 'url': url,
            'title': title, 'digest': payload_digest, 'grade': {shown("$grade", "grade")},
            'source': date_source}}) AS first
FROM moments AS captures
WHERE {ACCEPTABLE} AND captured_at < $before AND {graded("$grade")}
      AND ($date_sources IS NULL OR list_contains($date_sources, date_source))
GROUP BY content_id HAVING {enough("$grade", "$archives")} ORDER BY content_id
"""
_PROOF = """
SELECT p.rowid, moment, first.url, first.file, first."offset", first.skip, first.digest, first.grade, first.source,
       p.content_id
FROM proven AS p JOIN wanted ON p.rowid = number
"""


_UNPROVEN = """
SELECT DISTINCT content_id FROM captures ANTI JOIN proven USING (content_id) WHERE content_id IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """The capture that proves a text: its time, its page, and the address of its record."""

    at: int  #: microseconds since 1970
    url: str | None
    file: str
    offset: int
    skip: int
    digest: str | None
    grade: str = "D"  #: `archive.evidence.grade.GRADES`
    source: str | None = None  #: `archive.reasons.DATE_SOURCES`
    content_id: str = ""  #: of the text

    @property
    def date(self) -> datetime:
        return datetime.fromtimestamp(self.at // 1_000_000, UTC).replace(microsecond=self.at % 1_000_000)


def moment_of(before: str | date) -> datetime:
    """Return the moment that a caller names; a date is its first one, and without a time zone it is in UTC.

    Raises:
        ArchiveError: it is no date.
    """
    try:
        moment = datetime.fromisoformat(before.isoformat() if isinstance(before, date) else before)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        raise ArchiveError(f"{before!r} is no date; write it as 2022-01-01") from None


def microseconds(moment: datetime) -> int:
    """Return a moment as the index counts it: in microseconds since 1970."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


class Proven:
    """The texts of a lake that have acceptable captures before a date, numbered. Any number of threads may ask.

    Memory: 80 bytes a text; the captures themselves are in a scratch database.

    Args:
        grade: the least grade of a capture that counts.
        archives: how many different archives must have captured a text.
        date_sources: the kinds of dates that count; all where there are none.
        memory: most memory of that database, as DuckDB writes it.
    """

    def __init__(
        self,
        lake: Lake,
        before: datetime,
        grade: str = DEFAULT,
        archives: int = 1,
        date_sources: Sequence[str] = (),
        memory: str = "2GB",
    ) -> None:
        self._asking = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="lowbackground-")
        self._db = connect(lake, memory_limit=memory, temp_directory=self._folder.name)
        asked = {"before": before, "grade": grade, "archives": archives, "date_sources": list(date_sources) or None}
        self._db.execute(_PROVEN, asked)
        parsed, dates = [np.empty((0, 4), np.uint64)], [np.empty(0, np.int64)]
        for batch in self._db.sql("SELECT content_id, moment FROM proven ORDER BY rowid").to_arrow_reader(1 << 18):
            parsed.append(ids.parse(batch.column(0)))
            dates.append(batch.column(1).to_numpy())
        unordered = np.concatenate(parsed)
        self._order = ids.sort(unordered)
        self._ids = unordered[self._order]
        self.at: npt.NDArray[np.int64] = np.concatenate(dates)  #: microseconds since 1970, of each

    def __len__(self) -> int:
        return len(self._ids)

    def __enter__(self) -> Proven:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._folder.cleanup()

    def find(self, wanted: Ids) -> npt.NDArray[np.int64]:
        """Return the numbers of texts; -1 for one that is not proven."""
        rows = ids.positions(self._ids, wanted)
        return np.where(rows >= 0, self._order[rows], -1) if len(self) else rows

    def unproven(self) -> Ids:
        """Return the ids of the other texts of the lake, sorted: no capture of them counts."""
        with self._asking:
            unordered = ids.parse(self._db.sql(_UNPROVEN).to_arrow_table()["content_id"])
        return unordered[ids.sort(unordered)]

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what a worker needs to find texts and their dates: sorted ids, their numbers, dates by number."""
        return {"proven-ids": self._ids, "proven-numbers": self._order, "proven-at": self.at}

    def proofs(self, numbers: npt.NDArray[np.int64]) -> dict[int, Proof]:
        """Return the captures that prove some texts, by number. Numbers are in the order of content ids."""
        with self._asking:
            self._db.register("wanted", pa.table({"number": np.unique(numbers)}))
            rows = self._db.execute(_PROOF).fetchall()
            self._db.unregister("wanted")
        return {row[0]: Proof(*row[1:]) for row in rows}
