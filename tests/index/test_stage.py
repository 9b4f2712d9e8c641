"""A stage is a small class of its own: what it computes is in the lake once for each text, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from made import put

from archive.engine import Context, open_engine
from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import Column, Table
from index.stage import Others, Stage, commit, pending, run, work


@dataclass(frozen=True)
class Words(Stage):
    """How many words a text has, or how many begin with a letter."""

    name = "count"
    table = Table(
        "toy",
        (
            Column("letter", pa.string(), "of the words that are counted"),
            Column("content_id", pa.string(), "of the text"),
            Column("words", pa.int64(), "how many"),
        ),
        partition_by=("letter",),
    )

    letter: str = "any"

    @property
    def partition(self) -> dict[str, str]:
        return {"letter": self.letter}

    def compute(self, texts: pa.Table) -> pa.Table:
        pattern = r"\S+" if self.letter == "any" else rf"\b{self.letter}"
        counts = pc.count_substring_regex(texts["text"], pattern)
        return pa.table({"content_id": texts["content_id"], "words": counts})


def counts(lake: Lake, letter: str = "any") -> list[int]:
    table = lake.read("toy", ["letter", "words"])
    return sorted(words for name, words in zip(*table.to_pydict().values(), strict=True) if name == letter)


def test_a_stage_of_somebody_else_runs_on_each_text_once(lake: Lake, tmp_path: Path) -> None:
    engine = open_engine(2)
    put(lake, tmp_path / "in", [("one two three", "2015-01-01"), ("one", "2015-01-01")])
    assert run(Words(), lake, engine) == 2
    put(lake, tmp_path / "in", [("one", "2014-01-01"), ("two words", "2015-01-01")])
    assert run(Words(), lake, engine) == 1
    assert run(Words(), lake, engine) == 0
    assert counts(lake) == [1, 2, 3]


def test_each_partition_of_a_stage_has_all_texts(lake: Lake, tmp_path: Path) -> None:
    engine = open_engine(1)
    put(lake, tmp_path / "in", [("ab ac ba", "2015-01-01")])
    assert run(Words(), lake, engine) == 1
    assert run(Words("a"), lake, engine) == 1
    lake.delta("documents").optimize.compact()
    put(lake, tmp_path / "in", [("ax", "2015-01-01")])
    lake.delta("documents").optimize.compact()  # one file of documents, of which a part is done
    assert run(Words("a"), lake, engine) == 1
    assert (counts(lake), counts(lake, "a")) == ([3], [1, 2])


def test_texts_in_a_file_from_which_others_were_forgotten_are_computed(lake: Lake, tmp_path: Path) -> None:
    engine = open_engine(1)
    put(lake, tmp_path / "in", [("one", "2015-01-01")])
    assert run(Words(), lake, engine) == 1
    put(lake, tmp_path / "in", [("two words", "2015-01-01"), ("now three words", "2015-01-01")])
    lake.delta("documents").delete("text = 'two words'")  # delta-rs writes the rest of the file anew, as views
    assert run(Words(), lake, engine) == 1
    assert counts(lake) == [1, 3]


def test_what_was_computed_and_not_committed_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [("some words", "2015-01-01")])
    Words().create(lake)
    (task,) = pending(Words(), lake)
    written = work(task, Context())
    assert counts(lake) == []
    assert run(Words(), lake, open_engine(1)) == 1
    assert not commit(Words(), lake, task.file, written.file)
    assert counts(lake) == [2]


def test_texts_that_another_run_found_in_a_merged_file_are_there_once(lake: Lake, tmp_path: Path) -> None:
    for text in ("one two", "one two three", "four"):
        put(lake, tmp_path / "in", [(text, "2015-01-01")])
    Words().create(lake)
    others = Others(Words(), lake)
    tasks = list(pending(Words(), lake))
    assert len(tasks) == 3
    first, *rest = [(task.file, work(task, Context()).file) for task in tasks]
    assert commit(Words(), lake, *first, others)
    lake.delta("documents").optimize.compact()
    assert run(Words(), lake, open_engine(1)) == 2  # another process, after the merge
    put(lake, tmp_path / "in", [("five words of a text", "2015-01-01")])
    assert all(commit(Words(), lake, *each, others) for each in rest)  # the one before goes on with the old files
    assert counts(lake) == [1, 2, 3]
    assert run(Words(), lake, open_engine(1)) == 1
    assert counts(lake) == [1, 2, 3, 5]


def test_rows_of_another_version_are_not_mixed(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, tmp_path / "in", [("some words", "2015-01-01")])
    run(Words(), lake, open_engine(1))
    monkeypatch.setattr(Words, "version", 2)
    with pytest.raises(LakeError, match="has rows of version 1, this program computes version 2"):
        run(Words(), lake, open_engine(1))


def test_a_stage_needs_a_lake(lake: Lake) -> None:
    with pytest.raises(LakeError, match="there is no lake here"):
        run(Words(), lake, open_engine(1))
