"""The options of `archive ingest` that are for sources of Common Crawl only."""

from __future__ import annotations

from typing import Any

import click

_SELECT = (
    click.option("--subset", type=click.Choice(["warc", "wet"]), default="warc", show_default=True,
                 help="cc: the pages, or the texts that Common Crawl extracted."),
    click.option("--url", multiple=True, metavar="URL", help="cc: these pages; with * at its end all below."),
    click.option("--host", multiple=True, metavar="HOST", help="cc: pages of a host; www. does not count."),
    click.option("--domain", multiple=True, metavar="NAME", help="cc: pages of a host, and of all below it."),
    click.option("--tld", multiple=True, metavar="NAME", help="cc: pages of a top-level domain, as pt."),
    click.option("--language", multiple=True, metavar="CODE",
                 help="cc: pages in a language: three letters, as por. Since CC-MAIN-2018-39."),
    click.option("--mime", multiple=True, metavar="TYPE", help="cc: pages of a type, as text/plain or text/*."),
    click.option("--status", type=int, multiple=True, help="cc: pages with a status of HTTP."),
    click.option("--after", metavar="DATE", help="cc: pages fetched on this date or later."),
    click.option("--before", metavar="DATE", help="cc: pages fetched before this date."),
    click.option("--sample", type=float, metavar="PART", help="cc: a part of the records, as 0.001; always the same."),
    click.option("--files", type=int, metavar="N", help="cc: so many files of each crawl; always the same."),
    click.option("--part", metavar="I/N", help="cc: the i-th of n parts, each for a machine; no two share a file."),
    click.option("--mirror", default="https://data.commoncrawl.org", show_default=True, metavar="WHERE",
                 help="cc: https://…, s3://… or a folder."),
    click.option("--rate", type=float, default=1.0, show_default=True, metavar="N",
                 help="cc: requests a second, of all parts together."),
    click.option("--contact", envvar="LOWBACKGROUND_CONTACT", metavar="ADDRESS",
                 help="cc: yours, for the people who run the server."),
    click.option("--dollars-per-hour", type=float, metavar="N",
                 help="cc, with --dry-run: what an hour of this machine costs."),
)  # fmt: skip


def crawl_options(command: Any) -> Any:
    """Add the options of a selection, and of how Common Crawl is reached."""
    for option in reversed(_SELECT):
        command = option(command)
    return command
