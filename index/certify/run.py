"""`certify`: streams a data set through an index in blocks, and writes it with what is proven about each row.

A block takes four steps. Workers read its rows, each a part of a file, and compute their ids and signatures. The main
process looks up the ids, and finds texts of the index that share a band with a row. One scan of `documents` copies the
shingles of these texts into a scratch folder. Workers compare them with the rows, and write the rows, which are put
together in their order.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive import storage
from archive.damage import naming_damage
from archive.engine import Engine, Failed, Workers, open_engine
from archive.errors import ArchiveError, SourceError
from archive.evidence.grade import DEFAULT, asked
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.reasons import DATE_SOURCES
from archive.records.rows import Columns
from archive.sources import Listed, list_files
from archive.tables import CAPTURES, DOCUMENTS, EVIDENCE_TABLES
from index import ids, tables
from index.certify import rows
from index.certify.match import meet
from index.certify.output import OutputFile, OutputFolder
from index.certify.paragraphs import ParagraphProof, match_paragraphs
from index.certify.passages import RowPassage, match_passages
from index.certify.result import PROCEDURE, CertifyResult
from index.certify.work import Candidates, HashRows, RowHashes, VerifiedRows, VerifyRows, work
from index.minhash.kernel import band_keys
from index.neardup import texts
from index.neardup.bands import Bands
from index.neardup.candidates import split
from index.neardup.shingle_sets import store_sets
from index.passages.find import PassageIndex, require_index
from index.proven import Proven, moment_of

_log = logging.getLogger(__name__)

#: Rows and bytes of a block. It takes as many bytes of scratch space, and 8 for each shingle of the texts it meets.
_ROWS, _BYTES = 100_000, 1 << 29


def certify(
    lake: Lake | str | os.PathLike[str],
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    before: str | date,
    text_column: str | None = None,
    grade: str = DEFAULT,
    archives: int = 1,
    date_sources: str | Iterable[str] | None = None,
    paragraphs: bool = False,
    passages: bool = False,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> CertifyResult:
    """Write a data set with columns that tell which rows provably existed before a date.

    A row is proven `exact` if the lake holds an acceptable capture of the same text from before the date, and `near`
    if it holds one of a verified near-duplicate. The files keep their names, formats and the order of their rows.
    A run that was killed goes on with the files that are not done, when it is called with the same arguments.

    Args:
        dataset: a file, folder, pattern or s3:// prefix of JSON lines or Parquet.
        out: a folder or s3:// prefix, which holds nothing else.
        before: a moment; a date is its first moment, and without a time zone it is in UTC.
        text_column: column that holds the text; `a.b` reaches into `a`.
        grade: the least grade of a capture that proves something: a name of `archive.evidence.grade.GRADES`, A to E.
        archives: how many different archives must have captured a text before the date.
        date_sources: the kinds of dates that count, as a list or as `"warc,arc"`; by default all.
        paragraphs: also prove each paragraph; reads the texts of the lake once for each block of rows.
        passages: also find the words of each row that are in a run of 15 or more words of a text from before the date;
            needs an index of passages.
        workers: processes (by default one for each core), or an engine.
        reporter: receives the progress.

    Raises:
        SourceError: the data set cannot be found or read.
        LakeError: there is no lake, or it has no index.
        ArchiveError: `out` holds something else, or `before` is no date.
    """
    started = time.monotonic()
    lake, engine, out = open_lake(lake), open_engine(workers), os.fspath(out)
    if not storage.is_text(out):
        raise ArchiveError(f"{out!a}: the result needs a folder whose name is UTF-8")
    needs = Needs.of(before, grade, archives, date_sources)
    run = _Certify(lake, out, needs, Columns(text=text_column), engine, paragraphs, passages, reporter or Reporter())
    try:
        with naming_damage(lake):
            result = run.run(os.fspath(dataset))
    except (OSError, pa.ArrowException, duckdb.Error) as error:
        where = getattr(error, "filename", None) or out
        raise ArchiveError(f"{where}: {getattr(error, 'strerror', None) or str(error).splitlines()[0]}; run the same "
                           "command again when it is mended") from None  # fmt: skip
    result.seconds = round(time.monotonic() - started, 3)
    return result


@dataclass(frozen=True, slots=True)
class Needs:
    """What a capture needs to prove something."""

    before: datetime
    grade: str
    archives: int
    date_sources: tuple[str, ...]

    @classmethod
    def of(cls, before: str | date, grade: str, archives: int, date_sources: str | Iterable[str] | None) -> Needs:
        """
        Raises:
            ArchiveError: an argument has no such value.
        """
        named = date_sources.split(",") if isinstance(date_sources, str) else date_sources or ()
        try:
            sources = tuple(name.strip() for name in named)
        except (TypeError, AttributeError):
            raise ArchiveError(f"date_sources: {date_sources!r} is no list of names") from None
        if unknown := set(sources) - DATE_SOURCES.keys():
            raise ArchiveError(f"no kind of date {', '.join(sorted(unknown))!r}; there are {', '.join(DATE_SOURCES)}")
        try:
            return cls(moment_of(before), asked(grade, archives), archives, sources)
        except ValueError as error:
            raise ArchiveError(str(error)) from None


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A part of a file that was read."""

    number: int
    output: OutputFile
    size: int  #: in bytes
    chunks: list[RowHashes]

    @property
    def rows(self) -> int:
        return sum(map(len, self.chunks))


def _end(parts: list[_Hashed]) -> int:
    """Return how many of these parts are a block: it depends on them alone, and not on which were read by when."""
    count = size = 0
    for number, part in enumerate(parts):
        count, size = count + part.rows, size + part.size
        if count >= _ROWS or size >= _BYTES:
            return number + 1
    return len(parts)


def _move(parts: list[_Hashed], source: str, to: str) -> None:
    for part in parts:
        for chunk in part.chunks:
            shutil.move(f"{source}/{chunk.name}", f"{to}/{chunk.name}")


class _Certify:
    """One run of `certify`."""

    def __init__(
        self,
        lake: Lake,
        out: str,
        needs: Needs,
        columns: Columns,
        engine: Engine,
        paragraphs: bool,
        passages: bool,
        reporter: Reporter,
    ) -> None:
        self._lake, self._out, self._needs, self._columns = lake, out, needs, columns
        self._engine, self._paragraphs, self._passages, self._reporter = engine, paragraphs, passages, reporter
        self._index: PassageIndex | None = None
        self._result = CertifyResult()

    def run(self, dataset: str) -> CertifyResult:
        self._parameters = tables.parameters_of(self._lake)
        self._folder = OutputFolder(self._out)
        if self._paragraphs and not self._lake.files(DOCUMENTS.name):
            raise ArchiveError(f"{self._lake.location}: holds no texts, so that paragraphs cannot be judged")
        if self._passages:
            require_index(self._lake)
        listed = self._list(dataset)
        self._result.files = len(listed)
        with self._folder.entered():
            self._certify(dataset, listed)
        self._result.index_is_older_than_lake |= bool(self._lake.files(DOCUMENTS.name)) and not tables.is_current(
            self._lake
        )
        self._result.sort()
        return self._result

    def _certify(self, dataset: str, listed: list[Listed]) -> None:
        """Certify the files that are not done."""
        todo = self._folder.open(self._arguments(dataset), listed, self._result)
        _log.info("%d of %d files to certify", len(todo), len(listed))
        if todo:
            self._reporter.stage("look up", None)
            needs = self._needs
            with Proven(self._lake, needs.before, needs.grade, needs.archives, needs.date_sources) as proven:
                self._proven = proven
                self._known = texts.load(self._lake)
                self._proof_of = proven.find(self._known.ids)  # by text
                self._bands = Bands(self._lake, self._known.segments, self._known.starts, self._parameters)
                if self._passages:
                    with PassageIndex(self._lake, proven=proven) as self._index:
                        self._result.index_is_older_than_lake = self._index.missing > 0
                        self._blocks(todo)
                else:
                    self._blocks(todo)
        self._folder.describe()
        for output in todo:
            self._result.add(output.counts)

    def _list(self, dataset: str) -> list[Listed]:
        """List the files of the data set. Those with a dot or an underscore in front of their names are hidden."""
        lake, result = f"{self._lake.location}/", f"{self._folder.location}/"
        remote = storage.is_s3(dataset) or storage.is_http(dataset)
        source = dataset.rstrip("/") if remote else os.path.realpath(dataset)
        if result.startswith(f"{source}/"):
            raise ArchiveError(f"{self._out}: the result would be inside the data set; choose another folder")
        files = list(list_files(dataset))
        if any(file.uri.startswith(result) for file in files):
            raise ArchiveError(f"{self._out}: the data set is in it; choose another folder for the result")
        listed = []
        for file in files:
            hidden = any(part.startswith((".", "_")) for part in file.name.split("/")) and len(files) > 1
            if hidden or file.uri.startswith(lake):
                continue
            if rows.format_of(file.uri) == "unknown":
                if len(files) == 1:
                    raise SourceError(f"{file.uri}: neither JSON lines nor Parquet")
                self._result.problems["unknown-format"] += 1
                _log.info("%s skipped: neither JSON lines nor Parquet", file.uri)
                continue
            listed.append(file)
        if not listed:
            raise SourceError(f"{dataset}: no file of JSON lines or Parquet is there")
        self._folder.check_names(listed)
        return listed

    def _arguments(self, dataset: str) -> dict[str, Any]:
        """Return what the result depends on."""
        return {
            "lake": self._lake.location,
            **{
                table.name: self._lake.delta(table.name).version()
                for table in (CAPTURES, *EVIDENCE_TABLES.values())
                if self._lake.has(table)
            },
            "index": self._lake.delta(tables.SIGNATURES.name).version(),
            "before": self._needs.before.isoformat(),
            "grade": self._needs.grade,
            "archives": self._needs.archives,
            "date_sources": list(self._needs.date_sources),
            "dataset": dataset if "://" in dataset else os.path.abspath(dataset),
            "text_column": self._columns.text,
            "paragraphs": self._paragraphs,
            # without it an older result goes on
            **(
                {"passages": True, "passage_index": self._lake.delta(tables.PASSAGES.name).version()}
                if self._passages
                else {}
            ),
            "procedure": PROCEDURE,
            "near": {"words": self._parameters.words, "threshold": self._parameters.threshold},
        }

    def _blocks(self, todo: list[OutputFile]) -> None:
        """Certify all files, one block after the other."""
        tasks = self._tasks(todo)
        ahead: list[_Hashed] = []
        with self._engine.scratch() as kept:
            while True:
                self._reporter.stage("certify", None)
                with self._engine.scratch() as scratch:
                    _move(ahead, kept, scratch)
                    hashed = self._hash(tasks, ahead, scratch)
                    end = _end(hashed)
                    if not end:
                        break
                    self._block(hashed[:end], scratch)
                    ahead = hashed[end:]
                    _move(ahead, scratch, kept)
        self._folder.close()

    def _tasks(self, todo: list[OutputFile]) -> Iterator[tuple[OutputFile, HashRows]]:
        """Yield a task for each part of each file, in order."""
        number = 0
        for output in todo:
            self._folder.begin(output)
            for part in rows.cut(output.listed.uri, output.listed.size):
                output.first = number if output.first < 0 else output.first
                yield output, HashRows(number, part, self._columns, self._parameters, self._paragraphs)
                number += 1

    def _hash(self, tasks: Iterator[tuple[OutputFile, HashRows]], ahead: list[_Hashed], scratch: str) -> list[_Hashed]:
        """Read parts for a block, and compute the ids and signatures of their rows.

        Args:
            ahead: the parts that were hashed with the block before.

        Returns:
            the parts in their order. They are a block or more: how many rows a part has is known when it is read.
        """
        hashed, outputs = list(ahead), dict[int, OutputFile]()
        count, size = sum(part.rows for part in ahead), sum(part.size for part in ahead)

        def enough() -> Iterator[HashRows]:
            nonlocal size
            while count < _ROWS and size < _BYTES and (following := next(tasks, None)):
                output, task = following
                outputs[task.number] = output
                size += task.size
                yield task

        for end in self._engine.run(work, enough(), progress=self._reporter.advance, scratch=scratch):
            output = outputs[end.task.number]
            if isinstance(end, Failed):
                named = output.listed.uri in end.error
                raise SourceError(end.error if named else f"{output.listed.uri}: {end.error}")
            assert isinstance(end.result, list)
            hashed.append(_Hashed(end.task.number, output, end.task.size, end.result))
            count += hashed[-1].rows
            if end.task.number == output.first and end.result:
                self._check(output.listed.uri, end.result[0])
        return sorted(hashed, key=lambda part: part.number)

    def _block(self, block: list[_Hashed], scratch: str) -> None:
        """Look up the rows of a block, verify what was found, and write them."""
        hashes = [chunk for part in block for chunk in part.chunks]
        outputs = [part.output for part in block for _ in part.chunks]
        verified: dict[int, VerifiedRows] = {}
        following = 0
        tasks = self._look_up(hashes, scratch) if hashes else iter(())
        for end in self._engine.run(work, tasks, scratch=scratch):
            if isinstance(end, Failed):
                raise SourceError(end.error)
            assert isinstance(end.result, VerifiedRows)
            verified[end.result.number] = end.result
            while following in verified:
                chunk = verified.pop(following)
                chunk.counts.problems = hashes[following].problems
                chunk.columns = hashes[following].columns
                self._folder.write(outputs[following], chunk, f"{scratch}/{chunk.piece}")
                following += 1
        _log.debug("parts %d to %d certified", block[0].number, block[-1].number)

    def _check(self, uri: str, hashes: RowHashes) -> None:
        """Check the first chunk of a file.

        Raises:
            SourceError: it holds no rows, or none with a text.
        """
        if hashes.is_list:
            raise SourceError(f"{uri}: JSON over many lines, where each line should be a row; `jq -c .[]` of a list, "
                              "or `jq -c .` of objects, makes JSON lines of it")  # fmt: skip
        if not hashes.without_column:
            return
        columns = hashes.without_column.removeprefix("columns: ")
        if not (named := self._columns.text):
            raise SourceError(f"{uri}: none of the rows has a column of text that is known (columns: {columns}); name "
                              "it by --text-column")  # fmt: skip
        close = get_close_matches(named, columns.split(", "), 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise SourceError(f"{uri}: none of the rows has text in a column {named}; there are {columns}{meant}")

    def _look_up(self, hashes: list[RowHashes], scratch: str) -> Iterator[VerifyRows]:
        """Look up the rows of a block, and return the tasks that verify what was found."""
        exact = self._proven.find(np.concatenate([chunk.ids for chunk in hashes]))  # also of a text without words
        candidates = self._candidates(hashes, exact, scratch)
        cited = [exact[exact >= 0], candidates.proofs]
        paragraphs: list[list[tuple[int, int, ParagraphProof | None]]] | None = None
        if self._paragraphs:
            parts = [chunk.paragraphs for chunk in hashes if chunk.paragraphs is not None]
            paragraphs = match_paragraphs(self._lake, self._proven, parts, self._parameters, self._engine, scratch)
            cited.append(np.array([proof.number for chunk in paragraphs for *_, proof in chunk if proof], np.int64))
        passages: list[list[list[RowPassage]]] | None = None
        if self._index:
            passages = match_passages(self._index, [chunk.name for chunk in hashes], exact, self._engine, scratch)
            cited.append(np.array([number for rows_ in passages for row in rows_ for *_, number in row], np.int64))
        proofs = self._proven.proofs(np.concatenate(cited))

        def tasks() -> Iterator[VerifyRows]:
            first = 0
            for index, chunk in enumerate(hashes):
                count = len(chunk.shingles)
                own, near = exact[first : first + count], candidates.of_rows(first, first + count)
                wanted = {*own[own >= 0].tolist(), *near.proofs.tolist()}
                by_row: list[list[tuple[int, ParagraphProof | None]]] | None = None
                if paragraphs is not None:
                    by_row = [[] for _ in range(count)]
                    for row, words, proof in paragraphs[index]:
                        by_row[row].append((words, proof))
                        if proof:
                            wanted.add(proof.number)
                found = passages[index] if passages is not None else None
                wanted.update(number for row in found or () for *_, number in row)
                chosen = {number: proofs[number] for number in wanted}
                yield VerifyRows(index, chunk.name, self._parameters, own, near, chosen, by_row, found)
                first += count

        return tasks()

    def _candidates(self, hashes: list[RowHashes], exact: npt.NDArray[np.int64], scratch: str) -> Candidates:
        """Find the texts that may be near-duplicates of the rows of a block, and store their shingles.

        Args:
            exact: for each row the number of its proof, or -1; a row that has one needs no other.
        """
        counts = np.concatenate([chunk.shingles for chunk in hashes])
        signatures = np.concatenate([chunk.signatures for chunk in hashes])
        unproven = np.flatnonzero((exact < 0) & (counts > 0))
        keys = band_keys(signatures[unproven], counts[unproven], self._parameters).view(np.int64).reshape(-1)
        rows_of = np.repeat(unproven, self._parameters.bands)
        allowed = self._known.live & (self._proof_of >= 0)
        row, text = split(meet(self._bands, allowed, self._known.rank, keys, rows_of, self._parameters.leaders))
        needed = np.unique(text)
        needed = needed[ids.sort(self._known.ids[needed])]
        position_of = np.full(len(self._known), -1)  # in the stored sets, by text
        position_of[needed] = np.arange(len(needed))
        wanted, shingles = self._known.ids[needed], self._known.shingles[needed]
        sets = store_sets(self._lake, wanted, shingles, self._parameters, self._engine, scratch, True)
        positions = position_of[text]
        absent = sets.sizes[positions] < 0 if len(positions) else np.zeros(0, bool)
        equal = np.zeros(len(row), np.int64)
        if absent.any():
            theirs = self._known.signatures(self._lake, text[absent], self._parameters.hashes)
            equal[absent] = (signatures[row[absent]] == theirs).sum(axis=1)
            positions[absent] = -1
        return Candidates(row, self._proof_of[text], positions, equal)
