"""`archive certify`: the command line of `index.certify`."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

import click

from archive.cli import complete_file, lake_option, workers_option
from archive.extras import require


@click.command("certify")
@click.argument("dataset", shell_complete=complete_file)
@click.option("--before", required=True, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
              metavar="DATE", help="A row must have existed before this moment (UTC).")  # fmt: skip
@click.option("--out", required=True, metavar="FOLDER", help="Where the data set goes, with its proofs.")
@lake_option
@click.option("--text-column", metavar="NAME", help="Column that holds the text; a.b reaches into a.")
@click.option("--paragraphs", is_flag=True, help="Also judge each paragraph of a row; reads the texts of the lake.")
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    dataset: str,
    before: datetime,
    out: str,
    location: str,
    text_column: str | None,
    paragraphs: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Tell which rows of a data set provably existed before a date.

    DATASET is a file or folder of JSON lines (plain, gzip, zstd, lz4) or Parquet. It is written to FOLDER as it is, row
    by row, with the columns proof (exact, near, none), proof_date, proof_similarity, proof_url and
    proof_record: the earliest acceptable capture in the lake of the same text, or of a near-duplicate. The lake
    needs an index (`archive index`), and may be one without texts (`archive index --witness-only`).

    \b
    Examples:
      archive certify c4/ --before 2022-01-01 --out c4-proven
      archive certify answers.jsonl.gz --before 2022-11-30 --out proven --paragraphs
      archive certify dolma.parquet --before 2020-01-01 --out proven --lake s3://bucket/witnesses

    Exit status: 0 all rows judged; 1 done, but some rows have no text or could not be read;
    2 wrong usage.
    """
    require("archive certify", "index", "numba", "numpy")
    from archive.engine import preload

    preload("index.certify.work", "index.certify.paragraphs")

    from archive.lake import Lake
    from archive.progress import RichReporter
    from archive.records.rows import Columns
    from index.certify.run import certify
    from index.certify.show import show

    moment, columns = before.replace(tzinfo=UTC), Columns(text=text_column)
    started = time.monotonic()
    with RichReporter(quiet or as_json) as reporter:
        summary = certify(Lake(location), dataset, out, moment, columns, workers, paragraphs, reporter)
    seconds = time.monotonic() - started
    if as_json:
        click.echo(json.dumps({**summary.as_json(), "seconds": round(seconds, 3)}, indent=2))
    else:
        show(summary, seconds)
    sys.exit(1 if summary.problems else 0)
