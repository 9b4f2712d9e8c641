"""The files of a segment: vectors and what they belong to, memory-mapped; and the lists of FAISS.

`NAME.vectors` holds, for n vectors of d dimensions, one array after the other, little-endian: content ids (n × 32 bytes
as `index.ids` has them), part, start and end (n × 3 int32), lengths (n float32), vectors (n × d float16). `NAME.lists`
holds the inverted lists. Names are never used again. So a copy in a cache is never out of date.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pyarrow import fs as pafs

from archive import storage
from archive.commoncrawl.cache import cache_folder, of_lake
from archive.lake import Lake
from index.ids import Ids

#: In the lake's folder.
FOLDER = "vectors"
#: Seconds after which a file that no segment has is what a killed process left.
_LEFT = 24 * 3600

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Segment:
    """A row of `vector_segments`, with its vectors."""

    number: int
    source: str
    name: str
    rows: int
    ids: Ids
    spans: npt.NDArray[np.int32]  #: part, start, end
    lengths: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.floating]  #: of 16 bits in the file


def arrays(path: str | os.PathLike[str], rows: int, dimensions: int, mode: Any = "r") -> dict[str, npt.NDArray[Any]]:
    """Map the arrays of a file of vectors into memory; with `w+` it is created."""
    shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
        "ids": (np.dtype("<u8"), (rows, 4)),
        "spans": (np.dtype("<i4"), (rows, 3)),
        "lengths": (np.dtype("<f4"), (rows,)),
        "vectors": (np.dtype("<f2"), (rows, dimensions)),
    }
    data = np.memmap(path, np.uint8, mode, shape=(vectors_bytes(rows, dimensions),))
    out, at = {}, 0
    for name, (dtype, shape) in shapes.items():
        end = at + dtype.itemsize * int(np.prod(shape))
        out[name] = data[at:end].view(dtype).reshape(shape)
        at = end
    return out


def vectors_bytes(rows: int, dimensions: int) -> int:
    """Return the bytes of a file of vectors."""
    return rows * (4 * 8 + 3 * 4 + 4 + 2 * dimensions)


def folder(lake: Lake, encoder: str) -> str:
    """Return the folder of the files of an encoder, as `lake.filesystem` names it."""
    return f"{lake.table_path(FOLDER)}/{encoder}"


def _is_local(lake: Lake) -> bool:
    return not storage.is_s3(lake.location)


@contextlib.contextmanager
def writing(lake: Lake, encoder: str) -> Iterator[Path]:
    """Give a local folder; what is in it afterwards becomes files of the lake. After an error nothing does."""
    there = folder(lake, encoder)
    if _is_local(lake):
        os.makedirs(there, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=there if _is_local(lake) else None) as name:
        yield Path(name)
        for path in sorted(Path(name).iterdir()):
            if _is_local(lake):
                os.replace(path, f"{there}/{path.name}")
                continue
            with path.open("rb") as source, lake.filesystem.open_output_stream(f"{there}/{path.name}") as sink:
                shutil.copyfileobj(source, sink, 1 << 22)


def local(lake: Lake, encoder: str, name: str, size: int) -> str:
    """Return the path of a file on this machine. One of an object store is copied into the cache once.

    Args:
        size: its bytes. A copy of another size is replaced.

    Raises:
        FileNotFoundError: the lake does not have it.
    """
    path = f"{folder(lake, encoder)}/{name}"
    if _is_local(lake):
        if not os.path.exists(path):
            raise FileNotFoundError(2, "is missing", path)
        return path
    cache = cache_folder() / FOLDER / hashlib.sha256(lake.location.encode()).hexdigest()[:16] / encoder
    copy = cache / name
    if not copy.is_file() or copy.stat().st_size != size:
        cache.mkdir(parents=True, exist_ok=True)
        of_lake(cache.parent, lake.location)
        with tempfile.NamedTemporaryFile(dir=cache, prefix=".new-", delete=False) as sink:
            try:
                with lake.filesystem.open_input_stream(path) as source:
                    shutil.copyfileobj(source, sink, 1 << 22)
            except BaseException:
                os.unlink(sink.name)
                raise
        os.replace(sink.name, copy)
    return str(copy)


def listed(lake: Lake, encoder: str) -> dict[str, int]:
    """Return the names of the files of an encoder, and their bytes."""
    return {info.base_name: int(info.size) for info in _infos(lake, encoder) if info.is_file}


def _infos(lake: Lake, encoder: str) -> list[Any]:
    found = lake.filesystem.get_file_info(pafs.FileSelector(folder(lake, encoder), allow_not_found=True))
    return list(found)


def clean_up(lake: Lake, encoder: str, kept: set[str], dropped: set[str]) -> None:
    """Delete the files of segments that are gone, and after a day what killed processes left.

    Args:
        kept, dropped: names of segments, without what follows the dot.
    """
    for info in _infos(lake, encoder):
        stem = info.base_name.partition(".")[0]
        old = info.mtime is not None and time.time() - info.mtime.timestamp() > _LEFT
        if stem in kept or not (stem in dropped or old):
            continue
        with contextlib.suppress(OSError):
            if info.is_file:
                lake.filesystem.delete_file(info.path)
            elif _is_local(lake):
                lake.filesystem.delete_dir(info.path)
