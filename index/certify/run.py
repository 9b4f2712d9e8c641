"""`certify`: streams a data set through an index in blocks, and writes it with what is proven about each row.

A block goes through four steps. Workers examine its chunks (normal form, id, signature). The bands of
its rows are met with those of the index, and ids looked up. The shingles of the texts that were met are gathered
by one scan of `documents`. Workers verify, and write the chunks, which are put together in their order.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from archive import storage
from archive.engine import Failed, run_all
from archive.errors import ArchiveError, SourceError
from archive.lake import Lake
from archive.records.datasets import Columns
from archive.show import Stages
from archive.storage import Listed
from archive.tables import DOCUMENTS
from index import ids, tables, texts
from index.certify import paragraphs, rows
from index.certify.match import meet
from index.certify.proven import Proven
from index.certify.work import Examine, Examined, Prove, Proved, work
from index.gather import ShingleSets
from index.kernel import band_keys
from index.segments import Bands

#: Rows and bytes of a block. Scratch space: its bytes, and 8 for each shingle of the texts that it meets.
_ROWS, _BYTES = 100_000, 1 << 29
#: What is written into the result beside the data set: its progress, and the file that is being written.
_OWN = "_certify"
_MANIFEST = f"{_OWN}/manifest.json"


@dataclass(slots=True)
class Summary:
    """The rows of a data set, and how many of them provably existed."""

    files: int = 0
    files_known: int = 0  #: done by an earlier run of the same command
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  #: exact, near, none
    years: Counter[tuple[str, str]] = field(default_factory=Counter)  #: (year of the proof, kind) -> rows
    paragraphs: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)  #: rows without text, stretches without rows

    def add(self, other: Summary) -> None:
        self.rows += other.rows
        for name in ("kinds", "years", "paragraphs", "problems"):
            getattr(self, name).update(getattr(other, name))

    def as_json(self) -> dict[str, Any]:
        years: dict[str, dict[str, int]] = {}
        for (year, kind), count in sorted(self.years.items()):
            years.setdefault(year, {})[kind] = count
        return {
            "files": self.files,
            "files_known": self.files_known,
            "rows": self.rows,
            "proof": {kind: self.kinds[kind] for kind in ("exact", "near", "none")},
            "proof_by_year": years,
            "paragraphs": dict(self.paragraphs),
            "problems": dict(self.problems),
        }

    @classmethod
    def from_json(cls, numbers: dict[str, Any]) -> Summary:
        stated = numbers["proof_by_year"]
        years = {(year, kind): count for year, kinds in stated.items() for kind, count in kinds.items()}
        named = {name: Counter(numbers[name]) for name in ("paragraphs", "problems")}
        return cls(0, 0, numbers["rows"], Counter(numbers["proof"]), Counter(years), **named)


def certify(
    lake: Lake,
    dataset: str,
    out: str,
    before: datetime,
    columns: Columns = Columns(),
    workers: int | None = None,
    judge_paragraphs: bool = False,
    stages: Stages | None = None,
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
    workers = workers or os.cpu_count() or 1
    try:
        return _Certify(lake, out, before, columns, workers, judge_paragraphs, stages).run(dataset)
    except (OSError, pa.ArrowException) as error:
        where = getattr(error, "filename", None) or out
        raise ArchiveError(f"{where}: {getattr(error, 'strerror', None) or str(error).splitlines()[0]}; run the same "
                           "command again when it is mended") from None  # fmt: skip


@dataclass(slots=True)
class _Output:
    """A file of the result, while it is written."""

    listed: Listed
    summary: Summary = field(default_factory=Summary)
    first: int = -1  #: number of its first chunk
    sink: pa.NativeFile | None = None
    writer: pq.ParquetWriter | None = None


class _Certify:
    def __init__(
        self,
        lake: Lake,
        out: str,
        before: datetime,
        columns: Columns,
        workers: int,
        judge_paragraphs: bool,
        stages: Stages | None,
    ) -> None:
        self._lake, self._out, self._before, self._columns = lake, out, before, columns
        self._workers, self._paragraphs, self._stages = workers, judge_paragraphs, stages or Stages()
        self._parameters = tables.parameters_of(lake)
        self._whole = out.rstrip("/") if storage.is_s3(out) else os.path.realpath(out)  #: `out`, links resolved
        self._system, self._root = storage.filesystem(self._whole)
        self._summary = Summary()

    def run(self, dataset: str) -> Summary:
        if self._paragraphs and not self._lake.files(DOCUMENTS.name):
            raise ArchiveError(f"{self._lake.location}: holds no texts, so that paragraphs cannot be judged")
        listed = self._list(dataset)
        self._done = self._open(dataset)
        todo = []
        for file in listed:
            known = self._done["files"].get(file.name)
            if known and known["version"] == file.version and self._is_file(f"{self._root}/{file.name}"):
                self._summary.files_known += 1
                self._summary.add(Summary.from_json(known))
            else:
                todo.append(_Output(file))
        for name in self._done["files"].keys() - {file.name for file in listed}:
            if self._is_file(f"{self._root}/{name}"):  # it is no longer in the data set
                self._system.delete_file(f"{self._root}/{name}")
            del self._done["files"][name]
        self._note()
        if todo:
            self._stages.stage("look up", None)
            with Proven(self._lake, self._before) as proven:
                self._known = texts.load(self._lake)
                self._proof_of = proven.find(self._known.ids)
                self._run(proven, todo)
        self._summary.files = len(listed)
        return self._summary

    def _list(self, dataset: str) -> list[Listed]:
        """The files of the data set. What is hidden, by a dot or underscore in front, is no part of it."""
        own = (f"{self._lake.location}/", f"{self._whole}/")
        far = storage.is_s3(dataset) or storage.is_http(dataset)
        place = dataset.rstrip("/") if far else os.path.realpath(dataset)
        if f"{self._whole}/".startswith(f"{place}/"):
            raise ArchiveError(f"{self._out}: the result would lie inside the data set; choose another folder")
        found = list(storage.list_files(dataset))
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

    def _is_file(self, path: str) -> bool:
        return bool(self._system.get_file_info(path).type == pafs.FileType.File)

    def _open(self, dataset: str) -> dict[str, dict[str, Any]]:
        """What an earlier run of the same command has done; the folder must be new otherwise."""
        arguments = {
            "lake": self._lake.location,
            "captures": self._lake.delta("captures").version(),
            "index": self._lake.delta(tables.SIGNATURES.name).version(),
            "before": self._before.isoformat(),
            "dataset": dataset if "://" in dataset else os.path.abspath(dataset),
            "text_column": self._columns.text,
            "paragraphs": self._paragraphs,
        }
        path = f"{self._root}/{_MANIFEST}"
        try:
            with self._system.open_input_stream(path) as file:
                manifest: dict[str, dict[str, Any]] = json.loads(file.read())
        except FileNotFoundError:
            selector = pafs.FileSelector(self._root, allow_not_found=True)
            if any(info.base_name != _OWN for info in self._system.get_file_info(selector)):
                raise ArchiveError(f"{self._out}: holds other files; choose a new folder") from None
            return {"arguments": arguments, "files": {}}
        except ValueError:
            raise ArchiveError(f"{path}: is damaged; choose a new folder for the result") from None
        if manifest["arguments"] != arguments:
            differing = [name for name, value in arguments.items() if manifest["arguments"].get(name) != value]
            raise ArchiveError(
                f"{self._out}: holds the result of another certify ({', '.join(differing)} differ); "
                "choose another folder"
            )
        return manifest

    def _run(self, proven: Proven, todo: list[_Output]) -> None:
        """Block by block, through all files."""
        self._waiting: list[_Output] = []
        number = 0
        self._bands = Bands(self._lake, self._known.segments, self._known.starts, self._parameters)
        self._proven = proven
        chunks = self._chunks(todo)
        while True:
            with tempfile.TemporaryDirectory(prefix="lowbackground-") as scratch:
                self._stages.stage("certify", None)
                done = self._block(chunks, number, scratch)
            number += done
            if not done:
                break
        for output in self._waiting:  # files without any row
            self._close(output)

    def _chunks(self, todo: list[_Output]) -> Iterator[tuple[_Output, rows.Lines | rows.Batch]]:
        for output in todo:
            self._waiting.append(output)
            yield from ((output, chunk) for chunk in rows.read(output.listed.uri))

    def _block(self, chunks: Iterator[tuple[_Output, rows.Lines | rows.Batch]], number: int, scratch: str) -> int:
        """Certify the next block; returns how many chunks it had."""
        owners: list[_Output] = []

        def examinations() -> Iterator[Examine]:
            held = size = 0
            while held < _ROWS and size < _BYTES and (following := next(chunks, None)):
                output, chunk = following
                owners.append(output)
                output.first = number + len(owners) - 1 if output.first < 0 else output.first
                held += len(chunk)
                size += sum(map(len, chunk.lines)) if isinstance(chunk, rows.Lines) else chunk.batch.nbytes
                at = number + len(owners) - 1
                yield Examine(at, chunk, self._columns, self._parameters, scratch, self._paragraphs)

        examined: dict[int, Examined] = {}
        for end in run_all(work, examinations(), self._workers, self._stages.progress):
            if isinstance(end, Failed):
                raise SourceError(f"{owners[end.task.number - number].listed.uri}: {end.error}")
            assert isinstance(end.result, Examined)
            examined[end.result.number] = end.result
            output = owners[end.result.number - number]
            if end.result.without_column and end.task.number == output.first:
                raise SourceError(f"{output.listed.uri}: none of the rows has a column of text that is known "
                                  f"({end.result.without_column}); name it by --text-column")  # fmt: skip
        if not owners:
            return 0
        proved: dict[int, Proved] = {}
        following = number
        with self._proofs([examined[at] for at in sorted(examined)], scratch) as proofs:
            for made in run_all(work, proofs.tasks, self._workers):
                if isinstance(made, Failed):
                    raise SourceError(made.error)
                assert isinstance(made.result, Proved)
                proved[made.result.number] = made.result
                while following in proved:
                    output = owners[following - number]
                    output.summary.problems.update(examined[following].problems)
                    self._write(output, proved.pop(following))
                    following += 1
        return len(owners)

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
        row, text = (codes >> np.uint64(32)).astype(np.int64), (codes & np.uint64(0xFFFFFFFF)).astype(np.int64)
        needed = np.unique(text)
        needed = needed[ids.sort(self._known.ids[needed])]
        place_of = np.full(len(self._known), -1)
        place_of[needed] = np.arange(len(needed))
        sets = ShingleSets(
            self._lake, self._known.ids[needed], self._known.shingles[needed], self._parameters, self._workers
        )
        places = place_of[text]
        absent = sets.sizes[places] < 0 if len(places) else np.zeros(0, bool)
        equal = np.zeros(len(row), np.int64)
        if absent.any():
            theirs = self._known.signatures(self._lake, text[absent], self._parameters.hashes)
            equal[absent] = (signatures[row[absent]] == theirs).sum(axis=1)
            places[absent] = -1
        numbers = self._proof_of[text]
        judged: list[list[tuple[int, int, paragraphs.Best | None]]] | None = None
        cited = [exact[exact >= 0], numbers]
        if self._paragraphs:
            parts = [chunk.paragraphs for chunk in examined if chunk.paragraphs is not None]
            judged = paragraphs.judge(self._lake, self._proven, parts, self._parameters, self._workers, scratch)
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
                    scratch,
                    own,
                    row[begin:end] - first,
                    numbers[begin:end],
                    places[begin:end],
                    equal[begin:end],
                    {number: proofs[number] for number in wanted},
                    sets.folder,
                    mine,
                )

        return _Proofs(sets, tasks())

    # -- the result --------------------------------------------------------------------------------

    def _write(self, output: _Output, piece: Proved) -> None:
        """Add a finished chunk to its file; files are done in their order."""
        while self._waiting[0] is not output:
            self._close(self._waiting.pop(0))
        if output.sink is None:
            self._begin(output)
        if output.writer is not None:
            with pa.memory_map(piece.path) as source:
                output.writer.write_table(pa.ipc.open_file(source).read_all())
        else:
            assert output.sink is not None
            with open(piece.path, "rb") as file:
                shutil.copyfileobj(file, output.sink, 1 << 20)
        os.unlink(piece.path)
        output.summary.rows += piece.rows
        output.summary.kinds.update(piece.kinds)
        output.summary.years.update(piece.years)
        output.summary.paragraphs.update(piece.paragraphs)

    def _begin(self, output: _Output) -> None:
        output.sink = self._system.open_output_stream(self._draft(output.listed.name), compression=None)
        schema = rows.parquet_schema(output.listed.uri)
        if schema is not None:
            output.writer = pq.ParquetWriter(output.sink, schema, compression="zstd")

    def _close(self, output: _Output) -> None:
        """Give a finished file its name, and note that it is done."""
        if output.sink is None:
            self._begin(output)
        assert output.sink is not None
        if output.writer is not None:
            output.writer.close()
        output.sink.close()
        self._publish(output.listed.name)
        self._done["files"][output.listed.name] = {"version": output.listed.version, **output.summary.as_json()}
        self._note()
        self._summary.add(output.summary)

    def _draft(self, name: str) -> str:
        """Where a file is written until it is whole. On S3 it appears when it is closed, and not before."""
        if storage.is_s3(self._out):
            return f"{self._root}/{name}"
        self._system.create_dir(f"{self._root}/{_OWN}", recursive=True)
        return f"{self._root}/{_OWN}/part"

    def _publish(self, name: str) -> None:
        if not storage.is_s3(self._out):
            self._system.create_dir(f"{self._root}/{name}".rpartition("/")[0], recursive=True)
            self._system.move(self._draft(name), f"{self._root}/{name}")

    def _note(self) -> None:
        """Write down what is done."""
        with self._system.open_output_stream(self._draft(_MANIFEST), compression=None) as file:
            file.write(json.dumps(self._done, indent=1).encode())
        self._publish(_MANIFEST)


@dataclass(slots=True)
class _Proofs:
    """The second half of a block's work, as long as the gathered shingles are there."""

    sets: ShingleSets
    tasks: Iterator[Prove]

    def __enter__(self) -> _Proofs:
        return self

    def __exit__(self, *exception: object) -> None:
        self.sets.__exit__(*exception)
