"""Follow the citations of the chosen rows, file by file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from archive.engine import Engine, succeed
from archive.files import sql_literal
from archive.progress import Reporter
from query.scratch import scratch_database
from query.tokenizer import Tokenizer
from query.verify import records
from query.verify.bounds import Known
from query.verify.result import Finding, VerifyResult

#: Citations that one worker follows at a time. It reads the file from the start up to the last of them.
_TOGETHER = 2000
#: Of the two citations of a row, the one with the higher rank counts.
_RANK = {"agrees": 0, "unchecked": 1, "gone": 2, "differs": 3}


def trace(
    scratch: Path,
    trust: records.Places,
    tokenizer: Tokenizer | None,
    expected: int | None,
    honours: bool,
    result: VerifyResult,
    engine: Engine,
    reporter: Reporter,
    bounds: Known = None,
    confirmed: pa.Table | None = None,
) -> None:
    """Follow the citations in `scratch`, in the order of the records in their files, and add what comes of them.

    Args:
        trust: where records may be read.
        expected: how many rows must have a citation; None where that is not known.
        honours: whether the set promises that no text opts out.
        bounds: by when files existed, as a lake knows it.
        confirmed: the texts that have grade B in a lake; None where no lake was named.
        result: gets the numbers and findings.
    """
    if not any(scratch.glob("*.parquet")):
        return  # no shard could be read, which is a problem already
    together = scratch / "sorted.parquet"
    citations, every = sql_literal(together), sql_literal(scratch / "*.parquet")
    with scratch_database(scratch / "spill") as db:
        if confirmed is not None:
            db.register("confirmed", confirmed)
        is_confirmed = "NULL::BOOLEAN" if confirmed is None else "content_id IN (FROM confirmed)"
        db.execute(f"""
            COPY (SELECT *, {is_confirmed} AS confirmed,
                         row_number() OVER (ORDER BY file, "offset", skip, "row") - 1 AS position
                  FROM read_parquet({every}) ORDER BY position)
            TO {citations} (FORMAT parquet, ROW_GROUP_SIZE 2048)
        """)
        files = db.execute(f"""
            SELECT file, min(position), max(position) + 1 FROM read_parquet({citations})
            GROUP BY file ORDER BY 2
        """).fetchall()
        ((result.traced,),) = db.execute(f"""SELECT count(DISTINCT "row") FROM read_parquet({citations})""").fetchall()
    if expected is not None and result.traced != expected:
        result.problems.append(f"only {result.traced} rows could be traced")
    reporter.stage("records", sum(end - start for _, start, end in files))
    units = [
        records.Unit(together.name, file, at, min(at + _TOGETHER, end), trust, tokenizer, honours, bounds)
        for file, start, end in files
        for at in range(start, end, _TOGETHER)
    ]
    worst: dict[int, Finding] = {}
    unwalked: set[int] = set()
    for unit, findings in succeed(engine.run(records.work, units, progress=reporter.advance, scratch=str(scratch))):
        unwalked.update(finding.row for finding in findings if not unit.is_walked)
        for finding in findings:
            if finding.kind != "agrees":
                worst[finding.row] = max(worst.get(finding.row, finding), finding, key=lambda each: _RANK[each.kind])
    result.findings = [worst[row] for row in sorted(worst)]
    for finding in result.findings:
        result.kinds[finding.kind] += 1
    result.walked = result.traced - len(unwalked)
    result.kinds["agrees"] = result.traced - len(worst)
