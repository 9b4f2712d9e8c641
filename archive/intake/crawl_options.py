"""The options of `archive ingest` that are for sources of Common Crawl only."""

from __future__ import annotations

from typing import Any

import click

_SELECT = (
    click.option("--subset", type=click.Choice(["warc", "wet"]), default="warc", show_default=True,
                 help="cc: the pages, or (wet) the texts that Common Crawl extracted."),
    click.option("--url", multiple=True, metavar="URL",
                 help="cc: a page; with * at its end all below it. --url, --host, --domain and --tld can be repeated, "
                 "and add up."),
    click.option("--host", multiple=True, metavar="HOST", help="cc: the pages of a host, with www. in front or not."),
    click.option("--domain", multiple=True, metavar="NAME", help="cc: the pages of a host, and of all below it."),
    click.option("--tld", multiple=True, metavar="NAME", help="cc: the pages of a top-level domain, as pt."),
    click.option("--language", multiple=True, metavar="CODE",
                 help="cc: only pages in a language: three letters, as por. Indexes before CC-MAIN-2018-39 name none. "
                 "--language, --mime and --status can be repeated."),
    click.option("--mime", multiple=True, metavar="TYPE", help="cc: only pages of a type, as text/plain or text/*."),
    click.option("--status", type=int, multiple=True, metavar="N", help="cc: only pages with this HTTP status."),
    click.option("--after", metavar="DATE", help="cc: only pages fetched on this date or later."),
    click.option("--before", metavar="DATE", help="cc: only pages fetched before this date."),
    click.option("--sample", type=float, metavar="SHARE",
                 help="cc: only this share of the records, as 0.001; the same ones in each run."),
    click.option("--files", type=int, metavar="N", help="cc: only N files of each crawl; the same ones in each run."),
    click.option("--part", metavar="I/N",
                 help="cc: the I-th of N parts, as 3/16: one for each machine. No two parts share a file."),
    click.option("--mirror", default="https://data.commoncrawl.org", show_default=True, metavar="WHERE",
                 help="cc: where the files are: https://…, s3://… or a folder."),
    click.option("--rate", type=float, default=1.0, show_default=True, metavar="N",
                 help="cc: requests a second, of all parts together."),
    click.option("--contact", envvar="LOWBACKGROUND_CONTACT", metavar="ADDRESS",
                 help="cc: your address, for the people who run the server; or $LOWBACKGROUND_CONTACT."),
    click.option("--dollars-per-hour", type=float, metavar="N",
                 help="cc, with --dry-run: the price of an hour of this machine."),
)  # fmt: skip


def crawl_options(command: Any) -> Any:
    """Add the options of a selection, and of how Common Crawl is reached."""
    for option in reversed(_SELECT):
        command = option(command)
    return command
