"""`archive stats`: counts what is in a lake."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from rich.console import Console

from archive.cli import lake_option
from archive.damage import naming_damage
from archive.evidence.grade import UNKNOWN_SQL
from archive.lake import Lake, open_lake
from archive.show import OutConsole, bytes_text, count_of, counts_table, duplicates_table, json_text, months_table
from archive.tables import INDEX, TABLES
from index import tables as index_tables
from query.sql import connect


@dataclass(frozen=True, slots=True)
class Stats:
    """The numbers of a lake: `records` = `captures` + all `rejects` + all `skipped`."""

    lake: str  #: its location
    files: int
    records: int
    captures: int
    rejects: dict[str, int]  #: reason -> records
    skipped: dict[str, int]  #: kind of record -> records that hold no page
    texts: int  #: different ones
    formats: dict[str, int]  #: format of a file -> records
    index_lines: int  #: lines of other archives' indexes (`archive witness`), which are in none of these numbers
    captures_by_month: dict[str, int]  #: `YYYY-MM`, or `unproven`
    date_problems: dict[str, int]  #: why a date proves nothing -> captures
    date_sources: dict[str, int]  #: kind of date -> captures
    captures_by_grade: dict[str, int]  #: how much a date proves -> captures
    languages: dict[str, int]  #: language -> texts
    duplicates_by_month: dict[str, dict[str, int]]  #: month -> `captures` of texts; `exact`, `near`: seen before
    bytes: dict[str, int]  #: table -> bytes of its files


def stats(lake: Lake | str | os.PathLike[str]) -> Stats:
    """Count what is in a lake.

    Reads the ledger, narrow columns of the captures, and the index if there is one; never a text.

    Args:
        lake: a lake, or its location.

    Raises:
        LakeError: there is no lake, or a file of it is lost or broken.
    """
    lake = open_lake(lake)
    with naming_damage(lake):
        return _stats(lake)


def _stats(lake: Lake) -> Stats:
    ledger = lake.read("sources", ["file", "records", "captures", "rejects", "skipped", "format", "new_texts"])
    is_index = pc.equal(ledger["format"], INDEX)
    lines, ledger = ledger.filter(is_index), ledger.filter(pc.invert(is_index))
    index_lines = pc.sum(lines["captures"]).as_py() or 0
    rejects: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    for row in ledger.select(["rejects", "skipped", "format", "records"]).to_pylist():
        for counter, stated in ((rejects, row["rejects"]), (skipped, row["skipped"])):
            for reason, count in stated:
                counter[reason] += count
        formats[row["format"]] += row["records"]
    return Stats(
        lake=lake.location,
        files=pc.count_distinct(ledger["file"]).as_py(),
        records=pc.sum(ledger["records"]).as_py() or 0,
        captures=pc.sum(ledger["captures"]).as_py() or 0,
        rejects=dict(rejects.most_common()),
        skipped=dict(skipped.most_common()),
        texts=lake.rows("documents"),
        formats=dict(formats.most_common()),
        index_lines=index_lines,
        captures_by_month=_less(_months(lake), lake, "month", index_lines),
        date_problems=_problems(lake),
        date_sources=_less(_counts(lake, "captures", "date_source"), lake, "date_source", index_lines),
        captures_by_grade=_grades(lake),
        languages=_counts(lake, "documents", "language"),
        duplicates_by_month=_duplicates(lake),
        bytes={name: _bytes(lake, name) for name in _tables(lake)},
    )


def _less(counts: dict[str, int], lake: Lake, column: str, index_lines: int) -> dict[str, int]:
    """Return counts of rows of `captures` without those that are lines of an index."""
    if not index_lines:
        return counts
    wanted = pads.field("record_type") == INDEX
    lines: Counter[str] = Counter()
    for batch in lake.dataset("captures").to_batches(columns=[column], filter=wanted):
        lines.update({pair["values"]: pair["counts"] for pair in pc.value_counts(batch.column(column)).to_pylist()})
    return {value: count - lines[value] for value, count in counts.items() if count > lines[value]}


def _files(lake: Lake, table: str) -> pa.Table:
    return pa.table(lake.delta(table).get_add_actions(flatten=True))


def _bytes(lake: Lake, table: str) -> int:
    return pc.sum(_files(lake, table)["size_bytes"]).as_py() or 0


def _months(lake: Lake) -> dict[str, int]:
    """Count captures by month from the log of the table, without opening a file."""
    files = _files(lake, "captures")
    if not files.num_rows:
        return {}
    months: Counter[str] = Counter()
    for month, rows in zip(files["partition.month"].to_pylist(), files["num_records"].to_pylist(), strict=True):
        months[month] += rows
    return dict(sorted(months.items()))


#: A capture is an exact duplicate if its text was seen before, and a near one if a near-duplicate was.
_DUPLICATES = """
SELECT c.month, count(*) AS captures,
       count(*) FILTER (NOT first) AS exact,
       count(*) FILTER (first AND witness IS NOT NULL) AS near
FROM (
    SELECT month, content_id,
           (file, "offset", skip) = (p.first.file, p.first."offset", p.first.skip) AS first
    FROM captures LEFT JOIN proofs AS p USING (content_id)
    WHERE date_problem IS NULL AND content_id IS NOT NULL
) AS c
LEFT JOIN witnesses USING (content_id)
GROUP BY c.month ORDER BY c.month
"""


def _problems(lake: Lake) -> dict[str, int]:
    """Count captures by the problems of their dates, those of retracted files among them."""
    with connect(lake) as db:
        found = f"""
            SELECT date_problem, count(*) FROM stored_captures
            WHERE date_problem IS NOT NULL AND record_type IS DISTINCT FROM '{INDEX}' GROUP BY 1
        """
        return dict(db.execute(f"{found} ORDER BY 2 DESC, 1").fetchall())


def _grades(lake: Lake) -> dict[str, int]:
    """Count captures by grade; those of older lakes by what their columns support."""
    with connect(lake) as db:
        grade = f"coalesce(grade, {UNKNOWN_SQL})"
        pages = f"SELECT {grade}, count(*) FROM stored_captures WHERE record_type IS DISTINCT FROM '{INDEX}'"
        return dict(db.execute(f"{pages} GROUP BY 1 ORDER BY 1").fetchall())


def _duplicates(lake: Lake) -> dict[str, dict[str, int]]:
    """Count, by month, the captures of texts, and those whose text or near-duplicate was seen before."""
    with connect(lake) as db:
        rows = db.execute(_DUPLICATES).fetchall()
    return {month: {"captures": captures, "exact": exact, "near": near} for month, captures, exact, near in rows}


def _tables(lake: Lake) -> list[str]:
    return [*TABLES, *(table.name for table in index_tables.TABLES.values() if lake.has(table))]


def _counts(lake: Lake, table: str, column: str) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for batch in lake.dataset(table).to_batches(columns=[column]):
        for pair in pc.value_counts(batch.column(column)).to_pylist():
            if pair["values"] is not None:
                counts[pair["values"]] += pair["counts"]
    return dict(counts.most_common())


@click.command("stats")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(location: str, as_json: bool) -> None:
    """Show what is in the lake: records and what became of them, texts, months, languages, bytes.

    \b
    Example:
      archive stats --lake s3://bucket/lake --json
    """
    lake = open_lake(location)
    result = stats(lake)
    if as_json:
        click.echo(json_text(result))
        return
    console = OutConsole()
    with console.capture() as shown:
        _show(console, result, lake.has(index_tables.DUPLICATES))
    click.echo(shown.get(), nl=False, color=True)  # there are colours only where the console is a terminal


def _show(console: Console, result: Stats, indexed: bool) -> None:
    months = result.captures_by_month
    if not result.files and months:  # from `archive index --witness-only`
        known = count_of(sum(months.values()), "text")
        console.print(f"{result.lake}: the dates and signatures of {known}, to certify with; no text itself")
    else:
        files, texts = count_of(result.files, "file"), count_of(result.texts, "different text")
        console.print(f"{result.lake}: {files}, {texts}")
        console.print(counts_table(result.records, result.captures, result.rejects, result.skipped))
    if result.index_lines:
        console.print(f"and {count_of(result.index_lines, 'line')} of other archives' indexes")
    console.print(months_table(months))
    if indexed:
        console.print(duplicates_table(result.duplicates_by_month))
    for title in ("date_problems", "date_sources", "captures_by_grade", "languages"):
        line = ", ".join(f"{name} {count:,}" for name, count in list(getattr(result, title).items())[:12])
        console.print(f"{title.replace('_', ' ')}: {line or 'none'}")
    sizes = ", ".join(f"{name} {bytes_text(size)}" for name, size in result.bytes.items())
    console.print(f"on disk: {sizes}")
