"""`archive verify`: the command line of `query.verify`."""

from __future__ import annotations

import json
import sys

import click
from rich import box
from rich.table import Table

from archive.cli import workers_option
from archive.errors import ExportError
from archive.show import OutConsole

#: Problems and findings that are told one by one.
_TOLD = 20


@click.command("verify")
@click.argument("out", type=click.Path())
@click.option("--rows", type=click.IntRange(0), default=100, show_default=True,
              help="Rows, chosen at random, to trace to the records they cite.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Trace every row.")
@click.option("--seed", type=int, help="Of the choice.  [default: another each time]")
@click.option("--root", metavar="HASH", help="The Merkle root, or content root, that the set is known to have.")
@click.option("--moved", multiple=True, metavar="FROM=TO", help="Cited files that begin with FROM lie at TO now.")
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(out: str, rows: int, every: bool, seed: int | None, root: str | None, moved: tuple[str, ...],
            workers: int | None, as_json: bool, quiet: bool) -> None:  # fmt: skip
    """Check the export in the folder OUT; or, if OUT is a lake, the records that its texts cite.

    First all hashes: the files, and the Merkle root over rows and evidence. Then, for a sample of the rows, the cited
    record is read where it lies (local, S3, or https by range), and its address, date, digest and extracted text
    are compared. Exits with 1 where anything is wrong, gone, or could not be compared.

    \b
    Examples:
      archive verify set
      archive verify lake --rows 1000
      archive verify set --all --moved /data/=https://data.commoncrawl.org/
    """
    from archive.engine import preload

    preload("query.verify.records", "query.verify.shards")

    from archive.progress import RichReporter
    from query.verify import verify
    from query.verify.report import KINDS

    with RichReporter(quiet or as_json) as reporter:
        report = verify(out, None if every else rows, seed, root, tuple(map(_moved, moved)), workers, reporter)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        console = OutConsole()
        table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
        table.add_column()
        table.add_column(justify="right")
        if report.shards:
            table.add_row("shards", f"{report.shards:,}")
        table.add_row("rows", f"{report.rows:,}")
        table.add_row("problems", f"{len(report.problems):,}")
        table.add_row("rows traced to their records", f"{report.traced:,}")
        for kind in KINDS:
            table.add_row(f"  {kind}", f"{report.kinds[kind]:,}", style="dim")
        console.print(table)
        for problem in report.problems[:_TOLD]:
            console.print(f"wrong: {problem}", markup=False, highlight=False)
        for finding in report.findings[:_TOLD]:
            console.print(f"{finding.kind}: row {finding.row}: {finding.detail}", markup=False, highlight=False)
        if (more := len(report.problems[_TOLD:]) + len(report.findings[_TOLD:])) > 0:
            console.print(f"… and {more:,} more; --json tells all")
        if report.root:
            console.print(f"Merkle root  {report.root}\ncontent root {report.content_root}")
    sys.exit(0 if report.is_sound else 1)


def _moved(value: str) -> tuple[str, str]:
    old, equals, new = value.partition("=")
    if not equals or not old:
        raise ExportError(f"--moved {value}: write it as FROM=TO")
    return old, new
