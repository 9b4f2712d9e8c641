"""`archive forget`: the command line of `archive.intake.forget`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from archive.cli import lake_option


@click.command("forget")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@lake_option
@click.option("--dry-run", is_flag=True, help="Say what would go, and stop.")
@click.option(
    "--vacuum", "sweep", is_flag=True, help="Also delete the files that only older versions of the lake name."
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(sources: tuple[str, ...], location: str, dry_run: bool, sweep: bool, as_json: bool) -> None:
    """Take what a source brought out of the lake again.

    SOURCE is a file, a folder or a pattern, as it was ingested; it need not exist any more. Its captures and rejects
    go, and the texts that no other source holds. `archive ingest` brings it in again; `archive ingest --again`
    does both.

    The rows go from the newest version of the tables. Older versions keep them, as Delta Lake does, until --vacuum: it
    deletes the files of older versions at once, also under those who are reading one. Run `archive index`
    afterwards: signatures (not texts) stay in the index.

    \b
    Examples:
      archive forget crawl/bad.warc.gz
      archive forget 's3://bucket/CC-MAIN-2019-35/*' --dry-run
      archive forget pages.jsonl --vacuum
    """
    from archive.intake.forget import forget, vacuum
    from archive.lake import Lake

    lake = Lake(location)
    gone = forget(lake, sources, dry_run)
    deleted = vacuum(lake) if sweep and not dry_run else 0
    if as_json:
        click.echo(json.dumps({**asdict(gone), "deleted": deleted}, indent=2))
        return
    files = f"{len(gone.files):,} file{'' if len(gone.files) == 1 else 's'}"
    verb = "would go" if dry_run else "forgotten"
    click.echo(f"{files} {verb}: {gone.captures:,} captures, {gone.rejects:,} rejects")
    if gone.texts is not None:
        click.echo(f"{gone.texts:,} texts went with them; others were seen elsewhere too")
    if sweep and not dry_run:
        click.echo(f"{deleted:,} files of older versions deleted")
