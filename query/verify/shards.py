"""The first half: every shard against the manifest, every row against the arguments."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.errors import ExportError
from query import merkle
from query.formats import open_format
from query.verify.citation import CITATIONS, citations

#: Problems of one kind in a shard that are told one by one.
_TOLD = 5


@dataclass(frozen=True, slots=True)
class Unit:
    """A shard as the manifest states it, and which of its rows are to be traced to their records."""

    out: Path
    arguments: dict[str, Any]
    stated: dict[str, Any]
    first: int  #: the number of its first row in the set
    traced: tuple[int, ...] | None  #: numbers of rows in the set, sorted; None: all
    to: Path  #: where the citations of these rows go


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a shard: its root as computed, and all that is wrong with it."""

    root: str
    rows: int
    problems: list[str]


def work(unit: Unit, careful: bool, progress: Callable[[int, int], None]) -> Checked:
    """Hash the files of a shard, and read its rows."""
    folder = unit.out / unit.stated["folder"]
    problems = []
    for file in unit.stated["files"]:
        name = f"{unit.stated['folder']}/{file['name']}"
        problems += compare(unit.out / name, name, file)
    hashes: list[bytes] = []
    try:
        form = open_format(unit.arguments["form"])
        with pq.ParquetWriter(unit.to, CITATIONS) as writer:
            for rows in form.read(folder, [file["name"] for file in unit.stated["files"]]):
                first = unit.first + len(hashes)
                hashes += merkle.leaves(rows)
                problems += _rules(rows, unit)
                chosen = _chosen(unit.traced, first, rows.num_rows)
                traced = rows.take(pa.array([number - first for number in chosen], pa.int64()))
                writer.write_table(citations(traced, chosen, merkle.payloads(traced)))
                progress(rows.num_rows, rows.nbytes)
    except (ExportError, pa.ArrowException, KeyError, ValueError) as error:
        problems.append(f"{unit.stated['folder']}/{unit.stated['files'][0]['name']}: cannot be read ({error})")
    root = merkle.root(hashes)
    if root != unit.stated["root"]:
        problems.append(f"{unit.stated['folder']}/{unit.stated['files'][0]['name']}: the rows have another Merkle root")
    return Checked(root, len(hashes), problems)


def compare(path: Path, name: str, stated: dict[str, Any]) -> list[str]:
    """What is wrong with a file of the export."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return [f"{name}: {error.strerror}"]
    return [] if digest == stated["sha256"] else [f"{name}: not the bytes that the manifest states"]


def _rules(rows: pa.Table, unit: Unit) -> list[str]:
    """Rows that break what the arguments promise."""
    arguments = unit.arguments
    broken: dict[str, list[str]] = {}

    def find(rule: str, wrong: pa.ChunkedArray) -> None:
        ids = rows["content_id"].filter(pc.fill_null(wrong, True))
        if len(ids):
            broken.setdefault(rule, []).extend(ids.to_pylist())

    at = rows["captured_at"]
    find(f"not captured before {arguments['before']}", pc.greater_equal(at, _moment(arguments["before"])))
    if arguments["after"]:
        find(f"captured before {arguments['after']}", pc.less(at, _moment(arguments["after"])))
    if arguments["sources"]:
        find("evidence of another kind", pc.invert(pc.is_in(rows["date_source"], pa.array(arguments["sources"]))))
    if arguments["language"]:
        find("another language", pc.not_equal(rows["language"], arguments["language"]))
    if "text" in rows.column_names and not arguments["mask"]:
        hashes = pa.chunked_array([merkle.payloads(rows)], pa.string())
        find("the text is not that of the content id", pc.not_equal(hashes, rows["content_id"]))
    name = f"{unit.stated['folder']}/{unit.stated['files'][0]['name']}"
    return [f"{name}: row {key}: {rule}" for rule, keys in broken.items() for key in keys[:_TOLD]]


def _moment(value: str) -> pa.Scalar:
    return pa.scalar(value).cast(pa.timestamp("us", tz="UTC"))


def _chosen(traced: tuple[int, ...] | None, first: int, count: int) -> list[int]:
    """The numbers among [first, first + count) that are to be traced."""
    if traced is None:
        return list(range(first, first + count))
    return list(traced[bisect_left(traced, first) : bisect_left(traced, first + count)])
