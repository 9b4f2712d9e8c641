"""A lake of a million texts made from real ones, for benchmarks that ask and export it.

    python benchmarks/made_lake.py FOLDER SOURCE... [--texts 1000000] [--mixed]

A text is a few runs of 50 words of real texts, in an order of its own. It was captured once or more from 2008 to 2026;
some captures are revisits, which hold no text, and some have a date that proves nothing. The files lie as an ingest
and its merging leave them. Written directly, since extracting a million pages is not what is measured.

With `--mixed`, captures are of several operators and grades, some opt out, and a tenth of the texts are another one
with its last word changed.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from corpus import cut, source

from archive.files import parquet_options, write_parquet
from archive.lake import Lake, NewFile
from archive.tables import CAPTURES, DOCUMENTS
from archive.text import language_of

_RUN = 50  # words of a run
_RUNS = (3, 6)  # runs of a text: from, to before
_PART = 50_000  # texts of a file
_FIRST = np.datetime64("2008-05-01T00:00:00", "us")
_LAST = np.datetime64("2026-06-01T00:00:00", "us")
_MORE = 0.6  # a capture is followed by another with this chance: 2.5 a text
_REVISITS, _PROBLEMS = 0.15, 0.03
_SOURCES = ("warc", "arc", "cdx", "dataset")
_GRADES, _OPERATORS = ("A", "B", "C", "D"), ("One Library", "Another Library", "Common Crawl", None)
_COPIES, _OPT_OUTS = 0.1, 0.02

Numbers = np.random.Generator


@dataclass(frozen=True)
class _Texts:
    """What the captures need to know of the texts."""

    content_id: pa.Array
    digest: pa.Array
    title: pa.Array


def made(folder: Path, sources: Sequence[Path], texts: int, mixed: bool = False) -> Lake:
    """The lake in a folder; made now unless it is there."""
    return made_of(folder, (text for text, _ in source(sources)), texts, mixed=mixed)


def made_of(folder: Path, words: Iterable[str], texts: int, last: np.datetime64 = _LAST, mixed: bool = False) -> Lake:
    """The same of texts that are at hand, with captures up to a moment."""
    lake = Lake(str(folder))
    if lake.exists() and lake.rows("documents") == texts and lake.rows("captures"):
        return lake
    lake.create()
    runs = [run for run in cut(words, _RUN) if run]
    dice = np.random.default_rng(1)
    seen: set[bytes] = set()
    known = [_write_documents(lake, runs, size, seen, dice, mixed) for size in _parts(texts)]
    whole = _Texts(*(pa.chunked_array([getattr(part, name) for part in known]) for name in _Texts.__annotations__))
    captures = _captures(whole, dice, last)
    lake.commit(CAPTURES, list(_write_captures(lake, _mixed(captures, dice) if mixed else captures)), [])
    return lake


def _parts(texts: int) -> list[int]:
    return [min(_PART, texts - first) for first in range(0, texts, _PART)]


def _write_documents(lake: Lake, runs: list[str], size: int, seen: set[bytes], dice: Numbers, mixed: bool) -> _Texts:
    """One file of texts that were not there before. Their language is that of their first run."""
    languages: dict[int, tuple[str | None, float]] = {}
    rows: dict[str, list[Any]] = {name: [] for name in DOCUMENTS.schema.names}
    titles: list[str] = []
    while len(titles) < size:
        chosen = dice.integers(0, len(runs), dice.integers(*_RUNS)).tolist()
        text = "\n".join(runs[number] for number in chosen)
        if mixed and titles and dice.random() < _COPIES:
            text = f"{rows['text'][dice.integers(len(titles))].rpartition(' ')[0]} {text.partition(' ')[0]}"
        digest = hashlib.sha256(text.encode())
        if digest.digest() in seen:
            continue
        seen.add(digest.digest())
        if chosen[0] not in languages:
            languages[chosen[0]] = language_of(runs[chosen[0]])
        language, score = languages[chosen[0]]
        values = (digest.hexdigest(), text, language, score, len(text), len(chosen) * _RUN)
        for column, value in zip(rows.values(), values, strict=True):
            column.append(value)
        titles.append(text[:40].partition("\n")[0])
    table = pa.table(rows, schema=DOCUMENTS.schema)
    options = {**parquet_options(DOCUMENTS), "row_group_size": 8192}
    lake.commit(DOCUMENTS, [write_parquet(lake, DOCUMENTS, table, "made", **options)], [])
    ids = table["content_id"].combine_chunks()
    return _Texts(ids, pc.binary_join_element_wise("sha1:", pc.utf8_slice_codeunits(ids, 0, 32), ""), pa.array(titles))


def _captures(texts: _Texts, dice: Numbers, last: np.datetime64) -> pa.Table:
    """When each text was seen."""
    count = len(texts.content_id)
    times = dice.geometric(1 - _MORE, count)
    of = np.repeat(np.arange(count), times)
    size = len(of)
    is_first = np.r_[True, of[1:] != of[:-1]]
    at = _FIRST + dice.integers(0, (last - _FIRST).astype(np.int64), size).astype("timedelta64[us]")
    revisit = ~is_first & (dice.random(size) < _REVISITS)
    problem = dice.random(size) < _PROBLEMS
    dateless = problem & (dice.random(size) < 0.5)
    month = np.where(problem, "unproven", np.datetime_as_string(at, "M"))
    numbers = pa.array(of).cast(pa.string())
    values: dict[str, Any] = {
        "content_id": pc.if_else(pa.array(revisit), pa.scalar(None, pa.string()), texts.content_id.take(pa.array(of))),
        "url": pc.binary_join_element_wise("http://www.example", pc.utf8_slice_codeunits(numbers, 0, 2), ".com/", ""),
        "captured_at": pa.array(at.astype(np.int64), pa.timestamp("us", "UTC"), mask=dateless),
        "date_source": pa.array(np.array(_SOURCES)[dice.choice(len(_SOURCES), size, p=[0.8, 0.1, 0.05, 0.05])]),
        "date_problem": pa.array(np.where(dateless, "unparsable", "outside-crawl"), mask=~problem),
        "record_type": pa.array(np.where(revisit, "revisit", "response")),
        "offset": pa.array(dice.integers(0, 1 << 30, size)),
        "length": pa.array(dice.integers(1000, 50_000, size)),
        "skip": pa.array(np.zeros(size, np.int64)),
        "status": pa.array(np.full(size, 200, np.int16)),
        "mime": pa.array(["text/html"] * size),
        "charset": pa.array(["utf-8"] * size),
        "title": texts.title.take(pa.array(of)),
        "extractor": pc.if_else(pa.array(revisit), pa.scalar(None, pa.string()), pa.scalar("resiliparse/2.0")),
        "payload_digest": texts.digest.take(pa.array(of)),
        "payload_check": pa.array(np.where(revisit, "claimed", "verified")),
        "unit": pa.array(np.char.add("unit-", (of // 1000).astype(str))),
        "month": pa.array(month),
    }
    values["url"] = pc.binary_join_element_wise(values["url"], numbers, "")
    values["file"] = pc.binary_join_element_wise("crawl-data/", values["month"], "/part-00001.warc.gz", "")
    values["record_id"] = pc.binary_join_element_wise("<urn:uuid:", numbers, values["month"], ">", "")
    return pa.table({f.name: values[f.name] if f.name in values else pa.nulls(size, f.type) for f in CAPTURES.schema})


def _mixed(captures: pa.Table, dice: Numbers) -> pa.Table:
    """The same captures with grades, operators and opt-outs."""
    size = captures.num_rows
    drawn = np.array(_GRADES)[dice.choice(len(_GRADES), size, p=[0.01, 0.02, 0.5, 0.47])]
    grades = pc.if_else(pc.equal(captures["date_source"], "dataset"), "E", pa.array(drawn))
    given: dict[str, Any] = {
        "grade": pc.if_else(pc.is_valid(captures["date_problem"]), "X", grades),
        "operator": pa.array(np.array(_OPERATORS, object)[dice.integers(0, len(_OPERATORS), size)]),
        "robots": pa.array(np.full(size, "noai"), mask=dice.random(size) >= _OPT_OUTS),
    }
    for name, values in given.items():
        place = captures.schema.get_field_index(name)
        captures = captures.set_column(place, captures.schema.field(place), values)
    return captures


def _write_captures(lake: Lake, captures: pa.Table) -> Iterator[NewFile]:
    options = {**parquet_options(CAPTURES), "row_group_size": 8192}
    for month in sorted(pc.unique(captures["month"]).to_pylist()):
        rows = captures.filter(pc.equal(captures["month"], month)).drop_columns(["month"])
        yield write_parquet(lake, CAPTURES, rows, "made", {"month": month}, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("source", type=Path, nargs="+")
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--mixed", action="store_true")
    args = parser.parse_args()
    started = time.perf_counter()
    lake = made(args.folder, args.source, args.texts, args.mixed)
    print(
        f"{lake.rows('documents'):,} texts, {lake.rows('captures'):,} captures: {time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
