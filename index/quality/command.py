"""`archive quality`: the command line of `index.quality`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archive.cli import lake_option, workers_option
from archive.extras import require
from index.compiling import announce


@click.command("quality")
@lake_option
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(location: str, as_json: bool, quiet: bool, **options: Any) -> None:
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

    preload("index.quality.stage", "index.stage", "index.minhash.ready")

    from archive.progress import RichReporter
    from archive.show import json_text
    from index.quality.run import quality

    with RichReporter(quiet or as_json) as reporter:
        result = quality(location, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
        return
    click.echo(
        f"{result.measured:,} new texts measured, in {result.seconds:.1f} s\n{result.texts:,} texts have signals"
    )
