"""Counts the words of the drawn texts, in several processes, and puts what they counted together.

A worker reads a file of the lake or the set, counts the words of the texts that were drawn, and writes that to scratch.
The corpus depends on the texts alone: it has them in the order of their content ids, and words in that of the alphabet,
in whatever files they are and whichever worker ends first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from archive.engine import Context, Engine, succeed
from archive.progress import Reporter
from collapse.share.corpus import Corpus, Text, Vocabulary, count_words
from collapse.share.counting.candidates import Part
from collapse.share.counting.choose import DRAWN
from collapse.share.counting.draw import MOST_WORDS
from collapse.share.phrases import PHRASES

#: A text, a word and how often it is there are one number: 26 bits for the text, 22 for the word, 16 for the count.
_WORD, _COUNT = 22, 16
#: Different words that are kept; of more, those that the most texts have.
MOST_DIFFERENT = (1 << _WORD) - 1
#: Characters of a text that are looked at, for each word that is counted: a text without spaces is cut.
_LONGEST = 100 * MOST_WORDS
_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class Task:
    """A file to be counted."""

    number: int
    part: Part

    @property
    def name(self) -> str:
        return self.part.name


def count(parts: Sequence[Part], engine: Engine, scratch: str, reporter: Reporter) -> tuple[Corpus, pa.Table]:
    """Count the words of the drawn texts; return these too.

    Args:
        scratch: has the table of the drawn texts.

    Raises:
        ArchiveError: a file cannot be read.
    """
    drawn = pq.read_table(f"{scratch}/{DRAWN}")
    reporter.stage("count words", drawn.num_rows)
    tasks = [Task(number, part) for number, part in enumerate(parts)]
    ends = engine.run(work, tasks, progress=reporter.advance, scratch=scratch)
    counted = sorted(task.number for task, texts in succeed(ends) if texts)
    reporter.stage("put together", None)
    return _merged([_Piece(f"{scratch}/{number}") for number in counted], drawn), drawn


def work(task: Task, ctx: Context) -> int:
    """Count the words of the drawn texts of a file, and write them to scratch; return how many these are."""
    drawn = pq.read_table(ctx.read(DRAWN), columns=["content_id"])["content_id"].combine_chunks()
    rows: list[NDArray[np.int64]] = []

    def texts() -> Iterator[Text]:
        for table in task.part.read():
            found = pc.index_in(table["content_id"].cast(drawn.type), value_set=drawn).combine_chunks()
            chosen = found.is_valid()
            rows.append(found.drop_null().to_numpy().astype(np.int64))
            ctx.progress(len(rows[-1]), 0)
            for batch in table["text"].filter(chosen).chunks:
                for text in pc.utf8_slice_codeunits(batch, 0, _LONGEST):
                    yield Text(text.as_py(), 0, "", "")

    vocabulary = Vocabulary()
    corpus = count_words(texts(), vocabulary, MOST_WORDS)
    if len(corpus):
        _write(corpus, np.concatenate(rows), ctx.write(f"{task.number}.npz"), ctx.write(f"{task.number}.parquet"))
    return len(corpus)


def _write(corpus: Corpus, rows: NDArray[np.int64], numbers: str, words: str) -> None:
    texts_of = np.bincount(corpus.words, minlength=len(corpus.vocabulary))
    np.savez(
        numbers, rows=rows, lengths=corpus.lengths, sizes=np.diff(corpus.offsets), words=corpus.words,
        counts=corpus.counts, phrases=corpus.phrases,
    )  # fmt: skip
    pq.write_table(pa.table({"word": list(corpus.vocabulary.positions), "texts": texts_of}), words, compression="lz4")


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a worker counted: as a corpus, with the row of each text among the drawn ones. It is read when asked."""

    path: str

    def read(self, name: str) -> NDArray[Any]:
        with np.load(f"{self.path}.npz") as held:
            found: NDArray[Any] = held[name]
            return found

    def vocabulary(self, *columns: str) -> pa.Table:
        return pq.read_table(f"{self.path}.parquet", columns=list(columns))


def _merged(pieces: Sequence[_Piece], drawn: pa.Table) -> Corpus:
    words = _words(pieces)
    keys = _keys(pieces, words)
    offsets = np.searchsorted(keys, np.arange(drawn.num_rows + 1, dtype=np.uint64) << np.uint64(_WORD + _COUNT))
    lengths, phrases = np.zeros(drawn.num_rows, np.int32), np.zeros((drawn.num_rows, len(PHRASES)), np.int16)
    for piece in pieces:
        rows = piece.read("rows")
        lengths[rows], phrases[rows] = piece.read("lengths"), piece.read("phrases")
    strata, names = _numbered(drawn["stratum"])
    hosts, host_names = _numbered(drawn["host"])
    word, often = _unpacked(keys)
    return Corpus(
        months=drawn["month"].to_numpy().astype(np.int32),
        strata=strata,
        hosts=hosts,
        lengths=lengths,
        offsets=offsets.astype(np.int64),
        words=word,
        counts=often,
        phrases=phrases,
        stratum_names=tuple(names),
        vocabulary=Vocabulary(_positions(words.to_pylist()), _positions(host_names)),
    )


def _words(pieces: Sequence[_Piece]) -> pa.Array:
    """Return the words of all pieces in the order of the alphabet."""
    nothing = pa.table({"word": pa.array([], pa.string()), "texts": pa.array([], pa.int64())})
    every = pa.concat_tables([nothing, *(piece.vocabulary("word", "texts") for piece in pieces)])
    counted = every.group_by("word").aggregate([("texts", "sum")])
    if counted.num_rows > MOST_DIFFERENT:
        counted = counted.sort_by([("texts_sum", "descending"), ("word", "ascending")]).slice(0, MOST_DIFFERENT)
    return counted["word"].combine_chunks().sort()


def _keys(pieces: Sequence[_Piece], words: pa.Array) -> NDArray[np.uint64]:
    """Return text, word and count as one number each, sorted: the most memory that is needed, so it is there once."""
    keys = np.empty(sum(int(piece.read("sizes").sum()) for piece in pieces), np.uint64)
    at = 0
    done = np.zeros(0, np.int64)
    for piece in pieces:
        global_ = pc.index_in(piece.vocabulary("word")["word"], value_set=words).combine_chunks()
        word = global_.fill_null(MOST_DIFFERENT).to_numpy().astype(np.uint64)[piece.read("words")]
        word <<= np.uint64(_COUNT)
        word |= piece.read("counts").astype(np.uint64)
        rows, sizes = piece.read("rows"), piece.read("sizes")
        word |= np.repeat(rows.astype(np.uint64) << np.uint64(_WORD + _COUNT), sizes)
        again = np.isin(rows, done)  # texts that another file has too
        kept = np.repeat(~again, sizes) & (word >> np.uint64(_COUNT) & np.uint64(MOST_DIFFERENT) != MOST_DIFFERENT)
        if not kept.all():
            word = word[kept]
        keys[at : at + len(word)] = word
        at += len(word)
        done = np.concatenate([done, rows])
    keys = keys[:at]
    keys.sort()
    return keys


def _unpacked(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the words and the counts of numbers, a part at a time."""
    words, counts = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
    for start in range(0, len(keys), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        words[some] = (keys[some] >> np.uint64(_COUNT)) & np.uint64(MOST_DIFFERENT)
        counts[some] = keys[some] & np.uint64((1 << _COUNT) - 1)
    return words, counts


def _positions(names: list[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}


def _numbered(names: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Return names as numbers in the order of the alphabet, and the names."""
    different = pc.unique(names).sort()
    return pc.index_in(names, value_set=different).to_numpy().astype(np.int32), different.to_pylist()
