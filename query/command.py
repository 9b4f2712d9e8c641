"""`archive query`: SQL over a lake."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click
import duckdb

from archive.cli import lake_option
from archive.errors import QueryError
from query.limits import bound_memory, within
from query.output import FORMATS, write, write_parquet
from query.prompt import prompt
from query.sql import answer, connect, said, stream


@click.command("query")
@click.argument("sql", required=False)
@lake_option
@click.option("--format", "-f", "form", type=click.Choice(FORMATS), help="[default: table on a terminal, else csv]")
@click.option("--out", "-o", metavar="FILE", default="-", help="Write the answer there, all or nothing. [default: -]")
@click.option(
    "--memory", default="4GB", show_default=True, metavar="SIZE", help="Use so much; up to 32GB more go to disk."
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after so long."
)
def command(sql: str | None, location: str, form: str | None, out: str, memory: str, timeout: float | None) -> None:
    """Ask the lake in SQL (DuckDB's). It can only read, and only the lake.

    \b
    Views:
      captures    each time a page was seen: content_id, url, captured_at, date_source, date_problem,
                  file, offset, length, status, title, payload_digest, ...
      documents   each text once: content_id, first_seen, last_seen, captures, url, title, language, text,
                  and of its near-duplicates first_seen_near, witness_id, cluster_id, ...
      duplicates  verified pairs of near-duplicates: content_id, earlier_id, similarity, cluster_id, ...
      clusters    the texts that hang together by such pairs
      rejects     each record that gave no text: reason, detail, url, file, offset, ...
      sources     each file, or span of one, that was ingested

    \b
    Macros:
      clean(before, after := , language := , near := , sources := , honour_opt_outs := )
                  each text that provably existed before a date, with its proof
      first_seen_between(a, b)

    With no SQL, or -, it is read from stdin; on a terminal there is a prompt.

    \b
    Examples:
      archive query "SELECT month, count(*) FROM captures GROUP BY month ORDER BY month"
      archive query "FROM clean('2022-01-01', language := 'en')" --format parquet --out clean.parquet
      archive query "DESCRIBE captures"
    """
    at_prompt = sql is None and sys.stdin.isatty()
    question = "" if at_prompt else sys.stdin.read() if sql in {None, "-"} else str(sql)
    form = form or ("table" if out == "-" and sys.stdout.isatty() else "csv")
    if form == "parquet" and out == "-" and sys.stdout.isatty():
        raise QueryError("Parquet is not for a terminal; --out FILE, or pipe it")
    with tempfile.TemporaryDirectory(prefix="lowbackground-") as spill, connect(location, memory, spill) as db:
        bound_memory(db)

        def ask(text: str) -> None:
            try:
                with within(timeout, db, spill), _target(out) as target:
                    if form == "parquet":
                        write_parquet(stream(db, text), target.buffer)
                    else:
                        write(answer(db, text), form, target)
            except (duckdb.Error, MemoryError) as error:
                raise said(error) from None

        try:
            prompt(ask) if at_prompt else ask(question)
        except BrokenPipeError:  # the reader has seen enough; what Python still holds for it goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _target(out: str) -> Iterator[TextIO]:
    """Standard output, or a file that is there only when it is whole."""
    if out == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    path = Path(out)
    try:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}-", delete=False
        )
    except OSError as error:
        raise QueryError(f"{out}: cannot be written ({error.strerror})") from None
    try:
        with file:
            yield file  # type: ignore[misc]
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(file.name, 0o666 & ~umask)
        os.replace(file.name, path)
    except OSError as error:
        raise QueryError(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        Path(file.name).unlink(missing_ok=True)
