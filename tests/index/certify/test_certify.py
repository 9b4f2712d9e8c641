"""`archive certify`: what is proven about the rows of a data set, and that nothing else is."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from conftest import record, take
from forked import forked
from hypothesis import given
from hypothesis import strategies as st
from made import edited, indexed, put, words

from archive.errors import ArchiveError, LakeError, SourceError
from archive.lake import Lake
from archive.owned import JOURNAL
from benchmarks.confusion import confusion
from index.certify import CertifyResult, certify, characters
from index.certify.characters import compare, runs_of, share_of
from index.certify.result import RowCounts
from index.neardup.textless import export

BEFORE = datetime(2022, 1, 1, tzinfo=UTC)


def certified(lake: Lake, source: Path, out: Path, **options: Any) -> tuple[CertifyResult, list[dict[str, Any]]]:
    """The result, and the rows of the one file that came out."""
    result = certify(lake, source, out, before=options.pop("before", BEFORE), workers=1, **options)
    return result, [json.loads(line) for line in (out / source.name).read_text().splitlines()]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_row_is_proven_by_the_same_text_or_a_similar_one_from_before(lake: Lake, tmp_path: Path) -> None:
    old, new, never = words(200, 1), words(200, 2), words(200, 3)
    footer = [*old, *["all", "rights", "reserved", "by", "somebody", "else"]]
    put(lake, tmp_path / "in", [(" ".join(old), "2015-06-01"), (" ".join(new), "2023-06-01")])
    indexed(lake)
    texts = [" ".join(text) for text in (new, edited(old, 2, 5), old, never, footer)]
    source = write_rows(tmp_path / "set.jsonl", [{"text": text, "n": n} for n, text in enumerate(texts)])
    result, rows = certified(lake, source, tmp_path / "out")
    assert [row["n"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["proof"] for row in rows] == ["none", "near", "exact", "none", "near"]
    assert rows[2]["proof_similarity"] == 1
    assert rows[1]["proof_similarity"] == pytest.approx(186 / 206)
    for row in (rows[1], rows[2], rows[4]):
        assert row["proof_date"] == "2015-06-02T13:59:59.999999Z"
        assert row["proof_url"] == "http://example.com/2015-06-01/0"
        assert row["proof_record"]["file"].endswith(".warc")
        assert row["proof_record"]["offset"] == 0
    assert rows[0]["proof_date"] is None
    assert dict(result.proof) == {"exact": 1, "near": 2, "none": 2}
    assert result.proof_by_year == {"2015": Counter(exact=1, near=2)}


def test_the_day_of_the_date_itself_is_not_before_it(lake: Lake, tmp_path: Path) -> None:
    pages = record(body="<p>" + " ".join(words(100, 1)), date="2021-12-31T23:59:59Z")
    pages += record(body="<p>" + " ".join(words(100, 2)), date="2022-01-01T00:00:00Z")
    (tmp_path / "a.warc").write_bytes(pages)
    take(lake, str(tmp_path / "a.warc"))
    indexed(lake)
    rows = [{"text": " ".join(words(100, seed))} for seed in (1, 2)]
    source = write_rows(tmp_path / "set.jsonl", rows)
    _, found = certified(lake, source, tmp_path / "out")
    assert [row["proof"] for row in found] == ["exact", "none"]


def test_claims_and_problem_dates_prove_nothing(lake: Lake, tmp_path: Path) -> None:
    """A page that claims an old date but was captured late, and one whose only early capture cannot be believed."""
    claims, broken = " ".join(words(100, 1)), " ".join(words(100, 2))
    (tmp_path / "a.warc").write_bytes(
        record(
            body=f"<meta name=date content=1999-01-01><p>{claims}",
            date="2024-05-05T00:00:00Z",
            http={"Last-Modified": "Fri, 01 Jan 1999 00:00:00 GMT"},
        )
        + record(body=f"<p>{broken}", date="1970-01-01T00:00:00Z")
        + record(body=f"<p>{broken}", date="2024-05-05T00:00:00Z")
    )
    take(lake, str(tmp_path / "a.warc"))
    indexed(lake)
    texts = [claims, broken, claims + " more", broken + " more"]
    source = write_rows(tmp_path / "set.jsonl", [{"text": text} for text in texts])
    _, rows = certified(lake, source, tmp_path / "out")
    assert [row["proof"] for row in rows] == ["none"] * 4
    _, rows = certified(lake, source, tmp_path / "later", before=datetime(2025, 1, 1, tzinfo=UTC))
    assert [row["proof"] for row in rows] == ["exact", "exact", "near", "near"]


def test_formats_names_and_foreign_columns_stay_as_they_are(lake: Lake, tmp_path: Path) -> None:
    old = " ".join(words(120, 1))
    put(lake, tmp_path / "in", [(old, "2015-06-01")])
    indexed(lake)
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    line = '{"a": 1.50, "text": "TEXT", "unicode": "\\u00e9é", "nested": {"x": [null]}}'.replace("TEXT", old)
    (folder / "plain.jsonl").write_text(line + "\n")
    (folder / "deep" / "zipped.jsonl.gz").write_bytes(gzip.compress(f"{line}\n{line}".encode()))
    (folder / "b.jsonl.zst").write_bytes(zstandard.compress((line + "\n").encode()))
    table = pa.table(
        {"score": pa.array([1, 2, 3], pa.int16()), "body": [old, "other words", None], "tags": [[1], [], None]}
    )
    pq.write_table(table, folder / "t.parquet")
    (folder / "empty.jsonl").write_bytes(b"")
    with pytest.raises(SourceError, match="none of the rows"):
        certify(lake, str(folder / "t.parquet"), str(tmp_path / "wrong"), before=BEFORE, workers=1)
    result = certify(lake, str(folder / "t.parquet"), str(tmp_path / "p"), before=BEFORE, text_column="body", workers=1)
    assert result.problems == Counter()
    written = pq.read_table(tmp_path / "p" / "t.parquet")
    assert written.select(table.schema.names).equals(table)
    assert written["proof"].to_pylist() == ["exact", "none", "none"]
    assert written.schema.field("proof_date").type == pa.timestamp("us", "UTC")
    (folder / "t.parquet").unlink()
    result = certify(lake, str(folder), str(tmp_path / "out"), before=BEFORE, workers=2)
    assert (result.files, result.rows, result.proof["exact"]) == (4, 4, 4)
    out = tmp_path / "out"
    assert (out / "plain.jsonl").read_text().startswith(line[:-1] + ', "proof": "exact"')
    zipped = gzip.decompress((out / "deep" / "zipped.jsonl.gz").read_bytes()).decode()
    assert [row.startswith(line[:-1]) for row in zipped.splitlines()] == [True, True]
    assert zstandard.decompress((out / "b.jsonl.zst").read_bytes()).decode().count('"exact"') == 1
    assert (out / "empty.jsonl").read_bytes() == b""


def test_rows_that_cannot_be_judged_are_kept_and_counted(lake: Lake, tmp_path: Path) -> None:
    old = " ".join(words(120, 1))
    put(lake, tmp_path / "in", [(old, "2015-06-01")])
    indexed(lake)
    source = tmp_path / "set.jsonl"
    good = json.dumps({"text": old})
    lines = [
        good,
        "{broken",
        "[1, 2]",
        '{"text": 7}',
        '{"text": null}',
        '{"other": "x"}',
        '{"text": ""}',
        '{"text": "\\ud800 lone"}',
        good,
    ]
    source.write_text("\n".join(lines) + "\n")
    done = forked("certify", str(source), "--before", "2022-01-01", "--out", str(tmp_path / "out"),
                   "--lake", lake.location, "--json", check=False)  # fmt: skip
    assert done.returncode == 1, done.stderr
    numbers = json.loads(done.stdout)
    assert numbers["rows"] == 9
    assert numbers["proof"] == {"exact": 2, "near": 0, "none": 7}
    assert numbers["problems"] == {"bad-row": 2, "no-text-column": 2}
    written = (tmp_path / "out" / "set.jsonl").read_text().splitlines()
    assert written[1:3] == lines[1:3]
    assert json.loads(written[-1])["proof"] == "exact"


def test_damage_and_other_formats_are_reported(lake: Lake, tmp_path: Path) -> None:
    old = " ".join(words(120, 1))
    put(lake, tmp_path / "in", [(old, "2015-06-01")])
    indexed(lake)
    clipped = gzip.compress("".join(json.dumps({"text": f"{old} {n}"}) + "\n" for n in range(500)).encode())[:-900]
    (tmp_path / "clipped.jsonl.gz").write_bytes(clipped)
    result = certify(lake, str(tmp_path / "clipped.jsonl.gz"), str(tmp_path / "out"), before=BEFORE, workers=1)
    assert result.problems.total() >= 1
    assert result.proof["near"] > 0
    (tmp_path / "a.warc").write_bytes(record())
    with pytest.raises(SourceError, match="neither JSON lines nor Parquet"):
        certify(lake, str(tmp_path / "a.warc"), str(tmp_path / "out2"), before=BEFORE, workers=1)
    source = write_rows(tmp_path / "again.jsonl", [{"text": old, "proof": "mine"}])
    with pytest.raises(SourceError, match="column proof already"):
        certify(lake, str(source), str(tmp_path / "out3"), before=BEFORE, workers=1)
    with pytest.raises(LakeError, match="there is no lake here"):
        certify(Lake(str(tmp_path / "nowhere")), str(source), str(tmp_path / "out4"), before=BEFORE, workers=1)


def test_run_again_it_goes_on_and_another_question_needs_another_folder(lake: Lake, tmp_path: Path) -> None:
    old = " ".join(words(120, 1))
    put(lake, tmp_path / "in", [(old, "2015-06-01")])
    indexed(lake)
    folder = tmp_path / "set"
    for name in "ab":
        write_rows(folder / f"{name}.jsonl", [{"text": old}])
    first = certify(lake, str(folder), str(tmp_path / "out"), before=BEFORE, workers=1)
    (folder / "b.jsonl").write_text(json.dumps({"text": "changed"}) + "\n")
    second = certify(lake, str(folder), str(tmp_path / "out"), before=BEFORE, workers=1)
    assert (first.files_skipped, second.files_skipped) == (0, 1)
    assert (first.proof["exact"], second.proof["exact"], second.rows) == (2, 1, 2)
    with pytest.raises(ArchiveError, match=r"another certify \(before differ"):
        certify(lake, str(folder), str(tmp_path / "out"), before="2020-01-01", workers=1)
    with pytest.raises(ArchiveError, match="inside the data set"):
        certify(lake, str(folder), str(folder), before=BEFORE, workers=1)


def test_counts_that_an_earlier_version_stored_are_read() -> None:
    proof, years = {"exact": 1, "near": 0, "none": 2}, {"2015": {"exact": 1}}
    stored = {"rows": 3, "proof": proof, "proof_by_year": years, "paragraphs": {}, "problems": {"bad-row": 1}}
    earlier = {"version": "1-2", "files": 0, "files_known": 0, **stored, "index_is_older_than_lake": False}
    assert RowCounts.from_json(earlier).as_json() == {**stored, "proof_by_grade": {}}


def test_paragraphs_are_proven_one_by_one(lake: Lake, tmp_path: Path) -> None:
    old = [" ".join(words(30, seed)) for seed in range(4)]
    put(
        lake,
        tmp_path / "in",
        [
            ("\n\n".join([old[0], old[1], "Home"]), "2012-01-01"),
            ("\n\n".join([old[1], old[2]]), "2010-01-01"),
            (old[3], "2023-01-01"),
        ],
    )
    indexed(lake)
    near = old[2] + " indeed"
    text = "\n".join(["Home", old[1], " ".join(words(30, 99)), near, old[3], old[0]])
    source = write_rows(tmp_path / "set.jsonl", [{"text": "x"}, {"text": text}, {"text": old[1]}])
    result, rows = certified(lake, source, tmp_path / "out", paragraphs=True)
    assert [row["proof"] for row in rows] == ["none", "none", "none"]
    assert rows[0]["proof_paragraphs"] == []
    judged = [
        (each["words"], each["proof"], each["proof_date"] and each["proof_date"][:4])
        for each in rows[1]["proof_paragraphs"]
    ]
    assert judged == [
        (30, "exact", "2010"),
        (30, "none", None),
        (31, "near", "2010"),
        (30, "none", None),
        (30, "exact", "2012"),
    ]
    assert rows[1]["proof_paragraphs"][2]["proof_similarity"] == pytest.approx(26 / 27)
    assert [each["proof"] for each in rows[2]["proof_paragraphs"]] == ["exact"]
    assert dict(result.paragraphs) == {"exact": 3, "near": 1, "none": 2}


def test_without_texts_a_near_proof_is_an_estimate_and_says_so(lake: Lake, tmp_path: Path) -> None:
    old = words(400, 1)
    put(lake, tmp_path / "in", [(" ".join(old), "2015-06-01")])
    indexed(lake)
    out = Lake(str(tmp_path / "witnesses"))
    export(lake, out)
    texts = [old, edited(old, 1, 2), edited(old, 40, 3), words(400, 4)]
    source = write_rows(tmp_path / "set.jsonl", [{"text": " ".join(text)} for text in texts])
    _, rows = certified(out, source, tmp_path / "out")
    assert [row["proof"] for row in rows] == ["exact", "near", "none", "none"]
    assert [row["proof_estimated"] for row in rows] == [None, True, None, None]
    assert abs(rows[1]["proof_similarity"] - 391 / 401) < 0.06
    assert [row["proof_characters"] for row in rows] == [1, None, None, None]  # of the lake no characters are known
    assert rows[1]["proof_record"] == rows[0]["proof_record"]
    with pytest.raises(ArchiveError, match="paragraphs cannot be judged"):
        certify(out, str(source), str(tmp_path / "out2"), before=BEFORE, workers=1, paragraphs=True)


def test_a_text_that_came_after_the_index_still_proves_itself(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(100, 1)), "2015-06-01")])
    indexed(lake)
    late = " ".join(words(100, 2))
    put(lake, tmp_path / "in", [(late, "2016-06-01")])
    _, rows = certified(lake, write_rows(tmp_path / "set.jsonl", [{"text": late}]), tmp_path / "out")
    assert rows[0]["proof"] == "exact"


@pytest.mark.slow
def test_nothing_that_models_wrote_is_certified(data: Path, tmp_path: Path) -> None:
    """A set mixed from texts of the lake, lightly edited ones, answers of models, and their rewritings of old texts."""
    table = confusion(data / "human-machine", tmp_path)
    assert set(table["same"]) == {"exact"}
    assert table["one word in a hundred changed"]["near"] > 0.85 * table["same"].total()
    footers = table["a footer of six words"]
    assert footers["near"] > 0.97 * footers.total()
    for name in ("rewritten: one word in four changed", "answers of models", "continued by models"):
        assert set(table[name]) == {"none"}
        assert table[name].total() > 1000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data_set(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(900, seed)), "2015-06-01") for seed in range(50)])
    indexed(lake)
    peaks = []
    for name, size in (("small", 40), ("large", 240)):
        line = [json.dumps({"text": " ".join(words(900, seed))}) + "\n" for seed in range(100)]
        (tmp_path / f"{name}.jsonl").write_text("".join(line) * (size // 2 * 3 // 2))
        script = (
            "import sys\nfrom archive.lake import Lake\n"
            "from index.certify import run\n"
            "if __name__ == '__main__':\n"
            "    run._ROWS, run._BYTES = 2000, 1 << 24\n"
            "    run.certify(Lake(sys.argv[1]), sys.argv[2], sys.argv[3], before='2022-01-01', workers=1)\n"
            "    print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
        )
        (tmp_path / "run.py").write_text(script)
        arguments = [
            sys.executable,
            str(tmp_path / "run.py"),
            lake.location,
            str(tmp_path / f"{name}.jsonl"),
            str(tmp_path / name),
        ]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.25 * peaks[0]


def one_text_lake(lake: Lake, tmp_path: Path) -> str:
    old = " ".join(words(120, 1))
    put(lake, tmp_path / "in", [(old, "2015-06-01")])
    indexed(lake)
    return old


def test_the_data_set_itself_is_never_written_to(lake: Lake, tmp_path: Path) -> None:
    line = json.dumps({"text": one_text_lake(lake, tmp_path)}) + "\n"
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jsonl").write_text(line)
    (tmp_path / "link").symlink_to(folder)
    for out in (folder, tmp_path / "link", folder / "out", tmp_path / "link" / "deep"):
        with pytest.raises(ArchiveError, match="choose another folder"):
            certify(lake, str(folder), str(out), before=BEFORE, workers=1)
    with pytest.raises(ArchiveError, match="choose another folder"):
        certify(lake, str(folder / "a.jsonl"), str(folder), before=BEFORE, workers=1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ArchiveError, match=r"holds mine\.txt, which `archive certify` did not make"):
        certify(lake, str(folder), str(tmp_path / "full"), before=BEFORE, workers=1)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArchiveError, match="file"):
        certify(lake, str(folder), str(tmp_path / "file"), before=BEFORE, workers=1)
    assert (folder / "a.jsonl").read_text() == line
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["a.jsonl"]


def test_files_keep_the_names_under_which_they_were_found(lake: Lake, tmp_path: Path) -> None:
    line = json.dumps({"text": one_text_lake(lake, tmp_path)}) + "\n"
    folder, out = tmp_path / "set", tmp_path / "out"
    (folder / "x").mkdir(parents=True)
    (tmp_path / "blob").write_text(line)
    for name in ("one.jsonl", "two.jsonl"):  # as a cache of downloads has them
        (folder / "x" / name).symlink_to(tmp_path / "blob")
    (folder / "certify.json").write_text(line)
    (folder / ".one.jsonl.crc").write_bytes(b"crc")
    (folder / "README.md").write_text("# About\n")
    (folder / "blank.jsonl").write_text("\n \n")
    (folder / "broken.jsonl").write_text("[1]\n" + line)
    result = certify(lake, str(folder), str(out), before=BEFORE, workers=1)
    assert result.problems == Counter({"unknown-format": 1, "bad-row": 1})
    assert result.proof["exact"] == 4
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert written == {
        "x/one.jsonl",
        "x/two.jsonl",
        "certify.json",
        "blank.jsonl",
        "broken.jsonl",
        "_certify/manifest.json",
        "README.md",
        JOURNAL,
    }
    (out / "x" / "one.jsonl").unlink()
    (folder / "x" / "two.jsonl").unlink()
    again = certify(lake, str(folder), str(out), before=BEFORE, workers=1)
    assert again.files_skipped == 3
    assert (out / "x" / "one.jsonl").exists()
    assert not (out / "x" / "two.jsonl").exists()
    (tmp_path / "nothing").mkdir()
    with pytest.raises(SourceError, match="no file of JSON lines"):
        certify(lake, str(tmp_path / "nothing"), str(tmp_path / "out2"), before=BEFORE, workers=1)


def test_parquet_of_any_kind_of_strings(lake: Lake, tmp_path: Path) -> None:
    old = one_text_lake(lake, tmp_path)
    columns = {
        "dictionary": pa.array([old, "x", old]).dictionary_encode(),
        "large": pa.array([old, None, old], pa.large_string()),
        "struct": pa.array([{"body": old}, {"body": "x"}, {"body": old}]),
    }
    for name, column in columns.items():
        table = pa.table({"url": ["a", "b", "c"], "when": pa.array([1, 2, 3], pa.timestamp("ns")), "text": column})
        path = tmp_path / f"{name}.parquet"
        pq.write_table(table, path)
        column_name = "text.body" if name == "struct" else None
        result = certify(lake, path, tmp_path / f"out-{name}", before=BEFORE, text_column=column_name, workers=1)
        assert (result.proof["exact"], result.proof["none"]) == (2, 1), name
        assert pq.read_table(tmp_path / f"out-{name}" / path.name)["text"].to_pylist() == table["text"].to_pylist()


def test_many_paragraphs_that_differ_in_case_only_are_all_found(lake: Lake, tmp_path: Path) -> None:
    common = words(12, 1)
    lines = [
        " ".join(word.upper() if number >> bit & 1 else word for bit, word in enumerate(common))
        for number in range(200)
    ]
    put(lake, tmp_path / "in", [("\n".join(lines[:100]), "2015-01-01")])
    indexed(lake)
    source = write_rows(tmp_path / "set.jsonl", [{"text": "\n".join(lines)}])
    result, rows = certified(lake, source, tmp_path / "out", paragraphs=True)
    assert [each["proof"] for each in rows[0]["proof_paragraphs"]] == ["exact"] * 100 + ["near"] * 100
    assert dict(result.paragraphs) == {"exact": 100, "near": 100}


def test_the_same_one_of_equally_early_proofs_is_always_cited(lake: Lake, tmp_path: Path) -> None:
    common = words(60, 1)
    written = [
        (" ".join([word.upper() if at == number else word for at, word in enumerate(common)]), "2015-01-01")
        for number in range(40)
    ]
    put(lake, tmp_path / "in", written)
    indexed(lake)
    source = write_rows(tmp_path / "set.jsonl", [{"text": " ".join(common)}])
    cited = {certified(lake, source, tmp_path / f"out{n}")[1][0]["proof_url"] for n in range(4)}
    assert len(cited) == 1


@pytest.mark.parametrize(
    ("content", "text_column", "says"),
    [
        (
            '[\n  {"text": "a"},\n  {"text": "b"}\n]\n',
            None,
            "JSON over many lines, where each line should be a row",
        ),
        ('{\n  "text": "a"\n}\n', None, "JSON over many lines"),
        ('{"body": "a", "n": 1}\n', None, r"known \(columns: body, n\); name it by --text-column"),
        ('{"body": "a", "n": 1}\n', "bdy", "in a column bdy; there are body, n; did you mean body"),
    ],
)
def test_a_data_set_without_rows_of_text_is_refused(
    lake: Lake, tmp_path: Path, content: str, text_column: str | None, says: str
) -> None:
    one_text_lake(lake, tmp_path)
    (tmp_path / "set.jsonl").write_text(content)
    with pytest.raises(SourceError, match=says) as error:
        certify(
            lake, str(tmp_path / "set.jsonl"), str(tmp_path / "out"), before=BEFORE, text_column=text_column, workers=1
        )
    assert "name it by" not in str(error.value) or text_column is None
    assert not (tmp_path / "out").exists()


def test_an_index_that_is_older_than_the_lake_is_reported(lake: Lake, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "set.jsonl", [{"text": one_text_lake(lake, tmp_path)}])
    args = ["certify", str(source), "--before", "2022-01-01", "--lake", lake.location, "--quiet", "--out"]
    assert "older than the lake" not in forked(*args, str(tmp_path / "one")).stdout
    put(lake, tmp_path / "in", [(" ".join(words(100, 2)), "2016-06-01")])
    assert "the index is older than the lake" in forked(*args, str(tmp_path / "two")).stdout


def test_a_proof_has_the_grade_and_the_kind_of_date_that_are_asked_for(lake: Lake, tmp_path: Path) -> None:
    plain, claimed = " ".join(words(100, 1)), " ".join(words(100, 2))
    put(lake, tmp_path / "in", [(plain, "2015-06-01")])
    write_rows(tmp_path / "old" / "rows.jsonl", [{"text": claimed, "date": "2014-01-01"}])
    take(lake, str(tmp_path / "old"))
    indexed(lake)
    source = write_rows(tmp_path / "set.jsonl", [{"text": plain}, {"text": claimed}])
    result, rows = certified(lake, source, tmp_path / "d")
    assert [(row["proof"], row["proof_grade"]) for row in rows] == [("exact", "D"), ("none", None)]
    assert result.proof_by_grade == {"D": Counter(exact=1)}
    result, rows = certified(lake, source, tmp_path / "e", grade="E")
    assert [(row["proof_grade"], row["proof_date_source"]) for row in rows] == [("D", "warc"), ("E", "dataset")]
    assert result.proof_by_grade == {"D": Counter(exact=1), "E": Counter(exact=1)}
    _, rows = certified(lake, source, tmp_path / "warc", grade="E", date_sources="warc")
    assert [row["proof"] for row in rows] == ["exact", "none"]
    _, rows = certified(lake, source, tmp_path / "two", archives=2)
    assert [row["proof"] for row in rows] == ["none", "none"]
    with pytest.raises(ArchiveError, match="no grade"):
        certified(lake, source, tmp_path / "x", grade="X")


def program(seed: int, signs: str) -> str:
    names = words(60, seed)
    lines = [f"{a} = {b} {signs[0]} {c} {signs[1]} {d}" for a, b, c, d in zip(*[iter(names)] * 4, strict=True)]
    return " ; ".join(lines)


def test_what_is_no_word_counts_too(lake: Lake, tmp_path: Path) -> None:
    """A program with other operators, or a page of other emoji, has the same words."""
    sums, prose = program(1, "+-"), '"It\'s so" - he said, "and not so" - ' + " ".join(words(300, 3)) + '. "The end."'
    faces, only = "My mood today: " + "😀🚀🐍🎉" * 30, "😀😃😄😁🚀🐍🎉✨" * 9
    put(lake, tmp_path / "in", [(text, "2015-06-01") for text in (sums, prose, faces, only)])
    indexed(lake)
    typeset = prose.replace('"', "\u201d").replace("'", "\u2019").replace(" - ", " \u2013 ")
    texts = [sums, program(1, "*/"), sums + " # the end", typeset, prose.upper()]
    texts += [faces, "My mood today: " + "😡💀🐛💥" * 30, only, "😡💀🐛💥" * 18]
    source = write_rows(tmp_path / "set.jsonl", [{"text": text} for text in texts])
    _, rows = certified(lake, source, tmp_path / "out")
    assert [row["proof"] for row in rows] == ["exact", "none", "near", "near", "near", "exact", "none", "exact", "none"]
    assert [row["proof_characters"] == 1 for row in rows if row["proof"] == "exact"] == [True] * 3
    assert 0.8 <= rows[3]["proof_characters"] < rows[3]["proof_similarity"] == 1
    assert rows[4]["proof_characters"] == 1
    assert rows[1]["proof_characters"] is None


def test_what_is_no_word_counts_in_paragraphs_too(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(program(1, "+-"), "2015-06-01")])
    indexed(lake)
    texts = [program(1, "+-"), program(1, "*/"), program(1, "+-") + " # the end"]
    source = write_rows(tmp_path / "set.jsonl", [{"text": "\n\n".join(texts)}])
    _, (row,) = certified(lake, source, tmp_path / "out", paragraphs=True)
    assert [each["proof"] for each in row["proof_paragraphs"]] == ["exact", "none", "near"]


def test_characters_that_the_normal_form_leaves_out_are_counted(lake: Lake, tmp_path: Path) -> None:
    old = " ".join(words(100, 1))
    put(lake, tmp_path / "in", [(old, "2015-06-01")])
    indexed(lake)
    texts = [
        old,
        old.replace(" ", "\x08 \x1b"),
        "\ufeff" + old + " so\xadme more",
        f"  {old}\r\n",
        "\x00 nothing of it",
    ]
    source = write_rows(tmp_path / "set.jsonl", [{"text": text} for text in texts])
    _, rows = certified(lake, source, tmp_path / "out")
    assert [(row["proof"], row["proof_dropped"]) for row in rows] == [
        ("exact", 0), ("exact", 198), ("near", 2), ("exact", 0), ("none", None)
    ]  # fmt: skip


@given(st.text(max_size=200), st.text(max_size=200))
def test_characters_are_compared_by_their_runs(left: str, right: str) -> None:
    def plain(text: str) -> set[str]:
        letters = "".join(text.lower().split()).encode("utf-32-le", "replace").decode("utf-32-le")
        return {letters[at : at + 5] for at in range(max(1, len(letters) - 4))} if letters else set()

    assert compare(runs_of(left), runs_of(right)) == (len(plain(left) & plain(right)), len(plain(left) | plain(right)))


def test_of_a_long_text_a_share_of_its_runs_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(characters, "_MOST", 1 << 17)
    text = " ".join(words(22_500, 1))
    other = text + " " + " ".join(words(2_250, 2))
    whole = compare(runs_of(text), runs_of(other))
    share = share_of(text, other)
    part = compare(runs_of(text, share), runs_of(other, share))
    assert share > 1
    assert part[0] / part[1] == pytest.approx(whole[0] / whole[1], abs=0.01)
