"""Which texts a search may find: by the captures that prove them, at the time when the lake was opened."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt

from archive.errors import ArchiveError
from archive.evidence.grade import DEFAULT, GRADES
from archive.lake import Lake
from archive.proofs import ACCEPTABLE, connect, enough, graded
from archive.tables import CAPTURES, DOCUMENTS
from index import ids
from index.vectors.files import Segment

#: The host of a URL, as the views of `query` have it.
_HOST = r"""nullif(rtrim(lower(
    regexp_extract(url, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^]]*\]|[^/?#:]*)', 1)), '.'), '')"""
#: A text counts by captures that are proof. All of them must be of the host, if one is named.
_TEXTS = f"""
SELECT content_id FROM moments AS captures
WHERE {ACCEPTABLE} AND ($before IS NULL OR captured_at < $before) AND {graded("$grade")}
      AND ($host IS NULL OR {_HOST} = $host)
      AND ($language IS NULL OR content_id IN (
          SELECT content_id FROM stored_documents WHERE language = $language))
GROUP BY content_id HAVING {enough("$grade", "1")}
"""
_MEMORY = "2GB"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a text must have to be found. Nothing: every text that the lake holds is, whatever proves it."""

    before: datetime | None = None  #: an acceptable capture from before
    language: str | None = None
    host: str | None = None  #: such a capture of this host
    grade: str | None = None  #: such a capture of this grade, or better

    def __bool__(self) -> bool:
        return any(value is not None for value in (self.before, self.language, self.host, self.grade))


def filter_of(
    before: str | date | None = None, language: str | None = None, host: str | None = None, grade: str | None = None
) -> Filter:
    """Return a filter.

    Raises:
        ArchiveError: `before` is no date, or there is no such grade.
    """
    for name, value in (("language", language), ("host", host), ("grade", grade)):
        if value is not None and not isinstance(value, str):
            raise ArchiveError(f"{name} is {value!r}, and should be a text")
    moment = None
    if before is not None:
        try:
            moment = datetime.fromisoformat(before.isoformat() if isinstance(before, date) else before)
        except (ValueError, TypeError):
            raise ArchiveError(f"{before!r} is no date; write it as 2022-01-01") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    known = [name for name in GRADES if name != "X"]
    if grade is not None and grade.upper() not in known:
        raise ArchiveError(f"{grade!r} is no grade; there are {', '.join(known)}")
    return Filter(moment, language, host.lower().rstrip(".") if host else None, grade.upper() if grade else None)


def texts(lake: Lake, wanted: Filter) -> ids.Ids:
    """Return the ids of the texts that a filter lets pass, sorted: their upper 128 bits, which is what is compared."""
    found = [np.empty((0, 2), np.uint64)]
    if not wanted:
        for table in lake.read_files(DOCUMENTS.name, sorted(lake.files(DOCUMENTS.name)), ["content_id"]):
            found.append(ids.parse(table["content_id"])[:, :2].copy())
        return _sorted(found)
    asked = {"before": wanted.before, "grade": wanted.grade or DEFAULT, "host": wanted.host,
             "language": wanted.language}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="lowbackground-") as folder:
        db = connect(lake, (CAPTURES, DOCUMENTS), memory_limit=_MEMORY, temp_directory=folder)
        with db:
            for batch in db.sql(_TEXTS, params=asked).to_arrow_reader(1 << 18):
                found.append(ids.parse(batch.column(0))[:, :2].copy())
    return _sorted(found)


def _sorted(found: list[ids.Ids]) -> ids.Ids:
    unordered = np.concatenate(found)
    found.clear()  # of millions of ids there is a copy less
    return unordered[ids.sort(unordered)]


def rows(segments: Sequence[Segment], passing: ids.Ids) -> list[npt.NDArray[np.bool_]]:
    """Return, for each segment, which rows are of texts that pass."""
    if not len(passing):
        return [np.zeros(segment.rows, bool) for segment in segments]
    return [ids.positions(passing, np.asarray(segment.ids)) >= 0 for segment in segments]
