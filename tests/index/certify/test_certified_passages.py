"""`certify --passages`: how many words of a row were in earlier texts, with each passage and what proves it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made import put, words

import lowbackground as lb
from archive.errors import LakeError
from archive.lake import Lake
from index.certify import certify

BEFORE = datetime(2022, 1, 1, tzinfo=UTC)


def _set(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def test_words_in_earlier_passages_are_counted_and_each_passage_is_cited(lake: Lake, tmp_path: Path) -> None:
    old, older, late, own = words(60, 1), words(40, 2), words(50, 3), words(30, 4)
    put(lake, tmp_path / "in", [(" ".join(old), "2015-06-01"), (" ".join([*older, *old]), "2019-06-01"),
                                (" ".join(late), "2023-06-01")])  # fmt: skip
    lb.index(lake, workers=1, passages=True)
    mixed = " ".join([*own, *[word.upper() for word in old[5:45]], *late, *older[:14], *own[:5], *older[10:30]])
    texts = [mixed, " ".join(old), " ".join(own), "", "few words"]
    source = _set(tmp_path / "set.jsonl", texts)
    result = certify(lake, source, tmp_path / "out", before=BEFORE, passages=True, workers=1)
    rows = [json.loads(line) for line in (tmp_path / "out" / "set.jsonl").read_text().splitlines()]
    assert [(row["proof"], row["proof_words"], row["proof_known_words"]) for row in rows] == [
        ("none", 159, 60), ("exact", 60, 60), ("none", 30, 0), ("none", 0, 0), ("none", 2, 0)]  # fmt: skip
    first, second = rows[0]["proof_passages"]
    assert mixed[first["start"] : first["end"]].lower().split() == old[5:45]
    assert mixed[second["start"] : second["end"]].split() == older[10:30]
    assert (first["proof_date"][:4], second["proof_date"][:4]) == ("2015", "2019")
    assert first["proof_record"]["file"].endswith(".warc")
    assert first["words"] == 40
    assert (result.words, result.known_words) == (251, 120)
    assert "120 are in passages" in (tmp_path / "out" / "README.md").read_text()
    assert lb.verify(tmp_path / "out", all=True).sound


@pytest.mark.parametrize("forged", [(0, 55), (0, 1), (9, 40)])
def test_a_passage_that_was_forged_is_found(lake: Lake, tmp_path: Path, forged: tuple[int, int]) -> None:
    old = words(60, 1)
    put(lake, tmp_path / "in", [(" ".join(old), "2015-06-01")])
    lb.index(lake, workers=1, passages=True)
    text = " ".join([*words(10, 2), *old[:30], *words(15, 3)])
    certify(lake, _set(tmp_path / "set.jsonl", [text]), tmp_path / "out", before=BEFORE, passages=True, workers=1)
    assert lb.verify(tmp_path / "out", all=True).sound
    path = tmp_path / "out" / "set.jsonl"
    row = json.loads(path.read_text())
    (passage,) = row["proof_passages"]
    starts = [0, *(number + 1 for number, letter in enumerate(text) if letter == " "), len(text) + 1]
    passage["start"], passage["end"] = starts[forged[0]], starts[forged[1]] - 1
    passage["words"] = row["proof_known_words"] = forged[1] - forged[0]
    path.write_text(json.dumps(row) + "\n")
    result = lb.verify(tmp_path / "out", all=True)
    assert not result.sound
    assert any("does not have its words" in str(each) for each in [*result.problems, result])


def test_without_the_option_nothing_of_it_is_there_and_with_it_an_index_is_needed(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(60, 1)), "2015-06-01")])
    lb.index(lake, workers=1)
    source = _set(tmp_path / "set.jsonl", [" ".join(words(60, 1))])
    with pytest.raises(LakeError, match="archive index --passages"):
        certify(lake, source, tmp_path / "never", before=BEFORE, passages=True, workers=1)
    assert not (tmp_path / "never").exists() or not list((tmp_path / "never").iterdir())
    certify(lake, source, tmp_path / "out", before=BEFORE, workers=1)
    row = json.loads((tmp_path / "out" / "set.jsonl").read_text())
    assert not {"proof_words", "proof_known_words", "proof_passages"} & row.keys()
    manifest = json.loads((tmp_path / "out" / "_certify" / "manifest.json").read_text())
    assert "passages" not in manifest["arguments"]


def test_texts_that_came_since_the_index_are_told_of(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(60, 1)), "2015-06-01")])
    lb.index(lake, workers=1, passages=True)
    put(lake, tmp_path / "in", [(" ".join(words(60, 2)), "2015-06-01")])
    source = _set(tmp_path / "set.jsonl", [" ".join(words(60, 1))])
    options = {"before": BEFORE, "workers": 1}
    assert certify(lake, source, tmp_path / "a", passages=True, **options).index_is_older_than_lake  # type: ignore[arg-type]


def test_rows_of_parquet_have_the_same_passages(lake: Lake, tmp_path: Path) -> None:
    old = words(60, 1)
    put(lake, tmp_path / "in", [(" ".join(old), "2015-06-01")])
    lb.index(lake, workers=1, passages=True)
    pq.write_table(pa.table({"text": [" ".join(old[:20]), None]}), tmp_path / "set.parquet")
    certify(lake, tmp_path / "set.parquet", tmp_path / "out", before=BEFORE, passages=True, workers=1)
    rows = pq.read_table(tmp_path / "out" / "set.parquet").to_pylist()
    assert [row["proof_known_words"] for row in rows] == [20, 0]
