"""A lake without texts: enough to certify a data set, in under 500 bytes a text.

It has one capture for each text, its first acceptable one, and the index; only `documents` is empty. So every command
works on it. Near-duplicates are verified by their signatures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive import proofs
from archive.engine import open_engine
from archive.errors import LakeError
from archive.evidence.grade import DEFAULT
from archive.files import parquet_options, write_parquet
from archive.lake import Lake
from archive.proofs import ACCEPTABLE, graded
from archive.tables import CAPTURES
from index import ids, tables
from index.neardup import texts
from index.neardup.bands import write_bands
from index.neardup.signatures import PARQUET_OPTIONS, signature_rows
from index.neardup.texts import NEVER, Texts, as_matrix
from index.tables import SIGNATURES

#: Most rows of captures, or of signatures, in one file.
_ROWS = 1 << 20

#: The first acceptable capture of each text, with what its grade rests on: without `grade` and `operator` it would be
#: graded by its other columns, which support less.
_WITNESSES = f"""
SELECT * EXCLUDE ("at"), "at" AS captured_at, strftime("at", '%Y-%m') AS month
FROM (
    SELECT unnest(min({{'at': captured_at, 'file': file, 'offset': "offset", 'skip': skip, 'content_id': content_id,
                'url': url, 'date_source': date_source, 'length': length, 'payload_digest': payload_digest,
                'integrity': integrity, 'operator': operator, 'crawl': crawl, 'existed_by': existed_by,
                'attested_by': attested_by, 'grade': captures.grade}}))
    FROM moments AS captures WHERE {ACCEPTABLE} AND {graded(f"'{DEFAULT}'")}
    GROUP BY content_id
)
ORDER BY month, file, "offset", skip
"""


def export(lake: Lake, out: Lake) -> int:
    """Add the first acceptable capture and the signature of every indexed text of a lake to another lake.

    A text that the other lake has with an equal or earlier date stays as it is. So an export can be repeated, and
    several lakes can be exported into one.

    Returns:
        how many texts are new in the other lake, or have an earlier date than they had.

    Raises:
        LakeError: the lake has no index, or the other one is the same or was indexed with other parameters.
    """
    parameters = tables.parameters_of(lake)
    prepare(lake, out)
    tables.create(out, parameters)
    source, target = texts.load(lake), texts.load(out)
    rows = target.find(source.ids)
    wanted = source.live & (source.first_seen < NEVER)
    unsigned = wanted & (rows < 0)
    known = np.where(rows >= 0, target.first_seen[rows], NEVER) if len(target) else np.full(len(source), NEVER)
    earlier = wanted & (source.first_seen < known)
    _write_signatures(lake, out, source, unsigned, parameters.hashes)
    _write_captures(lake, out, source.ids[earlier])
    write_bands(out, parameters, open_engine(1), compact=True)
    return int(earlier.sum())


def prepare(lake: Lake, out: Lake) -> None:
    """Create the other lake if it is missing.

    Raises:
        LakeError: it is the same lake, or its folder holds something else.
    """
    if out.location == lake.location:
        raise LakeError(f"{out.location}: a lake cannot be exported into itself; name another folder")
    out.create()


def _write_signatures(lake: Lake, out: Lake, source: Texts, wanted: npt.NDArray[np.bool_], hashes: int) -> None:
    for number, segment in enumerate(source.segments):
        rows = np.flatnonzero(wanted[source.starts[number] : source.starts[number + 1]])
        for first in range(0, len(rows), _ROWS):
            (table,) = lake.read_files(SIGNATURES.name, [segment], SIGNATURES.schema.names)
            table = table.take(pa.array(rows[first : first + _ROWS]))
            counts = table["shingles"].to_numpy().astype(np.int32)
            table = signature_rows(table["content_id"], counts, as_matrix(table["signature"], hashes))
            out.commit(SIGNATURES, [write_parquet(out, SIGNATURES, table, "signatures", **PARQUET_OPTIONS)], [])


def _write_captures(lake: Lake, out: Lake, wanted: ids.Ids) -> None:
    ordered = wanted[ids.sort(wanted)]
    options: dict[str, Any] = {
        **parquet_options(CAPTURES),
        "column_encoding": {"content_id": "PLAIN", "offset": "DELTA_BINARY_PACKED"},
    }
    with proofs.connect(lake) as db:
        for batch in db.sql(_WITNESSES).to_arrow_reader(_ROWS):
            table = pa.Table.from_batches([batch])
            table = table.filter(pa.array(ids.positions(ordered, ids.parse(table["content_id"])) >= 0))
            files = []
            for month in pc.unique(table["month"]).to_pylist():
                rows = table.filter(pc.equal(table["month"], month))
                absent = {
                    name: pa.nulls(rows.num_rows, CAPTURES.file_schema.field(name).type)
                    for name in CAPTURES.file_schema.names
                    if name not in rows.schema.names
                }
                full = pa.table({**{name: rows[name] for name in rows.schema.names}, **absent})
                full = full.select(CAPTURES.file_schema.names)
                files.append(write_parquet(out, CAPTURES, full, "witnesses", {"month": month}, **options))
            if files:
                out.commit(CAPTURES, files, [])
