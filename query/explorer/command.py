"""`archive explore`: the command line of `query.explorer`."""

from __future__ import annotations

from typing import Any

import click

from archive.cli import lake_option

#: As in `query.explorer.serve`, which is not imported for --help.
_PORT = 8765


@click.command("explore")
@lake_option
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True,
              help="Listen on this port of 127.0.0.1; 0: a free one.")  # fmt: skip
@click.option("--host-name", metavar="NAME", multiple=True,
              help="Also answer to this name, as where a proxy is in front. More than one may be given.")  # fmt: skip
@click.option("--read-only-token", metavar="TOKEN", envvar="ARCHIVE_EXPLORE_TOKEN", show_envvar=True,
              help="Who looks must show it, once, with ?token=TOKEN.")  # fmt: skip
@click.option("--user-header", metavar="NAME",
              help="Who looks must have this header, which a proxy in front sets.")  # fmt: skip
@click.option("--encoder", metavar="NAME",
              help="The encoder for texts that are alike: a folder, or a name on the hub.")  # fmt: skip
@click.option("--network", is_flag=True,
              help="Verify may read records that are on other hosts, where the lake says that they are.")  # fmt: skip
def command(location: str, **options: Any) -> None:
    """Look at a lake in a browser: what it holds by month, and each text through time, with its evidence.

    Opens pages on loopback and serves them until Ctrl-C. The lake is only read. Every page has its SQL, a command,
    and the same as JSON, at the address that ends in .json.

    \b
    Examples:
      archive explore
      archive explore --lake s3://bucket/lake --port 9000
    """
    from query.explorer.serve import explore

    explore(location, **options)
