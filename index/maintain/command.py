"""The command `archive maintain`."""

from __future__ import annotations

import sys

import click

from archive.cli import lake_option, workers_option
from archive.engine import preload


@click.command("maintain")
@lake_option
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would be done.")
@click.option("--keep", metavar="TIME", default="7d", show_default=True,
              help="How long older versions stay readable: 7d, 12h. Longer than any command runs.")  # fmt: skip
@click.option("--keep-caches", metavar="TIME", default="30d", show_default=True,
              help="How long files in your caches stay that nobody uses.")  # fmt: skip
@click.option("--regrade", is_flag=True, help="Read the files again whose captures have no grade.")
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    location: str,
    dry_run: bool,
    keep: str,
    keep_caches: str,
    regrade: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Keep a lake in order: merge small files, delete what nobody needs, finish what was killed.

    What the index still has of forgotten texts is removed. Small files become large ones, sorted as before. Logs get
    checkpoints. Then the files go that no version of the last --keep has, and those that killed commands left: in the
    lake, in the folder for scratch, and in your caches. Only files that this program wrote go. Others may write and
    read at the same time, and a run that is killed is finished by the next one.

    A lake of an older version has captures without a grade: they count as what their columns support, which is D at
    best. --regrade reads their files again, by the rules of this version, and puts what comes of a file in the place
    of what the lake had of it, in one commit. A file that cannot be read any more, or that has changed, stays as it
    was. Run `archive index` afterwards.

    \b
    Examples:
      archive maintain --dry-run
      archive maintain --keep 12h
      archive maintain --regrade --lake s3://bucket/lake

    Exit status: 0 all done; 1 done, but some captures still have no grade; 2 wrong usage.
    """
    if regrade:
        preload("archive.intake.work")

    from archive.progress import RichReporter
    from archive.show import json_text
    from index.maintain.run import maintain
    from index.maintain.show import lines

    with RichReporter(quiet or as_json) as reporter:
        result = maintain(
            location,
            regrade=regrade,
            keep=keep,
            keep_caches=keep_caches,
            dry_run=dry_run,
            workers=workers,
            reporter=reporter,
        )
    for line in [json_text(result)] if as_json else lines(result, keep, regrade):
        click.echo(line)
    sys.exit(1 if result.captures_kept else 0)
