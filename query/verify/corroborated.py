"""Check the rows of grade B, which rest on other archives, against a lake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads

import query.sql
from archive.files import sql_literal
from archive.lake import Lake


def corroborated(lake: Lake, cited: Sequence[Path], before: str, date_sources: Sequence[str] = ()) -> pa.Table:
    """Return the texts of cited rows of grade B that have this grade in a lake: `content_id`, each once.

    Args:
        cited: files of citations.
        before: the moment before which the archives must have captured them.
        date_sources: the kinds of dates that count; all where there are none.

    Raises:
        LakeError: there is no lake.
    """
    files = [str(path) for path in cited]
    stated = pads.dataset(files).to_table(["content_id"], filter=pads.field("grade") == "B")
    texts = pa.table({"content_id": stated["content_id"].unique().drop_null()})
    if not len(texts):
        return texts
    kinds = f", date_sources := [{', '.join(map(sql_literal, date_sources))}]" if date_sources else ""
    with query.sql.connect(lake) as db:
        db.register("stated", texts)
        return db.sql(f"""
            SELECT content_id FROM clean({sql_literal(before)}, grade := 'B'{kinds}) SEMI JOIN stated USING (content_id)
        """).to_arrow_table()
