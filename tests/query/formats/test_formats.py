"""What an export writes is read by the library that trainers read it with, and by this one; the same bytes always."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.errors import ArchiveError, ExportError
from query.formats import FORMATS, Format, Written, open_format
from query.formats.hugging_face import make_torchvision_importable
from query.formats.jsonl import Jsonl
from query.formats.parquet import Parquet
from query.formats.webdataset import WebDataset
from query.rows import COLUMNS, TOKEN_FORMATS, schema_of

#: An interpreter that has datatrove and megatron-core, to compare with what they write.
PEERS = os.environ.get("LOWBACKGROUND_PEERS")
TEXTS = [name for name in FORMATS if name not in TOKEN_FORMATS]
TOKENS = [name for name in FORMATS if name in TOKEN_FORMATS]
ODD = 'a\0b\r\n\u2028 \U0001f600 \ufeff\ud7ff é\u0301 <|endoftext|> "\\ \x7f\x85 '


def make(count: int, tokens: bool = False, first: int = 0, **metadata: str) -> pa.Table:
    """Rows of every column, with odd texts and nulls in turn."""
    names = [name for name in COLUMNS if name != ("text" if tokens else "tokens")]
    rows = []
    for n in range(first, first + count):
        text = f"{n} {ODD * (n % 4)}"
        row: dict[str, Any] = dict.fromkeys(names)
        row.update(content_id=hashlib.sha256(text.encode()).hexdigest(), url=f"http://example.com/{n}", masked=n)
        if tokens:
            row["tokens"] = [*range(n % 7), 40_000 + n, 0]
        else:
            row["text"] = text
        if n % 2:
            row.update(
                captured_at=datetime(2013, 1, 2, 3, 4, 5, n, UTC),
                contaminated=["gsm8k", "é"],
                like_benchmark=n % 4 == 1,
                like_cosine=1.0 if n % 4 == 1 else 0.123457 * n % 1,
                like_item="mmlu.jsonl:17",
                offset=1 << 40,
                title=ODD,
            )
        else:
            row.update(captured_at=datetime(1999, 12, 31, tzinfo=UTC), contaminated=[])
        rows.append(row)
    table = pa.Table.from_pylist(rows, schema=schema_of(names))
    return table.replace_schema_metadata(metadata or None)


def read(made: Format, folder: Path, files: Sequence[str]) -> pa.Table:
    return pa.concat_tables(made.read(folder, files)).combine_chunks().replace_schema_metadata(None)


def write_all(made: Format, folder: Path, *tables: pa.Table) -> list[Written]:
    folder.mkdir(exist_ok=True)
    shards = [made.write(table, folder, f"train-{n:05}") for n, table in enumerate(tables)]
    named = {name for shard in shards for name in shard.files} | set(made.index(folder, shards))
    assert {path.name for path in folder.iterdir()} == named  # nothing is left behind
    return shards


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(form: str) -> Format:
    return open_format(form)


@pytest.fixture
def tokens(form: str) -> bool:
    return form in TOKEN_FORMATS


def test_rows_are_read_again_as_they_were_written(made: Format, tokens: bool, tmp_path: Path) -> None:
    rows = make(2500, tokens, vocab_size="49152")
    (shard,) = write_all(made, tmp_path, rows)
    assert shard.rows == 2500
    assert read(made, tmp_path, shard.files).equals(rows.replace_schema_metadata(None))


def test_a_slice_of_a_table_in_several_chunks_is_written_as_its_rows(
    made: Format, tokens: bool, tmp_path: Path
) -> None:
    rows = pa.concat_tables([make(30, tokens), make(30, tokens, 30)]).slice(20, 25)
    shard = made.write(rows, tmp_path, "train-00000")
    assert read(made, tmp_path, shard.files).equals(rows.combine_chunks())


_TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # no lone surrogates


def _column(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_string(kind):
        return _TEXT
    if pa.types.is_integer(kind):
        return st.integers(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_floating(kind):
        return st.floats(-1, 1)
    if pa.types.is_timestamp(kind):
        return st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
    return st.lists(_TEXT, max_size=3)


@st.composite
def _tables(draw: st.DrawFn, tokens: bool) -> pa.Table:
    evidence = [name for name in COLUMNS if name not in {"content_id", "text", "tokens", "captured_at"}]
    dropped = draw(st.sets(st.sampled_from(evidence)))
    names = [name for name in COLUMNS if name not in dropped and name != ("text" if tokens else "tokens")]
    always = {"captured_at": _column(COLUMNS["captured_at"][0]), "text": _TEXT}
    rows = []
    for n in range(draw(st.integers(1, 4))):
        row = {
            name: draw(always[name] if name in always else st.none() | _column(COLUMNS[name][0]))
            for name in names
            if name not in {"content_id", "tokens"}
        }
        ids = draw(st.lists(st.integers(0, 2**31 - 1), max_size=5))
        rows.append({**row, "content_id": f"{n:064x}", **({"tokens": ids} if tokens else {})})
    return pa.Table.from_pylist(rows, schema=schema_of(names))


@given(data=st.data())
@settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@pytest.mark.parametrize("name", FORMATS)
def test_any_text_and_any_evidence_come_back(name: str, data: st.DataObject, tmp_path_factory: Any) -> None:
    made = open_format(name)
    rows = data.draw(_tables(name in TOKEN_FORMATS))
    folder = tmp_path_factory.mktemp("rows")
    assert read(made, folder, made.write(rows, folder, "x").files).to_pylist() == rows.to_pylist()


def test_a_text_of_many_megabytes_comes_back(made: Format, tokens: bool, tmp_path: Path) -> None:
    rows = make(3, tokens)
    long: Any = pa.array([list(range(50_000)) * 20] * 3, COLUMNS["tokens"][0]) if tokens else ["é\0" * (4 << 20)] * 3
    name = "tokens" if tokens else "text"
    rows = rows.set_column(rows.column_names.index(name), name, pa.array(long, COLUMNS[name][0]))
    shard = made.write(rows, tmp_path, "x")
    assert read(made, tmp_path, shard.files).equals(rows)


_AGAIN = """
import sys
from pathlib import Path
from test_formats import make, write_all
from query.formats import FORMATS, open_format
from query.rows import TOKEN_FORMATS
for name in FORMATS:
    made, tokens = open_format(name), name in TOKEN_FORMATS
    write_all(made, Path(sys.argv[1]) / name, make(300, tokens, vocab_size="49152"), make(40, tokens, 300))
"""


@pytest.mark.slow
def test_the_same_rows_become_the_same_bytes_in_another_process_place_and_time(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(Path(__file__).parents[each]) for each in (0, 2, 3)),
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
        "USER": "somebody",
    }
    (tmp_path / "there").mkdir()
    subprocess.run([sys.executable, "-c", _AGAIN, str(tmp_path / "there")], check=True, env=environment)
    for name in FORMATS:
        made, tokens = open_format(name), name in TOKEN_FORMATS
        rows = make(300, tokens, vocab_size="49152"), make(40, tokens, 300)
        for place in ("here", "again"):
            (tmp_path / place).mkdir(exist_ok=True)
            write_all(made, tmp_path / place / name, *rows)
            assert digests(tmp_path / place / name) == digests(tmp_path / "there" / name), name


def test_a_missing_file_is_an_error_that_names_it(made: Format, tokens: bool, tmp_path: Path) -> None:
    shard = made.write(make(5, tokens), tmp_path, "x")
    for name in shard.files:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        with pytest.raises(ExportError, match=name):
            read(made, tmp_path, shard.files)
        (tmp_path / name).write_bytes(content)


def test_a_file_that_ends_too_soon_or_is_empty_or_another_is_an_error(
    made: Format, tokens: bool, tmp_path: Path
) -> None:
    shard = made.write(make(2000, tokens), tmp_path, "x")
    for name in shard.files:
        content = (tmp_path / name).read_bytes()
        for part in (content[: len(content) // 2], content[:-1], b"", b"\0" * 1024, os.urandom(len(content)), b"\n"):
            if part == content[:-1] and name.endswith((".tar", ".metadata")):
                continue  # a byte of padding; a letter of what only people read
            if part == b"\0" * 1024 and name.endswith(".tar"):
                continue  # an empty archive
            if len(part) == len(content) and name.endswith((".bin", ".ds")) and tokens:
                continue  # other ids: only a checksum tells
            if part == b"" and name.endswith(".jsonl.zst"):
                continue  # of no rows
            (tmp_path / name).write_bytes(part)
            with pytest.raises(ExportError, match="x"):
                read(made, tmp_path, shard.files)
        (tmp_path / name).write_bytes(content)
    assert read(made, tmp_path, shard.files).num_rows == 2000


def test_a_damaged_member_is_not_taken_for_the_end_of_a_tar(tmp_path: Path) -> None:
    made = open_format("webdataset")
    shard = made.write(make(50), tmp_path, "x")
    path = tmp_path / shard.files[0]
    content = bytearray(path.read_bytes())
    member = content.index(b".json", 20_000)
    content[member - 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ExportError, match="at byte"):
        read(made, tmp_path, shard.files)


@pytest.mark.parametrize("name", TOKENS)
def test_evidence_of_other_rows_is_an_error(name: str, tmp_path: Path) -> None:
    made = open_format(name)
    shard = made.write(make(20, True), tmp_path, "x")
    for count in (19, 21):
        other = made.write(make(count, True), tmp_path, "y")
        files = [*shard.files[:-1], other.files[-1]]
        with pytest.raises(ExportError, match=r"y\.evidence\.parquet"):
            read(made, tmp_path, files)


def test_a_shard_without_rows_is_written_or_refused_in_words(made: Format, tokens: bool, tmp_path: Path) -> None:
    if isinstance(made, Jsonl | Parquet | WebDataset):
        shard = made.write(make(0), tmp_path, "x")
        assert sum(table.num_rows for table in made.read(tmp_path, shard.files)) == 0
    else:  # what the library of the format could not open
        with pytest.raises(ExportError, match="cannot be empty"):
            made.write(make(0, tokens), tmp_path, "x")


@pytest.fixture(scope="module")
def text_rows() -> tuple[pa.Table, pa.Table]:
    return make(700), make(300, first=700)


@pytest.fixture(scope="module")
def expected(text_rows: tuple[pa.Table, pa.Table]) -> list[dict[str, Any]]:
    return pa.concat_tables(text_rows).to_pylist()


@pytest.mark.parametrize(("name", "loader"), [("parquet", "parquet"), ("jsonl", "json")])
def test_datasets_loads_it(name: str, loader: str, text_rows: Any, expected: Any, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    made = open_format(name)
    shards = write_all(made, tmp_path / "set", *text_rows)
    files = [str(tmp_path / "set" / shard.files[0]) for shard in shards]
    # A cache of its own: the fingerprint of a folder is that of its path, which pytest uses again.
    loaded = datasets.load_dataset(loader, data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["text"][:] == [row["text"] for row in expected]
    assert loaded["contaminated"][:] == [row["contaminated"] for row in expected]
    stream = datasets.load_dataset(loader, data_files=files, split="train", streaming=True)
    assert [row["content_id"] for row in stream] == [row["content_id"] for row in expected]


def test_webdataset_reads_it(text_rows: Any, expected: Any, tmp_path: Path) -> None:
    import webdataset

    shards = write_all(open_format("webdataset"), tmp_path, *text_rows)
    urls = [str(tmp_path / shard.files[0]) for shard in shards]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert [sample["txt"] for sample in samples] == [row["text"] for row in expected]
    assert [sample["__key__"] for sample in samples] == [row["content_id"] for row in expected]
    assert [sample["json"]["contaminated"] for sample in samples] == [row["contaminated"] for row in expected]
    assert [sample["json"]["title"] for sample in samples] == [row["title"] for row in expected]


def _same(samples: list[Any], expected: list[dict[str, Any]]) -> None:
    """Samples of MDS and LitData: plain text and id, the rest as JSON."""
    assert [sample["text"] for sample in samples] == [row["text"] for row in expected]
    assert [sample["content_id"] for sample in samples] == [row["content_id"] for row in expected]
    evidence = [json.loads(sample["evidence"]) for sample in samples]
    assert [each["url"] for each in evidence] == [row["url"] for row in expected]
    assert [each["title"] for each in evidence] == [row["title"] for row in expected]
    assert {type(sample[name]) for sample in samples for name in sample} == {str}


def test_streaming_reads_it(text_rows: Any, expected: Any, tmp_path: Path) -> None:
    made = open_format("mds")
    make_torchvision_importable()
    from streaming import LocalDataset, StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    write_all(made, tmp_path, *text_rows)
    local = LocalDataset(str(tmp_path))
    _same([local[n] for n in range(len(local))], expected)
    clean_stale_shared_memory()
    stream = StreamingDataset(local=str(tmp_path), shuffle=False, batch_size=1)
    _same(list(stream), expected)


def test_litdata_reads_it(text_rows: Any, expected: Any, tmp_path: Path) -> None:
    import litdata

    write_all(open_format("litdata"), tmp_path / "set", *text_rows)
    before = digests(tmp_path / "set")
    _same(list(litdata.StreamingDataset(str(tmp_path / "set"), shuffle=False)), expected)
    assert digests(tmp_path / "set") == before
    # And from elsewhere, through a cache, which it deletes from.
    remote = litdata.StreamingDataset(f"local:{tmp_path / 'set'}", cache_dir=str(tmp_path / "cache"), shuffle=False)
    _same([remote[n] for n in (0, 699, 700, 999)], [expected[n] for n in (0, 699, 700, 999)])


def samples(rows: pa.Table) -> Iterator[dict[str, str]]:
    """Rows with the columns beside key and text as JSON, by the standard library alone."""
    for row in rows.to_pylist():
        key, text = row.pop("content_id"), row.pop("text")
        yield {"content_id": key, "text": text, "evidence": plain_json(row)}


def plain_json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=iso)


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "title": st.none() | st.text(),
                "captured_at": st.none() | st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)),
                "offset": st.none() | st.integers(-(1 << 63), (1 << 63) - 1),
                "contaminated": st.none() | st.lists(st.text()),
                "like_benchmark": st.none() | st.booleans(),
                "like_cosine": st.none() | st.floats(-1, 1),
            }
        )
    ),
)
def test_rows_become_the_json_of_the_standard_library(rows: list[dict[str, Any]]) -> None:
    from query.formats.row_json import dump

    table = pa.Table.from_pylist(rows, schema_of([*rows[0]] if rows else ["title"]))
    made = [line for batch in table.to_batches() for line in dump(batch).to_pylist()]
    assert made == [plain_json(row) for row in table.to_pylist()]


def test_a_shard_of_mds_has_the_bytes_of_the_librarys_own_writer(text_rows: Any, tmp_path: Path) -> None:
    make_torchvision_importable()
    from streaming import MDSWriter

    from query.formats.mds import FORMAT

    shard = FORMAT.write(text_rows[0], tmp_path, "x")
    columns = {"content_id": "str", "evidence": "str", "text": "str"}
    with MDSWriter(columns=columns, out=str(tmp_path / "own"), size_limit=None) as out:
        for sample in samples(text_rows[0]):
            out.write(sample)
    assert (tmp_path / shard.files[0]).read_bytes() == (tmp_path / "own" / "shard.00000.mds").read_bytes()
    FORMAT.index(tmp_path, [shard])
    ours, own = (json.loads((folder / "index.json").read_text()) for folder in (tmp_path, tmp_path / "own"))
    own["shards"][0]["raw_data"]["basename"] = "x.mds"
    assert ours == own


def test_a_chunk_of_litdata_has_the_bytes_of_the_librarys_own_writer(
    text_rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from litdata.streaming import writer as library
    from litdata.streaming.writer import BinaryWriter

    from query.formats.litdata import FORMAT

    # Without the Arrow file at the end: `query.formats.litdata` says why.
    monkeypatch.setattr(library, "is_arrow_footer_type", lambda _: False, raising=False)
    shard = FORMAT.write(text_rows[0], tmp_path, "x")
    writer = BinaryWriter(str(tmp_path / "own"), chunk_size=text_rows[0].num_rows)
    for n, sample in enumerate(samples(text_rows[0])):
        writer.add_item(n, sample)
    (chunk,) = writer.done()
    writer.merge()
    assert (tmp_path / shard.files[0]).read_bytes() == Path(chunk).read_bytes()
    FORMAT.index(tmp_path, [shard])
    ours, own = (json.loads((folder / "index.json").read_text()) for folder in (tmp_path, tmp_path / "own"))
    own["chunks"][0]["filename"] = "x.bin"
    own["updated_at"] = ours["updated_at"]
    assert ours == own


def _megatron(prefix: str) -> Iterator[np.ndarray[Any, Any]]:
    """The documents, as `_IndexReader` and `_MMapBinReader` of megatron.core.datasets.indexed_dataset find them."""
    with open(prefix + ".idx", "rb") as stream:
        assert stream.read(9) == b"MMIDIDX\x00\x00"
        assert struct.unpack("<Q", stream.read(8)) == (1,)
        (code,) = struct.unpack("<B", stream.read(1))
        dtype = {4: np.int32, 8: np.uint16}[code]
        sequences, documents = struct.unpack("<2Q", stream.read(16))
        offset = stream.tell()
    index = np.memmap(prefix + ".idx", mode="r")
    lengths = np.frombuffer(index, np.int32, sequences, offset)
    pointers = np.frombuffer(index, np.int64, sequences, offset + lengths.nbytes)
    indices = np.frombuffer(index, np.int64, documents, offset + lengths.nbytes + pointers.nbytes)
    assert indices.tolist() == list(range(sequences + 1))
    ids = np.memmap(prefix + ".bin", mode="r")
    for pointer, length in zip(pointers, lengths, strict=True):
        yield np.frombuffer(ids, dtype, length, pointer)


@pytest.mark.parametrize(("vocabulary", "width"), [("49152", 2), ("65499", 2), ("65500", 4), ("128256", 4), (None, 4)])
def test_megatron_finds_the_documents(vocabulary: str | None, width: int, tmp_path: Path) -> None:
    rows = make(100, True, **({"vocab_size": vocabulary} if vocabulary else {}))
    write_all(open_format("megatron"), tmp_path, rows)
    documents = list(_megatron(str(tmp_path / "train-00000")))
    assert {document.dtype.itemsize for document in documents} == {width}
    assert [document.tolist() for document in documents] == rows["tokens"].to_pylist()


@pytest.mark.parametrize(("vocabulary", "width"), [("49152", 2), ("65536", 2), ("65537", 4), (None, 4)])
def test_ds_files_hold_the_ids_and_where_documents_end(vocabulary: str | None, width: int, tmp_path: Path) -> None:
    metadata = {"vocab_size": vocabulary, "tokenizer": "some/tokenizer"} if vocabulary else {}
    rows = make(100, True, **metadata)
    write_all(open_format("ds"), tmp_path, rows)
    ids = np.fromfile(tmp_path / "train-00000.ds", f"<u{width}")
    ends = np.fromfile(tmp_path / "train-00000.ds.index", "<u8").astype(int)
    assert [each.tolist() for each in np.split(ids, ends)[:-1]] == rows["tokens"].to_pylist()
    first, count, _ = (tmp_path / "train-00000.ds.metadata").read_text().split("\n")
    assert first == (f"some/tokenizer|{width}" if vocabulary else "Unknown Tokenizer|4|4")
    assert int(count) == len(ids)


@pytest.mark.parametrize("name", TOKENS)
def test_an_id_that_the_vocabulary_does_not_have_room_for_is_refused(name: str, tmp_path: Path) -> None:
    rows = pa.Table.from_pylist(
        [{"content_id": "0", "tokens": [70_000]}], schema=schema_of(["content_id", "tokens"])
    ).replace_schema_metadata({"vocab_size": "49152"})
    with pytest.raises(ExportError, match="70000"):
        open_format(name).write(rows, tmp_path, "x")


_DATATROVE = """
import json, sys
from datatrove.pipeline.tokens.tokenizer import TokenizedFile
from datatrove.utils.dataset import DatatroveFileDataset
folder, size, name = sys.argv[1], int(sys.argv[2]), sys.argv[3] or None
documents = json.load(open(folder + "/documents.json"))
out = TokenizedFile(folder + "/own", "x.ds", token_size=size, tokenizer_name_or_path=name, save_final_metadata=True)
for document in documents:
    out.write(document, None)
out.close()
data = DatatroveFileDataset(folder + "/ours/x.ds", seq_len=9, token_size=size)
print(json.dumps([int(n) for k in range(len(data)) for n in data[k]["input_ids"]]))
"""


@pytest.mark.skipif(not PEERS, reason="LOWBACKGROUND_PEERS names no interpreter that has datatrove")
@pytest.mark.parametrize("vocabulary", ["49152", None])
def test_ds_files_have_the_bytes_of_datatroves_own(vocabulary: str | None, tmp_path: Path) -> None:
    rows = make(1000, True, **({"vocab_size": vocabulary, "tokenizer": "some/one"} if vocabulary else {}))
    documents = rows["tokens"].to_pylist()
    (tmp_path / "ours").mkdir()
    shard = open_format("ds").write(rows, tmp_path / "ours", "x")
    (tmp_path / "documents.json").write_text(json.dumps(documents))
    arguments = [str(tmp_path), "2" if vocabulary else "4", "some/one" if vocabulary else ""]
    done = subprocess.run([PEERS, "-c", _DATATROVE, *arguments], check=True, capture_output=True, text=True)
    for name in shard.files[:3]:
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "own" / name).read_bytes(), name
    flat = [token for document in documents for token in document]
    assert json.loads(done.stdout.splitlines()[-1]) == flat[: len(flat) // 10 * 10]


_MEGATRON = """
import json, sys, torch
from megatron.core.datasets.indexed_dataset import DType, IndexedDataset, IndexedDatasetBuilder
folder, vocabulary = sys.argv[1], sys.argv[2]
builder = IndexedDatasetBuilder(folder + "/own/x.bin", DType.optimal_dtype(int(vocabulary) if vocabulary else None))
for document in json.load(open(folder + "/documents.json")):
    builder.add_document(torch.tensor(document), [len(document)])
builder.finalize(folder + "/own/x.idx")
data = IndexedDataset(folder + "/ours/x")
print(json.dumps([data[n].tolist() for n in range(len(data))]))
"""


@pytest.mark.skipif(not PEERS, reason="LOWBACKGROUND_PEERS names no interpreter that has megatron-core")
@pytest.mark.parametrize("vocabulary", ["49152", None])
def test_megatrons_own_builder_writes_the_same_bytes_and_its_dataset_reads_them(
    vocabulary: str | None, tmp_path: Path
) -> None:
    if subprocess.run([str(PEERS), "-c", "import megatron.core"], capture_output=True).returncode:
        pytest.skip("no megatron-core there")
    rows = make(1000, True, **({"vocab_size": vocabulary} if vocabulary else {}))
    for name in ("ours", "own"):
        (tmp_path / name).mkdir()
    shard = open_format("megatron").write(rows, tmp_path / "ours", "x")
    (tmp_path / "documents.json").write_text(json.dumps(rows["tokens"].to_pylist()))
    arguments = [str(tmp_path), vocabulary or ""]
    done = subprocess.run([str(PEERS), "-c", _MEGATRON, *arguments], check=True, capture_output=True, text=True)
    for name in shard.files[:2]:
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "own" / name).read_bytes(), name
    assert json.loads(done.stdout.splitlines()[-1]) == rows["tokens"].to_pylist()


def test_a_format_whose_library_is_absent_says_which_extra_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "query.formats.webdataset", raising=False)
    monkeypatch.setitem(sys.modules, "webdataset.writer", None)
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(ArchiveError, match=r"lowbackground\[webdataset\]"):
        open_format("webdataset")


_QUIET = """
import socket, sys
def refuse(*args, **kwargs):
    raise RuntimeError("network")
socket.socket.connect = socket.getaddrinfo = refuse
from query.formats import FORMATS, open_format
for name in FORMATS:
    open_format(name)
import query.tokenizer
torch = sys.modules.get("torch")
assert torch is None or not torch.cuda.is_initialized()
"""


@pytest.mark.slow
def test_opening_the_formats_needs_no_network_no_gpu_and_prints_nothing() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _QUIET], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
