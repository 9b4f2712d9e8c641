"""`archive explore`: the command line of `query.explorer`."""

from __future__ import annotations

from typing import Any

import click

from archive.cli import Size, complete_folder, lake_option

#: As in `query.explorer.serve`, which is not imported for --help.
_PORT, _PAGES, _SIZE = 8765, 1000, 50 << 20


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
@click.option("--static", metavar="OUT", shell_complete=complete_folder,
              help="Serve nothing: write the pages into this folder, to be opened as they are.")  # fmt: skip
@click.option("--pages", type=click.IntRange(1), metavar="N", default=_PAGES, show_default=True,
              help="With --static: the most pages, the nearest to the first one.")  # fmt: skip
@click.option("--size", type=Size(), metavar="SIZE", default=_SIZE, show_default="50M",
              help="With --static: the most bytes of these pages.")  # fmt: skip
@click.option("--reports", metavar="FOLDER", multiple=True, shell_complete=complete_folder,
              help="Also show the results of export, certify, collapse and share in this folder or directly in a "
                   "folder of it; repeatable.  [default: the current one, if only this machine may look]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="With --static: print what was written as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(location: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Look at a lake in a browser: what it holds by month, and each text through time, with its evidence.

    Opens pages on loopback and serves them until Ctrl-C. The lake is only read. Every page has its SQL, a command,
    and the same as JSON, at the address that ends in .json.

    \b
    Examples:
      archive explore
      archive explore --lake s3://bucket/lake --port 9000
      archive explore --static pages/
    """
    from archive.errors import visible_line
    from archive.progress import RichReporter
    from archive.show import bytes_text, count_of, json_text
    from query.explorer.serve import explore

    with RichReporter(quiet or as_json or options["static"] is None) as reporter:
        written = explore(location, reporter=reporter, **options)
    if written is None:
        return
    if as_json:
        click.echo(json_text(written))
        return
    for problem in written.problems:
        click.echo(f"left out: {visible_line(problem)}", err=True)
    click.echo(f"{count_of(written.pages, 'page')}, {bytes_text(written.bytes)}: open {written.folder}/index.html")
    if written.left_out:
        click.echo(f"{count_of(written.left_out, 'page')} left out: --pages and --size allow more")
