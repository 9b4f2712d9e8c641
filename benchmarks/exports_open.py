"""Which library opens which format, and gives the values that were written: a matrix of formats, readers and odd rows.

    python benchmarks/exports_open.py [--formats jsonl,mds] [--kinds null-first,dates] [--markdown]

Each kind of rows is written in two shards by the module of the format, with the head of the card that an export has.
Each reader opens the folder as docs/export.md says, and its rows are compared with those written: every column, every
value, by content id. A cell is `equal`, the columns that differ, or the error. Readers whose library is not installed
are left out; the texts of 50 MB are opened in a process of their own, which may take two minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from archive.features import dataset_info
from query.export.card import loaded_schema
from query.formats import FORMATS, open_format
from query.formats.hugging_face import make_torchvision_importable
from query.options import ExportOptions
from query.rows import COLUMNS, TOKEN_FORMATS, columns, schema_of

Row = dict[str, Any]
_FILES = {"parquet": "*.parquet", "jsonl": "*.jsonl.zst", "webdataset": "*.tar"}
_ODD = [
    "a\u2028b\u2029c\x85d", "nul \0 and \x1f and \x7f", "\ufeffbom", 'quotes " and \\ and \\u0041', "cr\r\nlf\n\n", "",
    "   ", "\U0001f600 é e\u0301 \ufffd \uffff", "null", "NaN", "true", "123", "00123", "1e400", "[]", "{}",
    "<|endoftext|> </s>", "-inf", "2020", "\t", "'; DROP", "猫" * 300,
]  # fmt: skip
_LONG = 50_000_000


def _row(number: int, text: str = "", **more: Any) -> Row:
    row: Row = dict.fromkeys([*columns(False, ["token_count", "masked", "contaminated"]), "tokens"])
    row |= {
        "content_id": f"{number:064x}",
        "text": text or f"text {number}",
        "captured_at": datetime(2013, 1, 2, tzinfo=UTC),
    }
    row["tokens"] = [number % 7, 40_000 + number % 100, 0]
    return row | {"date_source": "warc", "grade": "C", "token_count": 3} | more


def _full(number: int) -> Row:
    more: Row = {
        name: f"{name} {number}"
        for name, (kind, _) in COLUMNS.items()
        if pa.types.is_string(kind) and name not in ("content_id", "text")
    }
    more |= {"offset": number, "length": 10, "skip": 0, "text_offset": 1, "text_length": 2, "text_skip": 3, "masked": 1}
    return _row(number, evidence=["warc-date 2013-01-02T00:00:00Z agrees"], contaminated=["gsm8k"], **more)


def _kinds() -> dict[str, tuple[list[Row], list[Row]]]:
    """Return the rows of two shards by the kind of oddity."""
    shuffled = random.Random(0)
    big = [2**63 - 1, -(2**63), 2**53 + 1, 0, None]
    lists: list[list[str] | None] = [None, [], [""], ["a", "b\u2028"], ["null"]]
    times = [
        datetime(1999, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(2013, 1, 2, 3, 4, 5, 120000, UTC),
        datetime(1969, 1, 1, tzinfo=UTC),
    ]
    words = [" ".join(shuffled.choices(["the", "cat", "Straße", "猫"], k=9)) for _ in range(300)]
    return {
        "null first": ([_row(n) for n in range(300)], [_full(n) for n in range(300, 310)]),
        "null always": ([_row(n) for n in range(9)], [_row(n) for n in range(9, 12)]),
        "null last": ([_full(n) for n in range(9)], [_row(n) for n in range(9, 300)]),
        "fractions at times": (
            [_row(n) for n in range(300)],
            [_row(300 + n, captured_at=at) for n, at in enumerate(times)],
        ),
        "huge numbers": (
            [_row(n, offset=big[n % 5], skip=big[(n + 2) % 5]) for n in range(9)],
            [_row(n, offset=None, length=big[n % 5], masked=2**31 - 1) for n in range(9, 20)],
        ),
        "lists": (
            [_row(n, evidence=lists[n % 5]) for n in range(9)],
            [_row(n, evidence=lists[n % 5], contaminated=lists[(n + 1) % 5]) for n in range(9, 19)],
        ),
        "odd texts": (
            [_row(n, text, title=text, url=text) for n, text in enumerate(_ODD)],
            [_row(n, text) for n, text in enumerate(words, len(_ODD))],
        ),
        "dates as titles": (
            [_row(n, title=f"2015-01-{n + 1:02}") for n in range(9)],
            [_row(n, title="2015-01-01T00:00:00Z", url="12:00") for n in range(9, 12)],
        ),
        "one row": ([_full(0)], []),
        "50 MB text": ([_row(0, "long é\u2028\n" * (_LONG // 11)), _row(1)], []),
    }  # fmt: skip


def _columns(form: str) -> list[str]:
    return columns(form in TOKEN_FORMATS, ["token_count", "masked", "contaminated"])


def _write(folder: Path, form: str, shards: Iterable[list[Row]]) -> None:
    """Write shards, and the head of the card that an export of this format has."""
    made = open_format(form)
    names = _columns(form)
    (folder / "train").mkdir()
    written = []
    for number, rows in enumerate(filter(None, shards)):
        table = pa.Table.from_pylist([{name: row[name] for name in names} for row in rows], schema=schema_of(names))
        if form in TOKEN_FORMATS:
            table = table.replace_schema_metadata({b"vocab_size": b"50257", b"tokenizer": b"made"})
        written.append(made.write(table, folder / "train", f"train-{number:05}"))
    made.index(folder / "train", written)
    options = ExportOptions(
        before="2022-01-01", format=form, tokenizer="made", mask=True, decontaminate=("made",), mark=True
    )
    pattern = _FILES.get(form, "*.evidence.parquet")
    head = [
        "---",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f'    path: "train/{pattern}"',
    ]
    if (stated := loaded_schema(options)) is not None:
        head += dataset_info({"default": stated})
    (folder / "README.md").write_text("\n".join([*head, "---", ""]))


# Readers: each yields rows of a folder, as the documentation says to open it.


def _datasets(folder: Path, streaming: bool = False) -> Iterator[Row]:
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        opened = datasets.load_dataset(str(folder), split="train", streaming=streaming, cache_dir=cache)
        for row in opened:
            if "__key__" in row:
                yield {"content_id": row["__key__"], "text": row["txt"], **row["json"]}
            else:
                yield row


def _streamed(folder: Path) -> Iterator[Row]:
    yield from _datasets(folder, True)


def _arrow(folder: Path) -> Iterator[Row]:
    import pyarrow.dataset

    yield from pyarrow.dataset.dataset(sorted(map(str, (folder / "train").glob("*.parquet")))).to_table().to_pylist()


def _duckdb(folder: Path) -> Iterator[Row]:
    import duckdb

    parquet = any((folder / "train").glob("*.parquet"))
    function = "read_parquet" if parquet else "read_json"
    more = "" if parquet else ", sample_size = -1, maximum_object_size = 200000000, convert_strings_to_integers = false"
    pattern = "*.parquet" if parquet else "*.jsonl.zst"
    result = duckdb.connect().execute(f"SET TimeZone = 'UTC'; FROM {function}('{folder}/train/{pattern}'{more})")
    names = [each[0] for each in result.description or []]
    yield from (dict(zip(names, row, strict=True)) for row in result.fetchall())


def _pandas(folder: Path) -> Iterator[Row]:
    import pandas

    for path in sorted((folder / "train").glob("*.parquet")):
        yield from pandas.read_parquet(path, dtype_backend="pyarrow").to_dict("records")
    for path in sorted((folder / "train").glob("*.jsonl.zst")):
        read = pandas.read_json(path, lines=True, dtype=False, convert_dates=False, dtype_backend="pyarrow")
        yield from read.to_dict("records")


def _polars(folder: Path) -> Iterator[Row]:
    import polars

    if any((folder / "train").glob("*.parquet")):
        yield from polars.scan_parquet(str(folder / "train" / "*.parquet")).collect().to_dicts()
        return
    for path in sorted((folder / "train").glob("*.jsonl.zst")):
        yield from polars.read_ndjson(io.BytesIO(_plain(path)), infer_schema_length=None).to_dicts()


def _plain(path: Path) -> bytes:
    with open(path, "rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def _python(folder: Path) -> Iterator[Row]:
    for path in sorted((folder / "train").glob("*.jsonl.zst")):
        yield from map(json.loads, _plain(path).decode().split("\n")[:-1])


def _webdataset(folder: Path) -> Iterator[Row]:
    import webdataset

    names = sorted(map(str, (folder / "train").glob("*.tar")))
    for sample in webdataset.WebDataset(names, shardshuffle=False).decode():
        yield {"content_id": sample["__key__"], "text": sample["txt"], **sample["json"]}


def _evidence(sample: Any) -> Row:
    return {"content_id": sample["content_id"], "text": sample["text"], **json.loads(sample["evidence"])}


def _mosaic(folder: Path) -> Iterator[Row]:
    make_torchvision_importable()
    from streaming import StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    yield from map(_evidence, StreamingDataset(local=str(folder / "train"), shuffle=False, batch_size=1))


def _litdata(folder: Path) -> Iterator[Row]:
    import litdata

    yield from map(_evidence, litdata.StreamingDataset(str(folder / "train"), shuffle=False))


def _tokens(folder: Path, ids: Iterable[list[int]]) -> Iterator[Row]:
    """Yield the documents of a token format, with the evidence next to them."""
    shards = sorted((folder / "train").glob("*.evidence.parquet"))
    rows = (row for shard in shards for row in pq.read_table(shard).to_pylist())
    for row, each in zip(rows, ids, strict=True):
        yield {**row, "tokens": each}


def _megatron(folder: Path) -> Iterator[Row]:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    stems = sorted(str(path)[: -len(".idx")] for path in (folder / "train").glob("*.idx"))
    opened = [IndexedDataset(stem) for stem in stems]
    yield from _tokens(folder, ([int(each) for each in held[n]] for held in opened for n in range(len(held))))


def _datatrove_tokens(folder: Path) -> Iterator[Row]:
    from datatrove.utils.dataset import DatatroveFileDataset

    def ids() -> Iterator[list[int]]:
        for path in sorted((folder / "train").glob("*.ds")):
            ends = memoryview(path.with_name(f"{path.name}.index").read_bytes()).cast("Q").tolist()
            total = DatatroveFileDataset(str(path), ends[-1] - 1, token_size=2)
            stream = total[0]["input_ids"].tolist()
            yield from (stream[first:last] for first, last in itertools.pairwise([0, *ends]))

    yield from _tokens(folder, ids())


def _datatrove(folder: Path) -> Iterator[Row]:
    from datatrove.pipeline.readers import JsonlReader, ParquetReader

    parquet = any((folder / "train").glob("*.parquet"))
    keys: dict[str, Any] = {"text_key": "text", "id_key": "content_id"}
    reader: Any = (
        ParquetReader(str(folder / "train"), glob_pattern="*.parquet", **keys)
        if parquet
        else JsonlReader(str(folder / "train"), glob_pattern="*.jsonl.zst", compression="zstd", **keys)
    )
    for document in reader.run():
        metadata = {name: value for name, value in document.metadata.items() if name != "file_path"}
        yield {"content_id": document.id, "text": document.text, **metadata}


def _ours(folder: Path) -> Iterator[Row]:
    form = next(form for form in FORMATS if form in folder.name)
    files: dict[str, list[str]] = {}
    for path in sorted((folder / "train").iterdir()):
        if path.name != "index.json":
            files.setdefault(path.name.split(".")[0], []).append(path.name)
    order = {".ds": 0, ".ds.index": 1, ".ds.metadata": 2, ".bin": 0, ".idx": 1, ".evidence.parquet": 3}
    for stem, names in files.items():
        names.sort(key=lambda name: order.get(name[len(stem) :], 0))
        for table in open_format(form).read(folder / "train", names):
            yield from table.to_pylist()


READERS: dict[str, dict[str, Callable[[Path], Iterator[Row]]]] = {
    "parquet": {
        "datasets": _datasets, "datasets, streaming": _streamed, "pyarrow.dataset": _arrow, "DuckDB": _duckdb,
        "pandas": _pandas, "Polars": _polars, "datatrove": _datatrove, "lowbackground": _ours,
    },
    "jsonl": {
        "datasets": _datasets, "datasets, streaming": _streamed, "DuckDB": _duckdb, "pandas": _pandas,
        "Polars": _polars, "datatrove": _datatrove, "json": _python, "lowbackground": _ours,
    },
    "webdataset": {
        "webdataset": _webdataset, "datasets": _datasets, "datasets, streaming": _streamed, "lowbackground": _ours,
    },
    "mds": {"streaming": _mosaic, "lowbackground": _ours},
    "litdata": {"litdata": _litdata, "lowbackground": _ours},
    "megatron": {"megatron.core": _megatron, "datasets (evidence)": _datasets, "lowbackground": _ours},
    "ds": {"datatrove": _datatrove_tokens, "datasets (evidence)": _datasets, "lowbackground": _ours},
}  # fmt: skip


def _same(value: Any, other: Any, kind: pa.DataType) -> bool:
    """Return whether a reader's value is the one that was written: times may be text, lists arrays, null NA or NaT."""
    if other is None:
        return value is None or (not isinstance(value, str | list) and value != value) or str(value) in ("<NA>", "NaT")
    if pa.types.is_timestamp(kind):
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif hasattr(value, "to_pydatetime"):
            value = value.to_pydatetime()
        if isinstance(value, datetime) and value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
    if pa.types.is_list(kind):
        return value is not None and list(value) == other
    if pa.types.is_integer(kind):
        return not (isinstance(value, float) and not math.isfinite(value)) and str(value) == str(other)
    return type(value) is type(other) and bool(value == other)


def _cell(folder: Path, reader: Callable[[Path], Iterator[Row]], rows: list[Row], names: list[str]) -> str:
    """Return what becomes of the rows in a reader."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            found = {row["content_id"]: row for row in reader(folder)}
    except ImportError as error:
        return f"not installed: {error.name}"
    except Exception as error:  # whatever a library raises is the result
        cause = error.__cause__ or error
        return f"{type(cause).__name__}: {' '.join(str(cause).split())[:80]}"
    if len(found) != len(rows):
        return f"{len(found)} of {len(rows)} rows"
    held = set(next(iter(found.values())))
    wrong = [
        name
        for name in names
        if name in held
        and not all(_same(found[row["content_id"]].get(name), row[name], COLUMNS[name][0]) for row in rows)
    ]
    missing = [name for name in names if name not in held and any(row[name] is not None for row in rows)]
    parts = [f"differs: {', '.join(wrong)}"] if wrong else []
    parts += [f"without {', '.join(missing)}"] if missing else []
    return "; ".join(parts) or "equal"


def _alone(form: str, reader: str, kind: str) -> str:
    """Return a cell that another process computes, for as long as two minutes."""
    own = [sys.executable, __file__, "--formats", form, "--kinds", kind, "--reader", reader]
    try:
        done = subprocess.run(own, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "not in 120 s"
    return done.stdout.strip().splitlines()[-1].split("\t")[-1] if done.stdout.strip() else f"exit {done.returncode}"


def run(forms: list[str], kinds: list[str], only: str | None) -> Iterator[tuple[str, str, str, str]]:
    """Yield format, reader, kind and what came of it."""
    made = _kinds()
    for form, kind in itertools.product(forms, kinds):
        shards = made[kind]
        rows = [*shards[0], *shards[1]]
        names = _columns(form)
        with tempfile.TemporaryDirectory(prefix=f"{form}-") as folder:
            _write(Path(folder), form, shards)
            for reader, function in READERS[form].items():
                if only not in (None, reader):
                    continue
                if kind == "50 MB text" and only is None:
                    yield form, reader, kind, _alone(form, reader, kind)
                    continue
                wanted = [name for name in names if name != "tokens"] if "evidence" in reader else names
                yield form, reader, kind, _cell(Path(folder), function, rows, wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", default=",".join(READERS))
    parser.add_argument("--kinds", default=",".join(_kinds()))
    parser.add_argument("--reader", help="only this one")
    parser.add_argument("--markdown", action="store_true", help="print a table")
    args = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for form, reader, kind, cell in run(args.formats.split(","), args.kinds.split(","), args.reader):
        cells.setdefault((form, reader), {})[kind] = cell
        if not args.markdown:
            print(form, reader, kind, cell, sep="\t", flush=True)
    if args.markdown:
        kinds = args.kinds.split(",")
        print(f"| format | reader | {' | '.join(kinds)} |\n|{' --- |' * (len(kinds) + 2)}")
        for (form, reader), found in cells.items():
            print(f"| {form} | {reader} | {' | '.join(found[kind] for kind in kinds)} |")


if __name__ == "__main__":
    main()
