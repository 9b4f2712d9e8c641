"""What a worker does for the index of passages: it compares the texts of a file of documents with questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archive.arrow import plain
from archive.engine import Context
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index.minhash.kernel import utf8
from index.passages.kernel import Numbers, Question, Words, words_of

#: Words of the texts that a worker holds, of which each takes 40 bytes. Questions are opened once for so many.
_WORDS = 1 << 20


@dataclass(frozen=True, slots=True)
class RunsTask:
    """Texts of a file of documents, to be compared with questions in the scratch folder."""

    location: str
    file: str
    rows: Numbers  #: of the file, in order: the texts
    questions: Sequence[Numbers]  #: by text, the questions to be compared with it


#: A question, the position of a text in its task, and the runs that they share.
RunsResult = list[tuple[int, int, Numbers]]


def work(task: RunsTask, ctx: Context) -> RunsResult:
    """Compare the texts of a file with questions. Needs a scratch folder that all workers see."""
    result: RunsResult = []
    with pa.memory_map(ctx.read("questions.arrow")) as source:
        asked = pa.ipc.open_file(source).read_all()["text"]

        def compare(block: list[tuple[int, Words]]) -> None:
            by_question: dict[int, list[tuple[int, Words]]] = {}
            for position, other in block:
                for number in task.questions[position].tolist():
                    by_question.setdefault(number, []).append((position, other))
            for number, texts in by_question.items():
                question = Question(asked[number].as_py())
                for position, other in texts:
                    runs = question.shared(other)
                    if len(runs):
                        result.append((number, position, runs))

        block: list[tuple[int, Words]] = []
        held = 0
        for positions, group in _read_rows(Lake(task.location), task.file, task.rows):
            data, offsets = utf8(group)
            for at, position in enumerate(positions.tolist()):
                block.append((position, words_of(data[offsets[at] : offsets[at + 1]])))
                held += len(block[-1][1])
                if held > _WORDS:
                    compare(block)
                    block, held = [], 0
        compare(block)
    return result


def _read_rows(lake: Lake, name: str, rows: Numbers) -> Iterator[tuple[Numbers, pa.Array]]:
    """Yield the texts of some rows of a file of documents, by row group: their positions in `rows`, and the texts."""
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{name}", filesystem=lake.filesystem) as file:
        first = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            begin, end = np.searchsorted(rows, [first, first + count])
            if begin < end:
                texts = plain(file.read_row_group(group, columns=["text"])).column(0)
                yield np.arange(begin, end), texts.take(pa.array(rows[begin:end] - first)).combine_chunks()
            first += count
