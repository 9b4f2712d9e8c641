"""The command `archive retract`."""

from __future__ import annotations

import click

from archive.cli import complete_file, lake_option


@click.command("retract")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=complete_file)
@lake_option
@click.option("--reason", required=True, metavar="TEXT", help="Why the source proves nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
def command(sources: tuple[str, ...], location: str, reason: str, as_json: bool) -> None:
    """Declare that what a source brought proves nothing.

    SOURCE is a file, a folder or a pattern, as it was ingested. Its captures stay in the lake with the problem
    `retracted`: no view and no export takes them as proof from now on. The table `retractions` keeps the reason.

    \b
    Examples:
      archive retract crawl/bad.warc.gz --reason "its clock was set back"
    """
    from archive.attestations.retract import retract
    from archive.show import count_of, json_text

    result = retract(location, sources, reason=reason)
    if as_json:
        click.echo(json_text(result))
        return
    if result.at is None:
        click.echo(f"{count_of(len(result.files), 'file')} retracted before; nothing to do")
    else:
        click.echo(f"{count_of(len(result.files), 'file')} retracted: {result.captures:,} captures prove nothing now")
