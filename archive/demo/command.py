"""`archive demo`: captures that the package writes itself go into a lake, and a checked set comes out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click

from archive import interrupt
from archive.errors import ArchiveError
from archive.extras import is_installed

#: The bound of the set: the last file of the demo was captured after it.
BEFORE = "2018-01-01"
_TEXTS = "SELECT first_seen::DATE AS first_seen, {near}captures, url FROM documents ORDER BY first_seen, url"
#: What `archive index` finds: since when each text, or a near-duplicate of it, is known.
_NEAR = "first_seen_near::DATE AS near, "
_ANY = re.compile(r".*", re.DOTALL)


@click.command("demo")
@click.argument("out", type=click.Path(), default="archive-demo")
def command(out: str) -> None:
    """Try the main job on a few captures that this command writes itself. Takes seconds, and no network.

    Writes four small archive files of invented pages, dated 2013 to 2020, into the folder OUT (./archive-demo), then
    runs the commands that it shows: ingest, index (where numba is installed), query, export and verify. Nothing
    outside OUT is changed. Run again, it goes on from what is there.
    """
    demo(out)


def demo(out: str | os.PathLike[str] = "archive-demo") -> Path:
    """Write the captures of the demo into a folder, and run the commands on them, each printed before it is run.

    Args:
        out: the folder; new, empty, or that of a demo before.

    Returns:
        the folder of the exported set.

    Raises:
        ArchiveError: the folder holds something that no demo made, or a command failed.
    """
    from archive.demo.captures import capture_files
    from archive.owned import Owned

    folder = Path(out)
    captures, lake, exported = folder / "captures", folder / "lake", folder / ("set-near" if _near() else "set")
    owned = Owned(folder, "demo", _ANY)  # the other commands look after their own folders
    with owned.entered():
        for name, content in capture_files().items():
            if not (captures / name).exists():
                owned.write_file(captures / name, content)
        for inner in (lake, exported):
            owned.work_in(inner)
        _tour(captures, ["--lake", str(lake)], exported)
    return exported


def _near() -> bool:
    return is_installed("numba")


def _tour(captures: Path, lake: list[str], exported: Path) -> None:
    """Run the commands of the main job."""
    click.echo(f"In {captures} are four archive files of invented pages, dated 2013 to 2020.\n")
    if _run("ingest", str(captures), *lake, allowed=(0, 1)):
        click.echo("The file of 2020 ends in the middle of a record, on purpose: hence the exit status.\n")
    if _near():
        _run("index", *lake)
    else:
        click.echo("Near-duplicates need numba: pip install 'lowbackground[index]', then run `archive demo` again.\n")
    _run("query", *lake, "--format", "table", _TEXTS.format(near=_NEAR if _near() else ""))
    if not (exported / "manifest.json").exists():
        _run("export", str(exported), *lake, "--before", BEFORE, *(["--near"] if _near() else []))
    _run("verify", str(exported), "--all")
    click.echo(f"{exported} holds the texts and their evidence; its README.md is the data card. Go on with:\n")
    click.secho(f"$ archive show www.example.org/lighthouse {shlex.join(lake)}", bold=True)
    click.secho(f"$ archive explore {shlex.join(lake)}", bold=True)
    if not is_installed("starlette"):
        click.echo("\nTo look at it in a browser, explore needs: pip install 'lowbackground[explore]'")


def _run(*words: str, allowed: tuple[int, ...] = (0,)) -> int:
    """Print a command, run it in a process of its own, and return its exit status.

    Raises:
        ArchiveError: its exit status is not one of those allowed.
    """
    click.secho(f"$ archive {shlex.join(words)}", bold=True)
    sys.stdout.flush()
    # -P: a folder or file `archive` in the current folder is not the program
    try:
        status = subprocess.run([sys.executable, "-P", "-m", "archive", *words]).returncode
    except KeyboardInterrupt:  # the command was stopped too, and printed its line
        sys.exit(interrupt.STATUS)
    if status not in allowed:
        raise ArchiveError(f"`archive {words[0]}` ended with exit status {status}")
    click.echo()
    return status
