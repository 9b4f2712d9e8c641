"""The command `archive`. Each subcommand lives in a module that is imported when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from archive.errors import ArchiveError

#: name -> (module, what the list of commands says of it)
_COMMANDS = {
    "ingest": ("archive.commands.ingest", "Bring web archives or data sets into the lake."),
    "index": ("index.command", "Find near-duplicates, and since when each text is known."),
    "quality": ("index.quality.command", "Measure the quality signals of texts that have none."),
    "certify": ("index.certify.command", "Tell which rows of a data set provably existed before a date."),
    "query": ("query.command", "Ask the lake in SQL."),
    "export": ("query.export.command", "Write a clean set as training shards, with the evidence for each row."),
    "verify": ("query.verify.command", "Check an export against its hashes and the records that it cites."),
    "collapse": ("collapse.command", "Train generations on what models wrote, and show what is lost."),
    "stats": ("query.stats", "Show what is in the lake."),
}


class _LazyGroup(click.Group):
    """A group that knows the names of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ArchiveError as error:
            click.echo(f"archive: {error}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("archive: stopped; the same command goes on from the last commit", err=True)
            sys.exit(130)
        except BrokenPipeError:
            sys.stderr.close()  # the reader of our output went away
            sys.exit(0)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lowbackground", prog_name="archive")
def main() -> None:
    """The web from before: a dated archive, each text once, with the earliest proof that it existed.

    The lake is a folder or an s3:// prefix: --lake, or $ARCHIVE_LAKE, or ./lake.
    """


def lake_option(command: Any) -> Any:
    """The --lake option that every command has."""
    return click.option(
        "--lake",
        "location",
        envvar="ARCHIVE_LAKE",
        default="lake",
        show_default="$ARCHIVE_LAKE, or ./lake",
        metavar="LAKE",
        help="The lake: a folder, or s3://bucket/prefix.",
    )(command)
