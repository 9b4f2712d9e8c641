"""Each window of a text has one vector of an encoder in the lake, whatever the order, the kills and the company."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import rows
from dying import Killed, killed_at_step
from forked import forked
from made import Dated, edited, put, words
from tiny_encoder import write_encoder

import index.stage
import lowbackground as lb
from archive.engine import open_engine
from archive.errors import ArchiveError, LakeError
from archive.lake import Lake
from index.embeddings import model as models
from index.embeddings.encoder import open_encoder
from index.embeddings.stage import Embeddings, opened
from index.embeddings.table import EMBEDDINGS, encoders, the_encoder
from index.stage import commit, pending, work

Vectors = dict[tuple[str, int], bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(autouse=True)
def _forgets() -> Iterator[None]:
    yield
    opened.cache_clear()


def embed(lake: Lake, folder: Path, **options: Any) -> lb.EmbedResult:
    return lb.embed(lake, encoder=str(folder), device="cpu", **{"dtype": "fp32", "workers": 1, **options})


def stored(lake: Lake) -> Vectors:
    """All rows; each text and window once."""
    table = lake.read("embeddings", ["content_id", "part", "vector"])
    keys = list(zip(table["content_id"].to_pylist(), table["part"].to_pylist(), strict=True))
    found = {
        key: np.array(row, np.float32).tobytes() for key, row in zip(keys, table["vector"].to_pylist(), strict=True)
    }
    assert len(found) == len(keys)
    return found


def texts(count: int, seed: int = 0) -> list[Dated]:
    dice = random.Random(seed)
    some = [words(dice.choice((3, 5, 8, 30)), seed * 1000 + number) for number in range(count)]
    some += [edited(text, 1, 7) for text in some[: count // 2]]
    return [(" ".join(text), f"20{10 + number % 9}-0{1 + number % 9}-01") for number, text in enumerate(some)]


def test_new_texts_get_vectors_once_and_what_has_no_token_is_counted(lake: Lake, folder: Path, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [("the old page " * 30, "2015-01-01"), ("\u200b\u2060 \u200d", "2015-01-01")])
    first = embed(lake, folder)
    assert (first.embedded, first.texts, first.vectors, first.empty) == (2, 1, 5, 1)
    put(lake, tmp_path / "in", [("the old page " * 30, "2014-01-01"), ("another", "2015-01-01")])
    second = embed(lake, folder)
    assert (second.embedded, second.texts, second.vectors, second.empty) == (1, 2, 6, 1)
    assert embed(lake, folder).embedded == 0
    (text,) = rows(lake, "SELECT text FROM documents WHERE text LIKE 'the%'")[0]
    parts = rows(lake, "SELECT text[e.start + 1 : e.end], tokens FROM embeddings e JOIN documents USING (content_id) "
                       "WHERE text LIKE 'the%' ORDER BY part")  # fmt: skip
    assert "".join(part.replace(" ", "") for part, _ in parts) == text.replace(" ", "")
    assert [tokens for _, tokens in parts] == [24, 24, 24, 24, 4]
    (row,) = rows(lake, "SELECT DISTINCT encoder, round(list_sum([x * x for x in vector]), 2)::FLOAT FROM embeddings")
    assert row == (first.encoder, 1.0)
    assert first.encoder.startswith("tiny-fp32-")


def test_months_in_order_in_batches_and_all_at_once_give_the_same_vectors(folder: Path, tmp_path: Path) -> None:
    all_texts = sorted(texts(8), key=lambda each: each[1])
    lakes = []
    for number, (portions, tokens_at_once) in enumerate(((1, 2048), (2, 2048), (2, 64))):
        lake = Lake(str(tmp_path / f"lake{number}"))
        for at in range(portions):
            put(lake, tmp_path / f"in{number}", all_texts[at::portions] if number == 2 else
                all_texts[at * len(all_texts) // portions : (at + 1) * len(all_texts) // portions])  # fmt: skip
            embed(lake, folder, tokens_at_once=tokens_at_once)
        lakes.append(stored(lake))
    assert lakes[0] == lakes[1] == lakes[2]
    nearest = {  # those that were edited are next to what they were made of
        key: max((other for other in lakes[0] if other != key), key=lambda other: cosine(lakes[0], key, other))
        for key in lakes[0]
    }
    assert sum(nearest[nearest[key]] == key for key in nearest) > len(nearest) / 3


def cosine(vectors: Vectors, one: tuple[str, int], other: tuple[str, int]) -> float:
    return float(np.frombuffer(vectors[one], np.float32) @ np.frombuffer(vectors[other], np.float32))


def test_killed_at_each_step_it_goes_on_and_ends_the_same(folder: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for seed in range(3):
        put(lake, tmp_path / "in", texts(2, seed))
    whole = Lake(str(tmp_path / "whole"))
    for seed in range(3):
        put(whole, tmp_path / "in2", texts(2, seed))
    embed(whole, folder)
    kills = 0
    for step in range(8):
        try:
            with killed_at_step(step % 3, (index.stage, "commit"), (Lake, "commit_to")):
                embed(lake, folder)
        except Killed:
            kills += 1
    embed(lake, folder)
    assert kills >= 3
    assert stored(lake) == stored(whole)


def test_of_two_at_once_one_does_each_file(lake: Lake, folder: Path, tmp_path: Path) -> None:
    for seed in range(2):
        put(lake, tmp_path / "in", texts(2, seed))
    stage = Embeddings(open_encoder(folder))
    stage.create(lake)
    tasks = list(pending(stage, lake))
    written = [(task, work(task, index.stage.Context()).file) for task in tasks * 2]
    assert [commit(stage, lake, task.file, file) for task, file in written] == [True, True, False, False]
    assert len(stored(lake)) == lake.rows("embeddings")
    assert embed(lake, folder).embedded == 0


def test_the_command_in_two_processes_prints_what_it_did(lake: Lake, folder: Path, tmp_path: Path) -> None:
    for seed in range(2):
        put(lake, tmp_path / "in", texts(3, seed))
    command = ["embed", "--lake", lake.location, "--encoder", str(folder), "--device", "cpu", "--dtype", "fp32"]
    printed = json.loads(forked(*command, "--workers", "2", "--json", server="collapse").stdout)
    assert printed["embedded"] == printed["texts"] == len(rows(lake, "SELECT 1 FROM documents"))
    assert printed["vectors"] == len(stored(lake))
    assert printed["encoder"] == open_encoder(folder).id
    line = forked(*command, server="collapse").stdout
    assert line.startswith("0 new texts, in ")


def test_vectors_of_different_encoders_are_never_mixed(lake: Lake, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="there is no lake here"):
        the_encoder(lake)
    put(lake, tmp_path / "in", [("the old page", "2015-01-01")])
    with pytest.raises(LakeError, match="has no vectors yet"):
        the_encoder(lake)
    first = embed(lake, folder).encoder
    assert the_encoder(lake) == first
    second = embed(lake, folder, pooling="cls").encoder
    assert encoders(lake) == sorted([first, second])
    with pytest.raises(LakeError, match="which are not comparable; name one"):
        the_encoder(lake)
    assert the_encoder(lake, second) == second
    with pytest.raises(LakeError, match="has no vectors of other"):
        the_encoder(lake, "other")


def test_it_goes_on_with_the_dtype_and_the_name_that_the_lake_has(
    lake: Lake, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, tmp_path / "in", [("the old page", "2015-01-01")])
    first = embed(lake, folder, dtype="fp32")
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in folder.iterdir():
        (moved / path.name).symlink_to(path)
    monkeypatch.setattr("index.vectors.run.best_dtype", lambda _: "bf16")
    again = embed(lake, moved, dtype="auto")
    assert (again.encoder, again.embedded) == (first.encoder, 0)
    assert embed(lake, moved, pooling="max", dtype="auto").encoder.startswith("moved-bf16-")
    with pytest.raises(ArchiveError, match="'int8' is no dtype"):
        embed(lake, folder, dtype="int8")


def test_a_vector_takes_two_bytes_for_each_number(lake: Lake, folder: Path, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(20, seed)), "2015-01-01") for seed in range(100)])
    result = embed(lake, folder)
    (file,) = lake.files("embeddings")
    column = pq.ParquetFile(f"{lake.table_path('embeddings')}/{file}").metadata.row_group(0).column(5)
    assert column.path_in_schema == "vector.list.element"
    assert "BYTE_STREAM_SPLIT" in column.encodings
    assert column.total_compressed_size < result.vectors * 32 * 2.2


def test_a_text_of_50_mb_becomes_no_string_of_that_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    encoded = models.Model.vectors
    monkeypatch.setattr(
        models.Model, "vectors", lambda self, windows, done: sizes.append(len(windows)) or encoded(self, windows, done)
    )  # type: ignore[func-returns-value]
    stage = Embeddings(open_encoder(folder), threads=1)
    given = pa.table({"content_id": ["a", "b"], "text": ["the old page " * 4_000_000, "the page"]})
    found = stage.compute(given)
    assert found["content_id"].to_pylist() == ["a"] * 8 + ["b"]
    assert sizes == [9]
    assert stage.compute(given.slice(0, 0)).schema == EMBEDDINGS.file_schema


def test_there_are_as_many_processes_as_files_and_the_rest_of_the_cores_are_threads(
    lake: Lake, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.vectors.run import _share

    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    stage = Embeddings(open_encoder(folder))
    put(lake, tmp_path / "in", texts(2))
    assert _share(lake, stage, open_engine(8).workers) == (1, 8)
    put(lake, tmp_path / "in", texts(2, 1))
    assert _share(lake, stage, 8) == (2, 4)
    assert _share(lake, stage, 1) == (1, 8)
    embed(lake, folder)
    assert _share(lake, stage, 8) == (1, 8)


def test_after_a_forget_the_other_texts_are_read_and_counted(lake: Lake, folder: Path, tmp_path: Path) -> None:
    """delta-rs writes the texts that stay into a file whose strings pyarrow reads as views."""
    some = [" ".join(words(30, seed)) for seed in range(6)]
    put(lake, tmp_path / "one", [(text, "2015-01-01") for text in some[:4]])
    put(lake, tmp_path / "two", [(text, "2016-01-01") for text in some[2:]])
    assert embed(lake, folder).texts == 6
    lb.forget(lake, str(next((tmp_path / "one").iterdir())))
    assert any(
        pq.read_schema(f"{lake.location}/documents/{file}").field("text").type == pa.string_view()
        for file in lake.files("documents")
    )
    again = embed(lake, folder)
    assert (again.embedded, again.texts, again.empty) == (0, 4, 0)
    other = embed(lake, folder, windows=1)
    assert (other.embedded, other.texts, other.empty) == (4, 4, 0)
    result = lb.index(lake, workers=1, alike=-1.0, passages=True, encoder=again.encoder)
    assert (result.texts, result.passages, result.verified) == (4, 4, 6)
    held = {name for (name,) in rows(lake, "SELECT content_id FROM documents")}
    assert {name for pair in rows(lake, "SELECT a, b FROM likenesses") for name in pair} == held
    with pytest.raises(ArchiveError, match="the least cosine is nan"):
        lb.index(lake, workers=1, alike=float("nan"), encoder=again.encoder)


def test_the_progress_moves_with_each_batch_and_counts_each_text_once(folder: Path) -> None:
    texts = pa.table({"content_id": [f"{number:064x}" for number in range(40)],
                      "text": [" ".join(words(1 + number, number)) for number in range(39)] + [" "]})  # fmt: skip
    done: list[int] = []
    stage = Embeddings(open_encoder(folder), tokens_at_once=64)
    computed = sum(some.num_rows for some, _ in stage.computed(texts, done.append))
    assert computed == sum(done) == 40
    assert sum(count > 0 for count in done) > 5
    empty: list[int] = []
    assert sum(some.num_rows for some, _ in stage.computed(texts.slice(39), empty.append)) == sum(empty) == 1
