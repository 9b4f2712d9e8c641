"""The texts of an exported set that may be counted: dated by the captures that the set cites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from archive.errors import CollapseError, error_line
from collapse.share.counting.candidates import COLUMNS, Candidates, Part, count_of
from collapse.share.counting.lake_texts import NEAR
from query.dataset import Dataset, load
from query.domain import add_functions
from query.rows import TOKEN_FORMATS

_READ = ("content_id", "captured_at", "language", "url", "grade", "cluster_id")
#: In the order of the table `rows`.
_ROWS = ("content_id", "captured_at", "language", "words", "url", "grade", "cluster_id")


@dataclass(frozen=True, slots=True)
class SetPart:
    """A shard of a set."""

    location: str
    shard: int

    @property
    def name(self) -> str:
        return f"{self.location}: shard {self.shard}"

    def read(self) -> Iterator[pa.Table]:
        dataset = load(self.location)
        for table in dataset.read(dataset.shards[self.shard]):
            yield table.select(["content_id", "text"])


def open_set(location: str) -> Dataset:
    """Open a set of texts.

    Raises:
        CollapseError: it holds tokens.
        ExportError: there is no finished set.
    """
    dataset = load(location)
    if dataset.format in TOKEN_FORMATS:
        raise CollapseError(f"{location}: holds tokens ({dataset.format}), not text; export it with --format parquet")
    return dataset


def of_set(location: str, grade: str, memory: str, spill: str) -> Candidates:
    """Read when each text of a set was first seen, by a capture of a grade.

    A set without near-duplicates (`--near`) has the earliest of them. In any other the earliest of a cluster stands for
    all of it; what is earlier than the set is not known.

    Raises:
        CollapseError: it holds tokens, the rows have no dates, or the memory is no size.
        ExportError: there is no set, or a file is missing or damaged.
    """
    dataset = open_set(location)
    try:
        db = duckdb.connect(":memory:", config={"memory_limit": memory, "temp_directory": spill})
    except duckdb.Error as error:
        raise CollapseError(f"--memory {memory}: {error_line(error)}") from None
    db.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
    add_functions(db)
    db.execute(f"CREATE TEMP TABLE rows ({COLUMNS}, grade VARCHAR, cluster_id VARCHAR)")
    for shard in dataset.shards:
        for table in dataset.read(shard):
            db.register("shard", _narrow(table, dataset))
            db.execute(f"INSERT INTO rows SELECT {', '.join(_ROWS)} FROM shard")
            db.unregister("shard")
    dated = "first_seen IS NOT NULL AND grade <= $grade"
    graded = _graded(db, dated, grade)
    db.execute(
        f"""
        CREATE TEMP TABLE candidates AS SELECT content_id, first_seen, language, words, url FROM rows WHERE {dated}
        QUALIFY row_number() OVER (PARTITION BY coalesce(cluster_id, content_id) ORDER BY first_seen, content_id) = 1
        """,
        {"grade": grade},
    )
    parts: list[Part] = [SetPart(location, number) for number in range(len(dataset.shards))]
    found = Candidates(db, parts)
    found.left_out[f"no capture of grade {grade}" + ("" if grade == "A" else " or better")] = len(dataset) - graded
    found.left_out[NEAR] = graded - count_of(db, "SELECT count(*) FROM candidates")
    if not dataset.arguments.near:
        found.warnings.append(
            "the set may lack earlier near-duplicates of its texts: an old text that was seen again with a small "
            "change may count as new; export it with --near"
        )
    found.versions = dict(dataset.manifest.lake.versions)
    return found


def _graded(db: duckdb.DuckDBPyConnection, dated: str, grade: str) -> int:
    ((count,),) = db.execute(f"SELECT count(*) FROM rows WHERE {dated}", {"grade": grade}).fetchall()
    return int(count)


def _narrow(table: pa.Table, dataset: Dataset) -> pa.Table:
    """Return the columns that decide whether a text is counted, with the number of its words in place of the text.

    Raises:
        CollapseError: the set has no dates, or no texts.
    """
    for name in ("content_id", "captured_at", "text"):
        if name not in table.column_names:
            raise CollapseError(f"{dataset.files}: its rows have no {name}, without which no text can be counted")
    columns = {
        name: table[name] if name in table.column_names else pa.nulls(table.num_rows, pa.string()) for name in _READ
    }
    return pa.table({**columns, "words": pc.count_substring_regex(table["text"], r"\S+")})
