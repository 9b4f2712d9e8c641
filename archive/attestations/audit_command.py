"""The command `archive audit`."""

from __future__ import annotations

import sys

import click

from archive.cli import complete_file


@click.command("audit")
@click.argument("sources", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_file)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(sources: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Look for what contradicts the dates of web archives. No lake is needed.

    FILE is a WARC, ARC or WACZ file, a folder, a pattern or an address. For each file the median of the servers' `Date`
    minus the records' dates shows how the crawler's clock went. Formats and software that are newer than the records,
    digests that do not match, and dates that contradict each other are listed with the first record. Exits with 1 where
    anything was found.

    \b
    Examples:
      archive audit crawl.warc.gz
      archive audit crawls/ --json
    """
    from archive.attestations.audit import audit
    from archive.attestations.audit_show import shown
    from archive.progress import RichReporter
    from archive.show import OutConsole, json_text

    with RichReporter(quiet or as_json) as reporter:
        result = audit(sources, reporter=reporter)
    if as_json:
        click.echo(json_text(result))
    else:
        console = OutConsole()
        for part in shown(result):
            console.print(part, markup=False, highlight=False)
    sys.exit(0 if result.is_clean else 1)
