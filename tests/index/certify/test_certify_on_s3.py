"""`archive certify` of objects: the same result as from a disk, whatever they are called and whatever the store does."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from made import edited, indexed, put, words
from servers import flaky_proxy

import lowbackground as lb
from archive.errors import ArchiveError, SourceError
from archive.journal import JOURNAL
from archive.lake import Lake
from archive.objects import Prefix
from archive.records.jsonl import parsed, read_lines
from archive.sources import list_files, open_bytes
from index.certify import rows

BEFORE = "2022-01-01"
TEXTS = [" ".join(edited(words(60, n % 5), n % 3, n)) for n in range(12)]
LINES = [json.dumps({"n": n, "text": text}).encode() for n, text in enumerate(TEXTS)]
PLAIN = b"\n".join(LINES)
#: Files of one data set, by their names.
FILES: dict[str, bytes] = {
    "plain.jsonl": PLAIN,
    "crlf.jsonl": b"\r\n".join(LINES) + b"\r\n",
    "bom.jsonl": b"\xef\xbb\xbf" + PLAIN + b"\n",
    "a.jsonl.gz": gzip.compress(PLAIN),
    "members.jsonl.gz": gzip.compress(PLAIN[:700]) + gzip.compress(PLAIN[700:]),
    "a.jsonl.zst": zstandard.compress(PLAIN),
    "a.jsonl.lz4": lz4.frame.compress(PLAIN),
    "empty.jsonl": b"",
    "blank.jsonl": b"\n \n\r\n",
    "sub dir/100% %41+\u00fc\u65e5.ndjson": PLAIN,
    "[x]/q?*.jsonl": PLAIN,
    "note.csv": b"a,b\n",
    "odd.jsonl": b"\n".join(
        [
            b'{"text": "\\ud800"}',
            b'{"text": null}',
            b"{}",
            b"[]",
            b"  " + LINES[0] + b" \t",
            b'{"text": "\xff"}',
            b'{"a":' * 2000,
            LINES[1] + b"\r\r",
            b'{"text": "cut',
        ]
    ),
}


@pytest.fixture
def full(lake: Lake, tmp_path: Path) -> Lake:
    put(lake, tmp_path / "in", [(" ".join(words(60, seed)), "2015-06-01") for seed in range(5)])
    indexed(lake)
    return lake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    table = pa.table({"n": range(len(TEXTS)), "text": TEXTS})
    pq.write_table(table, folder / "c.parquet", row_group_size=5)
    pq.write_table(table.slice(0, 0), folder / "none.parquet")
    return folder


def on_disk(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {JOURNAL, "manifest.json"}
    }


def in_store(location: str) -> dict[str, bytes]:
    prefix = Prefix(location)
    return {
        name: prefix.read(name) or b"" for name, _ in prefix.names() if not name.endswith((JOURNAL, "manifest.json"))
    }


def upload(folder: Path, bucket: str, prefix: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            boto3.client("s3").upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")


def certify(lake: Lake, source: object, out: object, **options: Any) -> Any:
    return lb.certify(lake, str(source), str(out), before=BEFORE, workers=1, **options)


def test_a_mixed_data_set_gives_the_same_bytes_from_and_to_a_store_that_fails_now_and_then(
    full: Lake, folder: Path, tmp_path: Path, s3: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(folder, s3, "set")
    upload(folder, s3, "set2")  # another one, whose name begins like it
    result = certify(full, folder, tmp_path / "disk")
    assert (result.files, result.proof["exact"] > 40, result.proof["near"] > 40) == (14, True, True)
    expected = on_disk(tmp_path / "disk")
    monkeypatch.setattr(rows, "_PART", 500)  # readers begin in the middle of rows
    with flaky_proxy(server, share=0.1, faults="503,reset,cut") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        certify(full, f"s3://{s3}/set", tmp_path / "from")
        certify(full, f"s3://{s3}/set/", f"s3://{s3}/a b/%41+\u00fc")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert on_disk(tmp_path / "from") == expected
    assert in_store(f"s3://{s3}/a b/%41+\u00fc") == expected
    assert lb.verify(f"s3://{s3}/a b/%41+\u00fc", all=True, workers=1).sound


def test_every_row_is_there_once_as_it_was(full: Lake, folder: Path, tmp_path: Path) -> None:
    certify(full, folder, tmp_path / "out")
    for name in FILES.keys() - {"note.csv"}:
        before, after = (
            [line.data.strip(b" \t\r\n\0") for line in read_lines(open_bytes(str(where / name)), 1 << 28)]
            for where in (folder, tmp_path / "out")
        )
        assert len(before) == len(after), name
        for one, other in zip(before, after, strict=True):
            row, with_proof = parsed(one), parsed(other)
            if isinstance(row, dict):
                assert isinstance(with_proof, dict)
                assert {key: value for key, value in with_proof.items() if not key.startswith("proof")} == row
            else:
                assert one == other


def replaced(path: Path) -> None:
    path.write_bytes(b"\n".join(reversed(LINES)))


def longer(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"\n" + LINES[0])


@pytest.mark.parametrize("change", [replaced, longer, Path.unlink])
@pytest.mark.parametrize("stored", [False, True])
def test_a_file_that_changes_while_it_is_read_is_an_error(
    full: Lake,
    tmp_path: Path,
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    stored: bool,
) -> None:
    (path := tmp_path / "rows.jsonl").write_bytes(PLAIN)
    client, cut = boto3.client("s3"), rows.cut
    client.upload_file(str(path), s3, "rows.jsonl")

    def changing(uri: str, size: int | None) -> Any:
        yield from cut(uri, size)
        time.sleep(1.1 if stored else 0)  # a store states times in seconds
        change(path)
        if path.exists():
            client.upload_file(str(path), s3, "rows.jsonl")
        else:
            client.delete_object(Bucket=s3, Key="rows.jsonl")

    source = f"s3://{s3}/rows.jsonl" if stored else path
    with monkeypatch.context() as patch:
        patch.setattr(rows, "cut", changing)
        with pytest.raises(
            SourceError, match=r"changed while it was read|no such file|no object|does not exist|No such"
        ):
            certify(full, source, tmp_path / "out")
    assert not (tmp_path / "out" / "rows.jsonl").exists()
    path.write_bytes(PLAIN)
    client.upload_file(str(path), s3, "rows.jsonl")
    assert certify(full, source, tmp_path / "out").rows == len(LINES)


@pytest.mark.parametrize("key", ["set/../up.jsonl", "set/a//b.jsonl"])
def test_the_name_of_an_object_leads_nowhere_else(full: Lake, tmp_path: Path, s3: str, key: str) -> None:
    boto3.client("s3").put_object(Bucket=s3, Key=key, Body=PLAIN)
    boto3.client("s3").put_object(Bucket=s3, Key="up.jsonl", Body=PLAIN)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(ArchiveError) as error:
        certify(full, f"s3://{s3}/set", tmp_path / "deep" / "out")
    assert "\n" not in str(error.value)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} <= before


def test_what_commands_put_next_to_rows_is_no_row_in_a_store_either(full: Lake, tmp_path: Path, s3: str) -> None:
    lb.export(full, f"s3://{s3}/export", before=BEFORE, workers=1)
    names = [each.name for each in list_files(f"s3://{s3}/export")]
    assert names
    assert all(name.startswith("train/") for name in names)
    assert certify(full, f"s3://{s3}/export", tmp_path / "out").proof["exact"] == 5
    (tmp_path / "rows.jsonl").write_bytes(PLAIN)
    certify(full, tmp_path / "rows.jsonl", f"s3://{s3}/certified")
    assert [each.name for each in list_files(f"s3://{s3}/certified")] == ["rows.jsonl"]


def test_a_row_that_states_a_column_twice_proves_nothing(full: Lake, tmp_path: Path) -> None:
    """Readers differ in which of the two texts it has."""
    old, other = json.dumps(TEXTS[0]), json.dumps("Something that a model wrote.")
    lines = [f'{{"text": {other}, "text": {old}}}', f'{{"a": {{"b": {{"text": {other}, "text": {old}}}}}}}']
    for number, (line, column) in enumerate(zip(lines, (None, "a.b.text"), strict=True)):
        source, out = tmp_path / f"{number}.jsonl", tmp_path / f"out-{number}"
        source.write_text(f"{line}\n{line.replace(other + ', ', old + ', ')}\n" + '{"text": "x"}\n' * (column is None))
        result = certify(full, source, out, text_column=column)
        assert result.proof["none"] == result.rows
        assert result.problems["bad-row"] == 2
        assert (out / source.name).read_text().startswith(f"{line}\n")
        assert lb.verify(out, all=True, workers=1).sound
    twice = pa.table([TEXTS, ["x"] * len(TEXTS)], names=["text", "text"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(SourceError, match="has two columns text"):
        certify(full, tmp_path / "twice.parquet", tmp_path / "out")
