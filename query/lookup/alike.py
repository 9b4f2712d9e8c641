"""Compares a text with all vectors of a lake, one after the other."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from archive.errors import LakeError
from archive.extras import require
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.embeddings.encode import encode
from index.embeddings.encoder import DTYPES, PACKAGED, Encoder, open_encoder
from index.embeddings.model import Model, threads
from index.embeddings.table import EMBEDDINGS, encoders
from index.embeddings.tokens import Tokens
from index.proven import Proven

#: Vectors that are compared together.
_BLOCK = 1 << 14

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hit:
    """A text whose vector is near."""

    number: int  #: of its proof
    cosine: float  #: of the nearest windows
    start: int  #: where that window begins, in characters of the text
    end: int


class AlikeTexts:
    """The vectors of one encoder, and the encoder.

    Memory: 2 bytes for each number of each vector, and 32 bytes a vector.

    Args:
        encoder: a folder, a name, or an `Encoder` with options of its own.

    Raises:
        LakeError: the lake has no vectors of this encoder.
        ArchiveError: there is no such encoder here, or a package is missing.
    """

    def __init__(self, lake: Lake, proven: Proven, encoder: Encoder | str | os.PathLike[str] | None = None) -> None:
        present = encoders(lake)
        if not present:
            raise LakeError(f"{lake.location}: has no vectors; `archive embed --lake {lake.location}` computes them")
        require("looking for texts that are alike", "embed", "torch", "transformers")
        chosen = encoder if isinstance(encoder, Encoder) else open_encoder(PACKAGED if encoder is None else encoder)
        matching = [each for each in (replace(chosen, dtype=dtype) for dtype in DTYPES)
                    if any(each.fingerprint == name.rpartition("-")[2] for name in present)]  # fmt: skip
        if not matching:
            raise LakeError(f"{lake.location}: has vectors of {', '.join(present)}, not of {chosen.name} with these "
                            "options; name another --encoder")  # fmt: skip
        chosen = matching[0]
        name = next(name for name in present if name.rpartition("-")[2] == chosen.fingerprint)
        self._tokens, self._model = Tokens(chosen), Model(chosen, "cpu")
        self._lock = threading.Lock()  # how many threads PyTorch has is a setting of the process
        files = sorted(path for path in lake.files(EMBEDDINGS.name) if path.startswith(f"encoder={name}/"))
        numbers, at, spans, vectors, texts = [], [], [], [], 0
        for table in lake.read_files(EMBEDDINGS.name, files, ["content_id", "part", "start", "end", "vector"]):
            found = proven.find(ids.parse(table["content_id"]))
            texts += int((table["part"].to_numpy() == 0).sum())
            keep = np.flatnonzero(found >= 0)
            column = table["vector"].combine_chunks()
            rows = np.asarray(column.flatten()).reshape(len(column), -1)
            numbers.append(found[keep])
            at.append(proven.at[found[keep]])
            spans.append(np.stack([table["start"].to_numpy(), table["end"].to_numpy()], axis=1)[keep])
            vectors.append(_unit(rows[keep]).astype(np.float16))
        width = chosen.dimensions
        self._numbers = np.concatenate([np.empty(0, np.int64), *numbers])
        self._at = np.concatenate([np.empty(0, np.int64), *at])
        self._spans = np.concatenate([np.empty((0, 2), np.int32), *spans])
        self._vectors = np.concatenate([np.empty((0, width), np.float16), *vectors])
        self.missing = max(lake.rows(DOCUMENTS.name) - texts, 0)  #: texts that have no vector

    def vectors(self, text: str) -> Matrix:
        """Return the vectors of the windows of a text: (windows, dimensions), of length 1."""
        # a text has a few windows, of which several threads would mostly wait for each other
        with self._lock, threads(1):
            parts = [vectors for _, vectors in encode([text], self._tokens, self._model)]
        return _unit(np.concatenate(parts))

    def search(self, vectors: Matrix, k: int, limit: int, least: float) -> list[Hit]:
        """Return the texts whose windows are nearest to any of some vectors, the nearest first.

        Args:
            vectors: (windows, dimensions).
            k: most texts.
            limit: microseconds since 1970: only texts that were first seen before.
            least: the least cosine.
        """
        if not len(vectors):
            return []
        best = np.empty(len(self._vectors), np.float32)
        for first in range(0, len(best), _BLOCK):
            block = self._vectors[first : first + _BLOCK].astype(np.float32)
            best[first : first + _BLOCK] = (block @ vectors.T).max(axis=1)
        best[self._at >= limit] = -2.0
        order = np.argsort(-best, kind="stable")
        hits: dict[int, Hit] = {}
        for row in order.tolist():
            if best[row] < least or len(hits) == k:
                break
            number = int(self._numbers[row])
            if number not in hits:
                start, end = self._spans[row].tolist()
                hits[number] = Hit(number, round(float(best[row]), 4), start, end)
        return list(hits.values())


def _unit(vectors: npt.NDArray[np.float32]) -> Matrix:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Matrix = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
