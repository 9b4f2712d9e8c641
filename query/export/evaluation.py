"""Evaluation sets: which texts share an n-gram of words with them.

A text is contaminated by a set if one of its 13-grams of words is in a text of the set too (Brown et al. 2020,
appendix C). Words are those of the near-duplicate procedure: lower case, without marks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from archive.errors import ExportError, SourceError
from archive.extras import missing
from archive.records import READERS, kind_of, open_reader
from archive.records.jsonl import read_lines
from archive.sources import open_bytes

WORDS = 13
_BATCH = 2000
_LINE = 1 << 28


@dataclass(frozen=True, slots=True)
class EvaluationSets:
    """Evaluation sets: their names, and for each a file of its n-grams as sorted 64-bit hashes."""

    names: tuple[str, ...]
    files: tuple[Path, ...]


def hash_sets(paths: Sequence[str], folder: Path) -> EvaluationSets:
    """Write the n-grams of evaluation sets to a folder.

    Raises:
        ExportError: one cannot be read, or has no text of so many words.
    """
    files = [folder / f"evaluation-{number}.npy" for number in range(len(paths))]
    for path, file in zip(paths, files, strict=True):
        if not hash_set(path, file, "--decontaminate"):
            raise ExportError(f"--decontaminate {path}: it has no text of {WORDS} words or more")
    return EvaluationSets(tuple(set_names(paths)), tuple(files))


def set_names(paths: Sequence[str]) -> list[str]:
    """Return the names of files: without their folders, unless two are the same then."""
    names = [os.path.basename(path) for path in paths]
    return list(paths) if len(set(names)) < len(names) else names


def finder(sets: EvaluationSets) -> Callable[[pa.ChunkedArray], pa.Array]:
    """Return a function that gives, for each text, the names of the sets that it shares an n-gram with."""
    if not sets.names:
        return lambda texts: pa.nulls(len(texts), pa.list_(pa.string()))
    import numpy as np

    from index.minhash.kernel import shingle_sets
    from index.minhash.procedure import Parameters

    hashes = [np.load(path, mmap_mode="r") for path in sets.files]
    if not all(map(len, hashes)):
        raise ValueError("a set has no n-grams")

    def find(texts: pa.ChunkedArray) -> pa.Array:
        shingles, starts = shingle_sets(texts.combine_chunks(), Parameters(words=WORDS))
        hits: list[list[str]] = [[] for _ in range(len(texts))]
        for name, known in zip(sets.names, hashes, strict=True):
            at = np.minimum(np.searchsorted(known, shingles), len(known) - 1)
            matches = np.flatnonzero(known[at] == shingles)
            for text in np.unique(np.searchsorted(starts, matches, side="right") - 1).tolist():
                hits[text].append(name)
        return pa.array(hits, pa.list_(pa.string()))

    return find


def hash_set(path: str, to: Path, option: str) -> int:
    """Write the n-grams of all texts of an evaluation set; return how many there are.

    Args:
        option: that names the file, for errors.

    Raises:
        ExportError: it cannot be read.
    """
    try:
        import numpy as np

        from index.minhash.kernel import shingle_sets
        from index.minhash.procedure import Parameters
        from index.passages.kernel import words_of
    except ModuleNotFoundError as error:
        raise missing(option, "index", error.name) from None
    parts = []
    texts = (text for _, text in strings(path, option))
    while batch := list(islice(texts, _BATCH)):
        shingles, starts = shingle_sets(pa.array(batch, pa.large_string()), Parameters(words=WORDS))
        # a text of fewer words is one shingle, which only the same text has; white space does not tell, as some scripts
        # have none
        long = np.diff(starts) > 1
        for at in np.flatnonzero(np.diff(starts) == 1):
            long[at] = len(words_of(np.frombuffer(batch[at].encode(), np.uint8))) >= WORDS
        parts.append(np.unique(shingles[np.repeat(long, np.diff(starts))]))
    hashes = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
    np.save(to, hashes)
    return len(hashes)


def strings(
    path: str, option: str, parts: Callable[[str], Iterator[tuple[int, str]]] | None = None
) -> Iterator[tuple[int, str]]:
    """Yield every string of a data set, with the number of its row from 1; of any other file the text, as row 1.

    Args:
        option: that names the file, for errors.
        parts: divides the text of a file that is no data set, and numbers the parts.

    Raises:
        ExportError: it cannot be read.
    """
    try:
        with open_bytes(path) as file:
            kind = kind_of(file, path)
            if kind in READERS and (reader := open_reader(kind)).has_columns:
                for number, row in enumerate(reader.values(file), 1):
                    yield from ((number, text) for text in _strings(row))
            else:
                content = b"".join(_lines_of(file))
                if b"\0" in content:  # an archive, a pickle: its bytes would be like no text, and all texts clean
                    raise ExportError(f"{option} {path}: is neither text nor a data set that can be read")
                text = content.decode("utf-8", "replace")
                yield from [(1, text)] if parts is None else parts(text)
    except (SourceError, OSError, ValueError) as error:
        raise ExportError(f"{option} {path}: {error}") from None


def _lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, which is plain or compressed.

    Raises:
        SourceError: it is damaged or cut off.
    """
    for line in read_lines(file, _LINE, blank=True):
        if line.problem:
            raise SourceError(f"{line.problem} {line.detail}")
        yield line.data


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
