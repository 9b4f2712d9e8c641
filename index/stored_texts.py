"""Texts of a lake in any order, as questions want them: files stay open, and the row groups read last are held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.lake import Lake
from archive.tables import DOCUMENTS
from index.minhash.kernel import utf8

#: Bytes of texts that are held from one question to the next.
_HELD = 256 << 20
#: Files of documents that are open.
_OPEN = 64


class StoredTexts:
    """The texts of some files of documents.

    Args:
        files: as `lake.files("documents")` names them.
    """

    def __init__(self, lake: Lake, files: Sequence[str]) -> None:
        self._lake, self._files = lake, files
        self._held: OrderedDict[tuple[int, int], pa.Array] = OrderedDict()
        self._open: OrderedDict[int, tuple[pq.ParquetFile, npt.NDArray[np.int64]]] = OrderedDict()

    def close(self) -> None:
        for file, _ in self._open.values():
            file.close()

    def text(self, number: int, row: int) -> npt.NDArray[np.uint8]:
        """Return the text of a row of a file, in UTF-8.

        Args:
            number: of the file.
        """
        if number not in self._open:
            path = f"{self._lake.table_path(DOCUMENTS.name)}/{self._files[number]}"
            file = pq.ParquetFile(path, filesystem=self._lake.filesystem)
            rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            self._open[number] = file, np.cumsum([0, *rows])
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)[1][0].close()
        file, starts = self._open[number]
        group = int(np.searchsorted(starts, row, "right")) - 1
        if (number, group) in self._held:
            self._held.move_to_end((number, group))
        else:
            self._held[number, group] = file.read_row_group(group, columns=["text"]).column(0).combine_chunks()
            while len(self._held) > 1 and sum(each.nbytes for each in self._held.values()) > _HELD:
                self._held.popitem(last=False)
        data, offsets = utf8(self._held[number, group].slice(row - int(starts[group]), 1))
        return data[offsets[0] : offsets[1]]
