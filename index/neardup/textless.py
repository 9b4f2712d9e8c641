"""A lake without texts: what it takes to certify a data set, in under 500 bytes a text.

It is a lake like any other, with one capture for each text, its first acceptable one, and the index; only
`documents` is empty. So every command works on it, and near-duplicates are verified by their signatures.
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
from archive.files import parquet_options, write_parquet
from archive.lake import Lake
from archive.tables import CAPTURES
from index import ids, tables
from index.neardup import bands, signatures, texts
from index.neardup.texts import NEVER, Texts, as_matrix
from index.tables import SIGNATURES

#: Rows of captures, or of signatures, written as one file at most.
_ROWS = 1 << 20

_WITNESSES = """
SELECT p.content_id, p.first.url AS url, p.first_seen AS captured_at, p.first.source AS date_source,
       p.first.file AS file, p.first."offset" AS "offset", p.first.length AS length, p.first.skip AS skip,
       p.first.digest AS payload_digest, strftime(p.first_seen, '%Y-%m') AS month
FROM proofs AS p ORDER BY month, file, "offset", skip
"""


def export(lake: Lake, out: Lake) -> int:
    """Add the first acceptable capture and the signature of every indexed text of a lake to another lake.

    What is there with an equal or earlier date is left as it is, so that it may be done again, and several
    lakes may go into one.

    Returns:
        how many texts are new there, or have an earlier date than they had.

    Raises:
        LakeError: the lake has no index, or the other one is the same or was indexed with other parameters.
    """
    parameters = tables.parameters_of(lake)
    prepare(lake, out)
    tables.create(out, parameters)
    source, there = texts.load(lake), texts.load(out)
    places = there.find(source.ids)
    wanted = source.live & (source.first_seen < NEVER)
    unsigned = wanted & (places < 0)
    known = np.where(places >= 0, there.first_seen[places], NEVER) if len(there) else np.full(len(source), NEVER)
    earlier = wanted & (source.first_seen < known)
    _signatures(lake, out, source, unsigned, parameters.hashes)
    _captures(lake, out, source.ids[earlier])
    bands.build(out, parameters, open_engine(1))
    return int(earlier.sum())


def prepare(lake: Lake, out: Lake) -> None:
    """Make the other lake, if it is not there.

    Raises:
        LakeError: it is the same, or its folder holds something else.
    """
    if out.location == lake.location:
        raise LakeError(f"{out.location}: a lake cannot be exported into itself; name another folder")
    out.create()


def _signatures(lake: Lake, out: Lake, source: Texts, wanted: npt.NDArray[np.bool_], hashes: int) -> None:
    for number, segment in enumerate(source.segments):
        rows = np.flatnonzero(wanted[source.starts[number] : source.starts[number + 1]])
        for at in range(0, len(rows), _ROWS):
            (table,) = lake.read_files(SIGNATURES.name, [segment], SIGNATURES.schema.names)
            table = table.take(pa.array(rows[at : at + _ROWS]))
            counts = table["shingles"].to_numpy().astype(np.int32)
            table = signatures.table_of(table["content_id"], counts, as_matrix(table["signature"], hashes))
            out.commit(SIGNATURES, [write_parquet(out, SIGNATURES, table, "signatures", **signatures.OPTIONS)], [])


def _captures(lake: Lake, out: Lake, wanted: ids.Ids) -> None:
    ordered = wanted[ids.sort(wanted)]
    options: dict[str, Any] = {
        **parquet_options(CAPTURES),
        "column_encoding": {"content_id": "PLAIN", "offset": "DELTA_BINARY_PACKED"},
    }
    with proofs.connect(lake) as db:
        for batch in db.sql(_WITNESSES).to_arrow_reader(_ROWS):
            table = pa.Table.from_batches([batch])
            table = table.filter(pa.array(ids.places(ordered, ids.parse(table["content_id"])) >= 0))
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
