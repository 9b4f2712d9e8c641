"""The options of `archive ingest` and `archive witness` that are for sources of Common Crawl only."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from archive.cli import SectionOption

_option = partial(click.option, cls=SectionOption, section="Options for Common Crawl (cc:…)")
_ADDRESSES = (
    _option("--url", multiple=True, metavar="URL", help="These pages; with * at its end all below."),
    _option("--host", multiple=True, metavar="HOST", help="Pages of a host; www. does not count."),
    _option("--domain", multiple=True, metavar="NAME", help="Pages of a host, and of all below it."),
    _option("--tld", multiple=True, metavar="NAME", help="Pages of a top-level domain, as pt."),
)
_STATED = (
    _option("--language", multiple=True, metavar="CODE",
            help="Pages in a language: three letters, as por. Since CC-MAIN-2018-39."),
    _option("--mime", multiple=True, metavar="TYPE", help="Pages of a type, as text/plain or text/*."),
    _option("--status", type=int, multiple=True, metavar="N", help="Pages with a status of HTTP."),
    _option("--after", metavar="DATE", help="Pages fetched on this date or later."),
    _option("--before", metavar="DATE", help="Pages fetched before this date."),
    _option("--sample", type=float, metavar="PART", help="A part of the records, as 0.001; always the same."),
    _option("--files", type=int, metavar="N", help="So many files of each crawl; always the same."),
    _option("--subset", type=click.Choice(["warc", "wet"]), default="warc", show_default=True,
            help="The pages, or the texts that Common Crawl extracted."),
    _option("--part", metavar="I/N", help="The i-th of n parts, each for a machine; no two share a file."),
)  # fmt: skip
_ACCESS = (
    _option("--mirror", default="https://data.commoncrawl.org", show_default=True, metavar="WHERE",
            help="https://…, s3://… or a folder."),
    _option("--rate", type=float, default=1.0, show_default=True, metavar="N",
            help="Requests a second, of all parts together."),
    _option("--contact", envvar="LOWBACKGROUND_CONTACT", metavar="ADDRESS",
            help="Yours, for the people who run the server."),
)  # fmt: skip
_PRICE = _option(
    "--dollars-per-hour", type=float, metavar="N", help="With --dry-run: what an hour of this machine costs."
)


def crawl_options(command: Any) -> Any:
    """Add the options of a selection, and of how Common Crawl is reached."""
    return _added(command, (*_ADDRESSES, *_STATED, *_ACCESS, _PRICE))


def address_options(command: Any) -> Any:
    """Add the options that select by address, and of how Common Crawl is reached."""
    return _added(command, (*_ADDRESSES, *_ACCESS))


def _added(command: Any, options: tuple[Any, ...]) -> Any:
    for option in reversed(options):
        command = option(command)
    return command
