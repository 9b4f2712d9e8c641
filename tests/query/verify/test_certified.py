"""What `certify` wrote passes `verify`, whatever its proofs rest on; paragraphs that nobody wrote do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from authority import Authority
from conftest import members, record
from made import edited, indexed, put, words

import lowbackground as lb
from archive.errors import ExportError
from archive.lake import Lake
from index.neardup.textless import export as without_texts

BEFORE = "2022-01-01"
Write = Callable[[str, bytes], str]


def certify(lake: Lake, folder: Path, texts: list[str], **options: Any) -> Path:
    source = folder / "in" / "rows.jsonl"
    source.parent.mkdir(exist_ok=True)
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    lb.certify(lake, source, folder / "out", before=options.pop("before", BEFORE), workers=1, **options)
    return folder / "out"


def forge(out: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the rows of a result."""
    path = out / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def details(out: Path, **options: Any) -> str:
    return "\n".join(f"{each.kind}: {each.detail}" for each in lb.verify(out, all=True, workers=1, **options).findings)


def test_paragraphs_are_compared_with_those_of_the_record(lake: Lake, tmp_path: Path) -> None:
    old = [" ".join(words(30, seed)) for seed in range(3)]
    put(lake, tmp_path / "sources", [("\n\n".join([old[0], old[1]]), "2012-01-01T00:00:00Z")])
    indexed(lake)
    text = "\n".join([old[0], old[2], f"{old[1]} indeed"])
    out = certify(lake, tmp_path, [text], paragraphs=True)
    row = json.loads((out / "rows.jsonl").read_text())
    assert [each["proof"] for each in row["proof_paragraphs"]] == ["exact", "none", "near"]
    assert lb.verify(out, all=True, workers=1).sound
    honest = (out / "rows.jsonl").read_text()

    def other_operators(rows: list[dict[str, Any]]) -> None:
        rows[0]["text"] = rows[0]["text"].replace(f"{old[1]} indeed", " <=> ".join([*old[1].split(), "indeed"]))

    def earlier(rows: list[dict[str, Any]]) -> None:
        rows[0]["proof_paragraphs"][0]["proof_date"] = "2009-01-01T00:00:00Z"

    for change, found in ((other_operators, "differs: characters: the row says at least 0.8"), (earlier, "date: ")):
        forge(out, change)
        assert found in details(out)
        (out / "rows.jsonl").write_text(honest)
    forge(out, earlier)
    assert "differs: date: nothing attests" in details(out, lake=lake)


def test_proofs_that_rest_on_a_time_stamp_pass_with_the_lake(lake: Lake, tmp_path: Path, write: Write) -> None:
    authority = Authority(tmp_path / "tsa")
    text = " ".join(words(60, 1))
    source = write("a.warc.gz", members(record("http://a.example/", f"<p>{text}</p>", "2950-01-01T00:00:00Z")))
    rows = write("b.jsonl", json.dumps({"text": " ".join(words(60, 2)), "date": "2950-01-01"}).encode())
    for each in (source, rows):
        lb.ingest(lake, each, workers=1)
        token = Path(f"{each}.tsr")
        token.write_bytes(authority.stamp(Path(each).read_bytes()))
        lb.attest(lake, each, token, certificate=[authority.root])
    indexed(lake)
    texts = [text, " ".join(words(60, 2)), f"{text} indeed"]
    out = certify(lake, tmp_path, texts, before="2900-01-01", grade="A", paragraphs=True)
    certified = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert [(row["proof"], row["proof_date_source"]) for row in certified] == [
        ("exact", "attested"), ("exact", "attested"), ("near", "attested"),
    ]  # fmt: skip
    known = lb.verify(out, all=True, lake=lake, workers=1)
    assert known.sound, (known.problems, known.findings)
    alone = lb.verify(out, all=True, workers=1)
    assert (alone.sound, alone.kinds["unchecked"], alone.kinds["differs"]) == (False, 3, 0)
    honest = (out / "rows.jsonl").read_text()
    forge(out, lambda rows: rows[0].update(proof_date_source="published"))
    assert "differs: grade: the row says A, and its date is published" in details(out, lake=lake)
    (out / "rows.jsonl").write_text(honest)
    forge(out, lambda rows: rows[0].update(proof_date="2015-01-01T00:00:00Z"))
    assert "differs: attested: nothing attests that its file existed by 2015" in details(out, lake=lake)


def test_an_estimate_passes_and_states_no_characters(lake: Lake, tmp_path: Path) -> None:
    old = words(400, 1)
    put(lake, tmp_path / "sources", [(" ".join(old), "2015-06-01T00:00:00Z")])
    indexed(lake)
    bare = Lake(str(tmp_path / "bare"))
    without_texts(lake, bare)
    out = certify(bare, tmp_path, [" ".join(old), " ".join(edited(old, 1, 2))])
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    assert [(row["proof"], row["proof_estimated"], row["proof_characters"]) for row in rows] == [
        ("exact", None, 1), ("near", True, None),
    ]  # fmt: skip
    result = lb.verify(out, all=True, workers=1)
    assert result.sound, (result.problems, result.findings)


def test_a_table_passes_with_characters_that_the_normal_form_leaves_out(lake: Lake, tmp_path: Path) -> None:
    old = words(200, 1)
    put(lake, tmp_path / "sources", [(" ".join(old), "2015-06-01T00:00:00Z")])
    indexed(lake)
    (tmp_path / "in").mkdir()
    texts = [f"\ufeff{' '.join(old)}\b", " ".join(edited(old, 2, 5)).replace(" ", "\xad ", 3), None, ""]
    pq.write_table(pa.table({"body": texts}), tmp_path / "in" / "rows.parquet")
    lb.certify(lake, tmp_path / "in", tmp_path / "out", before=BEFORE, text_column="body", workers=1)
    rows = pq.read_table(tmp_path / "out" / "rows.parquet").to_pylist()
    assert [(row["proof"], row["proof_dropped"]) for row in rows] == [
        ("exact", 2), ("near", 3), ("none", None), ("none", None),
    ]  # fmt: skip
    result = lb.verify(tmp_path / "out", all=True, workers=1)
    assert result.sound, (result.problems, result.findings)


def test_a_result_of_another_procedure_is_refused_in_one_line(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "sources", [(" ".join(words(50, 1)), "2015-06-01T00:00:00Z")])
    indexed(lake)
    out = certify(lake, tmp_path, [" ".join(words(50, 1))])
    path = out / "_certify" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for procedure in (None, 1, manifest["arguments"]["procedure"] + 1, "2"):
        manifest["arguments"]["procedure"] = procedure
        path.write_text(json.dumps(manifest))
        with pytest.raises(ExportError, match=r"not a manifest that this version reads .*procedure"):
            lb.verify(out, workers=1)
