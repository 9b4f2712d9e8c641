"""datatrove and nanotron: `.ds` token files, one document a row, with the evidence in a Parquet file next to them.

The bytes are those of `TokenizedFile` in datatrove/pipeline/tokens/tokenizer.py (datatrove 0.10.1), which brings a
pipeline with it: the ids, `.index` with the end of each document among them, `.metadata` with the tokenizer, the width
of an id and how many there are. `datatrove.utils.dataset.DatatroveFileDataset` reads a shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, log10
from pathlib import Path

import numpy as np
import pyarrow as pa

from query.formats.format import Written
from query.formats.row_json import not_empty, reading
from query.formats.tokens import TOKENIZER, ids_of, join, mapped, stated, vocab_size, write_evidence

#: As `PipelineStepWithTokenizer.token_size` has it, and nanotron, which does not look into the metadata.
_NARROW = 1 << 16


class Ds:
    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        not_empty(rows, "ds")
        vocabulary = vocab_size(rows)
        dtype = np.dtype("<u2" if vocabulary is not None and vocabulary <= _NARROW else "<u4")
        name = f"{stem}.ds"
        parts = []
        with open(folder / name, "wb") as out:
            for lengths, ids in ids_of(rows, dtype):
                parts.append(lengths)
                out.write(ids.data)
        ends = np.cumsum(np.concatenate(parts), dtype="<u8")
        (folder / f"{name}.index").write_bytes(ends.data)
        tokenizer = stated(rows, TOKENIZER) or f"Unknown Tokenizer|{dtype.itemsize}"
        total = int(ends[-1])
        (folder / f"{name}.metadata").write_text(f"{tokenizer}|{dtype.itemsize}\n{total}\n{_metric(total)}")
        evidence = write_evidence(rows, folder, stem)
        return Written((name, f"{name}.index", f"{name}.metadata", evidence), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        ids_file, index_file, metadata_file, evidence = files
        with reading(folder / metadata_file):
            first, count, _ = (folder / metadata_file).read_text().rsplit("\n", 2)
            dtype = np.dtype({"2": "<u2", "4": "<u4"}[first.rpartition("|")[2]])
            total = int(count)
        with reading(folder / index_file):
            ends = np.frombuffer((folder / index_file).read_bytes(), "<u8").astype(np.int64)
        with reading(folder / ids_file):
            ids = mapped(folder / ids_file, dtype, total)
        yield from join(folder, evidence, ids, ends)

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        return []


def _metric(count: int) -> str:
    """Return a number with three digits and a prefix: `humanize.metric(count, unit="T")`, which TokenizedFile calls.

    >>> _metric(0), _metric(7), _metric(1234), _metric(9999), _metric(999_999), _metric(45_600_000)
    ('0.00 T', '7.00 T', '1.23 kT', '10.0 kT', '1.00 MT', '45.6 MT')
    """
    exponent = floor(log10(count)) if count else 0
    if round(count / 10**exponent, 2) >= 10:
        exponent += 1
    group = exponent // 3
    return f"{count / 1000**group:.{2 - exponent % 3}f} {'kMGTPEZYRQ'[group - 1] if group else ''}T"


FORMAT = Ds()
