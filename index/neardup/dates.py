"""Since when the texts of an index are known, as the captures show it now: read anew, or from new captures alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from deltalake import DeltaTable

from archive import bounds, proofs, storage, versions
from archive.evidence.grade import DEFAULT, GRADES
from archive.lake import Lake
from archive.tables import CAPTURES
from index import ids
from index.minhash.kernel import compiled, utf8
from index.neardup.kept import release
from index.neardup.numbered import Numbered
from index.neardup.parts import Entries, Parts, parts_of
from index.neardup.texts import NEVER, date, moments_of, within

Hashes = npt.NDArray[np.uint64]

_REVISITS = """
SELECT payload_digest FROM stored_captures WHERE record_type = 'revisit' AND payload_digest IS NOT NULL
"""
_DIGESTS = """
SELECT unnest([payload_digest, transfer_digest]) AS digest FROM stored_captures WHERE content_id IS NOT NULL
"""


class _Part(Lake):
    """A lake of which only some files of captures are seen."""

    def __init__(self, lake: Lake, files: Iterable[str]) -> None:
        super().__init__(lake.location)
        self._lake, self._files = lake, set(files)

    def delta(self, table: str) -> DeltaTable:
        return self._lake.delta(table)

    def has(self, table: Any) -> bool:
        return self._lake.has(table)

    def files_of(self, delta: DeltaTable) -> list[str]:  # type: ignore[override]
        files = super().files_of(delta)
        is_captures = delta.table_uri.rstrip("/").rpartition("/")[2] == CAPTURES.name
        return [file for file in files if file in self._files] if is_captures else files


def rest_of(lake: Lake) -> str:
    """Return a hash of all that decides on dates but the captures themselves.

    These are the bounds and retractions of files, and the columns that captures have.
    """
    of_units = bounds.of_units(lake)
    of = {
        "grade": DEFAULT,
        "retracted": sorted(proofs.retracted_units(lake)),
        "bounded": of_units.stored,
        "bounds": sorted(str(bound) for bound in (*of_units.attested, *of_units.published)),
        "columns": versions.columns(lake.delta(CAPTURES.name)),
    }
    return hashlib.sha256(json.dumps(of, default=str).encode()).hexdigest()


def read_all(lake: Lake, texts: Numbered, memory: int, scratch: str) -> tuple[Hashes, Hashes]:
    """Set the dates and captures of all texts. One pass over all captures.

    Args:
        memory: bytes that DuckDB may use before it writes to the scratch folder.

    Returns:
        the first words of the ids of captured texts that have no signature, and the digests of all revisits, hashed;
        both sorted.
    """
    texts.first_seen[:] = NEVER
    texts.captured[:] = False
    known = parts_of(texts.ids, scratch)
    seen = Parts(scratch, len(known))
    with proofs.connect(lake, (CAPTURES,), **within(memory, f"{scratch}/dates")) as db:
        for found, moments in moments_of(db):
            seen.add(found, moments)
        revisits = [np.unique(_hashes(batch.column(0))) for batch in db.sql(_REVISITS).to_arrow_reader(1 << 18)]
    seen.close()
    strangers = [_joined(texts, known.take(part), seen.pieces(part)) for part in range(len(known))]
    return _sorted(strangers), _sorted(revisits)


def _joined(texts: Numbered, known: Entries, captures: Iterable[Entries]) -> Hashes:
    """Date the texts of a range of ids; return the first words of those that are no texts.

    Args:
        known: ids and numbers of the texts; of two with the same id the first one counts.
        captures: ids and moments.
    """
    order, strangers = ids.sort(known), []
    for some in captures:
        rows = ids.located(known, order, some)
        has = rows >= 0
        strangers.append(np.unique(some[~has, 0]))
        date(texts.first_seen, texts.captured, known[rows[has], 2].view(np.int64), some[has, 2].copy().view(np.int64))
    return _sorted(strangers)


def _sorted(parts: list[Hashes]) -> Hashes:
    return np.unique(np.concatenate([np.empty(0, np.uint64), *parts]))


def read_new(
    lake: Lake, texts: Numbered, files: list[str], revisits: Hashes, memory: int, scratch: str
) -> Hashes | None:
    """Set the dates and captures of the texts of new captures: a text is as old as the earliest of its captures.

    That is so where the captures of different files do not decide on each other: there is no revisit among the new
    ones, and no earlier revisit has the digest of one of them. Lines of other indexes only raise a grade, from C or D
    to B; either grade counts.

    Args:
        files: of captures, that nobody has read yet; all others are those that were read before.
        revisits: as `read_all` returned them.
        memory: bytes that DuckDB may use before it writes to the scratch folder.

    Returns:
        the first words of the ids of texts that have no signature; None, with nothing changed, where that is not so.
    """
    if storage.is_s3(lake.location) or not _any_grade_but_those():
        return None
    strangers = []
    with proofs.connect(_Part(lake, files), (CAPTURES,), **within(memory, f"{scratch}/dates")) as db:
        if db.execute("SELECT count(*) FROM stored_captures WHERE record_type = 'revisit'").fetchall() != [(0,)]:
            return None
        if len(revisits):
            for batch in db.sql(_DIGESTS).to_arrow_reader(1 << 18):
                if np.isin(_hashes(batch.column(0).drop_null()), revisits).any():
                    return None
        for content_ids, moments in moments_of(db):
            numbers = texts.find(content_ids)
            has = numbers >= 0
            strangers.append(np.unique(content_ids[~has, 0]))
            date(texts.first_seen, texts.captured, numbers[has], moments[has])
            release(texts.ids, texts.order)
    return _sorted(strangers)


def _any_grade_but_those() -> bool:
    """Return whether all grades count that lines of other indexes may change: C, D and B."""
    return all(grade <= DEFAULT for grade in ("B", "C", "D")) and set(GRADES) >= {"B", "C", "D"}


@compiled
def _hash(data, offsets, out):  # type: ignore[no-untyped-def]
    """Hash texts to 64 bits. Method: FNV-1a (Fowler, Noll, Vo)."""
    for text in range(out.size):
        value = np.uint64(0xCBF29CE484222325)
        for at in range(offsets[text], offsets[text + 1]):
            value = (value ^ np.uint64(data[at])) * np.uint64(0x100000001B3)
        out[text] = value


def _hashes(texts: pa.Array) -> Hashes:
    out = np.empty(len(texts), np.uint64)
    _hash(*utf8(texts), out)
    return out
