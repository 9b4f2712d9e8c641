"""Words counted by several workers are those that one pass over the texts counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("scipy")

from pages import page

from archive.engine import open_engine
from archive.progress import Reporter
from collapse.share.corpus import Corpus, Text, Vocabulary, count_words
from collapse.share.counting.choose import DRAWN
from collapse.share.counting.count import count


@dataclass(frozen=True, slots=True)
class Rows:
    """Texts in memory, as a worker reads them from a file."""

    name: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]

    def read(self) -> Iterator[pa.Table]:
        yield pa.table({"content_id": list(self.ids), "text": list(self.texts)})


TEXTS = {
    f"{number:064x}": page(number, 30 + number) + (" rich tapestry" if number % 3 == 0 else "") for number in range(40)
}


def drawn(ids: list[str]) -> pa.Table:
    numbers = [int(each, 16) for each in ids]
    return pa.table(
        {
            "content_id": pa.array(ids, pa.string()),
            "month": pa.array([24_000 + number % 5 for number in numbers], pa.int32()),
            "stratum": pa.array([f"en/{'article' if number % 2 else 'other'}" for number in numbers], pa.string()),
            "host": pa.array([f"host{number % 7}" for number in numbers], pa.string()),
        }
    )


def counted_by(parts: list[Rows], table: pa.Table) -> Corpus:
    engine = open_engine(1)
    with engine.scratch() as scratch:
        pq.write_table(table, f"{scratch}/{DRAWN}")
        return count(parts, engine, scratch, Reporter())[0]


def described(corpus: Corpus) -> list[tuple[object, ...]]:
    """All of a corpus that does not depend on the numbers of words, hosts and strata."""
    words = list(corpus.vocabulary.positions)
    hosts = list(corpus.vocabulary.hosts)
    found = []
    for text in range(len(corpus)):
        some = slice(corpus.offsets[text], corpus.offsets[text + 1])
        tally = {words[word]: int(often) for word, often in zip(corpus.words[some], corpus.counts[some], strict=True)}
        found.append(
            (
                int(corpus.months[text]), corpus.stratum_names[corpus.strata[text]], hosts[corpus.hosts[text]],
                int(corpus.lengths[text]), sorted(tally.items()), corpus.phrases[text].tolist(),
            )
        )  # fmt: skip
    return found


def test_workers_count_what_one_pass_counts_whatever_the_files_are() -> None:
    ids = sorted(TEXTS)[5:]
    table = drawn(ids)
    plain = count_words(
        (Text(TEXTS[row["content_id"]], row["month"], row["stratum"], row["host"]) for row in table.to_pylist()),
        Vocabulary(), 1000,
    )  # fmt: skip
    every = list(TEXTS)[::-1]
    for size in (40, 7):
        parts = [
            Rows(f"part {at}", tuple(some := every[at : at + size]), tuple(map(TEXTS.__getitem__, some)))
            for at in range(0, len(every), size)
        ]
        counted = counted_by(parts, table)
        assert described(counted) == described(plain)
        assert list(counted.vocabulary.positions) == sorted(counted.vocabulary.positions)
        for text in range(len(counted)):
            some_words = counted.words[counted.offsets[text] : counted.offsets[text + 1]]
            assert (np.diff(some_words) > 0).all()


def test_a_text_that_two_files_have_counts_once() -> None:
    ids = sorted(TEXTS)[:3]
    part = Rows("part", tuple(ids), tuple(map(TEXTS.__getitem__, ids)))
    once, twice = (counted_by([part] * times, drawn(ids)) for times in (1, 2))
    assert described(once) == described(twice)


def test_nothing_drawn_is_an_empty_corpus() -> None:
    corpus = counted_by([Rows("part", tuple(TEXTS), tuple(TEXTS.values()))], drawn([]))
    assert len(corpus) == 0
    assert corpus.offsets.tolist() == [0]
