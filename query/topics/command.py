"""`archive topics`: the command line of `query.topics`."""

from __future__ import annotations

from typing import Any

import click

from archive.cli import complete_folder, lake_option
from archive.extras import require


@click.command("topics")
@lake_option
@click.option("--encoder", metavar="NAME",
              help="Whose vectors are used, where the lake has several: the beginning of its name.")  # fmt: skip
@click.option("--topics", type=click.IntRange(1), metavar="N",
              help="Make so many.  [default: half of the square root of the number of texts, at most 500]")  # fmt: skip
@click.option("--again", is_flag=True, help="Make the topics anew.")
@click.option("--grade", type=click.Choice(list("ABCDE"), case_sensitive=False), default="D", show_default=True,
              help="The least grade of a capture that dates a text.")  # fmt: skip
@click.option("--by", type=click.Choice(["month", "year"]), default="month", show_default=True,
              help="Count the texts first seen in each.")  # fmt: skip
@click.option("--before", metavar="DATE", help="Show what texts first seen before this moment (UTC) have less of.")
@click.option("--set", "dataset", metavar="FOLDER", shell_complete=complete_folder,
              help="What an exported set has less of than the lake; with --before, than the lake then.")  # fmt: skip
@click.option("--thin", type=click.FloatRange(0, 1), default=0.5, show_default=True,
              help="A topic with at most this part of its share is thin.")  # fmt: skip
@click.option("--show", "number", type=click.IntRange(1), metavar="TOPIC",
              help="Show one topic: its words, the nearest texts, the months.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Show all topics, not only the 20 largest.")
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE",
              help="Write the texts of each topic and month to a .csv or .parquet file.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    location: str,
    number: int | None,
    every: bool,
    out: str | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Tell what the texts are about, when each topic was first seen, and what a clean set lacks.

    Topics are groups of texts with near vectors, named by their typical words. They are made once; texts that come
    later get the nearest topic, unless --again makes new ones. It needs vectors: run `archive embed` first.

    With --before, or --set, topics are listed that have at most half of their share there. Those that may have so few
    by chance are not listed.

    \b
    Examples:
      archive topics
      archive topics --before 2022-01-01
      archive topics --set clean/ --before 2022-01-01
      archive topics --show 7
      archive query "SELECT topic, name, texts FROM topics ORDER BY texts DESC"
    """
    require("archive topics", "index", "numba")
    from archive.errors import ArchiveError
    from archive.progress import RichReporter
    from archive.show import json_text
    from query.topics.out import check, write
    from query.topics.run import topics
    from query.topics.show import show, show_one

    if out is not None:
        check(out, location, overwrite)
    with RichReporter(quiet or as_json) as reporter:
        found = topics(location, reporter=reporter, **options)
    if out is not None:
        write(found, out, overwrite)
    if as_json:
        click.echo(json_text(found))
    elif number is None:
        show(found, every)
    elif not show_one(found, number):
        raise ArchiveError(f"there is no topic {number}; there are 1 to {len(found.topics)}")
