"""`archive verify`: the command line of `query.verify`."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich import box
from rich.table import Table

from archive.cli import workers_option

#: Problems and findings that are shown one by one.
_SHOWN = 20


@click.command("verify")
@click.argument("target", type=click.Path(), metavar="OUT|LAKE")
@click.option("--rows", type=click.IntRange(0), default=100, show_default=True,
              help="Rows, chosen at random, to trace to the records they cite.")  # fmt: skip
@click.option("--all", is_flag=True, help="Trace every row.")
@click.option("--seed", type=int, help="Of the choice.  [default: another each time]")
@click.option("--root", metavar="HASH", help="The Merkle root, or content root, that the set is known to have.")
@click.option("--again", metavar="LAKE", type=click.Path(), help="Export the set again from this lake, and compare.")
@click.option("--moved", multiple=True, metavar="FROM=TO", help="Cited files that begin with FROM begin with TO now.")
@click.option("--seal", type=click.Path(), metavar="TOKEN", help="The time stamp that `archive seal` got.")
@click.option("--certificate", multiple=True, type=click.Path(), metavar="FILE",
              help="Root certificate of its authority, PEM or DER.  [default: those known here]")  # fmt: skip
@click.option("--trusted", multiple=True, metavar="FOLDER", type=click.Path(),
              help="Where alone records prove something: a folder, s3://… or https://…; repeatable.")  # fmt: skip
@click.option("--lake", type=click.Path(), metavar="LAKE",
              help="The lake whose time stamps, index lines and captures count for rows of grade A and B.")  # fmt: skip
@click.option("--network", is_flag=True, help="Ask the public servers that the rows cite.")
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(target: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Check the export in the folder or s3:// prefix OUT, what certify wrote there, or the records that a LAKE cites.

    First all hashes: the files, and the Merkle root over rows and evidence. Then, for a sample of the rows, the cited
    record is read from its file, and its address, date, grade, digest and extracted text are compared. Files on the
    network are read only with --network, or where --moved names the server. Exits with 1 where anything is wrong, gone,
    or could not be compared.

    \b
    Examples:
      archive verify set
      archive verify set --all --trusted /data/archives --again lake
      archive verify lake --rows 1000
      archive verify set --seal set.seal.tsr --certificate ca.pem
      archive verify set --all --moved /data/=https://data.commoncrawl.org/
    """
    from archive.engine import preload

    preload("query.verify.records", "query.verify.shards")

    from archive.progress import RichReporter
    from archive.show import OutConsole, json_text
    from query.verify.run import verify

    with RichReporter(quiet or as_json) as reporter:
        result = verify(target, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
        sys.exit(0 if result.sound else 1)
    console = OutConsole()
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    if result.shards:
        table.add_row("shards", f"{result.shards:,}")
    table.add_row("rows", f"{result.rows:,}")
    table.add_row("problems", f"{len(result.problems):,}")
    table.add_row("rows traced to their records", f"{result.traced:,}")
    table.add_row("  reached from the start of their files", f"{result.walked:,}", style="dim")
    for kind, count in result.kinds.items():
        table.add_row(f"  {kind}", f"{count:,}", style="dim")
    console.print(table)
    for problem in result.problems[:_SHOWN]:
        console.print(f"wrong: {problem}", markup=False, highlight=False)
    for finding in result.findings[:_SHOWN]:
        console.print(f"{finding.kind}: row {finding.row}: {finding.detail}", markup=False, highlight=False)
    if (more := len(result.problems[_SHOWN:]) + len(result.findings[_SHOWN:])) > 0:
        console.print(f"… and {more:,} more; --json shows all")
    if result.existed_by:
        console.print(f"existed by {result.existed_by:%Y-%m-%d %H:%M:%S} UTC, says {result.attested_by}")
    if result.sealed_units or result.unsealed_units:
        console.print(f"sealed units: {result.sealed_units:,} agree; {result.unsealed_units:,} came after the seal")
    if result.merkle_root:
        console.print(f"Merkle root  {result.merkle_root}\ncontent root {result.content_root}")
    sys.exit(0 if result.sound else 1)
