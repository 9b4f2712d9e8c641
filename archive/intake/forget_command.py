"""The command `archive forget`."""

from __future__ import annotations

import click

from archive.cli import complete_file, lake_option


@click.command("forget")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=complete_file)
@lake_option
@click.option("--dry-run", is_flag=True, help="Count what would be taken out; write nothing.")
@click.option("--vacuum", is_flag=True, help="Also delete the files that only older versions of the lake name.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(sources: tuple[str, ...], location: str, dry_run: bool, vacuum: bool, as_json: bool) -> None:
    """Take what a source brought out of the lake.

    SOURCE is a file, a folder or a pattern, as it was ingested; it need not exist any more. Its captures and rejects
    are deleted, and the texts that no other source has. `archive ingest` brings it in again; `archive ingest --again`
    does both.

    The rows are deleted from the newest version of the tables. Older versions keep them until --vacuum, which deletes
    the files of older versions at once, even while somebody reads one. Run `archive index` afterwards: until
    then the index has the signatures, not the texts, of what was deleted.

    \b
    Examples:
      archive forget crawl/bad.warc.gz
      archive forget 's3://bucket/CC-MAIN-2019-35/*' --dry-run
      archive forget pages.jsonl --vacuum
    """
    from archive.intake.forget import forget
    from archive.show import count_of, json_text

    result = forget(location, sources, dry_run=dry_run, vacuum=vacuum)
    if as_json:
        click.echo(json_text(result))
        return
    verb = "would go" if dry_run else "forgotten"
    click.echo(
        f"{count_of(len(result.files), 'file')} {verb}: {result.captures:,} captures, {result.rejects:,} rejects"
    )
    if result.texts is not None:
        click.echo(f"{result.texts:,} texts went with them; others were seen elsewhere too")
    if vacuum and not dry_run:
        click.echo(f"{result.deleted:,} files of older versions deleted")
