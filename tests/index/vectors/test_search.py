"""What a search among vectors finds: exact below a size, measured above it, by the dates that captures prove."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import rows
from dying import Killed, killed_at_step
from made import put, words
from made_vectors import ENCODER, Matrix, add, groups, names, nearest
from tiny_encoder import write_encoder

import lowbackground as lb
from archive.errors import ArchiveError, LakeError
from archive.extras import is_installed
from archive.lake import Lake
from index.embeddings.encoder import open_encoder
from index.embeddings.stage import opened
from index.vectors import cells, segments
from index.vectors import upkeep as building
from index.vectors.files import listed
from index.vectors.search import Hit, Vectors, open_vectors
from index.vectors.upkeep import BuildResult

faiss = pytest.mark.skipif(not is_installed("faiss"), reason="faiss is not installed: pip install '.[faiss]'")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAISS searches in lakes of 500 vectors."""
    monkeypatch.setattr(cells, "EXACT_BELOW", 500)


def build(lake: Lake, **options: Any) -> BuildResult:
    return building.build(lake, workers=1, **options)


def filled(lake: Lake, sizes: tuple[int, ...]) -> tuple[list[str], Matrix]:
    """A lake with a file of vectors for each size; all ids and vectors."""
    all_names, vectors = [], []
    for number, size in enumerate(sizes):
        all_names += names(size, number)
        vectors.append(groups(size, seed=number))
        add(lake, all_names[-size:], vectors[-1])
    return all_names, np.concatenate(vectors)


def asked(vectors: Vectors, questions: Matrix, k: int = 5) -> list[list[Hit]]:
    return vectors.search_many([question[None] for question in questions], k)


def test_below_a_size_search_is_exact_and_needs_no_faiss(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    ids, vectors = filled(lake, (300, 200, 1))
    result = build(lake)
    assert (result.vectors, result.added, result.segments, result.cells, result.recall) == (501, 501, 3, 0, 1.0)
    found = open_vectors(lake)
    assert found.exact
    assert len(found) == 501
    for question in groups(20, seed=7):
        hits = found.search(question, 5)
        assert [hit.content_id for hit in hits] == [ids[row] for row in nearest(vectors, question, 5)]
        for hit in hits:
            assert hit.cosine == pytest.approx(vectors[ids.index(hit.content_id)] @ question / np.linalg.norm(question)
                                               / np.linalg.norm(vectors[ids.index(hit.content_id)]), abs=2e-6)  # fmt: skip
    assert build(lake).added == 0
    monkeypatch.setattr(cells, "EXACT_BELOW", 501)
    with pytest.raises(ArchiveError, match=r"^search among 501 vectors needs faiss, which is not installed: pip"):
        build(lake)


@faiss
def test_the_recall_that_a_build_prints_is_what_brute_force_finds(lake: Lake, small: None) -> None:
    ids, vectors = filled(lake, (1500, 700))
    result = build(lake, recall=0.9)
    assert (result.vectors, result.segments, result.measured) == (2200, 2, 1000)
    assert result.recall >= 0.9
    assert 1 <= result.probes <= result.cells // 4
    found = open_vectors(lake)
    assert (found.exact, found.recall) == (False, result.recall)
    rows_ = range(0, 2200, 7)
    hits = asked(found, vectors[rows_], 11)
    shares = []
    for row, each in zip(rows_, hits, strict=True):
        true = {ids[other] for other in nearest(vectors, vectors[row], 11)} - {ids[row]}
        shares.append(len(true & {hit.content_id for hit in each}) / 10)
    assert np.mean(shares) == pytest.approx(result.recall, abs=0.03)
    (row,) = lake.read("vector_recalls").to_pylist()
    assert (row["probes"], row["recall"], row["measured"]) == (result.probes, result.recall, 1000)


@faiss
def test_deleted_and_built_again_it_gives_the_same_answers(lake: Lake, small: None) -> None:
    _, vectors = filled(lake, (900, 300))
    build(lake)
    before, questions = asked(open_vectors(lake), vectors[::40]), vectors[::40]
    shutil.rmtree(Path(lake.location) / "vectors")
    with pytest.raises(LakeError, match=r"cannot be searched yet; run `archive embed --lake "):
        open_vectors(lake)
    assert build(lake).added == 1200
    assert asked(open_vectors(lake), questions) == before
    for name in ("vectors", "vector_segments", "vector_recalls", "cells"):
        shutil.rmtree(Path(lake.location) / name)
    with pytest.raises(LakeError, match="cannot be searched yet"):
        open_vectors(lake)
    build(lake)
    assert asked(open_vectors(lake), questions) == before


@faiss
def test_killed_at_each_step_it_goes_on_and_each_file_has_one_segment(lake: Lake, small: None) -> None:
    filled(lake, (400, 300, 200))
    kills = 0
    for step in range(14):
        try:
            with killed_at_step(step % 7, (Lake, "commit_to"), (segments, "commit"), (Lake, "discard")):
                build(lake)
        except Killed:
            kills += 1
    result = build(lake)
    assert kills >= 3
    stored = lake.read("vector_segments").to_pylist()
    assert sorted(row["source"] for row in stored) == sorted(lake.files("embeddings"))
    assert (result.vectors, len({row["segment"] for row in stored}), sum(row["rows"] for row in stored)) == (
        900,
        3,
        900,
    )


def test_of_two_at_once_one_makes_each_segment_and_no_number_is_given_twice(lake: Lake) -> None:
    filled(lake, (50, 60))
    lake.create([cells.CELLS, segments.SEGMENTS, building.RECALLS])
    tasks = segments.pending(lake, ENCODER, "")
    results = [(task, segments.work(task, segments.Context())) for task in tasks * 2]
    assert [segments.commit(lake, task, result) for task, result in results] == [True, True, False, False]
    (late,) = [each for each in [add(lake, names(5, 9), groups(5, seed=9))] if each]
    clash = segments.SegmentTask(lake.location, ENCODER, late, "", tasks[0].number, 0)
    assert not segments.commit(lake, clash, segments.work(clash, segments.Context()))
    assert len(listed(lake, ENCODER)) == 2  # what was not committed is deleted
    assert build(lake).added == 5
    assert sorted(row["segment"] for row in lake.read("vector_segments").to_pylist()) == [0, 1, 2]


@faiss
def test_cells_stay_while_the_lake_grows_and_new_ones_come_at_sixteen_times(lake: Lake, small: None) -> None:
    filled(lake, (500,))
    build(lake)
    for seed, trainings in ((1, 1), (2, 1)):
        add(lake, names(1000, seed), groups(1000, seed=seed))
        build(lake, recall=0.5)
        assert len(cells.stored(lake, ENCODER)) == trainings
    add(lake, names(6000, 3), groups(6000, seed=3))
    result = build(lake, recall=0.5)
    assert sorted(cells.stored(lake, ENCODER).values()) == [500, 8500]
    assert (result.segments, result.vectors) == (4, 8500)
    assert {row["cells"] for row in lake.read("vector_segments").to_pylist()} == {
        max((size, name) for name, size in cells.stored(lake, ENCODER).items())[1]
    }
    assert len(listed(lake, ENCODER)) == 8  # those of the older cells are gone


@faiss
def test_cells_that_find_too_little_are_replaced(lake: Lake, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(lake, (500,))
    build(lake)
    add(lake, names(600, 1), groups(600, seed=1))
    measured = building.choose

    def bad_at_first(index: Any, *rest: Any) -> building.Measured:
        found = measured(index, *rest)
        return building.Measured(1, 10, 0.2, 100) if index._cells.trained_on == 500 else found

    monkeypatch.setattr(building, "choose", bad_at_first)
    assert build(lake, recall=0.8).recall >= 0.8
    assert sorted(cells.stored(lake, ENCODER).values()) == [500, 1100]


def test_merged_files_of_embeddings_get_new_segments_and_the_old_ones_go(lake: Lake) -> None:
    filled(lake, (30, 40))
    build(lake)
    service = open_vectors(lake)
    lake.delta("embeddings").optimize.compact()
    assert build(lake).segments == 1
    assert len(listed(lake, ENCODER)) == 1
    question = groups(1, seed=5)[0]
    before = service.search(question, 70)
    service.refresh()
    assert service.search(question, 70) == before
    assert len(before) == 70


def test_a_text_counts_once_by_the_nearest_of_its_windows(lake: Lake) -> None:
    vectors = groups(60)
    owners = [name for name in names(4) for _ in range(15)]
    add(lake, owners, vectors, [number % 15 for number in range(60)])
    build(lake)
    found = open_vectors(lake)
    question = vectors[17] + 0.1 * vectors[40]
    hits = found.search(question, 4)
    assert {hit.content_id for hit in hits} == set(names(4))
    assert (hits[0].content_id, hits[0].part, hits[0].start, hits[0].end) == (names(4)[1], 2, 2000, 2900)
    for hit in hits:
        cosines = [float(v @ question / np.linalg.norm(v) / np.linalg.norm(question))
                   for owner, v in zip(owners, vectors, strict=True) if owner == hit.content_id]  # fmt: skip
        assert hit.cosine == pytest.approx(max(cosines), abs=2e-6)
    both = found.search(np.stack([vectors[3], vectors[50]]), 2)  # two windows of one text
    assert [hit.content_id for hit in both] == sorted([names(4)[0], names(4)[3]])
    assert [hit.cosine for hit in both] == pytest.approx([1, 1], abs=1e-6)
    assert found.search(question, 4, least=hits[1].cosine) == hits[:2]
    with pytest.raises(ArchiveError, match="have 16 numbers, not 3"):
        found.search([1.0, 2.0, 3.0])


@pytest.fixture
def dated(lake: Lake, tmp_path: Path) -> tuple[Lake, dict[str, str]]:
    """40 texts of two years, each with a vector; the first word of each names it."""
    texts = [(f"w{number} " + " ".join(words(8, number)), f"20{10 + number % 2}-05-01") for number in range(40)]
    put(lake, tmp_path / "in", texts)
    ids = dict(rows(lake, "SELECT content_id, split_part(text, ' ', 1) FROM documents ORDER BY text"))
    add(lake, list(ids), groups(40))
    build(lake)
    return lake, ids


def test_only_texts_that_captures_prove_from_before_a_date_are_found(dated: tuple[Lake, dict[str, str]]) -> None:
    lake, ids = dated
    found, question = open_vectors(lake), groups(1, seed=3)[0]
    hits = found.search(question, 40, before="2011-01-01")
    assert {ids[hit.content_id] for hit in hits} == {f"w{number}" for number in range(0, 40, 2)}
    assert found.search(question, 3, before="2011-01-01") == hits[:3]
    assert len(found.search(question, 40, before="2012-01-01", host="EXAMPLE.com")) == 40
    assert found.search(question, 40, host="example.org") == []
    assert len(found.search(question, 40, before="2011-01-01", grade="D")) == 20
    assert found.search(question, 40, grade="A") == []
    ((language, count),) = rows(
        lake, "SELECT language, count(*) FROM documents WHERE language IS NOT NULL GROUP BY ALL ORDER BY 2 DESC LIMIT 1"
    )
    assert len(found.search(question, 40, language=language)) == count
    for wrong in ({"before": "soon"}, {"grade": "X"}):
        with pytest.raises(ArchiveError, match="is no"):
            found.search(question, **wrong)


@faiss
def test_with_faiss_the_same_conditions_hold(
    dated: tuple[Lake, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, ids = dated
    question, exact = groups(1, seed=3)[0], open_vectors(lake)
    monkeypatch.setattr(cells, "EXACT_BELOW", 10)
    monkeypatch.setattr(cells, "count", lambda _: 4)
    add(lake, names(30, 5), groups(30, seed=5))
    assert build(lake).cells == 4
    found = open_vectors(lake)
    assert not found.exact
    found._state.row["probes"] = 4
    hits = found.search(question, 20, before="2011-01-01")
    true = exact.search(question, 20, before="2011-01-01")
    assert [hit.content_id for hit in hits] == [hit.content_id for hit in true]
    assert [hit.cosine for hit in hits] == pytest.approx([hit.cosine for hit in true], abs=2e-6)
    assert {ids[hit.content_id] for hit in hits} == {f"w{number}" for number in range(0, 40, 2)}
    (kept,) = found._state._filters.values()
    assert kept.selected is not None


def test_what_was_retracted_is_not_found_after_a_refresh(dated: tuple[Lake, dict[str, str]], tmp_path: Path) -> None:
    lake, _ = dated
    found, question = open_vectors(lake), groups(1, seed=3)[0]
    assert len(found.search(question, 40, before="2012-01-01")) == 40
    (file,) = (tmp_path / "in").iterdir()
    lb.retract(lake, str(file), reason="its clock was wrong")
    found.refresh()
    assert found.search(question, 40, before="2012-01-01") == []


@faiss
def test_many_threads_get_the_answers_of_one(lake: Lake, small: None) -> None:
    filled(lake, (600, 300))
    build(lake)
    found, questions = open_vectors(lake), groups(24, seed=8)
    alone = asked(found, questions)
    answers: dict[int, list[list[Hit]]] = {}
    threads = [
        threading.Thread(target=lambda number=number: answers.update({number: asked(found, questions)}))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    found.refresh()
    for thread in threads:
        thread.join()
    assert list(answers.values()) == [alone] * 4


@faiss
def test_on_s3_the_files_are_kept_in_a_cache(
    s3: str, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    near, far = Lake(str(tmp_path / "lake")), Lake(f"s3://{s3}/lake")
    for lake in (near, far):
        _, vectors = filled(lake, (400, 200))
        build(lake)
    # files have names by chance, and their order is that of the names: equal cosines aside, it changes nothing
    assert asked(open_vectors(far), vectors[::50]) == asked(open_vectors(near), vectors[::50])
    assert len(list((tmp_path / "cache").rglob("*.lists"))) == 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")
    opened.cache_clear()


def test_embed_makes_texts_searchable_and_a_text_finds_itself(lake: Lake, folder: Path, tmp_path: Path) -> None:
    texts = [" ".join(words(20, seed)) for seed in range(12)]
    put(lake, tmp_path / "in", [(text, "2015-01-01") for text in texts])
    options: dict[str, Any] = {"encoder": str(folder), "device": "cpu", "dtype": "fp32", "workers": 1}
    result = lb.embed(lake, search=False, **options)
    assert (result.searchable, result.vectors > 12) == (0, True)
    with pytest.raises(LakeError, match="cannot be searched yet"):
        lb.open_vectors(lake)
    again = lb.embed(lake, **options)
    assert (again.embedded, again.searchable, again.cells, again.recall) == (0, result.vectors, 0, 1.0)
    found = lb.open_vectors(lake, model=folder)
    ids = dict(rows(lake, "SELECT text, content_id FROM documents"))
    for text in texts[:3]:
        first = found.search(text, 2)[0]
        assert (first.content_id, first.cosine) == (ids[text], pytest.approx(1, abs=1e-3))
    with pytest.raises(ArchiveError, match="name the folder of that encoder"):
        lb.open_vectors(lake, model=open_encoder(folder, pooling="max")).search("a text")
    assert json.loads(json.dumps(found.search("the page", 1)[0].content_id))


@pytest.mark.parametrize("below", [10**6, pytest.param(500, marks=faiss)], ids=["exact", "faiss"])
def test_a_segment_whose_files_have_another_size_is_made_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, below: int
) -> None:
    monkeypatch.setattr(cells, "EXACT_BELOW", below)
    filled(lake, (400, 300))
    build(lake)
    question = groups(3, seed=5)
    before = asked(open_vectors(lake), question)
    for end in segments.suffixes("" if below > 500 else "some"):
        for damage in (lambda data: data[:-1], lambda data: data[:0], lambda data: data + b"more"):
            file = sorted((Path(lake.location) / "vectors").rglob(f"*{end}"))[0]
            data = file.read_bytes()
            file.unlink()
            file.write_bytes(damage(data))
            with pytest.raises(LakeError, match="cannot be searched yet; run `archive embed"):
                open_vectors(lake)
            assert build(lake).added in {300, 400}
            assert asked(open_vectors(lake), question) == before
    assert len(listed(lake, ENCODER)) == 2 * len(segments.suffixes("" if below > 500 else "some"))


@pytest.mark.parametrize("below", [10**6, pytest.param(500, marks=faiss)], ids=["exact", "faiss"])
def test_k_may_be_larger_than_a_cell_or_the_lake_and_a_question_of_any_length(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, below: int
) -> None:
    monkeypatch.setattr(cells, "EXACT_BELOW", below)
    ids, vectors = filled(lake, (700,))
    build(lake)
    found, question = open_vectors(lake), groups(1, seed=5)[0]
    for k in (600, 700, 10**9):
        assert [hit.content_id for hit in found.search(question, k)][:600] == [
            ids[row] for row in nearest(vectors, question, 600)
        ]
    hits = found.search(question, 3)
    for factor in (1e300, 1e30, 1e-30, 1e-300):
        assert found.search(question.astype(np.float64) * factor, 3) == hits
    assert found.search_many([question, [], question[None]], 3) == [hits, [], hits]
    wrong: tuple[Any, ...] = (0, -1, 1.5)
    for k in wrong:
        with pytest.raises(ArchiveError, match="should be a whole number from 1 on"):
            found.search(question, k)
    for what, line in (
        ([[1.0], [1.0, 2.0]], "a question is"),
        (np.zeros((1, 1, 16)), "3 axes"),
        ([np.nan] * 16, "finite"),
    ):
        with pytest.raises(ArchiveError, match=line):
            found.search(what)  # type: ignore[arg-type]


@faiss
def test_a_copy_in_the_cache_that_was_cut_off_is_copied_again(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lake = Lake(f"s3://{s3}/lake")
    filled(lake, (50,))
    build(lake)
    question = groups(1)[0]
    hits = open_vectors(lake).search(question)
    (copy,) = (path for path in (tmp_path / "cache").rglob("*.vectors"))
    copy.write_bytes(copy.read_bytes()[:100])
    assert open_vectors(lake).search(question) == hits
