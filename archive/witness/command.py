"""The command `archive witness`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from archive.cli import SectionedCommand, complete_file, lake_option, workers_option
from archive.engine import preload
from archive.intake.crawl_options import address_options

if TYPE_CHECKING:
    from archive.witness.run import WitnessResult


@click.command("witness", cls=SectionedCommand)
@click.argument("sources", nargs=-1, required=True, metavar="CDX...", shell_complete=complete_file)
@lake_option
@click.option("--operator", metavar="ORG", help="Who holds what the indexes list; Common Crawl's say it themselves.")
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@address_options
def command(sources: tuple[str, ...], location: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Let other archives' indexes confirm captures of the lake.

    CDX is a file, a folder, a pattern, an s3:// object or prefix, or an https:// address. It holds lines of CDX, CDXJ,
    Common Crawl's index, or the answer of an index server, plain or compressed. Lines with the payload digest of a
    capture in the lake are kept. Of a crawl of Common Crawl (cc:2013..2021) the parts of its index are read that list
    the pages of --host, --domain, --tld or --url, and none of its files. A capture of grade C or D gets grade B where a
    line of another holder is within a day of it. A line proves no text by itself.

    An index that was read is skipped until the lake has other captures: run the same command after an ingest.

    \b
    Examples:
      archive witness 'cc-index/CC-MAIN-2019-35/indexes/cdx-*.gz'
      archive witness cc:2013..2021 --host example.org
      archive witness wayback.cdx --operator "Internet Archive"

    Exit status: 0 all done; 1 done, but a line or a file could not be read; 2 wrong usage.
    """
    preload("archive.witness.work")

    from archive.progress import RichReporter
    from archive.show import json_text
    from archive.witness.run import witness

    with RichReporter(quiet or as_json) as reporter:
        result = witness(location, sources, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
    else:
        _show(result)
    sys.exit(1 if result.files_failed or result.rejects else 0)


def _show(result: WitnessResult) -> None:
    from archive.show import bytes_text, count_of

    known = f", {result.files_skipped:,} known already" if result.files_skipped else ""
    click.echo(
        f"{count_of(result.files, 'index file')} read{known}: {bytes_text(result.bytes)} in {result.seconds:.1f} s"
    )
    if result.files:
        click.echo(
            f"{count_of(result.lines, 'line')}: {result.matched:,} have a digest of the lake, "
            f"{result.unmatched:,} have another"
        )
    for title, counts in (("skipped", result.skipped), ("rejects", result.rejects)):
        if counts:
            click.echo(f"{title}: {', '.join(f'{name} {count:,}' for name, count in counts.most_common())}")
    click.echo(f"{count_of(result.corroborated, 'capture')} of the lake of grade B")
    if result.unmatched:
        click.echo("after a later ingest, run the same command again: it may bring captures that more lines confirm")
    for file, why in result.files_failed.items():
        click.echo(why if file in why else f"not read: {file}: {why}")
    if result.files_failed or result.rejects:
        click.echo("exit status 1: some input was unusable; SELECT * FROM rejects says where")
