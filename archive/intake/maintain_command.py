"""The command `archive maintain`."""

from __future__ import annotations

import sys

import click

from archive.cli import lake_option, workers_option
from archive.engine import preload


@click.command("maintain")
@lake_option
@click.option("--regrade", is_flag=True, help="Read the files again whose captures have no grade.")
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(location: str, regrade: bool, workers: int | None, as_json: bool, quiet: bool) -> None:
    """Finish what killed commands have begun, and merge small files.

    A lake of an older version has captures without a grade: they count as what their columns support, which is D at
    best. --regrade reads their files again, by the rules of this version, and puts what comes of a file in the place
    of what the lake had of it, in one commit. A file that cannot be read any more, or that has changed, stays as it
    was. Run `archive index` afterwards.

    \b
    Examples:
      archive maintain
      archive maintain --regrade --lake s3://bucket/lake

    Exit status: 0 all done; 1 done, but some captures still have no grade; 2 wrong usage.
    """
    if regrade:
        preload("archive.intake.work")

    from archive.intake.maintain import maintain
    from archive.progress import RichReporter
    from archive.show import count_of, json_text

    with RichReporter(quiet or as_json) as reporter:
        result = maintain(location, regrade=regrade, workers=workers, reporter=reporter)
    if as_json:
        click.echo(json_text(result))
        sys.exit(1 if result.captures_kept else 0)
    if result.recovered:
        click.echo(f"Finished {count_of(result.recovered, 'commit')} that an earlier command had begun.")
    if regrade:
        click.echo(
            f"{count_of(result.files, 'file')} read again: {result.replaced:,} captures, now {result.captures:,}"
        )
        grades = ", ".join(f"{grade} {count:,}" for grade, count in sorted(result.grades.items()))
        click.echo(f"grades: {grades or 'none'}")
        for file, why in result.files_kept.items():
            click.echo(f"stays as it was: {why if file in why else f'{file}: {why}'}")
        if result.captures_kept:
            click.echo(f"{count_of(result.captures_kept, 'capture')} of the lake still without a grade")
    sys.exit(1 if result.captures_kept else 0)
