"""`archive quality`: the command line of `index.quality.stage`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from archive.cli import lake_option, workers_option
from archive.extras import require
from index.compiling import announce


@click.command("quality")
@lake_option
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(location: str, workers: int | None, as_json: bool, quiet: bool) -> None:
    """Measure the quality signals of texts that have none.

    What the filters of Gopher, C4 and FineWeb test becomes columns of the table `quality`, one row for each text,
    so that a filter is a WHERE; docs/quality.md lists signals and rules. Run it after each ingest. Texts are never
    changed or left out.

    \b
    Examples:
      archive quality
      archive query "SELECT count(*) FROM quality WHERE stop_words >= 2 AND dup_line_chars <= 0.2"
    """
    require("archive quality", "index", "numba", "numpy")
    announce(Path(__file__).parent, quiet or as_json)
    from archive.engine import preload

    preload("index.quality.stage")

    from archive.lake import Lake
    from archive.progress import RichReporter
    from index.quality.stage import measure_new

    started = time.monotonic()
    with RichReporter(quiet or as_json) as reporter:
        summary = measure_new(Lake(location), workers, reporter)
    seconds = time.monotonic() - started
    if as_json:
        click.echo(json.dumps({**asdict(summary), "seconds": round(seconds, 3)}, indent=2))
        return
    click.echo(f"{summary.measured:,} new texts measured, in {seconds:.1f} s\n{summary.texts:,} texts have signals")
