"""The shingle sets of chosen texts of a lake, copied into one scratch file by one scan of `documents`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.arrow import plain
from archive.damage import error_of
from archive.engine import Context, Engine, Failed
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.ids import Ids
from index.minhash.kernel import compiled, shared, shingle_sets, utf8
from index.minhash.procedure import Parameters

#: The files of the scratch folder.
_FOLDER = "sets"
_WANTED, _STARTS, _SIZES, _SHINGLES, _TEXTS = (f"sets/{name}" for name in ("wanted.npy", "starts.npy", "sizes.npy",
                                                                            "shingles", "texts"))  # fmt: skip


def allocate(path: str, size: int) -> None:
    """Create a file of `size` bytes that the disk really has: a full disk would kill a process that writes to its map.

    Raises:
        OSError: the disk is full; the error names the file.
    """
    with open(path, "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise OSError(
                error.errno, f"{error.strerror} ({size / 1e6:,.0f} MB of scratch space, see TMPDIR)", path
            ) from None


#: Tasks for each worker, so that none waits long for another at the end.
_TASKS = 4


def shares(files: int, workers: int) -> int:
    """Return into how many parts each file of documents is cut, for so many workers: large lakes have files enough."""
    return -(-_TASKS * workers // files) if files and workers > 1 else 1


def wanted_texts(
    lake: Lake, name: str, wanted: Ids, part: int = 0, parts: int = 1
) -> Iterator[tuple[npt.NDArray[np.int64], pa.Array]]:
    """Yield the wanted texts of a file of documents, by row group: their positions in `wanted`, and the texts.

    Of row groups without any only the ids are read.

    Args:
        wanted: content ids, sorted.
        part: of `parts` equal parts of the row groups.
    """
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{name}", filesystem=lake.filesystem) as file:
        groups = file.num_row_groups
        for group in range(groups * part // parts, groups * (part + 1) // parts):
            content_ids = ids.parse(file.read_row_group(group, columns=["content_id"]).column(0))
            positions = ids.positions(wanted, content_ids)
            rows = np.flatnonzero(positions >= 0)
            if len(rows):
                texts = plain(file.read_row_group(group, columns=["text"])).column(0).take(pa.array(rows))
                yield positions[rows], texts.combine_chunks()


@dataclass(frozen=True, slots=True)
class SetsTask:
    """A part of a file of documents whose wanted texts are to be stored as shingle sets in the scratch folder."""

    location: str
    file: str
    parameters: Parameters
    number: int = 0
    texts: bool = False  #: store the texts too
    part: int = 0  #: of the row groups …
    parts: int = 1


@dataclass(frozen=True, slots=True)
class SetsResult:
    """The wanted texts that a file holds, by their position in the wanted ids, and the sizes of their sets."""

    positions: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    bytes: npt.NDArray[np.int64]  #: of the texts, one after the other in a file; none if they are not stored


def work(task: SetsTask, ctx: Context) -> SetsResult:
    """Store the shingle sets of the wanted texts of a file, one after the other, in a file of the scratch folder."""
    lake = Lake(task.location)
    wanted = np.load(ctx.read(_WANTED), mmap_mode="r")
    positions, sizes, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    with contextlib.ExitStack() as stack:
        stored = stack.enter_context(open(ctx.write(f"{_SHINGLES}-{task.number}"), "wb"))
        stored_texts = stack.enter_context(open(ctx.write(f"{_TEXTS}-{task.number}"), "wb")) if task.texts else None
        for group, texts in wanted_texts(lake, task.file, wanted, task.part, task.parts):
            sets, offsets = shingle_sets(texts, task.parameters)
            stored.write(sets[offsets[0] : offsets[-1]].data)
            positions.append(group)
            sizes.append(np.diff(offsets))
            if stored_texts:
                data, ends = utf8(texts)
                stored_texts.write(data[ends[0] : ends[-1]].data)
                lengths.append(np.diff(ends).astype(np.int64))
    return SetsResult(np.concatenate(positions), np.concatenate(sizes), np.concatenate(lengths))


@compiled
def _compare(shingles, starts, sizes, left, right, common):  # type: ignore[no-untyped-def]
    for pair in range(left.size):
        a, b = left[pair], right[pair]
        common[pair] = shared(shingles[starts[a] : starts[a] + sizes[a]], shingles[starts[b] : starts[b] + sizes[b]])


class ShingleSets:
    """Shingle sets in a scratch folder, as `store_sets` wrote them. Any worker that has the folder can open them.

    Args:
        read: gives the path of a file of the scratch folder, as `Context.read` does.
    """

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._starts = np.load(read(_STARTS), mmap_mode="r")
        #: different shingles of each text; -1 for a text that the lake does not hold
        self.sizes: npt.NDArray[np.int64] = np.load(read(_SIZES), mmap_mode="r")
        self._shingles = np.memmap(read(_SHINGLES), np.uint64, "r")
        self._texts: npt.NDArray[np.int64] = np.load(read(f"{_TEXTS}.npy"), mmap_mode="r")

    def of(self, position: int) -> npt.NDArray[np.uint64]:
        """Return the shingle set of a text by its position in the wanted ids."""
        start = self._starts[position]
        return self._shingles[start : start + self.sizes[position]]

    def text(self, position: int) -> str:
        """Return a text by its position in the wanted ids; `store_sets` must have stored the texts."""
        number, start, size = self._texts[position].tolist()
        with open(self._read(f"{_TEXTS}-{number}"), "rb") as file:
            file.seek(start)
            return file.read(size).decode()

    def common(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Count the shingles that the texts of each pair share; the lake must hold both."""
        out = np.empty(len(left), np.int32)
        _compare(self._shingles, self._starts, self.sizes, left, right, out)
        return out


def store_sets(
    lake: Lake,
    wanted: Ids,
    shingles: npt.NDArray[np.int32],
    parameters: Parameters,
    engine: Engine,
    scratch: str,
    with_texts: bool = False,
) -> ShingleSets:
    """Store the shingle sets of some texts of a lake in a scratch folder, with 8 bytes for each shingle.

    Args:
        wanted: ids of texts, sorted, each once.
        shingles: of each text, as `signatures` counts them: an upper bound of the different ones.
        scratch: as `Engine.scratch` gives it. It must not hold such sets yet.
        with_texts: store the texts too, as UTF-8.

    Raises:
        LakeError: a file of documents cannot be read.
        OSError: the disk is full.
    """
    starts, sizes = np.zeros(len(wanted), np.int64), np.full(len(wanted), -1, np.int64)
    where = np.zeros((len(wanted) if with_texts else 0, 3), np.int64)  # file, offset and bytes of each text
    os.mkdir(f"{scratch}/{_FOLDER}")
    np.save(f"{scratch}/{_WANTED}", wanted)
    allocate(f"{scratch}/{_SHINGLES}", 8 * max(int(shingles.sum(dtype=np.int64)), 1))
    together = np.memmap(f"{scratch}/{_SHINGLES}", np.uint64, "r+")
    files = sorted(lake.files(DOCUMENTS.name)) if len(wanted) else []
    parts = shares(len(files), engine.workers)
    tasks = (
        SetsTask(lake.location, file, parameters, at * parts + part, with_texts, part, parts)
        for at, file in enumerate(files)
        for part in range(parts)
    )
    first = 0
    for end in engine.run(work, tasks, scratch=scratch):
        if isinstance(end, Failed):
            raise error_of(lake, DOCUMENTS, end.task.file, end.error)
        positions, number = end.result.positions, end.task.number
        ends = first + np.cumsum(end.result.sizes)
        starts[positions], sizes[positions] = ends - end.result.sizes, end.result.sizes
        if len(ends):
            together[first : ends[-1]] = np.memmap(f"{scratch}/{_SHINGLES}-{number}", np.uint64, "r")
            first = int(ends[-1])
        os.unlink(f"{scratch}/{_SHINGLES}-{number}")
        if with_texts:
            ends = np.cumsum(end.result.bytes)
            where[positions] = np.stack([np.full(len(ends), number), ends - end.result.bytes, end.result.bytes], axis=1)
    together.flush()
    np.save(f"{scratch}/{_STARTS}", starts)
    np.save(f"{scratch}/{_TEXTS}.npy", where)
    np.save(f"{scratch}/{_SIZES}", sizes)
    return ShingleSets(lambda name: f"{scratch}/{name}")
