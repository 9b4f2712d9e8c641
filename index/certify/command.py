"""`archive certify`: the command line of `index.certify`."""

from __future__ import annotations

import sys
from typing import Any

import click

from archive.cli import complete_file, lake_option, workers_option
from archive.extras import require


@click.command("certify")
@click.argument("dataset", shell_complete=complete_file)
@click.option("--before", required=True, metavar="DATE", help="A row must have existed before this moment (UTC).")
@click.option("--out", required=True, metavar="FOLDER", help="Where the data set goes, with its proofs.")
@lake_option
@click.option("--text-column", metavar="NAME", help="Column that holds the text; a.b reaches into a.")
@click.option("--grade", type=click.Choice(list("ABCDE"), case_sensitive=False), default="D", show_default=True,
              help="The least grade of a capture that proves something.")  # fmt: skip
@click.option("--archives", type=click.IntRange(1), default=1, show_default=True,
              help="A proof needs so many different archives.")  # fmt: skip
@click.option("--date-sources", metavar="CODES", help="Only these kinds of dates, as in warc,arc,cdx.  [default: all]")
@click.option("--paragraphs", is_flag=True, help="Also judge each paragraph of a row; reads the texts of the lake.")
@click.option("--passages", is_flag=True,
              help="Also find the words that an older text has, in runs of 15 and more.")  # fmt: skip
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(location: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Tell which rows of a data set provably existed before a date.

    DATASET is a file or folder of JSON lines (plain, gzip, zstd, lz4) or Parquet. It is written to FOLDER as it is, row
    by row, with the columns proof (exact, near, none), proof_date, proof_similarity, proof_url and
    proof_record: the earliest acceptable capture in the lake of the same text, or of a near-duplicate. The lake
    needs an index (`archive index`), and may be one without texts (`archive index --witness-only`).

    \b
    Examples:
      archive certify c4/ --before 2022-01-01 --out c4-proven
      archive certify answers.jsonl.gz --before 2022-11-30 --out proven --paragraphs
      archive certify pages.jsonl --before 2022-01-01 --out proven --passages
      archive certify dolma.parquet --before 2020-01-01 --out proven --lake s3://bucket/witnesses

    Exit status: 0 all rows judged; 1 done, but some rows have no text or could not be read;
    2 wrong usage.
    """
    require("archive certify", "index", "numba", "numpy")
    from archive.engine import preload

    preload("index.certify.work", "index.certify.paragraphs", "index.neardup.shingle_sets",
            "index.minhash.ready", *(["index.passages.ready"] if options["passages"] else []))  # fmt: skip

    from archive.progress import RichReporter
    from archive.show import json_text
    from index.certify.run import certify
    from index.certify.show import show

    with RichReporter(quiet or as_json) as reporter:
        result = certify(location, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
    else:
        show(result)
    sys.exit(1 if result.problems else 0)
