"""`archive share`: the command line of `collapse.share`."""

from __future__ import annotations

import sys
from typing import Any

import click

from archive.cli import complete_file, complete_folder, lake_option, workers_option
from archive.extras import require


@click.command("share")
@click.argument("source", required=False, metavar="[LAKE|SET]", shell_complete=complete_folder)
@lake_option
@click.option("--by", type=click.Choice(["month", "quarter", "year"]), default="month", show_default=True,
              help="Estimate for each.")  # fmt: skip
@click.option("--reference", metavar="DATE", default="2022-01-01", show_default=True,
              help="The first day of a period; all text from before it is taken for human.")  # fmt: skip
@click.option("--grade", type=click.Choice(list("ABCDE"), case_sensitive=False), default="D", show_default=True,
              help="The least grade of a capture that dates a text.")  # fmt: skip
@click.option("--texts", type=click.IntRange(1), default=1000, show_default=True, metavar="N",
              help="Count at most so many of each month and stratum (language and kind of page).")  # fmt: skip
@click.option("--machine", multiple=True, metavar="NAME=FILE", shell_complete=complete_file,
              help="Text that a machine wrote, for the estimate of a mixture; repeatable.")  # fmt: skip
@click.option("--machine-human", multiple=True, metavar="NAME=FILE", shell_complete=complete_file,
              help="Human text on the same prompts as the machine text of this name; repeatable.")  # fmt: skip
@click.option("--machine-where", multiple=True, metavar="COLUMN=VALUE",
              help="Read only rows of machine text with this value; repeatable.")  # fmt: skip
@click.option("--human-where", multiple=True, metavar="COLUMN=VALUE",
              help="The same for the human text.")  # fmt: skip
@click.option("--text-column", metavar="NAME", help="The column of these files that holds the text.")
@click.option("--out", type=click.Path(), metavar="FOLDER",
              help="The folder that gets share.json, report.html and share.svg.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn by chance.")
@workers_option
@click.option("--memory", metavar="SIZE", help="What DuckDB may use before it writes to disk.  [default: 1GB]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(source: str | None, location: str, out: str | None, as_json: bool, quiet: bool, **options: Any) -> None:
    """Estimate by month how much of a lake or a set machines wrote, or refuse, and say why.

    A text counts in the month in which it, or a near-duplicate of it, was first seen, by a capture that can be
    believed. No detector judges a page: the texts from before 2022 are the human side, and they show how far each
    estimate is from zero where no machine wrote. docs/share.md says when not to believe a number.

    \b
    Examples:
      archive share
      archive share lake --by quarter --out share
      archive share set --machine gpt=answers.csv --machine-where label=1
    """
    require("archive share", "instruments", "numba", "scipy", "markupsafe")
    from archive.engine import preload

    preload("collapse.share.counting.choose", "collapse.share.counting.count")

    from archive.progress import RichReporter
    from archive.show import json_text
    from collapse.corpus.tally import EXPECTED
    from collapse.share.run import share
    from collapse.share.show import show

    with RichReporter(quiet or as_json) as reporter:
        result = share(location if source is None else source, out=out, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
    else:
        show(result, out)
    if any(reasons.keys() - EXPECTED for reasons in result.machine_rejects.values()):
        sys.exit(1)
