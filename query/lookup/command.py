"""`archive lookup`: the command line of `query.lookup`."""

from __future__ import annotations

from typing import Any

import click

from archive.cli import complete_file, lake_option
from archive.extras import require


@click.command("lookup")
@click.argument("target", metavar="TEXT|FILE|URL|-", shell_complete=complete_file)
@lake_option
@click.option("--text", "target_is", flag_value="text", help="The target is a text, whatever it looks like.")
@click.option("--file", "target_is", flag_value="file", help="It is a file.")
@click.option("--url", "target_is", flag_value="url", help="It is the URL of a page, with or without http://.")
@click.option("-k", type=click.IntRange(1), default=5, show_default=True, help="Most texts of each kind.")
@click.option("--before", metavar="DATE", help="Only what was first seen before this moment (UTC).")
@click.option("--grade", type=click.Choice(list("ABCDE"), case_sensitive=False), default="D", show_default=True,
              help="The least grade of a capture that counts.")  # fmt: skip
@click.option("--kinds", metavar="KINDS", help="Search only these, as in exact,near.  [default: all]")
@click.option("--encoder", metavar="NAME", help="The encoder of the lake's vectors: a folder, or a name on the hub.")
@click.option("--least-cosine", type=click.FloatRange(-1, 1), default=0.7, show_default=True,
              help="Of texts that are called alike.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(location: str, target: str, as_json: bool, **options: Any) -> None:
    """Tell whether a text has been on the web before, and since when.

    Four kinds of answers are kept apart: the same text (exact), verified near-duplicates (near), texts that share runs
    of 15 words and more (quote), and texts about the same thing (alike). The last one is no evidence of anything. Each
    text has its first acceptable capture, and the record that proves it.

    A URL gives the history of its page, with what changed. A target that begins with http:// or https:// is a URL; one
    that names a file is that file, a text or a page of HTML; - is the standard input; anything else of several words is
    a text.

    \b
    Examples:
      archive lookup "It was the best of times, it was the worst of times" --before 2022-01-01
      archive lookup essay.txt
      archive lookup https://example.com/terms
      pbpaste | archive lookup - --kinds exact,near,quote --json
    """
    require("archive lookup", "index", "numba", "numpy")
    from archive.show import json_text
    from query.lookup.run import lookup
    from query.lookup.show import show

    found = lookup(location, target, **options)
    if as_json:
        click.echo(json_text(found))
    else:
        show(found)
