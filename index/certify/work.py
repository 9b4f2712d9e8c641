"""The work on one chunk of a data set, in a worker: first what its rows are, later what is proven about them."""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.engine import Context
from archive.records.rows import Columns
from index.certify.paragraphs import Best, Paragraphs
from index.certify.proven import Proof
from index.certify.rows import Batch, Lines, Problem
from index.certify.verdict import Verdict
from index.ids import Ids
from index.minhash.kernel import shared, shingle_sets, sign, utf8
from index.minhash.normalise import normal_forms
from index.minhash.procedure import Parameters
from index.neardup.pairs import lower_bound
from index.neardup.shingle_sets import Opened


@dataclass(frozen=True, slots=True)
class Examine:
    """A chunk of rows to be examined; it is put into the scratch folder under its number."""

    number: int
    chunk: Lines | Batch
    columns: Columns
    parameters: Parameters
    paragraphs: bool


@dataclass(frozen=True, slots=True)
class Examined:
    """What the rows of a chunk are: ids and signatures; of a row without text 0."""

    number: int
    ids: Ids
    shingles: npt.NDArray[np.int32]
    signatures: npt.NDArray[np.uint16]
    problems: Counter[str]
    without_column: str  #: what columns there are, where no row has one of text
    paragraphs: Paragraphs | None


@dataclass(frozen=True, slots=True)
class Prove:
    """A chunk and what may prove its rows."""

    number: int
    parameters: Parameters
    exact: npt.NDArray[np.int64]  #: for each row the number of its proof, or -1
    rows: npt.NDArray[np.int64]  #: of candidates, in order …
    numbers: npt.NDArray[np.int64]  #: … the number of the proof, …
    positions: npt.NDArray[np.int64]  #: … where its shingles are in the stored sets, or -1 …
    equal: npt.NDArray[np.int64]  #: … and then how many hashes are equal
    proofs: dict[int, Proof]
    sets: str  #: the folder of the stored sets
    paragraphs: list[list[tuple[int, Best | None]]] | None


@dataclass(slots=True)
class Proved:
    """A chunk whose rows have their verdicts, as a file of the scratch folder."""

    number: int
    path: str
    rows: int
    kinds: Counter[str] = field(default_factory=Counter)
    years: Counter[tuple[str, str]] = field(default_factory=Counter)  #: (year of the proof, kind)
    paragraphs: Counter[str] = field(default_factory=Counter)


def work(task: Examine | Prove, ctx: Context) -> Examined | Proved:
    """Do either half of the work. Both need a scratch folder that all workers see."""
    if isinstance(task, Examine):
        done = examine(task, ctx.shared)
        ctx.progress(len(task.chunk), 0)
        return done
    return prove(task, ctx.shared)


def examine(task: Examine, scratch: str) -> Examined:
    """Bring the texts of a chunk to their normal form; their ids and signatures."""
    texts, faults = _texts(task.chunk, task.columns)
    broken = {row for row, problem in faults.items() if problem.reason == "bad-row"}
    with open(f"{scratch}/chunk-{task.number}", "wb") as file:
        pickle.dump((task.chunk, texts, broken), file)
    problems = Counter(problem.reason for problem in faults.values())
    without = [problem.detail for problem in faults.values() if problem.reason == "no-text-column"]
    problems.update(problem.reason for problem in task.chunk.unreadable)
    data, offsets = utf8(texts)
    digests = b"".join(hashlib.sha256(data[first:last].data).digest() for first, last in pairwise(offsets.tolist()))
    found = np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 4)
    signatures, counts = sign(texts, task.parameters)
    paragraphs = Paragraphs.of(texts.to_pylist(), task.parameters) if task.paragraphs else None
    columns = without[0] if without and len(without) == len(texts) else ""
    return Examined(task.number, found, counts, signatures, problems, columns, paragraphs)


def _texts(chunk: Lines | Batch, columns: Columns) -> tuple[pa.Array, dict[int, Problem]]:
    """The normal form of each row's text, empty where it has none, and why it has none."""
    texts, faults = [], {}
    for row, text in enumerate(chunk.texts(columns)):
        if isinstance(text, Problem):
            faults[row] = text
            texts.append("")
        else:
            texts.append(text)
    return normal_forms(texts), faults


def prove(task: Prove, scratch: str) -> Proved:
    """Verify the candidates of each row, give it the earliest proof, and write the chunk."""
    with open(f"{scratch}/chunk-{task.number}", "rb") as file:
        chunk, texts, broken = pickle.load(file)
    near = _near(task, texts)
    verdicts = []
    done = Proved(task.number, f"{scratch}/piece-{task.number}", len(chunk))
    for row, number in enumerate(task.exact):
        verdict = near.get(row, Verdict())
        if number >= 0:
            verdict = Verdict("exact", 1.0, False, task.proofs[int(number)])
        if task.paragraphs is not None:
            judged = tuple((words, _verdict(best, task.proofs)) for words, best in task.paragraphs[row])
            verdict = Verdict(verdict.kind, verdict.similarity, verdict.estimated, verdict.proof, judged)
            done.paragraphs.update(each.kind for _, each in judged)
        verdicts.append(verdict)
        done.kinds[verdict.kind] += 1
        if verdict.proof:
            done.years[f"{verdict.proof.date.year}", verdict.kind] += 1
    made = chunk.with_verdicts(verdicts, broken)
    if isinstance(made, bytes):
        with open(done.path, "wb") as file:
            file.write(made)
    else:
        with pa.OSFile(done.path, "wb") as sink, pa.ipc.new_file(sink, made.schema) as writer:
            writer.write_table(made)
    return done


def _verdict(best: Best | None, proofs: dict[int, Proof]) -> Verdict:
    if best is None:
        return Verdict()
    return Verdict("exact" if best.exact else "near", best.similarity, False, proofs[best.number])


def _near(task: Prove, texts: pa.Array) -> dict[int, Verdict]:
    """The earliest verified near-duplicate of each row that has candidates; of equally early ones the most similar."""
    if not len(task.rows):
        return {}
    rows, index = np.unique(task.rows, return_inverse=True)
    flat, starts = shingle_sets(texts.take(pa.array(rows)), task.parameters)
    sets = Opened(task.sets)
    hashes, threshold = task.parameters.hashes, task.parameters.threshold
    best: dict[int, tuple[tuple[int, float, int], Verdict]] = {}
    for candidate, row in enumerate(task.rows.tolist()):
        own = flat[starts[index[candidate]] : starts[index[candidate] + 1]]
        position, number = int(task.positions[candidate]), int(task.numbers[candidate])
        if position >= 0:
            other = sets.of(position)
            common = int(shared(other, own))
            total = len(other) + len(own) - common
            similarity, sure = common / total if total else 0.0, task.parameters.near(common, total)
        else:
            equal = task.equal[candidate : candidate + 1]
            similarity, sure = float(equal[0]) / hashes, bool(lower_bound(equal, hashes)[0] >= threshold)
        if sure:
            proof = task.proofs[number]
            key = (proof.at, -similarity, number)
            if row not in best or key < best[row][0]:
                best[row] = (key, Verdict("near", similarity, position < 0, proof))
    return {row: verdict for row, (_, verdict) in best.items()}
