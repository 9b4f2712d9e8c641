"""Vectors of made texts, in the table `embeddings` of a lake, as if an encoder had computed them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index.embeddings.table import EMBEDDINGS

ENCODER = "made-fp32-0123456789abcdef"
Matrix = npt.NDArray[np.float32]


def groups(count: int, dimensions: int = 16, seed: int = 0, around: int = 40) -> Matrix:
    """Vectors of length 1 in groups, as those of texts are: of about 40 centres, rounded to 16 bits."""
    dice = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((around, dimensions))
    vectors = centres[dice.integers(around, size=count)] + 0.6 * dice.standard_normal((count, dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rounded: Matrix = vectors.astype(np.float16).astype(np.float32)
    return rounded


def names(count: int, seed: int = 0) -> list[str]:
    """Content ids, of no text in particular."""
    return [hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(count)]


def add(lake: Lake, content_ids: Sequence[str], vectors: Matrix, parts: Sequence[int] | None = None) -> str:
    """Add one file of embeddings, and the texts that the lake does not have; return the file's path in the table."""
    lake.create()
    missing = sorted(set(content_ids) - set(lake.read(DOCUMENTS.name, ["content_id"])["content_id"].to_pylist()))
    if missing:
        texts = pa.Table.from_pylist([{"content_id": name, "text": name} for name in missing], DOCUMENTS.file_schema)
        document = write_parquet(lake, DOCUMENTS, texts, "documents")
        assert lake.commit_to(lake.delta(DOCUMENTS.name), DOCUMENTS, [document], [str(random.random())])
    lake.create([EMBEDDINGS])
    parts = list(parts or [0] * len(vectors))
    table = pa.table(
        {
            "content_id": list(content_ids),
            "part": parts,
            "start": [1000 * part for part in parts],
            "end": [1000 * part + 900 for part in parts],
            "tokens": [200] * len(parts),
            "vector": list(vectors),
        }
    ).cast(EMBEDDINGS.file_schema)
    file = write_parquet(lake, EMBEDDINGS, table, "embeddings", {"encoder": ENCODER}, row_group_size=512)
    assert lake.commit_to(lake.delta(EMBEDDINGS.name), EMBEDDINGS, [file], [str(random.random())])
    return file.path


def nearest(vectors: Matrix, question: Matrix, k: int) -> list[int]:
    """The rows of the k nearest, by plain numpy in float64."""
    rows = vectors.astype(np.float64)
    cosines = rows @ question.astype(np.float64) / np.linalg.norm(rows, axis=1) / np.linalg.norm(question)
    return [int(row) for row in np.argsort(-cosines, kind="stable")[:k]]
