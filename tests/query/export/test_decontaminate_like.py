"""Texts like a benchmark's items are marked, by a threshold that only texts from before its publication decide."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from conftest import examples
from forging import reseal, rewrite
from hypothesis import given, settings
from hypothesis import strategies as st
from made import put, words
from tiny_encoder import write_encoder

import lowbackground as lb
from archive.errors import ArchiveError
from archive.lake import Lake
from query.dataset import Manifest
from query.export import benchmark, calibrate, compare
from query.export.evaluation import hash_set
from query.export.run import ExportResult, export
from query.options import _LIKE
from query.rows import COLUMNS

PUBLISHED, BEFORE = "2019-01-01", "2022-06-01"
#: What a benchmark asks, and texts that say nearly the same.
ITEMS = [" ".join(words(14, 5000 + number)) for number in range(4)]
REWRITES = [f"{item} x{number}" for number, item in enumerate(ITEMS)]
#: From before the publication: what an item was made from.
SOURCE = f"{ITEMS[0]} ab"
LONG, NEW = " ".join(words(400, 77)), " ".join(words(6, 78))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of 160 short texts, half of them from before the publication, with vectors of all but one."""
    folder = tmp_path_factory.mktemp("like")
    lake = Lake(str(folder / "lake"))
    dice = random.Random(1)
    texts = [(" ".join(words(dice.randint(3, 7), number)), f"{2015 + number % 8}-03-04") for number in range(160)]
    texts += [(text, "2021-05-05") for text in (*REWRITES, LONG)]
    put(lake, folder / "in", [*texts, (SOURCE, "2016-05-05")])
    write_encoder(folder / "encoder")
    lb.embed(lake, encoder=str(folder / "encoder"), workers=1)
    put(lake, folder / "in", [(NEW, "2021-05-05")])
    lines = [
        json.dumps({"id": number, "question": item, "choices": ["yes", "no"]}) for number, item in enumerate(ITEMS)
    ]
    (folder / "bench.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def run(made: Path, out: Path, **options: Any) -> ExportResult:
    given = {"before": BEFORE, "decontaminate_like": made / "bench.jsonl", "encoder": made / "encoder", "workers": 1}
    if not options.keys() & {"least_cosine"}:
        given |= {"published": PUBLISHED, "false_positives": 0.05}
    return export(str(made / "lake"), out, **{**given, **options})


@pytest.fixture(scope="module")
def marked(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that marks: not to be changed."""
    out = tmp_path_factory.mktemp("marked") / "set"
    run(made, out)
    return out


def rows_of(out: Path) -> dict[str, dict[str, Any]]:
    return {row["text"]: row for row in lb.load(out)}


def files(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.rglob("*") if path.is_file()}


def test_rewrites_are_marked_with_the_item_and_nothing_is_dropped(marked: Path) -> None:
    rows, stated = rows_of(marked), lb.load(marked).manifest
    assert len(rows) == 167
    for number, text in enumerate(REWRITES):
        assert rows[text]["like_benchmark"] is True
        assert rows[text]["like_item"] == f"bench.jsonl:{number + 1}"
    assert stated.likeness is not None
    assert (stated.likeness.items, stated.likeness.short) == (4, 8)
    assert stated.likeness.files == {"bench.jsonl": stated.likeness.files["bench.jsonl"]}
    assert stated.lake.versions["embeddings"] > 0
    card = (marked / "README.md").read_text()
    assert "1 texts from before that share a 13-gram" in " ".join(card.split())
    assert "not compared, without vectors" in card


def test_only_texts_from_before_the_publication_decide_the_threshold(made: Path, marked: Path, tmp_path: Path) -> None:
    likeness = lb.load(marked).manifest.likeness
    assert likeness is not None
    assert likeness.calibration is not None
    known = likeness.calibration
    before = sorted(
        (row["like_cosine"] for text, row in rows_of(marked).items()
         if row["captured_at"].year < 2019 and text != SOURCE), reverse=True,
    )  # fmt: skip
    allowed = calibrate.most_hits(80, 0.05)
    assert len(before) == known.texts == 80
    assert likeness.least_cosine == pytest.approx(before[allowed] + 1e-6, abs=1e-9)
    assert known.above == sum(cosine >= likeness.least_cosine for cosine in before) <= allowed
    assert known.bound <= 0.05
    # what is an item's source is like it, and no false positive
    assert (known.sources, rows_of(marked)[SOURCE]["like_benchmark"]) == (1, True)
    # later texts are marked by the same threshold where the set has no earlier ones
    late = run(made, tmp_path / "late", after="2020-01-01")
    assert late.likeness is not None
    assert (late.likeness.least_cosine, late.likeness.calibration) == (likeness.least_cosine, known)
    assert late.rows < len(rows_of(marked))


def test_a_text_that_was_not_compared_is_not_called_clean(made: Path, marked: Path, tmp_path: Path) -> None:
    rows, likeness = rows_of(marked), lb.load(marked).manifest.likeness
    assert likeness is not None
    new, long = rows[NEW], rows[LONG]
    assert (new["like_benchmark"], new["like_cosine"], new["like_item"]) == (None, None, None)
    assert (long["like_benchmark"], long["like_cosine"] < likeness.least_cosine) == (None, True)
    assert (likeness.partly, likeness.not_compared) == (1, 1)
    assert likeness.alike + likeness.unlike + likeness.partly + likeness.not_compared == len(rows)
    dropped = run(made, tmp_path / "dropped", drop_like=True)
    kept = rows_of(tmp_path / "dropped")
    assert {NEW, LONG} <= kept.keys()
    assert not {*REWRITES, SOURCE} & kept.keys()
    assert dropped.likeness is not None
    assert (dropped.likeness.alike, dropped.likeness.not_compared) == (0, 1)
    assert [step.dropped for step in dropped.dropped if "like an item" in step.name] == [likeness.alike]
    assert dropped.rows == len(rows) - likeness.alike
    # what is like an item in the part that was compared is like it
    low = run(made, tmp_path / "low", least_cosine=0.1)
    assert rows_of(tmp_path / "low")[LONG]["like_benchmark"] is True
    assert low.likeness is not None
    assert (low.likeness.calibration, low.likeness.partly, low.likeness.not_compared) == (None, 0, 1)


def test_a_cosine_that_somebody_chose_has_its_floor_measured(made: Path, marked: Path, tmp_path: Path) -> None:
    result = run(made, tmp_path / "out", least_cosine=0.9, published=PUBLISHED)
    assert result.likeness is not None
    assert result.likeness.calibration is not None
    known = result.likeness.calibration
    before = [row for text, row in rows_of(marked).items() if row["captured_at"].year < 2019 and text != SOURCE]
    assert (known.asked, known.texts) == (None, 80)
    assert known.above == sum(row["like_cosine"] >= 0.9 for row in before)
    assert known.above / 80 <= known.bound <= 1


@pytest.mark.parametrize("step", ["query.export.compare.plan", "query.export.run._write_shards"])
def test_an_export_that_failed_gives_the_same_bytes_when_it_goes_on(
    made: Path, marked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(RuntimeError, match="stopped"):
            run(made, tmp_path / "set")
    run(made, tmp_path / "set", workers=2)
    assert files(tmp_path / "set") == files(marked)


def test_a_set_that_was_marked_verifies_and_a_changed_mark_is_found(made: Path, marked: Path, tmp_path: Path) -> None:
    whole = lb.verify(marked, rows=20, workers=1, again=str(made / "lake"))
    assert whole.sound, (whole.problems, whole.findings)

    def unmark(rows: list[dict[str, Any]]) -> None:
        next(row for row in rows if row["text"] == REWRITES[1])["like_benchmark"] = False

    def cool(rows: list[dict[str, Any]]) -> None:
        next(row for row in rows if row["text"] == NEW).update(like_benchmark=False)

    for name, change in (("unmarked", unmark), ("clean", cool)):
        shutil.copytree(marked, tmp_path / name)
        rewrite(tmp_path / name, change)
        found = lb.verify(tmp_path / name, rows=0, workers=1)
        assert any("like" in problem for problem in found.problems), found.problems

    shutil.copytree(marked, tmp_path / "threshold")
    stated = json.loads((marked / "manifest.json").read_bytes())
    stated["likeness"]["least_cosine"] = 0.1
    reseal(tmp_path / "threshold", Manifest.from_json(stated))
    assert any("least cosine" in each for each in lb.verify(tmp_path / "threshold", rows=0, workers=1).problems)


def test_a_calibration_that_its_numbers_do_not_give_is_found(marked: Path, tmp_path: Path) -> None:
    forgeries: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({}, {"bound": 1e-5}, "calibration"), ({}, {"asked": 1e-5}, "calibration"), ({}, {"texts": 9000}, "calibration"),
        ({}, {"texts": 10**18}, "calibration"), ({}, {"above": 3}, "calibration"), ({}, {"sources": -1}, "calibration"),
        ({"files": {"other.jsonl": "ab"}}, {}, "other files"), ({"items": 0}, {}, "numbers that cannot be"),
    ]  # fmt: skip
    for number, (likeness, calibration, said) in enumerate(forgeries):
        shutil.copytree(marked, forged := tmp_path / str(number))
        stated = json.loads((marked / "manifest.json").read_bytes())
        stated["likeness"] |= likeness
        stated["likeness"]["calibration"] |= calibration
        reseal(forged, Manifest.from_json(stated))
        problems = lb.verify(forged, rows=0, workers=1).problems
        assert any(said in problem for problem in problems), (likeness, calibration, problems)


def test_marks_that_no_comparison_gives_are_found(marked: Path, tmp_path: Path) -> None:
    for name, value, said in (("like_item", "other.jsonl:9", "none of the benchmarks"),
                              ("like_cosine", 9.0, "is no cosine"), ("like_cosine", math.nan, "is no cosine")):  # fmt: skip
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        shutil.copytree(marked, tmp_path / "set")
        rewrite(
            tmp_path / "set",
            lambda rows, name=name, value=value: next(row for row in rows if row["like_benchmark"]).update(
                {name: value}
            ),
        )
        assert any(said in problem for problem in lb.verify(tmp_path / "set", rows=0, workers=1).problems)


def test_a_window_whose_vector_has_no_direction_was_not_compared() -> None:
    nothing, spoilt, large = [0.0] * 3, [math.nan] * 3, [math.inf, 0.0, 0.0]
    vectors = [[1.0, 0, 0], nothing, spoilt, [0, 1.0, 0], large, spoilt, [0, 0, 1.0]]
    windows = pa.record_batch(
        {
            "content_id": pa.array([*"aabcddd"]).dictionary_encode(),
            "part": pa.array([0, 1, 0, 0, 0, 1, 2], pa.int32()),
            "end": pa.array([9] * 7, pa.int32()),
            "vector": pa.array(vectors, pa.list_(pa.float32(), 3)),
        }
    )
    items = np.eye(2, 3, dtype=np.float32)
    found = compare.texts_of(windows, items).to_pydict()
    assert found["cosine"] == [1.0, None, 1.0, 0.0]
    assert found["item"] == [0, None, 1, 0]
    assert found["whole"] == [False, False, True, False]


def test_all_of_a_long_item_gets_vectors(made: Path) -> None:
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import Model
    from index.embeddings.tokens import Tokens

    encoder = open_encoder(made / "encoder")
    tokens, model = Tokens(encoder), Model(encoder, "cpu")
    long = " ".join(words(1000, 5))
    vectors, owner = benchmark._vectors([long, ITEMS[0], " \n" * tokens.reach + ITEMS[0]], tokens, model)
    read = np.bincount(owner)
    assert read[0] > encoder.windows * 10
    assert 1 <= read[1] == read[2] < encoder.windows
    assert np.allclose(vectors[owner == 1], vectors[owner == 2], atol=1e-2)
    end = tokens.windows([ITEMS[0]])
    assert len(end) == read[1]


def test_a_set_without_benchmarks_states_nothing_of_them(made: Path, tmp_path: Path) -> None:
    export(str(made / "lake"), tmp_path / "set", before=BEFORE, workers=1)
    stated = json.loads((tmp_path / "set" / "manifest.json").read_bytes())
    assert "likeness" not in stated
    assert not {*_LIKE} & {*stated["arguments"]}  # they would change the roots of each set
    assert lb.verify(tmp_path / "set", rows=0, workers=1, again=str(made / "lake")).sound


def test_lines_and_paragraphs_of_a_plain_file_are_items(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("who was the first of these\nand what did the others do\n\nno item\n\na line of its own here\n")
    items, short = benchmark.read((str(plain),))
    assert list(items.values()) == ["plain.txt:1", "plain.txt:2", "plain.txt:1", "plain.txt:6"]
    assert short == 1
    packed = gzip.compress(plain.read_bytes() * 200)
    plain.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ArchiveError, match="truncated"):
        benchmark.read((str(plain),))
    plain.write_bytes(b"PK\3\4 five words of an archive \0\0")
    with pytest.raises(ArchiveError, match="neither text nor a data set"):
        benchmark.read((str(plain),))


def test_scripts_without_spaces_have_items_and_13_grams(tmp_path: Path) -> None:
    for number, text in enumerate(("តើអ្វីជារាជធានីនៃប្រទេស", "他们在那里看到了什么东西呢你知道吗", "မြန်မာနိုင်ငံ၏မြို့တော်")):
        (tmp_path / f"{number}.jsonl").write_text(json.dumps({"question": text}) + "\n")
        assert len(benchmark.read((str(tmp_path / f"{number}.jsonl"),))[0]) == 1
    assert hash_set(str(tmp_path / "1.jsonl"), tmp_path / "hashes.npy", "--decontaminate") == 17 - 13 + 1
    few, enough = "a - b - c - d - e - f - g", "state-of-the-art is a word of four and so are these"
    for text, hashes in ((few, 0), (enough, 1)):
        (tmp_path / "words.jsonl").write_text(json.dumps({"question": text}) + "\n")
        assert hash_set(str(tmp_path / "words.jsonl"), tmp_path / "hashes.npy", "--decontaminate") == hashes


def test_json_lines_hold_the_same_marks(made: Path, marked: Path, tmp_path: Path) -> None:
    expected = {
        text: [row[name] for name in COLUMNS if name.startswith("like_")] for text, row in rows_of(marked).items()
    }
    run(made, tmp_path / "set", format="jsonl")
    held = {text: [row[name] for name in COLUMNS if name.startswith("like_")]
            for text, row in rows_of(tmp_path / "set").items()}  # fmt: skip
    assert held == expected
    assert lb.verify(tmp_path / "set", rows=0, workers=1).sound


def test_what_cannot_be_compared_is_one_line(made: Path, lake: Lake, tmp_path: Path) -> None:
    def told(**options: Any) -> str:
        with pytest.raises(ArchiveError) as error:
            run(made, tmp_path / "out", **options)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out").exists()
        return str(error.value)

    assert "80 texts with vectors from before 2019-01-01" in (few := told(false_positives=None))
    assert "takes 2,995; 80 suffice for --false-positives 0.037" in few
    assert "0 texts with vectors from before 2011-01-01" in told(published="2011-01-01")
    write_encoder(tmp_path / "other", seed=1)
    assert "write it behind --encoder" in told(encoder=tmp_path / "other")
    assert "--encoder" in told(encoder=tmp_path / "nowhere")
    (tmp_path / "short.jsonl").write_text('{"a": "too short"}\n')
    assert "no text of 5 words or more" in told(decontaminate_like=[made / "bench.jsonl", tmp_path / "short.jsonl"])
    (tmp_path / "odd.parquet").write_bytes(b"PAR1 and no more")
    assert "--decontaminate-like" in told(decontaminate_like=tmp_path / "odd.parquet")
    put(lake, tmp_path / "in", [(NEW, "2020-01-01")])
    with pytest.raises(ArchiveError, match="has no vectors yet; `archive embed"):
        export(lake, tmp_path / "out", before=BEFORE, decontaminate_like=made / "bench.jsonl", least_cosine=0.9)
    for seed in (2, 3):
        write_encoder(tmp_path / str(seed), seed=seed)
        lb.embed(lake, encoder=str(tmp_path / str(seed)), workers=1, search=False)
    with pytest.raises(ArchiveError, match="name the --encoder of those that count"):
        export(lake, tmp_path / "out", before=BEFORE, decontaminate_like=made / "bench.jsonl", least_cosine=0.9)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"published": PUBLISHED}, "--published is for --decontaminate-like"),
        ({"drop_like": True}, "--drop-like is for --decontaminate-like"),
        ({"decontaminate_like": "b.jsonl"}, "needs --published DATE"),
        ({"decontaminate_like": "b.jsonl", "published": "soon"}, "is no date"),
        ({"decontaminate_like": "b.jsonl", "published": "2999-01-01"}, "is to come"),
        ({"decontaminate_like": "b.jsonl", "least_cosine": 1.5}, "--least-cosine 1.5"),
        ({"decontaminate_like": "b.jsonl", "published": PUBLISHED, "false_positives": 1.0}, "--false-positives 1"),
        ({"decontaminate_like": "b.jsonl", "least_cosine": 0.9, "false_positives": 0.1}, "contradict"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=said):
        export(str(tmp_path), tmp_path / "out", before=BEFORE, **given)


@pytest.mark.parametrize("different", [7, 40, 100_000])  # values of a cosine: with few, many texts are equal
def test_the_share_of_false_positives_is_rarely_above_what_was_asked_for(different: int) -> None:
    dice = np.random.default_rng(different)
    values = np.round(np.sort(dice.random(different)), 6)
    weights = dice.random(different) ** 3
    weights /= weights.sum()
    exceeded, tries, asked = 0, 120, 0.02
    db = duckdb.connect(config={"threads": 1})
    for _ in range(tries):
        db.register("earlier_cosines", pa.table({"cosine": dice.choice(values, 400, p=weights)}))
        least, known = calibrate.calibrated(db, PUBLISHED, asked, 0)
        assert known.bound <= asked
        assert known.above / known.texts <= known.bound
        exceeded += float(weights[values >= least].sum()) > asked
    assert exceeded <= tries * 0.05 + 3 * math.sqrt(tries * 0.05 * 0.95)


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(1, 20_000), st.data())
def test_bounds_are_those_of_clopper_and_pearson(texts: int, data: st.DataObject) -> None:
    beta = pytest.importorskip("scipy.stats").beta
    hits = data.draw(st.integers(0, texts - 1))
    share = data.draw(st.floats(0.0005, 0.5))
    assert calibrate.bound(hits, texts) == pytest.approx(beta.ppf(0.95, hits + 1, texts - hits), rel=1e-6)
    most = calibrate.most_hits(texts, share)
    assert most == -1 or calibrate.bound(most, texts) <= share * (1 + 1e-9)
    assert calibrate.bound(most + 1, texts) > share * (1 - 1e-9)


def test_texts_that_equal_an_item_leave_no_threshold() -> None:
    db = duckdb.connect()
    db.register("earlier_cosines", pa.table({"cosine": [0.2, 1.0] * 100}))
    with pytest.raises(ArchiveError, match="no cosine separates"):
        calibrate.calibrated(db, PUBLISHED, 0.05, 0)


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 1 << 30), st.booleans())
def test_the_nearest_item_is_that_of_a_plain_search(rows: int, items: int, seed: int, twice: bool) -> None:
    dice = np.random.default_rng(seed)
    vectors = dice.standard_normal((rows, 8)).astype(np.float16).astype(np.float32)
    vectors[dice.random(rows) < 0.1] = 0
    known = dice.standard_normal((items, 8)).astype(np.float32)
    known = np.concatenate([known, known]) if twice else known
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    cosines, nearest = compare.nearest_items(vectors, known)
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    expected = np.round(exact / np.where(lengths > 0, lengths, 1) @ known.T.astype(np.float64), 6)
    assert np.abs(cosines - expected.max(axis=1)).max() <= 1.0001e-6
    assert (np.abs(expected[np.arange(rows), nearest] - expected.max(axis=1)) <= 1.0001e-6).all()
    assert (nearest < items).all()  # of equal ones the first
