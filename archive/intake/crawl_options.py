"""The options of `archive ingest` and `archive witness` that are for sources of Common Crawl only."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from archive.cli import SectionOption

_option = partial(click.option, cls=SectionOption, section="Options for Common Crawl (cc:…)")
_ADDRESSES = (
    _option("--url", multiple=True, metavar="URL",
            help="A page; with * at its end all below it. --url, --host, --domain and --tld can be repeated, and add "
            "up."),
    _option("--host", multiple=True, metavar="HOST", help="The pages of a host, with www. in front or not."),
    _option("--domain", multiple=True, metavar="NAME", help="The pages of a host, and of all below it."),
    _option("--tld", multiple=True, metavar="NAME", help="The pages of a top-level domain, as pt."),
)  # fmt: skip
_STATED = (
    _option("--language", multiple=True, metavar="CODE",
            help="Only pages in a language: three letters, as por. Indexes before CC-MAIN-2018-39 name none. "
            "--language, --mime and --status can be repeated."),
    _option("--mime", multiple=True, metavar="TYPE", help="Only pages of a type, as text/plain or text/*."),
    _option("--status", type=int, multiple=True, metavar="N", help="Only pages with this HTTP status."),
    _option("--after", metavar="DATE", help="Only pages fetched on this date or later."),
    _option("--before", metavar="DATE", help="Only pages fetched before this date."),
    _option("--sample", type=float, metavar="SHARE",
            help="Only this share of the records, as 0.001; the same ones in each run."),
    _option("--files", type=int, metavar="N", help="Only N files of each crawl; the same ones in each run."),
    _option("--subset", type=click.Choice(["warc", "wet"]), default="warc", show_default=True,
            help="The pages, or (wet) the texts that Common Crawl extracted."),
    _option("--part", metavar="I/N",
            help="The I-th of N parts, as 3/16: one for each machine. No two parts share a file."),
)  # fmt: skip
_ACCESS = (
    _option("--mirror", default="https://data.commoncrawl.org", show_default=True, metavar="WHERE",
            help="Where the files are: https://…, s3://… or a folder."),
    _option("--rate", type=float, default=1.0, show_default=True, metavar="N",
            help="Requests a second, of all parts together."),
    _option("--contact", envvar="LOWBACKGROUND_CONTACT", metavar="ADDRESS",
            help="Your address, for the people who run the server; or $LOWBACKGROUND_CONTACT."),
)  # fmt: skip
_PRICE = _option("--dollars-per-hour", type=float, metavar="N",
                 help="With --dry-run: the price of an hour of this machine.")  # fmt: skip


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
