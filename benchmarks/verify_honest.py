"""Check that `archive verify` finds nothing wrong with honest sets: of all shared data, in every format of texts.

    python benchmarks/verify_honest.py [--shared DATA] [--keep FOLDER]

The lake is of all files of the shared data: WARC, ARC, WET, WACZ, replays, revisits, damaged files, data sets. It is
ingested again with other spans and workers. Prints the rows by format and by what `verify` found; exits
with 1 where one differs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

FORMATS = ("parquet", "jsonl", "mds", "litdata", "webdataset")


def main() -> int:
    """Make the lakes and sets, and verify them."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("LOWBACKGROUND_SHARED", "../shared")
    parser.add_argument("--shared", type=Path, default=Path(shared, "data"))
    parser.add_argument("--keep", type=Path, help="The folder for lakes and sets.")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        return check(options.shared, options.keep or Path(scratch), options.workers)


def check(data: Path, folder: Path, workers: int) -> int:
    """Ingest, export and verify; return 1 where a row differs."""
    from archive.engine import preload

    preload("archive.intake.work", "query.export.write_shards", "query.export.shuffle", "query.verify.records")
    from archive.intake import ingest
    from archive.lake import Lake
    from query.export.run import export
    from query.verify.run import verify

    total: Counter[str] = Counter()
    rows = 0
    for span in (None, 1 << 20):
        lake = Lake(str(folder / f"lake-{span}"))
        settings: dict[str, Any] = {} if span is None else {"span": span}
        sources = [str(path) for path in sorted(data.iterdir()) if path.is_dir()]
        ingest(lake, sources, workers=workers if span is None else 1, **settings)
        for format_ in FORMATS if span is None else ("parquet",):
            out = folder / f"{format_}-{span}"
            result = export(lake, out, before="2099-01-01", grade="E", format=format_, workers=workers)
            started = time.monotonic()
            found = verify(out, all=True, workers=workers, lake=lake, again=lake if format_ == "parquet" else None)
            seconds = time.monotonic() - started
            print(f"{format_:>10}, span {span}: {result.rows:,} rows {found.kinds} in {seconds:.1f} s")
            for line in [*found.problems[:20], *(f"{each.kind} {each.detail}" for each in found.findings[:20])]:
                print("   ", line)
            total.update(found.kinds)
            total["problems"] += len(found.problems)
            rows += result.rows
    print(f"{rows:,} rows in all: {dict(total)}")
    return int(total["differs"] or total["problems"] or total["gone"])


if __name__ == "__main__":
    sys.exit(main())
