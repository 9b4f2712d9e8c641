"""The shingle sets of chosen texts of a lake, copied into one scratch file by one scan of `documents`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.arrow import plain
from archive.engine import Context, Engine, Failed
from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.ids import Ids
from index.minhash.kernel import compiled, shared, shingle_sets, utf8
from index.minhash.procedure import Parameters


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


def wanted_texts(lake: Lake, name: str, wanted: Ids) -> Iterator[tuple[npt.NDArray[np.int64], pa.Array]]:
    """Yield the wanted texts of a file of documents, by row group: their positions in `wanted`, and the texts.

    Of row groups without any only the ids are read.

    Args:
        wanted: content ids, sorted.
    """
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{name}", filesystem=lake.filesystem) as file:
        for group in range(file.num_row_groups):
            content_ids = ids.parse(file.read_row_group(group, columns=["content_id"]).column(0))
            positions = ids.positions(wanted, content_ids)
            rows = np.flatnonzero(positions >= 0)
            if len(rows):
                texts = plain(file.read_row_group(group, columns=["text"])).column(0).take(pa.array(rows))
                yield positions[rows], texts.combine_chunks()


@dataclass(frozen=True, slots=True)
class SetsTask:
    """A file of documents whose wanted texts are to be stored as shingle sets in the scratch folder."""

    location: str
    file: str
    parameters: Parameters
    number: int = 0
    texts: bool = False  #: store the texts too


@dataclass(frozen=True, slots=True)
class SetsResult:
    """The wanted texts that a file holds, by their position in the wanted ids, and the sizes of their sets."""

    positions: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    bytes: npt.NDArray[np.int64]  #: of the texts, one after the other in a file; none if they are not stored


def work(task: SetsTask, ctx: Context) -> SetsResult:
    """Store the shingle sets of the wanted texts of a file. Needs a scratch folder that all workers see."""
    lake = Lake(task.location)
    wanted = np.load(f"{ctx.shared}/wanted.npy", mmap_mode="r")
    starts = np.load(f"{ctx.shared}/starts.npy", mmap_mode="r")
    shingles = np.memmap(f"{ctx.shared}/shingles", np.uint64, "r+")
    positions, sizes, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    with contextlib.ExitStack() as stack:
        stored = stack.enter_context(open(f"{ctx.shared}/texts-{task.number}", "wb")) if task.texts else None
        for group, texts in wanted_texts(lake, task.file, wanted):
            sets, offsets = shingle_sets(texts, task.parameters)
            for number, position in enumerate(group):
                one = sets[offsets[number] : offsets[number + 1]]
                shingles[starts[position] : starts[position] + len(one)] = one
            positions.append(group)
            sizes.append(np.diff(offsets))
            if stored:
                data, ends = utf8(texts)
                stored.write(data[ends[0] : ends[-1]].data)
                lengths.append(np.diff(ends).astype(np.int64))
    shingles.flush()
    return SetsResult(np.concatenate(positions), np.concatenate(sizes), np.concatenate(lengths))


@compiled
def _compare(shingles, starts, sizes, left, right, common):  # type: ignore[no-untyped-def]
    for pair in range(left.size):
        a, b = left[pair], right[pair]
        common[pair] = shared(shingles[starts[a] : starts[a] + sizes[a]], shingles[starts[b] : starts[b] + sizes[b]])


class ShingleSets:
    """Shingle sets in a scratch folder, as `store_sets` wrote them. Any process that sees the folder can open them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._starts = np.load(f"{folder}/starts.npy", mmap_mode="r")
        #: different shingles of each text; -1 for a text that the lake does not hold
        self.sizes: npt.NDArray[np.int64] = np.load(f"{folder}/sizes.npy", mmap_mode="r")
        self._shingles = np.memmap(f"{folder}/shingles", np.uint64, "r")
        self._texts: npt.NDArray[np.int64] = np.load(f"{folder}/texts.npy", mmap_mode="r")

    def of(self, position: int) -> npt.NDArray[np.uint64]:
        """Return the shingle set of a text by its position in the wanted ids."""
        start = self._starts[position]
        return self._shingles[start : start + self.sizes[position]]

    def text(self, position: int) -> str:
        """Return a text by its position in the wanted ids; `store_sets` must have stored the texts."""
        number, start, size = self._texts[position].tolist()
        with open(f"{self.folder}/texts-{number}", "rb") as file:
            file.seek(start)
            return file.read(size).decode()

    def common(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Count the shingles that the texts of each pair share; the lake must hold both."""
        out = np.empty(len(left), np.int32)
        _compare(self._shingles, self._starts, self.sizes, left, right, out)
        return out


@contextlib.contextmanager
def store_sets(
    lake: Lake,
    wanted: Ids,
    shingles: npt.NDArray[np.int32],
    parameters: Parameters,
    engine: Engine,
    with_texts: bool = False,
) -> Iterator[ShingleSets]:
    """Store the shingle sets of some texts of a lake in a scratch folder, with 8 bytes for each shingle.

    Args:
        wanted: ids of texts, sorted, each once.
        shingles: of each text, as `signatures` counts them: an upper bound of the different ones.
        with_texts: store the texts too, as UTF-8.

    Raises:
        LakeError: a file of documents cannot be read.
        OSError: the disk is full.
    """
    starts = np.concatenate([[0], np.cumsum(shingles, dtype=np.int64)])
    sizes = np.full(len(wanted), -1, np.int64)
    where = np.zeros((len(wanted) if with_texts else 0, 3), np.int64)  # file, offset and bytes of each text
    with engine.scratch() as folder:
        np.save(f"{folder}/wanted.npy", wanted)
        np.save(f"{folder}/starts.npy", starts)
        allocate(f"{folder}/shingles", 8 * max(int(starts[-1]), 1))
        files = sorted(lake.files(DOCUMENTS.name)) if len(wanted) else []
        tasks = (SetsTask(lake.location, file, parameters, at, with_texts) for at, file in enumerate(files))
        for end in engine.run(work, tasks, scratch=folder):
            if isinstance(end, Failed):
                raise LakeError(f"{lake.table_uri(DOCUMENTS.name)}/{end.task.file}: {end.error}")
            sizes[end.result.positions] = end.result.sizes
            if with_texts:
                ends = np.cumsum(end.result.bytes)
                number = np.full(len(ends), end.task.number)
                where[end.result.positions] = np.stack([number, ends - end.result.bytes, end.result.bytes], axis=1)
        np.save(f"{folder}/texts.npy", where)
        np.save(f"{folder}/sizes.npy", sizes)
        yield ShingleSets(folder)
