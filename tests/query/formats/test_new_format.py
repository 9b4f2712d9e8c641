"""A format that the product does not know: it is exported, loaded and verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import members, record, take

from archive.errors import ArchiveError
from archive.lake import Lake
from query.dataset import load
from query.export.run import export
from query.formats import FORMATS, Written
from query.verify.run import verify


class Feather:
    """Arrow IPC files."""

    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        name = f"{stem}.arrow"
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_file(file, rows.schema) as out:
            out.write_table(rows)
        return Written((name,), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        with pa.memory_map(str(folder / files[0])) as file:
            yield pa.ipc.open_file(file).read_all()

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        (folder / "names.txt").write_text("\n".join(shard.files[0] for shard in shards))
        return ["names.txt"]


FORMAT = Feather()


def test_a_format_that_a_program_adds_is_exported_loaded_and_verified_in_workers_too(
    lake: Lake, write: Callable[[str, bytes], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "feather", f"{__name__}:FORMAT")
    pages = [record(f"http://site{n}.org/", f"<p>Words of page {n}.</p>") for n in range(9)]
    take(lake, write("a.warc.gz", members(*pages)))
    result = export(lake, tmp_path / "set", before="2022-01-01", format="feather", shard_size=1000, workers=2)
    assert result.shards > 1
    assert sorted(row["text"] for row in load(tmp_path / "set")) == [f"Words of page {n}." for n in range(9)]
    found = verify(tmp_path / "set", all=True, workers=2)
    assert found.sound, (found.problems, found.findings)
    assert 'lowbackground.load("path/of/this/folder")' in (tmp_path / "set" / "README.md").read_text()


def test_a_program_without_the_format_is_told_which_there_are(
    lake: Lake, write: Callable[[str, bytes], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(lake, write("a.warc.gz", members(record())))
    with monkeypatch.context() as patch:
        patch.setitem(FORMATS, "feather", f"{__name__}:FORMAT")
        export(lake, tmp_path / "set", before="2022-01-01", format="feather", workers=1)
    for call in (lambda: load(tmp_path / "set"), lambda: verify(tmp_path / "set")):
        with pytest.raises(ArchiveError, match="no format 'feather'; there are parquet, jsonl"):
            call()
