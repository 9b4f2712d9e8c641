"""Sets of any kind are read as documents: each text once, in bounded memory, whatever the order of the files."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from conftest import examples, members, record, take
from hypothesis import given, settings
from hypothesis import strategies as st
from made import indexed, words

from archive.errors import ArchiveError, CollapseError
from archive.lake import Lake
from archive.reasons import REJECTS
from archive.records.rows import Columns
from collapse.corpus import REASONS, Corpus, Document, read
from collapse.corpus.sample import Sample
from query.export.run import export
from query.formats import FORMATS
from query.rows import TOKEN_FORMATS

Write = Callable[[str, bytes], str]
BEFORE = "2022-01-01"


def texts(corpus: Corpus) -> set[str]:
    return {document.text for document in corpus.train}


def sentence(number: int, count: int = 30) -> str:
    return " ".join(words(count, number))


def test_what_a_collapse_test_left_in_the_set_is_not_read(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(sentence(number))
    before = read([str(tmp_path)])
    report = tmp_path / "collapse-report"
    (report / "data").mkdir(parents=True)
    (report / "run.json").write_text(json.dumps({"version": "1", "sources": ["."], "recipe": {}}))
    (report / "results.json").write_text('{"text": "no text of the set"}')
    (report / "data" / "tokenizer.json").write_text("{}")
    assert read([str(tmp_path)]) == before
    assert len(before.train) == 3


def test_halves_of_surrogate_pairs_in_names_and_domains_are_replaced(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl")
    Path(path).write_text(json.dumps({"text": "a text", "url": "http://a\ud800b.com/"}))
    found = read([path])
    assert json.dumps([found.name, found.train[0].domain], ensure_ascii=False).encode()


# -- exports ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("sets")
    lake = Lake(str(folder / "lake"))
    pages = [
        record(f"http://www.site{n}.co.uk/", f"<p>{sentence(n)}</p>", f"201{n % 5}-01-02T03:04:05Z") for n in range(60)
    ]
    (folder / "a.warc.gz").write_bytes(members(*pages))
    take(lake, str(folder / "a.warc.gz"))
    indexed(lake)
    return lake


@pytest.fixture(scope="module")
def whole(made: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export of one split in several shards."""
    out = tmp_path_factory.mktemp("whole") / "set"
    export(made, out, before=BEFORE, format="jsonl", shard_size=2000, workers=1)
    return out


@pytest.mark.parametrize("form", sorted(FORMATS.keys() - TOKEN_FORMATS))
def test_an_export_is_read_in_every_format_that_holds_text(made: Lake, tmp_path: Path, form: str) -> None:
    split = (("train", 0.8), ("val", 0.1), ("test", 0.1))
    out = tmp_path / "set"
    export(made, out, before=BEFORE, format=form, split=split, shard_size=2000, workers=1)
    corpus = read([str(out)])
    parts = json.loads((out / "manifest.json").read_bytes())["splits"]
    assert len(corpus.train) == parts["train"]
    assert len(corpus.held_out) == parts["val"] + parts["test"]
    everything = [*corpus.train, *corpus.held_out]
    assert {document.text for document in everything} == {sentence(n) for n in range(60)}
    number = {sentence(n): n for n in range(60)}
    for document in everything:
        n = number[document.text]
        assert document == Document(sentence(n), f"site{n}.co.uk", f"201{n % 5}-01-02")
    assert corpus.reading.rejects == {}
    assert not corpus.reading.is_sample


def test_of_an_export_no_more_is_read_than_is_needed(made: Lake, whole: Path, tmp_path: Path) -> None:
    corpus = read([str(whole)], limit_bytes=5000)
    assert corpus.reading.is_sample
    assert 5000 <= corpus.reading.bytes < 5500
    assert 4000 < sum(document.size for document in corpus.train) <= 5000
    export(made, tmp_path / "sliced", before=BEFORE, shard_size=2000, slices="year", workers=1)
    sliced = read([str(tmp_path / "sliced")], limit_bytes=5000)
    assert sliced.reading.documents == 60  # its first rows are those of one year
    assert len({document.date for document in sliced.train}) > 1


def test_rows_of_an_export_can_be_chosen_by_their_columns(whole: Path) -> None:
    corpus = read([str(whole)], where={"domain": "site7.co.uk"})
    assert [document.domain for document in corpus.train] == ["site7.co.uk"]
    assert corpus.reading.rejects == {"not-asked-for": 59}


def test_a_damaged_shard_is_counted(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "set")
    shard = min((tmp_path / "set" / "train").iterdir())
    shard.write_bytes(shard.read_bytes()[:-40])
    corpus = read([str(tmp_path / "set")])
    assert corpus.reading.rejects == {"damaged-shard": 1}
    assert 40 < len(corpus.train) < 60


def test_an_export_of_tokens_and_an_unfinished_one_are_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "set")
    manifest = tmp_path / "set" / "manifest.json"
    stated = json.loads(manifest.read_bytes())
    stated["arguments"] |= {"format": "megatron", "tokenizer": "gpt2"}
    manifest.write_text(json.dumps(stated))
    with pytest.raises(CollapseError, match=r"holds tokens \(megatron\), not text; export it again"):
        read([str(tmp_path / "set")])
    manifest.unlink()
    (tmp_path / "set" / ".work").mkdir()
    (tmp_path / "set" / ".work" / "identity.json").write_text("{}")
    with pytest.raises(ArchiveError, match="not finished"):
        read([str(tmp_path / "set")])


# -- plain text ------------------------------------------------------------------------------------


def test_each_article_of_wikitext_is_a_document(data: Path) -> None:
    corpus = read([str(data / "lm" / "wikitext-2")])
    assert len(corpus.train) == 600
    assert len(corpus.held_out) == 120  # 60 of valid, 60 of test
    assert corpus.reading.rejects == {}
    assert all(document.text.startswith("= ") for document in corpus.train)
    assert sum(document.size for document in corpus.train) > 0.99 * len(
        gzip.decompress((data / "lm" / "wikitext-2" / "train.txt.gz").read_bytes())
    )


TITLED = b" \n = One = \n \n Text of one . \n = not a title = \n \n = = Part = = \n \n More . \n \n = Two = \n \n Text of two . \n"
PARAGRAPHS = b"First line\nsecond line\n\n \nSecond paragraph\n"


@pytest.mark.parametrize(
    ("content", "style", "count"),
    [
        (TITLED, "auto", 2),
        (TITLED, "file", 1),
        (TITLED, "blank-line", 6),
        (TITLED, "line", 7),
        (PARAGRAPHS, "auto", 2),
        (PARAGRAPHS, "heading", 1),
        (b"one\ntwo\r\nthree", "auto", 3),
        (b"\xef\xbb\xbfone", "auto", 1),
    ],
)
def test_plain_text_is_cut_into_documents(write: Write, content: bytes, style: Any, count: int) -> None:
    assert len(read([write("a.txt", content)], style=style).train) == count


def test_each_of_many_files_is_a_document_and_hidden_ones_are_none(write: Write, tmp_path: Path) -> None:
    for number in range(20):
        write(f"{number}/text.md", b"A line.\n\nA second paragraph, of file %d.\n" % number)
    write(".git/description.txt", b"Unnamed repository")
    assert len(read([str(tmp_path / "sources")]).train) == 20


@pytest.mark.parametrize(
    ("names", "train"),
    [
        (["train.txt", "test.txt", "more.txt"], {"train.txt", "more.txt"}),
        (["wiki.train.tokens", "wiki.valid.tokens"], {"wiki.train.tokens"}),
        (["train/0.txt", "held-out/0.txt"], {"train/0.txt"}),
        (["test/train.txt", "train/dev_0.txt"], {"test/train.txt"}),
        (["test.txt", "other.txt"], {"test.txt", "other.txt"}),
        (["train.txt", "testimony.txt"], {"train.txt", "testimony.txt"}),
    ],
)
def test_the_names_of_files_say_what_is_held_out(
    write: Write, tmp_path: Path, names: list[str], train: set[str]
) -> None:
    for name in names:
        write(name, name.encode())
    corpus = read([str(tmp_path / "sources")])
    assert texts(corpus) == train
    assert {document.text for document in corpus.held_out} == set(names) - train


# -- rows ------------------------------------------------------------------------------------------


def test_one_file_holds_the_answers_of_people_and_of_a_machine(data: Path) -> None:
    file = str(data / "human-machine" / "hc3_wiki_csai_full.csv")
    people, machine = (read([file], where={"label": label}) for label in ("0", "1"))
    assert people.train
    assert machine.train
    assert not texts(people) & texts(machine)
    assert people.reading.rejects["not-asked-for"] == machine.reading.documents
    assert any("\n" in document.text for document in machine.train)


def test_columns_of_a_json_document_are_texts(data: Path) -> None:
    file = data / "human-machine" / "xsum_gpt-4.raw_data.json"
    value = json.loads(file.read_bytes())
    for column in ("original", "sampled"):
        assert texts(read([str(file)], columns=Columns(text=column))) == set(value[column])


ROWS = [
    {"text": 'A text,\nof two lines; "quoted".', "url": "http://www.a.co.uk/x", "date": "2013-05", "label": "0"},
    {"text": "Ein Täxt\t…", "url": "", "date": "never", "label": "0"},
    {"text": "A third", "url": "http://b.org", "date": "2014-01-02T03:04:05Z", "label": "1"},
]
DOCUMENTS = {
    Document(ROWS[0]["text"], "a.co.uk", "2013-05-31"),
    Document(ROWS[1]["text"], None, None),
}


def as_csv(separator: str) -> bytes:
    quoted = [['"' + value.replace('"', '""') + '"' for value in row.values()] for row in ROWS]
    return "".join(separator.join(row) + "\r\n" for row in [list(ROWS[0]), *quoted]).encode()


def as_parquet() -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue().to_pybytes()


LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES),
        ("a.json", LINES),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode())),
        ("a.ndjson.zst", zstandard.compress(LINES)),
        ("unnamed", lz4.frame.compress(LINES)),
        ("a.csv", b"\xef\xbb\xbf" + as_csv(",")),
        ("a.csv.gz", gzip.compress(as_csv(";"))),
        ("a.tsv", as_csv("\t")),
        ("a.parquet", as_parquet()),
        ("also-unnamed", as_parquet()),
    ],
)
def test_rows_in_every_form_are_the_same_documents(write: Write, name: str, content: bytes) -> None:
    corpus = read([write(name, content)], where={"label": "0"})
    assert set(corpus.train) == DOCUMENTS
    assert corpus.reading.rejects == {"not-asked-for": 1}


def test_values_of_any_type_can_be_asked_for(write: Write) -> None:
    rows = [{"text": f"text {n}", "meta": {"machine": bool(n % 2), "label": n}} for n in range(4)]
    file = write("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    assert texts(read([file], where={"meta.machine": "true"})) == {"text 1", "text 3"}
    assert texts(read([file], where={"meta.machine": "true", "meta.label": "3"})) == {"text 3"}


def test_a_readme_beside_rows_is_no_text(write: Write, tmp_path: Path) -> None:
    write("README.md", b"A data card")
    write("data/train-0.parquet", as_parquet())
    corpus = read([str(tmp_path / "sources")])
    assert len(corpus.train) == 3
    assert corpus.reading.rejects == {"beside-rows": 1}


# -- bad input -------------------------------------------------------------------------------------


def test_what_cannot_be_used_is_counted_by_its_reason(write: Write, tmp_path: Path) -> None:
    write(
        "rows.jsonl",
        b'{"text": "good"}\n{"text": "good"}\n{"text": \n[1]\n{"text": ""}\n{"text": 5}\n{"body": "x"}\n{"html": "<p>"}\n'
        b'{"text": "\\ud800"}\n{"text": "\xff"}\n',
    )
    cut = b'{"text": "in front of the damage"}\n{"text": "' + random.Random(1).randbytes(9000).hex().encode()
    write("cut.jsonl.gz", gzip.compress(cut)[:-99])
    write("bytes.csv", b'text,n\n"caf\xe9",1\nfine,2\n"never closed,3\n')
    write("broken.parquet", as_parquet()[:-9])
    write("empty.csv", b"")
    write("crawl.warc", record())
    corpus = read([str(tmp_path / "sources")])
    assert texts(corpus) == {"good", "in front of the damage", "fine", "never closed,3\n"}
    assert corpus.reading.rejects == {
        "bad-compression": 1,
        "bad-row": 4,  # two lines of JSON that are none, one that is not UTF-8, one that is cut off
        "duplicate": 1,
        "empty-file": 1,
        "empty-text": 1,
        "no-text-column": 3,
        "not-utf-8": 2,
        "truncated": 1,
        "unknown-format": 1,
    }


def test_plain_text_that_is_none_is_counted(write: Write, tmp_path: Path) -> None:
    write("good.txt", b"good\n\nbad: \xff\n\nalso good\n")
    write("cut.txt.gz", gzip.compress(b"whole\n\ncut through: " + random.Random(2).randbytes(9000).hex().encode())[:-9])
    write("wide.txt", "two bytes each".encode("utf-16"))
    write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    corpus = read([str(tmp_path / "sources")])
    assert texts(corpus) == {"good", "also good", "whole"}
    assert corpus.reading.rejects == {"not-text": 2, "not-utf-8": 1, "truncated": 1}


@given(
    st.sampled_from(["a.txt", "a.jsonl", "a.json", "a.csv", "a.parquet", "a.txt.gz", "unnamed"]),
    st.sampled_from(["lines", "csv", "parquet", "gzip", "zstd", "nothing"]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=9)), max_size=3),
)
@settings(max_examples=examples(50), deadline=None)
def test_no_damage_ends_in_anything_but_one_line(
    tmp_path_factory: pytest.TempPathFactory, name: str, kind: str, damage: list[tuple[float, bytes]]
) -> None:
    whole = {"lines": LINES, "csv": as_csv(","), "parquet": as_parquet(), "gzip": gzip.compress(LINES, mtime=0)}
    content = {**whole, "zstd": zstandard.compress(LINES), "nothing": b""}[kind]
    for place, data in damage:
        at = int(place * len(content))
        content = content[:at] + data + content[at + len(data) :] if len(data) != 1 else content[:at]
    file = tmp_path_factory.getbasetemp() / name
    file.write_bytes(content)
    said, reasons = "", set[str]()
    try:
        reasons |= read([str(file)]).reading.rejects.keys()
    except CollapseError as error:
        said = str(error)
    assert "\n" not in said
    assert reasons <= REJECTS.keys() | REASONS.keys()


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("a.jsonl", b'{"body": "x"}\n', {}, r"1 no-text-column \(columns: body\); name the column that holds the text"),
        (
            "a.csv",
            b"text,label\nx,1\n",
            {"where": {"label": "2"}},
            r"1 not-asked-for \(columns: text, label\); no row has",
        ),
        ("a.warc", record(), {}, "unknown-format .*; ingest captures into a lake, and export"),
        ("a.txt", b"\xff\xff", {}, "not-utf-8 .*; give UTF-8 text"),
        ("a.txt", b" \n\n", {}, "no training text in it; give files of text"),
    ],
)
def test_a_set_without_usable_text_says_what_to_do(
    write: Write, name: str, content: bytes, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CollapseError, match=said) as raised:
        read([write(name, content)], **options)
    assert "\n" not in str(raised.value)


def test_a_source_that_is_not_there_is_said_so() -> None:
    with pytest.raises(ArchiveError, match="no such file or folder"):
        read(["/nowhere/at/all"])


# -- bounds ----------------------------------------------------------------------------------------


def test_a_text_that_is_too_long_is_cut_between_words(write: Write) -> None:
    long = " ".join(words(3000, 1))
    for file in (write("a.txt", long.encode()), write("a.jsonl", json.dumps({"text": long}).encode())):
        corpus = read([file], limit_bytes=40_000)
        assert max(document.size for document in corpus.train) <= 5000
        assert corpus.reading.rejects == {"divided": len(corpus.train) - 1}
        assert sorted(" ".join(document.text for document in corpus.train).split()) == sorted(long.split())
    wide = "漢" * 20_000
    corpus = read([write("b.txt", wide.encode())], limit_bytes=40_000)
    assert set("".join(texts(corpus))) == {"漢"}
    assert "not-utf-8" not in corpus.reading.rejects


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "endless.txt.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        dice = random.Random(3)
        block = " ".join(words(20_000, 3)).encode()
        for number in range(160):  # 21 MB
            out.write(b"%d " % dice.randrange(1 << 60) + block + b" %d " % number)
    script = """
import resource, sys
from collapse.corpus import read
read([sys.argv[1]], limit_bytes=10_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
corpus = read([sys.argv[1]], limit_bytes=2_000_000)
assert corpus.reading.is_sample and corpus.reading.bytes > 20_000_000, corpus.reading
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 15_000  # kB


@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=12), st.sampled_from([None, "2014-01-01", "2015-01-01"]))),
    st.integers(10, 60),
    st.randoms(use_true_random=False),
)
@settings(max_examples=examples(30))
def test_a_sample_does_not_depend_on_the_order(
    given_texts: list[tuple[str, str | None]], most: int, dice: random.Random
) -> None:
    made = [Document(text.encode("utf-8", "replace").decode(), None, date) for text, date in given_texts]
    samples = []
    for _ in range(3):
        sample = Sample(most, 7)
        dice.shuffle(made)
        for document in made:
            sample.add(document)
        samples.append((sample.documents(), sample.duplicates, sample.is_whole))
    assert samples[0] == samples[1] == samples[2]
    documents, duplicates, whole = samples[0]
    assert sum(document.size for document in documents) <= most
    if whole:
        assert len(documents) + duplicates == len(made)


def test_the_order_of_files_and_the_seed_of_hashes_change_nothing(write: Write) -> None:
    files = [write(f"{n}.jsonl", b"".join(b'{"text": "%d %d"}\n' % (n, m % 50) for m in range(100))) for n in range(5)]
    once, again = read(files, limit_bytes=1000), read(files[::-1], limit_bytes=1000)
    assert (once.train, once.reading) == (again.train, again.reading)
    assert once.train != read(files, limit_bytes=1000, seed=1).train
    script = (
        "import sys; from collapse.corpus import read; print(read(sys.argv[1:], limit_bytes=1000).train, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *files], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "1"}
    )
    assert done.stdout.startswith(str(once.train))
    assert "torch" not in done.stdout.split()
