"""Index and certify on an object store."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from conftest import rows
from made import edited, found, indexed, put, words

import lowbackground as lb
from archive.errors import ArchiveError
from archive.lake import Lake
from archive.sources import open_bytes
from index.certify import certify
from index.neardup.textless import export
from index.passages import segments

BEFORE = datetime(2022, 1, 1, tzinfo=UTC)


def test_a_lake_on_s3_is_indexed_exported_and_certifies(s3: str, tmp_path: Path) -> None:
    original = words(300, 1)
    made = [
        (" ".join(text), f"201{n}-01-01") for n, text in enumerate((original, edited(original, 2, 2), words(80, 3)))
    ]
    local, far = Lake(str(tmp_path / "lake")), Lake(f"s3://{s3}/lake")
    for lake in (local, far):
        put(lake, tmp_path / f"in-{lake is far}", made)
        indexed(lake)
    assert found(far) == found(local)
    witnesses = Lake(f"s3://{s3}/witnesses")
    assert export(far, witnesses) == 3
    assert rows(witnesses, "SELECT count(*) FROM captures") == [(3,)]
    source = tmp_path / "set.jsonl"
    source.write_text(
        "".join(
            json.dumps({"text": " ".join(text)}) + "\n" for text in (original, edited(original, 1, 9), words(80, 4))
        )
    )
    for number, lake in enumerate((far, witnesses)):
        result = certify(lake, str(source), f"s3://{s3}/out-{number}", before=BEFORE, workers=1)
        assert dict(result.proof) == {"exact": 1, "near": 1, "none": 1}
        with open_bytes(f"s3://{s3}/out-{number}/set.jsonl") as file:
            assert [json.loads(line)["proof"] for line in file] == ["exact", "near", "none"]
        again = certify(lake, str(source), f"s3://{s3}/out-{number}", before=BEFORE, workers=1)
        assert again.files_skipped == 1


def test_passages_are_merged_and_found_on_s3(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_CROWD", 2)
    lake = Lake(f"s3://{s3}/lake")
    for number in range(2):
        put(lake, tmp_path / "in", [(" ".join(words(60, number)), f"201{number}-02-01")])
        lb.index(lake, workers=1, passages=True)
    assert len(segments.files(lake)) == 1
    found_ = lb.passages(lake, " ".join([*words(60, 1)[:20], *words(60, 0)[10:40]]))
    assert [(each.words, each.first_seen.year) for each in found_.passages] == [(20, 2011), (30, 2010)]


def test_on_s3_a_card_of_somebody_else_is_no_card_of_certify(s3: str, tmp_path: Path) -> None:
    store = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    lake, out = Lake(str(tmp_path / "lake")), f"s3://{s3}/out"
    put(lake, tmp_path / "in", [(" ".join(words(40, 1)), "2015-01-01")])
    indexed(lake)
    source = tmp_path / "set"
    source.mkdir()

    def grown_by(number: int) -> None:
        (source / f"{number}.jsonl").write_text(json.dumps({"text": " ".join(words(40, number))}) + "\n")

    def card() -> bytes:
        return bytes(store.get_object(Bucket=s3, Key="out/README.md")["Body"].read())

    for number in (1, 2):  # its own card is replaced when the data set has grown
        grown_by(number)
        assert certify(lake, str(source), out, before=BEFORE, workers=1).rows == number
        assert f"judged {number} rows".encode() in card()
    store.delete_object(Bucket=s3, Key="out/README.md")  # as a run leaves it that is killed before it writes the card
    assert certify(lake, str(source), out, before=BEFORE, workers=1).files_skipped == 2
    assert b"judged 2 rows" in card()
    store.put_object(Bucket=s3, Key="out/README.md", Body=b"My own words.")
    for number in (2, 3):  # nothing to do, and something to do
        grown_by(number)
        with pytest.raises(ArchiveError, match=r"holds README\.md, which `archive certify` did not make"):
            certify(lake, str(source), out, before=BEFORE, workers=1)
        assert card() == b"My own words."
