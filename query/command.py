"""`archive query`: SQL over a lake."""

from __future__ import annotations

import sys

import click
import duckdb

from archive.cli import lake_option
from archive.errors import QueryError
from query.output import FORMATS, write
from query.sql import ask


@click.command("query")
@click.argument("sql")
@lake_option
@click.option("--format", "-f", "form", type=click.Choice(FORMATS), help="[default: table on a terminal, else csv]")
def command(sql: str, location: str, form: str | None) -> None:
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
    Examples:
      archive query "SELECT month, count(*) FROM captures GROUP BY month ORDER BY month"
      archive query "SELECT url, text FROM documents WHERE first_seen < '2015-01-01'" -f jsonl > old.jsonl
      archive query "DESCRIBE captures"
    """
    try:
        write(ask(location, sql), form or ("table" if sys.stdout.isatty() else "csv"), sys.stdout)
    except duckdb.Error as error:  # some questions fail only while their rows are read
        raise QueryError(str(error).strip()) from None
