"""Finds the passages of a text among the texts of a lake, each with the earliest text that has it.

A question goes from the runs of 15 words of a text to their fingerprints, from these to the texts that have them, the
earliest first, and from the words of these texts to the runs that are really shared. What comes back is exact, apart
from one bound: of a fingerprint that very many texts share, only the 256 earliest texts are read. Where none of these
has the words around it, a passage may be missing, or have a later date than it could: never an earlier one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.damage import error_of, naming_damage
from archive.engine import Engine, Failed
from archive.errors import ArchiveError, LakeError
from archive.evidence.grade import DEFAULT
from archive.lake import Lake, open_lake
from archive.tables import DOCUMENTS
from archive.text.normalise import normalise
from index import ids
from index.minhash.kernel import utf8
from index.passages import segments
from index.passages.compare import RunsTask, work
from index.passages.kernel import RUN, Numbers, Question, by_word, keys_of, lower, words_of
from index.passages.segments import Segment
from index.passages.stage import Passages
from index.proven import END, Proof, Proven, microseconds, moment_of
from index.stored_texts import StoredTexts
from index.tables import PASSAGES

#: The rank of a text that proves nothing.
NEVER = np.iinfo(np.int64).max
#: How many of the texts that share a fingerprint are read: the earliest one; where that does not settle all runs around
#: it, the 16 earliest; and so on. A run is settled once no unread text can be an earlier one.
_ROUNDS = (1, 16, 256)
#: Bits of a rank in a code: key number << _BITS | rank.
_BITS = 38
#: Quotes that are given back: of a text that repeats one word there may be as many as words.
_QUOTES = 1000


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of words of a text, and the earliest text that has it."""

    start: int  #: its first character in the normal form of the text …
    end: int  #: … and the one behind its last
    words: int
    first_seen: datetime  #: of the earliest text: its first acceptable capture
    grade: str  #: of that capture: `archive.evidence.grade.GRADES`
    content_id: str  #: of the earliest text
    url: str | None  #: of that capture, whose record is at …
    file: str
    offset: int
    skip: int


@dataclass(frozen=True, slots=True)
class TextPassages:
    """Which passages of a text are in texts of a lake."""

    text: str  #: in its normal form
    words: int  #: of the text
    #: The words of the text that are in a run of 15 or more words of an earlier text, cut where the earliest text
    #: changes. They do not overlap, so that a part at the edge of another may have fewer words.
    passages: tuple[Passage, ...]
    #: The shared runs at full length, of each text that is the earliest for a part of the run: no earlier text has all
    #: of it. They may overlap. Of very many, the 1,000 longest.
    quotes: tuple[Passage, ...]
    is_complete: bool  #: false where a fingerprint has so many texts that later ones were not read

    @property
    def known_words(self) -> int:
        """How many words of the text are in its passages."""
        return sum(passage.words for passage in self.passages)


@dataclass(slots=True)
class Traced:
    """What is known of a question: the rank of the earliest text of each run of RUN words, and the runs found."""

    keys: Numbers  #: of each run of RUN words
    best: Numbers  #: rank of the earliest text that has it, or NEVER
    runs: list[tuple[int, Numbers]] = field(
        default_factory=list
    )  #: rank of a text, and the runs that it shares: of `find`
    read: set[int] = field(default_factory=set)  #: ranks of the texts that were read
    is_complete: bool = True


#: Compares questions, each with the texts of some ranks; yields the question, the rank, and the runs that they share.
Compare = Callable[[list[tuple[int, Numbers]]], Iterator[tuple[int, int, Numbers]]]


class PassageIndex:
    """The index of passages of a lake as it is now, for any number of questions. Any number of threads may `find`.

    Memory: 36 bytes a text in addition to those of `Proven`, and what is held of the texts themselves.

    Args:
        before: only captures before this moment prove anything; None: all.
        grade: the least grade of a capture that proves something, as in `certify`.
        archives: how many archives must have such captures.
        date_sources: only captures whose dates come from these; empty: from any.
        proven: the texts that prove something, where they are open already; all else that says which is not asked.

    Raises:
        LakeError: there is no lake, it has no index of passages, or a file of it is damaged.
    """

    def __init__(
        self,
        lake: Lake | str | os.PathLike[str],
        before: str | date | None = None,
        *,
        grade: str = DEFAULT,
        archives: int = 1,
        date_sources: Sequence[str] = (),
        proven: Proven | None = None,
    ) -> None:
        lake = open_lake(lake)
        require_index(lake)
        self._lake = lake
        self._owns = proven is None
        self._finding = threading.Lock()
        self._together = archives > 1 or grade.upper() == "B"
        if proven is not None:
            self._proven = proven
        else:
            end = END if before is None else moment_of(before)
            with naming_damage(lake):
                self._proven = Proven(lake, end, grade, archives, date_sources)
        self._segments: list[tuple[Segment, Numbers]] = []
        self._files = sorted(lake.files(DOCUMENTS.name))
        self._texts = StoredTexts(lake, self._files)
        try:
            with naming_damage(lake):
                self._open(lake)
        except BaseException:
            self.close()
            raise

    def _open(self, lake: Lake) -> None:
        self._by_rank = np.argsort(self._proven.at, kind="stable")  # number by rank: by date, then by content id
        self._at = self._proven.at[self._by_rank]
        rank = np.empty(len(self._by_rank), np.int64)
        rank[self._by_rank] = np.arange(len(rank))
        for file in segments.files(lake):
            segment = Segment(lake, file.path)
            numbers = self._proven.find(ids.parse(segment.content_ids()))
            ranks = np.full(len(numbers), NEVER)
            ranks[numbers >= 0] = rank[numbers[numbers >= 0]]
            self._segments.append((segment, ranks))
        self._file_of, self._row_of = np.full(len(rank), -1, np.int32), np.zeros(len(rank), np.int64)  # by rank
        for number, table in enumerate(lake.read_files(DOCUMENTS.name, self._files, ["content_id"])):
            proven_numbers = self._proven.find(ids.parse(table["content_id"]))
            rows = np.flatnonzero(proven_numbers >= 0)
            ranks = rank[proven_numbers[rows]]
            self._file_of[ranks], self._row_of[ranks] = number, rows
        indexed = np.zeros(len(rank), bool)
        for _, ranks in self._segments:
            indexed[ranks[ranks < NEVER]] = True
        #: texts that prove something and came since the passages were indexed
        self.missing = int(((self._file_of >= 0) & ~indexed).sum())

    def __enter__(self) -> PassageIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def proven(self) -> Proven:
        """The texts that prove something."""
        return self._proven

    def close(self) -> None:
        for segment, _ in self._segments:
            segment.close()
        self._texts.close()
        if self._owns:
            self._proven.__exit__()

    def find(self, text: str, before: str | date | None = None) -> TextPassages:
        """Find the passages of a text that texts of the lake have.

        Args:
            before: only texts that were first seen before this moment. For a text of the lake itself: the moment when
                it was first seen, so that it does not prove itself.

        Raises:
            ArchiveError: `before` is no date; or the index was opened for several archives, or for grade B, which
                captures can have together: such captures must all be from before, so open it with `before`.
        """
        if before is not None and self._together:
            raise ArchiveError("grade B and several archives need captures that are all from before the date: open the "
                               "index of passages with `before`")  # fmt: skip
        text = normalise(text)
        question = Question(text)
        limit = len(self._at) if before is None else int(np.searchsorted(self._at, microseconds(moment_of(before))))
        traced = Traced(question.keys, np.full(len(question.keys), NEVER))

        def compare(pairs: list[tuple[int, Numbers]]) -> Iterator[tuple[int, int, Numbers]]:
            for _, ranks in pairs:
                for rank in ranks.tolist():
                    runs = question.shared(words_of(self._text(rank)))
                    if len(runs):
                        yield 0, rank, runs

        with self._finding, naming_damage(self._lake):
            self._trace([traced], limit, compare, with_runs=True)
            return self._found(text, question, traced)

    def trace(self, texts: pa.Array, engine: Engine, scratch: str) -> list[Traced]:
        """Trace many texts at once, in processes.

        Args:
            texts: strings in their normal form, without nulls.
            scratch: a folder that all workers see.
        """
        table = pa.table({"text": texts.cast(pa.large_string())})
        with pa.OSFile(f"{scratch}/questions.arrow", "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=1 << 10)
        data, offsets = utf8(texts)
        asked = []
        for number in range(len(texts)):
            keys = keys_of(words_of(data[offsets[number] : offsets[number + 1]]))
            asked.append(Traced(keys, np.full(len(keys), NEVER)))

        def compare(pairs: list[tuple[int, Numbers]]) -> Iterator[tuple[int, int, Numbers]]:
            yield from self._compare(pairs, engine, scratch)

        self._trace(asked, len(self._at), compare)
        return asked

    def numbers(self, ranks: Numbers) -> Numbers:
        """Return the numbers of the proofs of texts, see `Proven.proofs`."""
        return self._by_rank[ranks]

    # -- from fingerprints to texts -----------------------------------------------------------------

    def _trace(self, asked: Sequence[Traced], limit: int, compare: Compare, with_runs: bool = False) -> None:
        """Find for each run of each question the earliest text that has it; keep the runs of all texts if asked to."""
        needed: list[tuple[int, Numbers]] = [(number, np.unique(each.keys)) for number, each in enumerate(asked)]
        for most in _ROUNDS:
            needed = [(number, keys) for number, keys in needed if len(keys)]
            if not needed:
                return
            keys = np.unique(np.concatenate([each for _, each in needed]))
            codes = self._postings(keys, most, limit)
            key_of, ranks = codes >> _BITS, codes & ((1 << _BITS) - 1)
            firsts = np.searchsorted(key_of, np.arange(len(keys) + 1))
            sizes = np.diff(firsts)
            last = np.where(sizes > 0, ranks[np.maximum(firsts[1:] - 1, 0)] if len(ranks) else -1, -1)
            pairs = []
            for number, own in needed:
                traced, at = asked[number], np.searchsorted(keys, own)
                rows = np.concatenate([np.arange(firsts[each], firsts[each + 1]) for each in at[sizes[at] > 0].tolist()]
                                      or [np.empty(0, np.int64)])  # fmt: skip
                fresh = np.setdiff1d(ranks[rows], np.fromiter(traced.read, np.int64, len(traced.read)))
                if len(fresh):
                    traced.read.update(fresh.tolist())
                    pairs.append((number, fresh))
            for number, rank, runs in compare(pairs):
                if with_runs:
                    asked[number].runs.append((rank, runs))
                lower(asked[number].best, runs, rank)
            open_ = []
            for number, own in needed:
                traced = asked[number]
                at = np.minimum(np.searchsorted(keys, traced.keys), len(keys) - 1)
                unsettled = (keys[at] == traced.keys) & (sizes[at] == most) & (traced.best > last[at])
                open_.append((number, np.intersect1d(traced.keys[unsettled], own)))
            needed = open_
        for number, own in needed:
            asked[number].is_complete = not len(own)

    def _postings(self, keys: Numbers, most: int, limit: int) -> Numbers:
        """Return the earliest texts that have each key: key number << _BITS | rank, sorted; at most `most` of a key."""
        best = np.empty(0, np.int64)
        for segment, ranks in self._segments:
            parts_ = [best]
            for found, rows in segment.find(keys):
                of_text = ranks[rows]
                useful = of_text < limit
                codes = (np.searchsorted(keys, found[useful]) << _BITS) | of_text[useful]
                parts_.append(_first(np.unique(codes), most))
            best = _first(np.unique(np.concatenate(parts_)), most)
        return best

    # -- from texts to runs --------------------------------------------------------------------------

    def _compare(
        self, pairs: list[tuple[int, Numbers]], engine: Engine, scratch: str
    ) -> Iterator[tuple[int, int, Numbers]]:
        """Compare questions with texts in processes, one task for each file of documents."""
        if not pairs:
            return
        ranks = np.concatenate([each for _, each in pairs])
        questions = np.repeat(np.array([number for number, _ in pairs]), [len(each) for _, each in pairs])
        there = self._file_of[ranks] >= 0  # others are gone: `archive forget`
        ranks, questions = ranks[there], questions[there]
        order = np.lexsort((self._row_of[ranks], self._file_of[ranks]))
        ranks, questions = ranks[order], questions[order]
        by_task: dict[str, Numbers] = {}

        def tasks() -> Iterator[RunsTask]:
            for file in np.unique(self._file_of[ranks]).tolist():
                mine = np.flatnonzero(self._file_of[ranks] == file)
                own, first = np.unique(self._row_of[ranks[mine]], return_index=True)
                by_task[self._files[file]] = ranks[mine[first]]
                asking = np.split(questions[mine], first[1:])
                yield RunsTask(self._lake.location, self._files[file], own, asking)

        for end in engine.run(work, tasks(), scratch=scratch):
            if isinstance(end, Failed):
                raise error_of(self._lake, DOCUMENTS, end.task.file, end.error)
            of_texts = by_task[end.task.file]
            for number, position, runs in end.result:
                yield number, int(of_texts[position]), runs

    def _text(self, rank: int) -> npt.NDArray[np.uint8]:
        """Return a text in UTF-8; it is empty if the lake does not hold it any more."""
        number = int(self._file_of[rank])
        return self._texts.text(number, int(self._row_of[rank])) if number >= 0 else np.empty(0, np.uint8)

    # -- what comes back -----------------------------------------------------------------------------

    def _found(self, text: str, question: Question, traced: Traced) -> TextPassages:
        words = question.words
        proofs = self._proven.proofs(self.numbers(np.unique(traced.best[traced.best < NEVER])))

        def cited(runs: Sequence[tuple[int, int, int]]) -> tuple[Passage, ...]:
            found = []
            for (start, end), (first, behind, rank) in zip(words.spans(runs), runs, strict=True):
                proof: Proof = proofs[int(self._by_rank[rank])]
                record = proof.file, proof.offset, proof.skip
                evidence = proof.date, proof.grade, proof.content_id, proof.url
                found.append(Passage(start, end, behind - first, *evidence, *record))
            return tuple(found)

        quotes = {each for rank, runs in traced.runs for each in _earliest(traced, rank, runs)}
        longest = sorted(quotes, key=lambda run: (run[0] - run[1], run))[:_QUOTES]
        return TextPassages(text, len(words), cited(parts(traced)), cited(sorted(longest)), traced.is_complete)


def passages(
    lake: Lake | str | os.PathLike[str],
    text: str,
    *,
    before: str | date | None = None,
    grade: str = DEFAULT,
    archives: int = 1,
    date_sources: Sequence[str] = (),
) -> TextPassages:
    """Find the passages of a text that texts of a lake have, each with the earliest one.

    For many texts, open a `PassageIndex` once.

    Args:
        before: only texts that were first seen before this moment.
        grade: the least grade of a capture that proves something, as in `certify`.
        archives: how many archives must have such captures.
        date_sources: only captures whose dates come from these; empty: from any.

    Raises:
        LakeError: there is no lake, or it has no index of passages.
        ArchiveError: `before` is no date.
    """
    with PassageIndex(lake, before, grade=grade, archives=archives, date_sources=date_sources) as index:
        return index.find(text)


def require_index(lake: Lake) -> None:
    """
    Raises:
        LakeError: there is no lake, it holds no texts, or it has no index of passages that this version reads.
    """
    if not lake.files(DOCUMENTS.name):
        raise LakeError(f"{lake.location}: holds no texts, so that no passages can be found in them")
    if not lake.has(PASSAGES):
        raise LakeError(f"{lake.location}: its passages have no index yet; `archive index --passages --lake "
                        f"{lake.location}` makes it")  # fmt: skip
    Passages().check(lake)


def parts(traced: Traced) -> list[tuple[int, int, int]]:
    """Return the words that texts have: the first word, the one behind the last, and the rank of the earliest text."""
    words = len(traced.best) + RUN - 1 if len(traced.best) else 0
    least = np.full(words, NEVER)
    by_word(traced.best, least)
    edges = np.flatnonzero(np.diff(least)) + 1
    ends = zip([0, *edges.tolist()], [*edges.tolist(), words], strict=True)
    return [(first, behind, int(least[first])) for first, behind in ends if words and least[first] < NEVER]


def _earliest(traced: Traced, rank: int, runs: Numbers) -> Iterator[tuple[int, int, int]]:
    """Yield the runs of a text for a part of which it is the earliest. So no earlier text has all of the run."""
    earliest = np.concatenate([[0], np.cumsum(traced.best == rank)])
    chosen = runs[earliest[runs[:, 1] - RUN + 1] > earliest[runs[:, 0]]]
    yield from ((first, behind, rank) for first, behind, _ in chosen.tolist())


def _first(codes: Numbers, most: int) -> Numbers:
    """Keep the first codes of each key; the codes are sorted."""
    keys = codes >> _BITS
    return codes[np.arange(len(codes)) - np.searchsorted(keys, keys) < most]
