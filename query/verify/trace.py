"""From the citations of the chosen rows to what became of them, file by file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from archive.engine import Engine, succeed
from archive.progress import Reporter
from query.export.workplace import MEMORY
from query.verify import records
from query.verify.compare import Finding
from query.verify.report import Report

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer

#: Citations that one worker follows in a go.
_TOGETHER = 200
#: Of the two citations of a row the worse counts.
_RANK = {"agrees": 0, "unchecked": 1, "gone": 2, "differs": 3}


def trace(
    scratch: Path,
    moved: tuple[tuple[str, str], ...],
    tokenizer: Tokenizer | None,
    rows: int | None,
    report: Report,
    engine: Engine,
    reporter: Reporter,
) -> None:
    """Follow the citations, file by file and in the order in which they lie there."""
    together = scratch / "sorted.parquet"
    pattern = str(scratch / "*.parquet").replace("'", "''")
    with duckdb.connect(":memory:", config={"memory_limit": MEMORY, "temp_directory": str(scratch / "spill")}) as db:
        db.execute(f"""
            COPY (SELECT *, row_number() OVER (ORDER BY file, "offset", skip, "row") - 1 AS place
                  FROM read_parquet('{pattern}') ORDER BY place)
            TO '{str(together).replace("'", "''")}' (FORMAT parquet, ROW_GROUP_SIZE 2048)
        """)
        files = db.execute(f"""
            SELECT file, min(place), max(place) + 1, count(DISTINCT "row") FROM read_parquet('{together}')
            GROUP BY file ORDER BY 2
        """).fetchall()
        ((report.traced,),) = db.execute(f"""SELECT count(DISTINCT "row") FROM read_parquet('{together}')""").fetchall()
    if report.traced != min(report.rows, rows if rows is not None else report.rows):
        report.problems.append(f"only {report.traced} rows could be traced")
    reporter.stage("records", sum(end - start for _, start, end, _ in files))
    units = [
        records.Unit(str(together), file, at, min(at + _TOGETHER, end), moved, tokenizer)
        for file, start, end, _ in files
        for at in range(start, end, _TOGETHER)
    ]
    worst: dict[int, Finding] = {}
    for _, findings in succeed(engine.run(records.work, units, progress=reporter.advance, scratch=str(scratch))):
        for finding in findings:
            if finding.kind != "agrees":
                worst[finding.row] = max(worst.get(finding.row, finding), finding, key=lambda each: _RANK[each.kind])
    report.findings = [worst[row] for row in sorted(worst)]
    report.kinds.update(finding.kind for finding in report.findings)
    report.kinds["agrees"] = report.traced - len(worst)
