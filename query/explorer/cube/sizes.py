"""How many bytes the characters of a language take, from some texts of a lake."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.lake import Lake

#: Row groups of `documents` that are read, and texts of each.
_GROUPS, _TEXTS = 8, 2_000


def bytes_by_language(lake: Lake) -> dict[str, float]:
    """Return bytes of UTF-8 by characters, for each language of the texts that are read, and for all of them as "".

    Reads the texts of a few row groups, spread evenly over the files.
    """
    files = sorted(lake.files("documents"))
    size: Counter[str] = Counter()
    chars: Counter[str] = Counter()
    for file in files[:: max(len(files) // _GROUPS, 1)][:_GROUPS]:
        opened = pq.ParquetFile(f"{lake.table_path('documents')}/{file}", filesystem=lake.filesystem)
        with opened:
            if not opened.num_row_groups:
                continue
            rows = opened.read_row_group(opened.num_row_groups // 2, columns=["language", "text", "chars"])
        rows = rows.slice(0, _TEXTS).filter(pc.is_valid(pc.field("text")))
        counted = pa.table({"language": pc.fill_null(rows["language"].cast(pa.string()), ""),
                            "bytes": pc.binary_length(rows["text"]), "chars": rows["chars"]})  # fmt: skip
        for row in counted.group_by("language").aggregate([("bytes", "sum"), ("chars", "sum")]).to_pylist():
            size[row["language"]] += row["bytes_sum"]
            chars[row["language"]] += row["chars_sum"]
    by_language = {language: size[language] / count for language, count in chars.items() if language and count}
    return {**by_language, "": size.total() / chars.total() if chars.total() else 1.0}
