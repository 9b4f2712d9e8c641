"""`quality`: measures the texts of a lake that have no signals yet."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from archive.engine import Workers, open_engine
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from index.quality.stage import Quality
from index.quality.table import QUALITY
from index.stage import lake_errors, run


@dataclass(slots=True)
class QualityResult:
    """What `quality` did."""

    measured: int = 0  #: texts that got signals
    texts: int = 0  #: texts that have signals
    seconds: float = 0.0  #: of wall-clock time


def quality(
    lake: Lake | str | os.PathLike[str], *, workers: Workers = None, reporter: Reporter | None = None
) -> QualityResult:
    """Measure the quality signals of the texts of a lake that have none.

    Args:
        workers: processes (by default one for each core), or an engine.
        reporter: receives the progress.

    Raises:
        LakeError: there is no lake, its signals are of another version, a file is damaged, or it cannot be written.
    """
    started = time.monotonic()
    lake, engine = open_lake(lake), open_engine(workers)
    with lake_errors(lake):
        measured = run(Quality(), lake, engine, reporter)
        texts = lake.rows(QUALITY.name)
    return QualityResult(measured, texts, round(time.monotonic() - started, 3))
