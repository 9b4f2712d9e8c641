"""The command `archive plan`."""

from __future__ import annotations

from typing import Any

import click


@click.command("plan")
@click.option("--years", default="..2021", show_default=True, metavar="A..B", help="Of the crawls.")
@click.option("--subset", type=click.Choice(["warc", "wet"]), default="warc", show_default=True,
              help="Pages, or the texts that Common Crawl extracted.")  # fmt: skip
@click.option("--texts/--no-texts", default=True, show_default=True,
              help="Keep the texts, or only what proves that they existed.")  # fmt: skip
@click.option("--embed", is_flag=True, help="Also compute vectors.")
@click.option("--machine", default="c7i.24xlarge", show_default=True, metavar="NAME", help="Kind of machine.")
@click.option("--machines", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="How many.")
@click.option("--gpu", default="p5.48xlarge", show_default=True, metavar="NAME", help="Kind of machine with GPUs.")
@click.option("--gpus", type=click.IntRange(1), default=8, show_default=True, metavar="N", help="How many GPUs.")
@click.option("--dollars-per-hour", type=float, metavar="N", help="Price of a machine, in place of the known one.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(as_json: bool, **options: Any) -> None:
    """Compute what a lake of Common Crawl takes: core hours, bytes, requests, days and dollars.

    Nothing is asked of the network, and nothing is written. Each number comes from rates that this project has
    measured, that others have published, or that are assumed: they are listed below the table, and a number that
    rests on an assumed one has a `~`. `archive ingest cc:... --dry-run` asks Common Crawl itself what a selection of
    one crawl takes.

    \b
    Examples:
      archive plan
      archive plan --years 2019 --subset wet --machines 2
      archive plan --no-texts --machine desktop --machines 1
    """
    from archive.capacity.arithmetic import plan
    from archive.capacity.show import print_plan
    from archive.show import json_text

    result = plan(**options)
    if as_json:
        click.echo(json_text(result))
    else:
        print_plan(result)
