"""The prompt of `archive query`, with a history."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from archive import interrupt
from archive.errors import ArchiveError

_HELP = """A question is SQL that ends with a semicolon; it may have several lines. Ctrl-C stops it.
.tables  the views and macros     .help  this     .quit, exit  or Ctrl-D"""
_TABLES = """captures  documents  duplicates  clusters  quality  embeddings  likenesses
topics  text_topics  rejects  sources  attestations  retractions  site_rules  opt_outs
    DESCRIBE captures; shows the columns
clean(before, after := , language := , near := , date_sources := ,
      honour_opt_outs := )
first_seen_between(a, b)"""


def prompt(answer: Callable[[str], None]) -> None:
    """Read questions from the terminal until its end, and go on after errors."""
    with _history():
        click.echo("The lake can only be read. .help says more.")
        held = ""  # the lines of a question so far
        while True:
            try:
                line = input("   ...> " if held else "archive> ")
            except EOFError:
                click.echo()
                return
            except KeyboardInterrupt:
                interrupt.answered()
                click.echo()
                held = ""
                continue
            word = line.strip().lower()
            if not held and word.rstrip("; ") in {"exit", "quit"}:
                return
            if not held and word.rstrip("; ") == "help":
                word = ".help"
            if not held and word.startswith("."):
                if word in {".quit", ".exit"}:
                    return
                click.echo(_TABLES if word == ".tables" else _HELP)
                continue
            held = f"{held}\n{line}" if held else line
            if not held.strip():
                held = ""
            elif word.endswith(";"):
                question, held = held, ""
                _try(answer, question)


def _try(answer: Callable[[str], None], question: str) -> None:
    try:
        answer(question)
    except ArchiveError as error:
        click.echo(f"archive: {error}", err=True)
    except KeyboardInterrupt:
        interrupt.answered()
        click.echo("archive: stopped", err=True)


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Edit lines, and keep those of earlier sessions, where the system has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "lowbackground"
    file = state / "query_history"
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(1000)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the home cannot be written
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            readline.write_history_file(file)
            file.chmod(0o600)
