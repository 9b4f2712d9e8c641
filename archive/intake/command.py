"""The command `archive ingest`."""

from __future__ import annotations

import sys
from typing import Any

import click

from archive.cli import SectionedCommand, Size, complete_file, lake_option, workers_option
from archive.engine import preload
from archive.intake.crawl_options import crawl_options
from archive.text.base import EXTRACTORS
from archive.text.content.parts import PARTS


@click.command("ingest", cls=SectionedCommand)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=complete_file)
@lake_option
@click.option("--dry-run", is_flag=True, help="Show what would be read and how, with some rows; write nothing.")
@click.option("--again", is_flag=True, help="First forget what the lake has of these files.")
@workers_option
@click.option("--extractor", type=click.Choice(EXTRACTORS.names()), show_default=True,
              default="resiliparse", help="Takes text from HTML; trafilatura is an extra.")  # fmt: skip
@click.option("--keep", metavar="PARTS", multiple=True,
              help=f"Parts of a page that are cut otherwise, by name: {', '.join(PARTS)}.")  # fmt: skip
@click.option("--text-column", metavar="NAME", help="Column of a data set that holds plain text; a.b reaches into a.")
@click.option("--html-column", metavar="NAME", help="Column that holds HTML.")
@click.option("--date-column", metavar="NAME", help="Column that holds the date of capture.")
@click.option("--url-column", metavar="NAME", help="Column that holds the URL.")
@click.option("--operator", metavar="ORG", help="Who made the archives, where they name nobody, or somebody else.")
@click.option("--max-record", type=Size(), default="32M", show_default=True, help="Larger records are rejected.")
@click.option("--max-page", type=Size(), default="16M", show_default=True, help="Larger decoded pages are rejected.")
@click.option("--page-timeout", type=click.FloatRange(0.1), default=20.0, show_default=True, metavar="SECONDS",
              help="A page that takes longer to extract is rejected.")  # fmt: skip
@click.option("--span", type=Size(), default="32M", show_default=True,
              help="Most bytes of a large file that one worker does at a time.")  # fmt: skip
@click.option("--published", metavar="DATE", help="When the files were published, whatever their dates say.")
@click.option("--attest", multiple=True, metavar="REF",
              help="Where that can be looked up: a DOI, an address. For grade D also sha256:… or a file of checksums."
              )  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@crawl_options
def command(sources: tuple[str, ...], location: str, dry_run: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Bring web archives or data sets into the lake.

    SOURCE is a file, a folder, a pattern, an s3:// object or prefix, an https:// address, or one or several crawls of
    Common Crawl (cc:CC-MAIN-2019-35, cc:2013..2021, cc:CC-NEWS-2019-08). It holds WARC, ARC, WET or WACZ files, or
    JSON, CSV or Parquet with a text and a date column; the format is detected from the content. The lake keeps
    each text once, and each capture of it with its date and the place of its record.

    A file that is in the lake already is skipped, so the same command, run again after a crash, goes on
    where it was. Several ingests into one lake can run at once.

    \b
    Examples:
      archive ingest crawl/                            all files of a folder
      archive ingest 'CC-MAIN-2019-35/*.warc.gz' --lake s3://bucket/lake
      archive ingest https://example.org/a.warc.gz     streamed, not stored
      archive ingest cc:2013..2021 --host example.org  a site over the years
      archive ingest cc:..2021 --tld pt --dry-run      what it will cost
      archive ingest pages.jsonl.gz --dry-run          columns, and five rows
      archive ingest pages.jsonl.gz --text-column body --date-column seen.at
      archive ingest pile/ --published 2020-12-31 --attest https://example.org/pile --attest SHA256SUMS.txt

    Exit status: 0 all done, also where a web archive holds errors and no page; 1 done, but some input was damaged,
    could not be read, or has no text or no date that can prove anything (the screen lists it); 2 wrong usage.
    """
    if not dry_run:
        preload("archive.intake.work", "eld.resources.ngrams.ngramsM60")  # both load beside the modules of this process

    from archive.arrow import spare_pandas

    spare_pandas()
    from archive.intake.display import complaints, show
    from archive.intake.preview import preview
    from archive.intake.preview import show as show_preview
    from archive.intake.run import ingest
    from archive.progress import RichReporter
    from archive.show import json_text

    if not dry_run and options.pop("dollars_per_hour") is not None:
        raise click.UsageError("--dollars-per-hour goes with --dry-run")
    if dry_run:
        for each in ("again", "workers", "span", "published", "attest", "operator"):  # they change nothing that is seen
            options.pop(each)
        with RichReporter(quiet or as_json) as reporter:
            seen = preview(location, sources, reporter=reporter, **options)
        if as_json:
            click.echo(json_text(seen))
        else:
            show_preview(seen)
        sys.exit(0 if seen.is_usable else 1)
    with RichReporter(quiet or as_json) as reporter:
        result = ingest(location, sources, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
    else:
        show(result)
    sys.exit(1 if complaints(result) else 0)
