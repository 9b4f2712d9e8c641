"""The shingle sets of chosen texts of a lake, brought into one scratch file by one scan of `documents`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.engine import Context, Engine, Failed
from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.ids import Ids
from index.minhash.kernel import compiled, shared, shingle_sets
from index.minhash.procedure import Parameters


def allocate(path: str, size: int) -> None:
    """A file of so many bytes, which are there: writing into the map of a file that a full disk cannot hold kills.

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
    """The wanted texts of a file of documents, by row group: their places in the sorted ids, and the texts.

    Of row groups that hold none only the ids are read.
    """
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{name}", filesystem=lake.filesystem) as file:
        for group in range(file.num_row_groups):
            content_ids = ids.parse(file.read_row_group(group, columns=["content_id"]).column(0))
            places = ids.places(wanted, content_ids)
            rows = np.flatnonzero(places >= 0)
            if len(rows):
                texts = file.read_row_group(group, columns=["text"]).column(0).take(pa.array(rows))
                yield places[rows], texts.combine_chunks()


@dataclass(frozen=True, slots=True)
class Task:
    """A file of documents. The scratch folder says which of its texts are wanted, and takes their shingles."""

    location: str
    file: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Found:
    """Wanted texts that a file holds, by their place in the wanted ids, and the size of their sets."""

    places: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]


def work(task: Task, ctx: Context) -> Found:
    """Find the wanted texts of a file, and store their shingle sets. Needs a scratch folder that all workers see."""
    lake = Lake(task.location)
    wanted = np.load(f"{ctx.shared}/wanted.npy", mmap_mode="r")
    starts = np.load(f"{ctx.shared}/starts.npy", mmap_mode="r")
    shingles = np.memmap(f"{ctx.shared}/shingles", np.uint64, "r+")
    places, sizes = [], []
    for place, texts in wanted_texts(lake, task.file, wanted):
        sets, offsets = shingle_sets(texts, task.parameters)
        for number, text in enumerate(place):
            one = sets[offsets[number] : offsets[number + 1]]
            shingles[starts[text] : starts[text] + len(one)] = one
        places.append(place)
        sizes.append(np.diff(offsets))
    shingles.flush()
    nothing = np.empty(0, np.int64)
    return Found(np.concatenate([nothing, *places]), np.concatenate([nothing, *sizes]))


@compiled
def _compare(shingles, starts, sizes, left, right, common):  # type: ignore[no-untyped-def]
    for pair in range(left.size):
        a, b = left[pair], right[pair]
        common[pair] = shared(shingles[starts[a] : starts[a] + sizes[a]], shingles[starts[b] : starts[b] + sizes[b]])


class Opened:
    """Shingle sets that another process has gathered into a folder."""

    def __init__(self, folder: str) -> None:
        self._starts = np.load(f"{folder}/starts.npy", mmap_mode="r")
        self._sizes = np.load(f"{folder}/sizes.npy", mmap_mode="r")
        self._shingles = np.memmap(f"{folder}/shingles", np.uint64, "r")

    def of(self, place: int) -> npt.NDArray[np.uint64]:
        """The shingle set of a text."""
        start = self._starts[place]
        return self._shingles[start : start + self._sizes[place]]


class ShingleSets:
    """The shingle sets of some texts of a lake, in a scratch file of 8 bytes a shingle.

    Args:
        wanted: ids of texts, sorted, each once.
        shingles: of each, as `signatures` counts them; an upper bound of what is different among them.
    """

    def __init__(
        self, lake: Lake, wanted: Ids, shingles: npt.NDArray[np.int32], parameters: Parameters, engine: Engine
    ) -> None:
        self._scratch = engine.scratch()
        #: where they are, for other processes to open
        self.folder = scratch = self._scratch.__enter__()
        self._starts = np.concatenate([[0], np.cumsum(shingles, dtype=np.int64)])
        np.save(f"{scratch}/wanted.npy", wanted)
        np.save(f"{scratch}/starts.npy", self._starts)
        allocate(f"{scratch}/shingles", 8 * max(int(self._starts[-1]), 1))
        self.sizes = np.full(len(wanted), -1, np.int64)  #: different shingles of each, -1 where the text is not there
        files = sorted(lake.files(DOCUMENTS.name)) if len(wanted) else []
        tasks = (Task(lake.location, file, parameters) for file in files)
        for end in engine.run(work, tasks, scratch=scratch):
            if isinstance(end, Failed):
                raise LakeError(f"{lake.table_uri(DOCUMENTS.name)}/{end.task.file}: {end.error}")
            self.sizes[end.result.places] = end.result.sizes
        np.save(f"{scratch}/sizes.npy", self.sizes)
        self._shingles = np.memmap(f"{scratch}/shingles", np.uint64, "r")

    def __enter__(self) -> ShingleSets:
        return self

    def __exit__(self, *_: object) -> None:
        del self._shingles
        self._scratch.__exit__(None, None, None)

    def common(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """How many shingles the texts of each pair share; both must be there."""
        out = np.empty(len(left), np.int32)
        _compare(self._shingles, self._starts, self.sizes, left, right, out)
        return out
