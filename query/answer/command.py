"""`archive query`: SQL over a lake."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator

import click

from archive.cli import lake_option
from archive.errors import QueryError
from query.answer.answerer import Answerer
from query.answer.prompt import prompt
from query.answer.target import FORMATS, format_of, open_target


@click.command("query")
@click.argument("sql", required=False)
@lake_option
@click.option(
    "--format",
    "-f",
    "format_",
    type=click.Choice(FORMATS),
    help="[default: by the ending of FILE; else table on a terminal, csv elsewhere]",
)
@click.option(
    "--out",
    "-o",
    metavar="FILE",
    default="-",
    help="Write the answer to FILE (.csv, .json, .jsonl, .parquet), all of it or nothing.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--memory",
    default="4GB",
    show_default=True,
    metavar="SIZE",
    help="Memory that DuckDB may use; up to 32GB more go to disk.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after this time."
)
def command(
    sql: str | None, location: str, format_: str | None, out: str, overwrite: bool, memory: str, timeout: float | None
) -> None:
    """Answer a question in SQL (DuckDB's), which can only read, and only the lake.

    Exit status: 0; 2 if the question cannot be answered; 130 if it was stopped.

    \b
    Views:
      captures    each time a page was seen: content_id, url, host, domain,
                  captured_at, year, month, date_source, date_problem, file,
                  offset, length, status, title, payload_digest, ...
      documents   each text once: content_id, first_seen, last_seen, year,
                  captures, url, host, domain, title, language, text; and of its
                  near-duplicates first_seen_near, witness_id, ...
      duplicates  verified pairs of near-duplicates: content_id, earlier_id,
                  similarity, cluster_id, ...
      clusters    the texts that such pairs connect
      quality     the signals of each text, and whether a preset keeps it
      embeddings  vectors of windows of texts: content_id, part, start, end, vector,
                  encoder
      likenesses  pairs of texts whose vectors are near, and which are no
                  near-duplicates: a, b, cosine
      topics      groups of texts about one thing: topic, name, words, texts
      text_topics the topic of each text: content_id, topic, similarity
      rejects     each record without a usable text: reason, detail, url, host,
                  domain, file, offset, ...
      sources     each file, or span of one, that was ingested
      site_rules  each robots.txt and tdmrep.json: origin, captured_at, text, ...
      opt_outs    what they said of each page when it was captured: shut_out,
                  usage, tdm_reserved, ...

    \b
    Macros:
      clean(before, after := , language := , near := , date_sources := ,
            honour_opt_outs := )
                  each text that provably existed before a date, with its proof
      first_seen_between(a, b)

    Without SQL, or with -, it is read from stdin; on a terminal there is a prompt.

    \b
    Examples:
      archive query "SELECT month, count(*) FROM captures GROUP BY month ORDER BY month"
      archive query "FROM clean('2022-01-01', language := 'en')" --format parquet --out clean.parquet
      archive query "DESCRIBE captures"
    """
    with _interrupted_in_one_line():
        at_prompt = sql is None and sys.stdin.isatty()
        if at_prompt and out != "-":
            raise QueryError("--out takes the answer to one question: archive query SQL --out FILE")
        if out != "-" and f"{os.path.realpath(out)}/".startswith(f"{os.path.realpath(location)}/"):
            raise QueryError(f"{out}: is in the lake; name a file outside of it")
        format_ = format_of(format_, out, sys.stdout.isatty())
        question = "" if at_prompt else sys.stdin.read() if sql in {None, "-"} else str(sql)
        with (
            tempfile.TemporaryDirectory(prefix="lowbackground-") as spill,
            open_target(out, overwrite) as target,
            Answerer(location, memory, spill, target, fork=True) as answerer,
        ):
            answerer.start()
            if at_prompt:
                prompt(lambda text: answerer.ask(text, format_, timeout))
            else:
                answerer.ask(question, format_, timeout)


@contextlib.contextmanager
def _interrupted_in_one_line() -> Iterator[None]:
    """End the command in one line at Ctrl-C, and silently when the reader of the answer closes its pipe."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # drops what Python still buffers
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo("archive: stopped", err=True)
        sys.exit(130)
