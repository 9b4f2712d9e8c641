"""`certify`: streams a data set through an index in blocks, and writes it with what is proven about each row.

A block goes through four steps. Workers examine its chunks (normal form, id, signature). The bands of
its rows are met with those of the index, and ids looked up. The shingles of the texts that were met are gathered
by one scan of `documents`. Workers verify, and write the chunks, which are put together in their order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from archive import storage
from archive.damage import naming_damage
from archive.engine import Engine, Failed, Workers, open_engine
from archive.errors import ArchiveError, SourceError
from archive.lake import Lake
from archive.progress import Reporter
from archive.records.rows import Columns
from archive.sources import Listed, list_files
from archive.tables import DOCUMENTS
from index import ids, tables
from index.certify import paragraphs, rows
from index.certify.match import meet
from index.certify.proven import Proven
from index.certify.result import Output, Result
from index.certify.summary import Summary
from index.certify.work import Examine, Examined, Prove, Proved, work
from index.minhash.kernel import band_keys
from index.neardup import texts
from index.neardup.bands import Bands
from index.neardup.candidates import split
from index.neardup.shingle_sets import ShingleSets

#: Rows and bytes of a block. Scratch space: its bytes, and 8 for each shingle of the texts that it meets.
_ROWS, _BYTES = 100_000, 1 << 29


def certify(
    lake: Lake,
    dataset: str,
    out: str,
    before: datetime,
    columns: Columns = Columns(),
    workers: Workers = None,
    judge_paragraphs: bool = False,
    reporter: Reporter | None = None,
) -> Summary:
    """Write a data set with columns that tell which rows provably existed before a date.

    A row is proven `exact`ly if the lake holds an acceptable capture of the same text from before, `near`
    if it holds one of a verified near-duplicate. The files keep their names, formats and the order of their rows.
    Killed and run again with the same arguments, it goes on with the files that are not done.

    Args:
        dataset: a file, folder, pattern or s3:// prefix of JSON lines or Parquet.
        out: a folder, which may not hold anything else.
        judge_paragraphs: also each paragraph; reads the texts of the lake once for each block of rows.

    Raises:
        SourceError: the data set cannot be found or read.
        LakeError: there is no lake, or it has no index.
        ArchiveError: `out` holds something else.
    """
    engine = open_engine(workers)
    try:
        with naming_damage(lake):
            return _Certify(lake, out, before, columns, engine, judge_paragraphs, reporter).run(dataset)
    except (OSError, pa.ArrowException, duckdb.Error) as error:
        where = getattr(error, "filename", None) or out
        raise ArchiveError(f"{where}: {getattr(error, 'strerror', None) or str(error).splitlines()[0]}; run the same "
                           "command again when it is mended") from None  # fmt: skip


class _Certify:
    def __init__(
        self,
        lake: Lake,
        out: str,
        before: datetime,
        columns: Columns,
        engine: Engine,
        judge_paragraphs: bool,
        reporter: Reporter | None,
    ) -> None:
        self._lake, self._out, self._before, self._columns = lake, out, before, columns
        self._engine, self._paragraphs, self._reporter = engine, judge_paragraphs, reporter or Reporter()
        self._parameters = tables.parameters_of(lake)
        self._result = Result(out)
        self._summary = Summary()

    def run(self, dataset: str) -> Summary:
        if self._paragraphs and not self._lake.files(DOCUMENTS.name):
            raise ArchiveError(f"{self._lake.location}: holds no texts, so that paragraphs cannot be judged")
        listed = self._list(dataset)
        with self._result.entered():
            return self._judge(dataset, listed)

    def _judge(self, dataset: str, listed: list[Listed]) -> Summary:
        """Of the files that are not done, each row."""
        todo = self._result.open(self._arguments(dataset), listed, self._summary)
        if todo:
            self._reporter.stage("look up", None)
            with Proven(self._lake, self._before) as proven:
                self._known = texts.load(self._lake)
                self._proof_of = proven.find(self._known.ids)
                self._run(proven, todo)
        self._summary.files = len(listed)
        self._summary.stale = bool(self._lake.files(DOCUMENTS.name)) and not tables.is_current(self._lake)
        for output in todo:
            self._summary.add(output.summary)
        return self._summary

    def _list(self, dataset: str) -> list[Listed]:
        """The files of the data set. What is hidden, by a dot or underscore in front, is no part of it."""
        own = (f"{self._lake.location}/", f"{self._result.location}/")
        far = storage.is_s3(dataset) or storage.is_http(dataset)
        position = dataset.rstrip("/") if far else os.path.realpath(dataset)
        if f"{self._result.location}/".startswith(f"{position}/"):
            raise ArchiveError(f"{self._out}: the result would lie inside the data set; choose another folder")
        found = list(list_files(dataset))
        if any(file.uri.startswith(own[1]) for file in found):
            raise ArchiveError(f"{self._out}: the data set lies in it; choose another folder for the result")
        listed = []
        for file in found:
            hidden = any(part.startswith((".", "_")) for part in file.name.split("/")) and len(found) > 1
            if hidden or file.uri.startswith(own[0]):
                continue
            if rows.format_of(file.uri) == "unknown":
                if len(found) == 1:
                    raise SourceError(f"{file.uri}: neither JSON lines nor Parquet")
                self._summary.problems["unknown-format"] += 1
                continue
            listed.append(file)
        if not listed:
            raise SourceError(f"{dataset}: no file of JSON lines or Parquet is there")
        return listed

    def _arguments(self, dataset: str) -> dict[str, Any]:
        """What the result depends on."""
        return {
            "lake": self._lake.location,
            "captures": self._lake.delta("captures").version(),
            "index": self._lake.delta(tables.SIGNATURES.name).version(),
            "before": self._before.isoformat(),
            "dataset": dataset if "://" in dataset else os.path.abspath(dataset),
            "text_column": self._columns.text,
            "paragraphs": self._paragraphs,
        }

    def _run(self, proven: Proven, todo: list[Output]) -> None:
        """Block by block, through all files."""
        number = 0
        self._bands = Bands(self._lake, self._known.segments, self._known.starts, self._parameters)
        self._proven = proven
        chunks = self._chunks(todo)
        while True:
            with self._engine.scratch() as scratch:
                self._reporter.stage("certify", None)
                done = self._block(chunks, number, scratch)
            number += done
            if not done:
                break
        self._result.close()

    def _chunks(self, todo: list[Output]) -> Iterator[tuple[Output, rows.Lines | rows.Batch]]:
        for output in todo:
            self._result.begin(output)
            yield from ((output, chunk) for chunk in rows.read(output.listed.uri))

    def _block(self, chunks: Iterator[tuple[Output, rows.Lines | rows.Batch]], number: int, scratch: str) -> int:
        """Certify the next block; returns how many chunks it had."""
        owners: list[Output] = []

        def examinations() -> Iterator[Examine]:
            held = size = 0
            while held < _ROWS and size < _BYTES and (following := next(chunks, None)):
                output, chunk = following
                owners.append(output)
                output.first = number + len(owners) - 1 if output.first < 0 else output.first
                held += len(chunk)
                size += sum(map(len, chunk.lines)) if isinstance(chunk, rows.Lines) else chunk.batch.nbytes
                at = number + len(owners) - 1
                yield Examine(at, chunk, self._columns, self._parameters, self._paragraphs)

        examined: dict[int, Examined] = {}
        for end in self._engine.run(work, examinations(), progress=self._reporter.advance, scratch=scratch):
            if isinstance(end, Failed):
                raise SourceError(f"{owners[end.task.number - number].listed.uri}: {end.error}")
            assert isinstance(end.result, Examined)
            examined[end.result.number] = end.result
            output = owners[end.result.number - number]
            if end.task.number == output.first:
                self._check(output.listed.uri, end.task.chunk, end.result)
        if not owners:
            return 0
        proved: dict[int, Proved] = {}
        following = number
        with self._proofs([examined[at] for at in sorted(examined)], scratch) as proofs:
            for made in self._engine.run(work, proofs.tasks, scratch=scratch):
                if isinstance(made, Failed):
                    raise SourceError(made.error)
                assert isinstance(made.result, Proved)
                proved[made.result.number] = made.result
                while following in proved:
                    output = owners[following - number]
                    output.summary.problems.update(examined[following].problems)
                    self._result.write(output, proved.pop(following))
                    following += 1
        return len(owners)

    def _check(self, uri: str, chunk: rows.Lines | rows.Batch, examined: Examined) -> None:
        """Of the first chunk of a file.

        Raises:
            SourceError: it holds no rows, or none with a text.
        """
        if isinstance(chunk, rows.Lines) and chunk.lines and chunk.lines[0].strip(b" \t\r\n\0") in (b"[", b"{"):
            raise SourceError(f"{uri}: JSON over many lines, where each line should be a row; `jq -c .[]` of a list, "
                              "or `jq -c .` of objects, makes JSON lines of it")  # fmt: skip
        if not examined.without_column:
            return
        there = examined.without_column.removeprefix("columns: ")
        if not (named := self._columns.text):
            raise SourceError(f"{uri}: none of the rows has a column of text that is known (columns: {there}); name it "
                              "by --text-column")  # fmt: skip
        near = get_close_matches(named, there.split(", "), 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise SourceError(f"{uri}: none of the rows has text in a column {named}; there are {there}{meant}")

    def _proofs(self, examined: list[Examined], scratch: str) -> _Proofs:
        """Look the rows of a block up, and gather what is needed to verify them."""
        counts = np.concatenate([chunk.shingles for chunk in examined])
        signatures = np.concatenate([chunk.signatures for chunk in examined])
        starts = np.cumsum([0, *(len(chunk.shingles) for chunk in examined)])
        exact = np.where(counts > 0, self._proven.find(np.concatenate([chunk.ids for chunk in examined])), -1)
        open_rows = np.flatnonzero((exact < 0) & (counts > 0))
        keys = band_keys(signatures[open_rows], counts[open_rows], self._parameters).view(np.int64)
        rows_of = np.repeat(open_rows, self._parameters.bands)
        allowed = self._known.live & (self._proof_of >= 0)
        leaders = self._parameters.leaders
        codes = meet(self._bands, allowed, self._known.rank, keys.reshape(-1), rows_of, leaders)
        row, text = split(codes)
        needed = np.unique(text)
        needed = needed[ids.sort(self._known.ids[needed])]
        place_of = np.full(len(self._known), -1)
        place_of[needed] = np.arange(len(needed))
        sets = ShingleSets(
            self._lake, self._known.ids[needed], self._known.shingles[needed], self._parameters, self._engine
        )
        positions = place_of[text]
        absent = sets.sizes[positions] < 0 if len(positions) else np.zeros(0, bool)
        equal = np.zeros(len(row), np.int64)
        if absent.any():
            theirs = self._known.signatures(self._lake, text[absent], self._parameters.hashes)
            equal[absent] = (signatures[row[absent]] == theirs).sum(axis=1)
            positions[absent] = -1
        numbers = self._proof_of[text]
        judged: list[list[tuple[int, int, paragraphs.Best | None]]] | None = None
        cited = [exact[exact >= 0], numbers]
        if self._paragraphs:
            parts = [chunk.paragraphs for chunk in examined if chunk.paragraphs is not None]
            judged = paragraphs.judge(self._lake, self._proven, parts, self._parameters, self._engine, scratch)
            cited.append(np.array([best.number for chunk in judged for *_, best in chunk if best], np.int64))
        proofs = self._proven.proofs(np.concatenate(cited))

        def tasks() -> Iterator[Prove]:
            for index, chunk in enumerate(examined):
                first, last = int(starts[index]), int(starts[index + 1])
                begin, end = np.searchsorted(row, [first, last])
                mine: list[list[tuple[int, paragraphs.Best | None]]] | None = None
                own = exact[first:last]
                wanted = {int(number) for number in own if number >= 0} | {int(n) for n in numbers[begin:end]}
                if judged is not None:
                    mine = [[] for _ in range(last - first)]
                    for at, words, best in judged[index]:
                        mine[at].append((words, best))
                        if best:
                            wanted.add(best.number)
                yield Prove(
                    chunk.number,
                    self._parameters,
                    own,
                    row[begin:end] - first,
                    numbers[begin:end],
                    positions[begin:end],
                    equal[begin:end],
                    {number: proofs[number] for number in wanted},
                    sets.folder,
                    mine,
                )

        return _Proofs(sets, tasks())


@dataclass(slots=True)
class _Proofs:
    """The second half of a block's work, as long as the gathered shingles are there."""

    sets: ShingleSets
    tasks: Iterator[Prove]

    def __enter__(self) -> _Proofs:
        return self

    def __exit__(self, *exception: object) -> None:
        self.sets.__exit__(*exception)
