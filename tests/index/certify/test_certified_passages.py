"""`certify --passages`: how many words of a row were in earlier texts, with each passage and what proves it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made import put, words

import lowbackground as lb
from archive.engine import open_engine
from archive.errors import ArchiveError, LakeError
from archive.lake import Lake
from index import stage as stages
from index.certify import certify
from index.certify.card import card
from index.certify.result import MANIFEST
from index.passages.stage import Passages

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


Rows = list[dict[str, Any]]


def _changed(what: str, row: int = 0, **values: Any) -> Callable[[Rows, str], None]:
    """A change of the first part of a row; what is callable gets the value that is there."""

    def change(rows: Rows, _: str) -> None:
        part = rows[row][f"proof_{what}"][0]
        for name, value in values.items():
            part[name] = value(part[name]) if callable(value) else value
        rows[row]["proof_known_words"] = sum(each["words"] for each in rows[row]["proof_passages"])

    return change


def _claimed(what: str, row: int) -> Callable[[Rows, str], None]:
    """Cite a row of a data set, whose date is what somebody wrote, for what was asked to have grade D."""
    record = {"offset": 0, "skip": 0, "digest": None}
    return lambda rows, file: rows[row][f"proof_{what}"][0].update(
        proof_date="2012-01-02T13:59:59.999999Z", proof_url=None, proof_record={**record, "file": file}
    )


FORGED: dict[str, tuple[Callable[[Rows, str], None], str]] = {
    "a part of the word in front": (_changed("passages", start=lambda at: at - 3, words=31), "where no word does"),
    "a part of the word behind": (_changed("passages", end=lambda at: at + 3, words=31), "where no word does"),
    "a blank more": (_changed("passages", start=lambda at: at - 1), "where no word does"),
    "words": (_changed("passages", words=29), "not the words that it states"),
    "a grade": (_changed("passages", proof_grade="A"), "not the columns that it has"),
    "a date": (_changed("passages", proof_date="2010-01-01T00:00:00Z"), "date: "),
    "another record": (_changed("passages", proof_record=lambda record: {**record, "offset": 1}), "no record"),
    "a passage of grade E": (_claimed("passages", 0), "grade: proofs have D or better, the record E"),
    "a paragraph of grade E": (_claimed("paragraphs", 1), "grade: proofs have D or better, the record E"),
    "the URL of an exact row": (
        _changed("passages", 1, proof_url="http://a.org/"),
        "not proven by what proves the row",
    ),
    "fewer words of an exact row": (_changed("passages", 1, words=59), "all words of an exact row are known"),
    "words of a paragraph": (_changed("paragraphs", 1, words=7), "a paragraph of 60 words says that it has 7"),
    "a column of a paragraph": (_changed("paragraphs", 1, proof_grade="A"), "not the columns that it has"),
}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certified set of passages and paragraphs, its lake, and what the lake was made of."""
    folder, old = tmp_path_factory.mktemp("parts"), " ".join(words(60, 1))
    lake, rows = Lake(str(folder / "lake")), folder / "rows.jsonl"
    put(lake, folder / "in", [(old, "2015-06-01")])
    rows.write_text(json.dumps({"text": old, "date": "2012-01-01"}) + "\n")
    lb.ingest(lake, str(rows), workers=1)
    lb.index(lake, workers=1, passages=True)
    texts = [" ".join([*words(10, 2), *words(60, 1)[:30], *words(15, 3)]), old, "so so so so so so so so"]
    source = _set(folder / "set.jsonl", texts)
    certify(lake, source, folder / "out", before=BEFORE, passages=True, paragraphs=True, workers=1)
    return folder


def test_parts_that_nobody_forged_pass(parts: Path) -> None:
    result = lb.verify(parts / "out", all=True, workers=1)
    assert result.sound, (result.problems, result.findings)


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_part_of_a_row_is_found(parts: Path, tmp_path: Path, name: str) -> None:
    change, found = FORGED[name]
    out = tmp_path / "out"
    shutil.copytree(parts / "out", out)
    path = out / "set.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(rows, str(parts / "rows.jsonl"))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = json.loads((out / MANIFEST).read_bytes())
    of_file = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    manifest["files"]["set.jsonl"] |= of_file | {"known_words": sum(row["proof_known_words"] for row in rows)}
    (out / MANIFEST).write_text(json.dumps(manifest))
    (out / "README.md").write_text(card(manifest) or "")
    result = lb.verify(out, all=True, workers=1, lake=parts / "lake")
    assert not result.sound
    assert found in "\n".join([*result.problems, *(each.detail for each in result.findings)])


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


def test_a_result_of_an_older_index_of_passages_is_not_gone_on_with(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(60, 1)), "2015-06-01")])
    lb.index(lake, workers=1, passages=True)
    put(lake, tmp_path / "in", [(" ".join(words(60, 2)), "2015-06-01")])
    source = _set(tmp_path / "set.jsonl", [" ".join(words(60, 2)[:30])])
    old = certify(lake, source, tmp_path / "out", before=BEFORE, passages=True, workers=1)
    assert (old.known_words, old.index_is_older_than_lake) == (0, True)
    stages.run(Passages(), lake, open_engine(1))  # of the passages alone
    with pytest.raises(ArchiveError, match="passage_index"):
        certify(lake, source, tmp_path / "out", before=BEFORE, passages=True, workers=1)
    assert certify(lake, source, tmp_path / "new", before=BEFORE, passages=True, workers=1).known_words == 30


def test_rows_of_parquet_have_the_same_passages(lake: Lake, tmp_path: Path) -> None:
    old = words(60, 1)
    put(lake, tmp_path / "in", [(" ".join(old), "2015-06-01")])
    lb.index(lake, workers=1, passages=True)
    pq.write_table(pa.table({"text": [" ".join(old[:20]), None]}), tmp_path / "set.parquet")
    certify(lake, tmp_path / "set.parquet", tmp_path / "out", before=BEFORE, passages=True, workers=1)
    rows = pq.read_table(tmp_path / "out" / "set.parquet").to_pylist()
    assert [row["proof_known_words"] for row in rows] == [20, 0]
