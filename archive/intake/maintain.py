"""`maintain`: finishes what was begun, merges small files, brings an older lake up to date."""

from __future__ import annotations

import contextlib
import os
import time

from archive.compact import compact
from archive.damage import naming_damage
from archive.engine import Workers, open_engine
from archive.intake.commit import Committer
from archive.intake.regrade import regrade as regrade_files
from archive.intake.result import MaintainResult
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.tables import TABLES

__all__ = ["MaintainResult", "maintain"]


def maintain(
    lake: Lake | str | os.PathLike[str],
    *,
    regrade: bool = False,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> MaintainResult:
    """Finish what killed commands have begun, and merge small files; bring an older lake up to date.

    Args:
        regrade: read the files again whose captures have no grade, since an older version ingested them. What cannot be
            read any more stays as it was.
        workers: processes that read and extract (by default one for each core), or an engine.
        reporter: receives the progress.

    Raises:
        LakeError: there is no lake, or it cannot be written.
    """
    started = time.monotonic()
    lake, engine, reporter = open_lake(lake), open_engine(workers), reporter or Reporter()
    lake.require()
    result = MaintainResult()
    with naming_damage(lake):
        lake.create()
        with contextlib.closing(Committer(lake)) as committer:
            result.recovered = committer.recover().decisions
            if regrade:
                regrade_files(lake, committer, engine, reporter, result)
        for table in TABLES.values():
            compact(lake, table)
    result.seconds = round(time.monotonic() - started, 3)
    return result
