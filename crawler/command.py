"""The command `archive crawl`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from archive.cli import SectionedCommand, SectionOption, complete_folder

if TYPE_CHECKING:
    from crawler.run import CrawlResult


#: Hosts and URLs that --status shows.
_MOST = 100

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
@click.option(
    "--hosts", is_flag=True, help="With --status: a row for each host, with what waits there and why it rests."
)
@click.option("--failed", is_flag=True, help="With --status: the URLs that gave no response or were refused, with the "
              "reason.")  # fmt: skip
@click.option("--all", "all_", is_flag=True, help="With --hosts and --failed: all of them.  [default: the first 100]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@_fetched("--seeds", type=click.Path(allow_dash=True), metavar="FILE",
              help="Begin with the URLs in a file too, one a line; # begins a comment, - is the standard "
              "input.")  # fmt: skip
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
@_files("--file-size", default="1GB", show_default=True, metavar="N",
              help="Close a file when it has so many bytes, and begin the next.")  # fmt: skip
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
@click.pass_context
def command(
    context: click.Context,
    /,
    urls: tuple[str, ...],
    status: bool,
    hosts: bool,
    failed: bool,
    all_: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
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
      archive crawl crawl          # goes on, with the options that it was given last

    Exit status: 0 done; 1 done, but no URL gave a response, a spider failed at a page, or a file is not stamped or not
    uploaded; 2 wrong usage; 130 stopped.
    """
    from archive.show import json_text

    if status:
        from crawler.run import status as status_of

        if len(urls) != 1:
            raise click.UsageError("--status takes one folder")
        result = status_of(urls[0], hosts=hosts, failed=failed, most=None if all_ else _MOST)
    else:
        if hosts or failed or all_:
            raise click.UsageError("--hosts, --failed and --all go with --status.")
        if not urls and options["spider"] is None and options["seeds"] is None:
            raise click.UsageError("Missing argument 'URL…'.")
        from archive.progress import RichReporter
        from crawler.run import crawl, go_on, is_crawl

        with RichReporter(quiet or as_json) as reporter:
            if len(urls) == 1 and options["out"] is None and is_crawl(urls[0]):
                typed = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
                given = {name: value for name, value in options.items() if context.get_parameter_source(name) in typed}
                result = go_on(urls[0], reporter=reporter, **given)
            else:
                result = crawl(urls, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
    else:
        _show(result)
        if hosts:
            _show_hosts(result)
        for each in result.not_fetched:
            click.echo(f"{each.reason}\t{each.url}")
    if result.ended == "stopped" and not status:
        sys.exit(130)
    if result.problems or result.spider_errors or result.is_in_vain:
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
    for title, thing, counts in (
        ("no response", "URL", failed),
        ("not fetched", "URL", refused),
        ("not of the crawl", "link", result.left_out),
    ):
        if counts:
            click.echo(f"{title}: {count_of(sum(counts.values()), thing)} ({_counts(counts)})")
    for origin, why in result.unreachable.items():
        click.echo(f"  {origin}: {why}")
    if result.next_request is not None:
        click.echo(f"all {count_of(result.hosts, 'host')} rest; next request {result.next_request}, "
                   f"{result.resting_because}")  # fmt: skip
    if result.spider_errors:
        click.echo(
            f"the spider failed at {count_of(result.spider_errors, 'page')}; -v shows where; "
            "the next run gives them to it again"
        )
    if result.items:
        click.echo(f"{count_of(result.items, 'item')} in items.jsonl")
    uploaded = f", {result.uploaded:,} uploaded to {result.store}" if result.store is not None else ""
    stamped = f", {result.stamped:,} with a time stamp" if result.stamped else ""
    click.echo(f"{count_of(len(result.files), 'file')} closed{uploaded}{stamped}")
    if result.package is not None:
        click.echo(f"packaged in {result.package}")
    for problem in result.problems:
        click.echo(f"  {problem}; the same command tries again")


def _show_hosts(result: CrawlResult) -> None:
    from rich import box
    from rich.table import Table

    from archive.show import OutConsole

    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("host", "done", "waiting", "failed", "refused", "state", "next request", "last error"):
        table.add_column(title, justify="right" if title in ("done", "waiting", "failed", "refused") else "left")
    for each in result.by_host:
        numbers = (f"{count:,}" for count in (each.done, each.waiting, each.failed, each.refused))
        table.add_row(each.host, *numbers, each.state, each.next_request or "", each.error)
    console = OutConsole()
    console.width = 1000  # a table is as wide as it is, and no wider
    console.print(table)
