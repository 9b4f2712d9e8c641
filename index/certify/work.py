"""The work on one chunk of a data set, in a worker. It comes in two halves.

`hash_rows` computes what the rows are looked up by: ids and signatures. The main process looks them up in the index,
and finds what may prove each row. `verify_rows` compares the texts, and writes the chunk with its proofs.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.engine import Context
from archive.records.rows import Columns
from archive.text.normalise import dropped_from
from index.certify.card import Kind
from index.certify.characters import Runs, compare, runs_of, share_of
from index.certify.paragraphs import ParagraphProof, Paragraphs
from index.certify.passages import RowPassage
from index.certify.result import RowCounts
from index.certify.rows import Batch, Lines, Problem
from index.certify.verdict import Passage, Verdict
from index.ids import Ids
from index.minhash.kernel import shared, shingle_sets, sign, utf8
from index.minhash.normalise import normal_forms
from index.minhash.procedure import Parameters
from index.neardup.estimates import lower_bound
from index.neardup.shingle_sets import ShingleSets
from index.passages.kernel import words_of
from index.proven import Proof

#: Runs of characters of texts of the lake that are held.
_HELD = 1 << 22


@dataclass(frozen=True, slots=True)
class HashRows:
    """Compute ids and signatures of the rows of a chunk, and store the chunk in the scratch folder."""

    number: int  #: of the chunk
    chunk: Lines | Batch
    columns: Columns
    parameters: Parameters
    paragraphs: bool


@dataclass(frozen=True, slots=True)
class RowHashes:
    """The ids and signatures of the rows of a chunk. A row without text has 0 shingles."""

    number: int
    ids: Ids
    shingles: npt.NDArray[np.int32]
    signatures: npt.NDArray[np.uint16]
    problems: Counter[str]
    without_column: str  #: the columns of the chunk, if none of its rows has one of text
    paragraphs: Paragraphs | None
    columns: dict[str, Kind]  #: of JSON lines: the type of each


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of a row and a text of the lake that may be its near-duplicate; all arrays have one entry for each pair."""

    rows: npt.NDArray[np.int64]  #: in order
    proofs: npt.NDArray[np.int64]  #: number of the proof of the text
    sets: npt.NDArray[np.int64]  #: position of the text in the stored shingle sets; -1 if the lake does not hold it
    equal: npt.NDArray[np.int64]  #: equal hashes of the two signatures, where the lake does not hold the text

    def of_rows(self, first: int, last: int) -> Candidates:
        """Return the candidates of the rows first to last - 1, with rows counted from `first`."""
        begin, end = np.searchsorted(self.rows, [first, last])
        part = slice(begin, end)
        return Candidates(self.rows[part] - first, self.proofs[part], self.sets[part], self.equal[part])


@dataclass(frozen=True, slots=True)
class VerifyRows:
    """Verify the candidates of the rows of a chunk, and write the chunk with its proofs."""

    number: int
    parameters: Parameters
    exact: npt.NDArray[np.int64]  #: for each row the number of the proof of the same text, or -1
    candidates: Candidates
    proofs: dict[int, Proof]  #: by number
    paragraphs: list[list[tuple[int, ParagraphProof | None]]] | None  #: for each row words and proof of its paragraphs
    passages: list[list[RowPassage]] | None  #: by row


@dataclass(slots=True)
class VerifiedRows:
    """A chunk with its proofs, as a file of the scratch folder."""

    number: int
    piece: str  #: its name
    counts: RowCounts = field(default_factory=RowCounts)
    columns: dict[str, Kind] = field(default_factory=dict)  #: of JSON lines: the type of each


def work(task: HashRows | VerifyRows, ctx: Context) -> RowHashes | VerifiedRows:
    """Do either half of the work. Needs a scratch folder that all workers see."""
    if isinstance(task, HashRows):
        hashes = hash_rows(task, ctx)
        ctx.progress(len(task.chunk), 0)
        return hashes
    return verify_rows(task, ctx)


def hash_rows(task: HashRows, ctx: Context) -> RowHashes:
    """Bring the texts of a chunk to their normal form, and compute their ids and signatures."""
    kinds: dict[str, Kind] = {}
    texts, dropped, faults = _texts(task.chunk, task.columns, kinds)
    broken = {row for row, problem in faults.items() if problem.reason == "bad-row"}
    with open(ctx.write(f"chunk-{task.number}"), "wb") as file:
        pickle.dump((task.chunk, texts, dropped, broken), file)
    problems = Counter(problem.reason for problem in faults.values())
    without = [problem.detail for problem in faults.values() if problem.reason == "no-text-column"]
    problems.update(problem.reason for problem in task.chunk.unreadable)
    data, offsets = utf8(texts)
    digests = b"".join(hashlib.sha256(data[first:last].data).digest() for first, last in pairwise(offsets.tolist()))
    content_ids = np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 4)
    signatures, counts = sign(texts, task.parameters)
    paragraphs = Paragraphs.of(texts.to_pylist(), task.parameters) if task.paragraphs else None
    columns = without[0] if without and len(without) == len(texts) else ""
    return RowHashes(task.number, content_ids, counts, signatures, problems, columns, paragraphs, kinds)


def _texts(
    chunk: Lines | Batch, columns: Columns, kinds: dict[str, Kind]
) -> tuple[pa.Array, list[int], dict[int, Problem]]:
    """Return the normal form of the text of each row, empty where it has none, how many characters it leaves out, and
    the problems by row."""
    texts: list[str] = []
    faults = {}
    for row, text in enumerate(chunk.texts(columns, kinds)):
        if isinstance(text, Problem):
            faults[row] = text
            texts.append("")
        else:
            texts.append(text)
    return normal_forms(texts), list(map(dropped_from, texts)), faults


def verify_rows(task: VerifyRows, ctx: Context) -> VerifiedRows:
    """Verify the candidates of each row, choose the earliest proof, and write the chunk."""
    with open(ctx.read(f"chunk-{task.number}"), "rb") as file:
        chunk, texts, dropped, broken = pickle.load(file)
    near = _near(task, texts, ctx)
    verdicts = []
    verified = VerifiedRows(task.number, f"piece-{task.number}")
    path = ctx.write(verified.piece)
    counts = verified.counts
    counts.rows = len(chunk)
    for row, number in enumerate(task.exact):
        verdict = near.get(row, Verdict())
        if number >= 0:
            verdict = Verdict("exact", 1.0, 1.0, proof=task.proofs[int(number)])
        verdict = replace(verdict, dropped=dropped[row])
        if task.paragraphs is not None:
            paragraphs = tuple((words, _verdict(proof, task.proofs)) for words, proof in task.paragraphs[row])
            verdict = replace(verdict, paragraphs=paragraphs)
            counts.paragraphs.update(each.kind for _, each in paragraphs)
        if task.passages is not None:
            words, found = _passages(texts[row].as_py(), task.passages[row], verdict, task.proofs)
            verdict = replace(verdict, words=words, passages=found)
            counts.words += words
            counts.known_words += verdict.known_words or 0
        verdicts.append(verdict)
        counts.proof[verdict.kind] += 1
        if verdict.proof:
            counts.proof_by_year.setdefault(f"{verdict.proof.date.year}", Counter())[verdict.kind] += 1
            counts.proof_by_grade.setdefault(verdict.proof.grade, Counter())[verdict.kind] += 1
    rows = chunk.with_verdicts(verdicts, broken)
    if isinstance(rows, bytes):
        with open(path, "wb") as file:
            file.write(rows)
    else:
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
    return verified


def _passages(
    text: str, found: list[RowPassage], verdict: Verdict, proofs: dict[int, Proof]
) -> tuple[int, tuple[Passage, ...]]:
    """Return how many words a row has, and its passages. One that is proven exactly is one passage."""
    words = words_of(np.frombuffer(text.encode(), np.uint8))
    if verdict.kind == "exact" and verdict.proof and len(words):
        return len(words), ((0, len(text), len(words), verdict.proof),)
    spanned = zip(words.spans(found), found, strict=True)
    return len(words), tuple((*span, behind - first, proofs[number]) for span, (first, behind, number) in spanned)


def _verdict(proof: ParagraphProof | None, proofs: dict[int, Proof]) -> Verdict:
    if proof is None:
        return Verdict()
    return Verdict("exact" if proof.exact else "near", proof.similarity, proof=proofs[proof.number])


def _near(task: VerifyRows, texts: pa.Array, ctx: Context) -> dict[int, Verdict]:
    """Return, by row, the earliest verified near-duplicate; of equally early ones the most similar.

    A text must be similar by its words and by its characters. Of a text that the lake does not hold, only signatures
    of its words are known.
    """
    candidates, parameters = task.candidates, task.parameters
    if not len(candidates.rows):
        return {}
    rows, index = np.unique(candidates.rows, return_inverse=True)
    flat, starts = shingle_sets(texts.take(pa.array(rows)), parameters)
    sets = ShingleSets(ctx.read)
    by_row: dict[int, list[tuple[int, float, int, int]]] = {}
    for candidate, row in enumerate(candidates.rows.tolist()):
        own = flat[starts[index[candidate]] : starts[index[candidate] + 1]]
        position, number = int(candidates.sets[candidate]), int(candidates.proofs[candidate])
        if position >= 0:
            other = sets.of(position)
            common = int(shared(other, own))
            total = len(other) + len(own) - common
            similarity, is_near = common / total if total else 0.0, parameters.near(common, total)
        else:
            equal, hashes = candidates.equal[candidate : candidate + 1], parameters.hashes
            similarity = float(equal[0]) / hashes
            is_near = bool(lower_bound(equal, hashes)[0] >= parameters.threshold)
        if is_near:
            by_row.setdefault(row, []).append((task.proofs[number].at, -similarity, number, position))
    characters = _Characters(sets)
    verdicts = {}
    for row, found in by_row.items():
        text = texts[row].as_py()
        for _, similarity, number, position in sorted(found):
            alike = None
            if position >= 0:
                common, total = characters.compare(text, position)
                if not parameters.near(common, total):
                    continue
                alike = common / total
            verdicts[row] = Verdict("near", -similarity, alike, estimated=position < 0, proof=task.proofs[number])
            break
    return verdicts


class _Characters:
    """The characters of the texts of a lake, of which many rows meet the same one."""

    def __init__(self, sets: ShingleSets) -> None:
        self._sets = sets
        self._runs: dict[int, Runs] = {}
        self._held = 0

    def compare(self, text: str, position: int) -> tuple[int, int]:
        """Return how many runs of characters a row and a text of the lake share, and how many they have together."""
        runs = self._runs.get(position)
        if runs is not None and share_of(text) == 1:
            return compare(runs_of(text), runs)
        other = self._sets.text(position)
        share = share_of(text, other)
        runs = runs_of(other, share)
        if share == 1:
            if self._held > _HELD:
                self._runs.clear()
                self._held = 0
            self._runs[position] = runs
            self._held += len(runs)
        return compare(runs_of(text, share), runs)
