"""The command `archive crawl`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from archive.cli import SectionedCommand, SectionOption, complete_folder

if TYPE_CHECKING:
    from crawler.run import CrawlResult


#: What an option is about, as the help groups them.
_fetched, _manners, _files, _past, _own = (
    partial(click.option, cls=SectionOption, section=section)
    for section in (
        "What is fetched",
        "Politeness",
        "Files",
        "The past",
        "Pages in a program of your own, or a browser",
    )
)


class _Crawl(SectionedCommand):
    """Names what must be given in its line of usage."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["URL…", "--out FOLDER", "--contact MAIL", "[OPTIONS]"]


@click.command("crawl", cls=_Crawl)
@click.argument("urls", nargs=-1, metavar="URL…")
@click.option("--out", type=click.Path(), metavar="FOLDER", shell_complete=complete_folder,
              help="The folder of the WARC files, and of what the crawl knows; or s3://bucket/prefix, where each file "
              "goes when it is closed.  [required]")  # fmt: skip
@click.option("--state", type=click.Path(), metavar="FOLDER", shell_complete=complete_folder,
              help="With --out s3://: the folder of what the crawl knows and of the file that is written, on a disk of "
              "this machine.")  # fmt: skip
@click.option("--contact", metavar="MAIL",
              help="Whom the owner of a site may write to: a mail address, or a page that has one. Each request "
              "names it.  [required]")  # fmt: skip
@click.option("--operator", metavar="NAME", help="Who crawls, as the files state it.  [default: the contact]")
@click.option("--name", default="crawl", show_default=True, help="The beginning of the names of the files.")
@click.option("--again", is_flag=True, help="Begin a new crawl in a folder that has one: what has changed is fetched.")
@click.option("--status", "status", is_flag=True, help="Show what the crawl in the folder, which is named in place of "
              "the URLs, has done.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@_fetched("--scope", type=click.Choice(["host", "domain", "prefix", "any"]), default="host", show_default=True,
              help="Follow links to the hosts of the URLs, to their domains, below their folders, or "
              "anywhere.")  # fmt: skip
@_fetched("--include", multiple=True, metavar="REGEX", help="Follow only links in which this is found; repeatable.")
@_fetched("--exclude", multiple=True, metavar="REGEX", help="Follow no link in which this is found; repeatable.")
@_fetched("--depth", type=click.IntRange(0), default=20, show_default=True, metavar="N",
              help="Follow links so far from the URLs.")  # fmt: skip
@_fetched("--sitemaps/--no-sitemaps", default=True, show_default=True,
              help="Follow the sitemaps that robots.txt names.")  # fmt: skip
@_fetched("--pages", type=click.IntRange(1), metavar="N", help="End after so many pages.")
@_fetched("--bytes", metavar="N", help="End after so many bytes of responses, as 20GB.")
@_fetched("--time", metavar="N", help="End after this time, as 8h.")
@_fetched("--host-pages", type=click.IntRange(1), default=10_000, show_default=True, metavar="N",
              help="Fetch at most so many pages of one host.")  # fmt: skip
@_manners("--delay", type=click.FloatRange(0), default=1.0, show_default=True, metavar="SECONDS",
              help="Leave a host in peace for at least this time between two requests.")  # fmt: skip
@_manners("--connections", type=click.IntRange(1, 1000), default=32, show_default=True, metavar="N",
              help="Ask so many hosts at once; of each one thing at a time.")  # fmt: skip
@_manners("--allow-private", is_flag=True, help="Connect to private addresses too.")
@_files("--known", multiple=True, metavar="WARC", help="A WARC file, or a folder with some, of which the same "
              "bytes are not stored again; repeatable.")  # fmt: skip
@_files("--tsa", metavar="URL", help="Have a time-stamp authority (RFC 3161) stamp the SHA-256 of each file that "
              "is closed.")  # fmt: skip
@_files("--wacz", is_flag=True, help="Package the closed files in the end, as NAME.wacz in the folder.")
@_past("--as-of", metavar="DATE", help="Crawl the past: ask a web archive for the last capture of each "
              "page at or before this date, as 2019-06-01; the sites themselves are not asked.")  # fmt: skip
@_past("--from", "from_", metavar="ARCHIVE", help="The web archive of --as-of: wayback, arquivo, or where one "
              "shows its pages, as http://localhost:8080/coll/.")  # fmt: skip
@_past("--within", type=click.IntRange(0), metavar="DAYS", help="Take only captures of so many days before the "
              "date of --as-of.")  # fmt: skip
@_past("--by", type=click.Choice(["enumerate", "follow"]), default="enumerate", show_default=True,
              help="Let the archive's CDX API name the pages of --as-of, or follow links, each by its "
              "TimeGate.")  # fmt: skip
@_own("--spider", metavar="MODULE:CLASS", help="Give each page to a spider for Scrapy of your own. It "
              "names the links that are followed; its items are in items.jsonl.")  # fmt: skip
@_own("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of Scrapy, as "
              "DOWNLOADER_MIDDLEWARES; repeatable.")  # fmt: skip
@_own("--javascript", is_flag=True, help="Show each page in a browser, follow the links that its scripts make, "
              "and keep what it shows as a record of its own.")  # fmt: skip
def command(urls: tuple[str, ...], status: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Fetch pages from some URLs on, and write them as WARC files with all that was on the wire.

    The crawler obeys robots.txt and leaves each host in peace between two requests. Ctrl-C ends it cleanly; twice, at
    once. The same command goes on, also after a kill: each page is in the files once. `archive ingest FOLDER` takes
    the files. docs/crawl.md describes what is in them.

    \b
    Examples:
      archive crawl https://example.org/ --out crawl --contact me@example.org
      archive crawl https://example.org/blog/ --scope prefix --pages 1000 --out crawl --contact me@example.org
      archive crawl https://example.org/ --as-of 2019-06-01 --from wayback --out past --contact me@example.org
      archive crawl https://example.org/ --out s3://bucket/example --state crawl --contact me@example.org
      archive crawl --spider shop:Shop --out crawl --contact me@example.org
      archive crawl crawl --status

    Exit status: 0 done; 1 done, but a file is not stamped or not uploaded; 2 wrong usage; 130 stopped.
    """
    from archive.show import json_text

    if status:
        from crawler.run import status as status_of

        if len(urls) != 1:
            raise click.UsageError("--status takes one folder")
        result = status_of(urls[0])
    else:
        if not urls and options["spider"] is None:
            raise click.UsageError("Missing argument 'URL…'.")
        from archive.progress import RichReporter
        from crawler.run import crawl

        with RichReporter(quiet or as_json) as reporter:
            result = crawl(urls, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
    else:
        _show(result)
    if result.ended == "stopped" and not status:
        sys.exit(130)
    if result.problems:
        sys.exit(1)


def _headline(result: CrawlResult) -> str:
    """Return how a crawl ended, and what waits."""
    waits = f"{result.waiting:,} {'URL waits' if result.waiting == 1 else 'URLs wait'}"
    waits = waits if result.waiting else "nothing waits"
    if result.ended == "finished" and not result.done:
        return f"finished: {waits}, and no URL gave a response"
    return {
        "finished": f"finished: {waits}",
        "stopped": f"stopped; {waits}; the same command goes on",
        "pages": f"stopped at --pages {result.pages:,}; {waits}",
        "bytes": f"stopped at --bytes; {waits}",
        "time": f"stopped at --time; {waits}",
        "running": f"it runs; {waits}",
        "killed": f"its last run was cut off; {waits}; the same command goes on",
    }[result.ended]


#: What came for a URL: the words for one and for several.
_CAME = {
    "page": ("page", "pages"),
    "sitemap": ("sitemap", "sitemaps"),
    "unchanged": ("page that has not changed", "pages that have not changed"),
    "redirect": ("redirect", "redirects"),
    "error": ("error", "errors"),
    "answer": ("answer about captures", "answers about captures"),
}


def _responses(result: CrawlResult) -> str:
    """Return what came, in words that add up."""
    from archive.show import count_of

    of_kind = {
        "redirect": {status: count for status, count in result.statuses.items() if "300" <= status < "400"},
        "error": {status: count for status, count in result.statuses.items() if not "200" <= status < "400"},
    }
    parts = []
    for kind, words in _CAME.items():
        count = result.responses.get(kind, 0)
        if not count:
            continue
        statuses = of_kind.get(kind, {})
        statuses.pop("304", None)
        given = f" ({_counts(statuses) if len(statuses) > 1 else next(iter(statuses))})" if statuses else ""
        parts.append(f"{count:,} {words[count != 1]}{given}")
    return count_of(result.done, "response") + (f": {', '.join(parts)}" if parts else "")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _show(result: CrawlResult) -> None:
    from archive.show import bytes_text, count_of
    from crawler.reasons import FAILURES

    click.echo(f"crawl {result.crawl} in {result.folder}: {_headline(result)}")
    click.echo(_responses(result))
    rate = f", {result.done / result.seconds:.1f} responses a second" if result.seconds else ""
    click.echo(f"{bytes_text(result.bytes)} in {result.seconds:,.0f} s, of all runs together{rate}")
    failed = {name: count for name, count in result.reasons.items() if name in FAILURES}
    refused = {name: count for name, count in result.reasons.items() if name not in FAILURES}
    left_out = dict(result.left_out)
    errors = left_out.pop("spider-error", 0)
    for title, thing, counts in (
        ("no response", "URL", failed),
        ("not fetched", "URL", refused),
        ("not of the crawl", "link", left_out),
    ):
        if counts:
            click.echo(f"{title}: {count_of(sum(counts.values()), thing)} ({_counts(counts)})")
    if errors:
        click.echo(f"the spider failed at {count_of(errors, 'page')}; -v shows where")
    if result.items:
        click.echo(f"{count_of(result.items, 'item')} in items.jsonl")
    uploaded = f", {result.uploaded:,} uploaded to {result.store}" if result.store is not None else ""
    stamped = f", {result.stamped:,} with a time stamp" if result.stamped else ""
    click.echo(f"{count_of(len(result.files), 'file')} closed{uploaded}{stamped}")
    if result.package is not None:
        click.echo(f"packaged in {result.package}")
    for problem in result.problems:
        click.echo(f"  {problem}; the same command tries again")
