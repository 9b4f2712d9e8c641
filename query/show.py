"""`archive show`: a page through time, from its captures."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from datetime import datetime

import click
import duckdb
from rich import box
from rich.table import Table
from rich.text import Text

from archive.cli import lake_option
from archive.errors import QueryError
from archive.lake import Lake
from archive.show import OutConsole, count_of, json_text
from archive.sources import is_text
from query.sql import connect

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
#: A content id, or as much of the front of one as `show` prints.
_ID = re.compile(r"[0-9a-f]{12,64}")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
#: Characters of a text that a terminal gets without --full.
_SHOWN = 2000
#: Captures that are listed for people.
_ROWS = 100

_CAPTURES = """
SELECT captured_at, date_problem, date_source, record_type, content_id, url, title, file, "offset", skip
FROM captures WHERE {condition} ORDER BY captured_at NULLS LAST, file, "offset", skip
"""
_TEXT = "SELECT text, first_seen, url, chars FROM documents WHERE content_id = $1"
_HOST = """
SELECT url, count(*) AS captures FROM captures
WHERE regexp_replace(lower(url), '^https?://(www\\.)?', '') LIKE $1 ESCAPE '\\' GROUP BY url ORDER BY 2 DESC, 1 LIMIT 5
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One capture of a page."""

    captured_at: datetime | None
    date_problem: str | None  #: null, or why the date proves nothing
    date_source: str
    record_type: str
    content_id: str | None
    url: str
    title: str | None
    file: str
    offset: int
    skip: int


@dataclass(frozen=True, slots=True)
class History:
    """The captures of a page in the order of their dates, and one of its texts."""

    captures: list[Seen]
    content_id: str | None  #: of `text`
    text: str | None
    first_seen: datetime | None  #: of `text`, at any address
    first_url: str | None

    @property
    def texts(self) -> int:
        """How many different texts the page had."""
        return len({seen.content_id for seen in self.captures if seen.content_id})


def show(lake: Lake | str | os.PathLike[str], target: str, *, at: str | None = None) -> History:
    """Return the captures of a page, and one of its texts.

    Args:
        target: its URL, with or without scheme, `www.` and the last slash; or the content id of a text, or the first
            twelve of its digits.
        at: a date (`2015`, `2015-03`, `2015-03-31`): the text is the one that was seen last before its end; by
            default the last one.

    Raises:
        LakeError: there is no lake.
        QueryError: it has no such page, or `at` is no date.
    """
    if at is not None and not _DATE.fullmatch(at):
        raise QueryError(f"--at {at!r} is no date; write it as 2015, 2015-03 or 2015-03-31")
    if not target.strip():
        raise QueryError("name a URL, or the id of a text")
    if not is_text(target):
        raise QueryError(f"{target!r} is not UTF-8")
    with connect(lake) as db:
        is_id = _ID.fullmatch(target) is not None
        condition = "starts_with(content_id, $1)" if is_id else "url IN (SELECT unnest($1::VARCHAR[]))"
        found = db.execute(_CAPTURES.format(condition=condition), [target if is_id else _addresses(target)])
        captures = [Seen(*row) for row in found.fetchall()]
        if not captures:
            raise QueryError(f"{target}: the lake has no capture of it{_others(db, target)}")
        with_text = [seen for seen in captures if seen.content_id]
        if at is not None:
            with_text = [seen for seen in with_text if seen.captured_at and str(seen.captured_at)[: len(at)] <= at]
            if not with_text:
                raise QueryError(f"{target}: nothing was captured before the end of {at}")
        dated = [seen for seen in with_text if not seen.date_problem] or with_text
        content_id = dated[-1].content_id if dated else None
        row = db.execute(_TEXT, [content_id]).fetchone() if content_id else None
    text, first_seen, first_url, _ = row or (None, None, None, None)
    return History(captures, content_id, text, first_seen, first_url)


def _addresses(url: str) -> list[str]:
    """The ways in which captures may write the same address."""
    rest = _SCHEME.sub("", url)
    host, slash, path = rest.partition("/")
    hosts = {host, host.lower(), host.lower().removeprefix("www."), f"www.{host.lower().removeprefix('www.')}"}
    rests = {f"{each}{slash}{path}" for each in hosts}
    rests |= {each.rstrip("/") for each in rests} | {f"{each.rstrip('/')}/" for each in rests}
    return sorted({url, *(f"{scheme}://{each}" for scheme in ("http", "https") for each in rests)})


def _others(db: duckdb.DuckDBPyConnection, target: str) -> str:
    """What else the lake has of the host, to go on with."""
    host = _SCHEME.sub("", target).partition("/")[0].lower().removeprefix("www.")
    if not host:
        return ""
    plain = host.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    found = [url for url, _ in db.execute(_HOST, [f"{plain}%"]).fetchall()]
    return f"; of this host it has {', '.join(found)}" if found else ""


@click.command("show")
@click.argument("target", metavar="URL|ID")
@lake_option
@click.option("--at", metavar="DATE", help="Show the text that was seen last by then.  [default: the last one]")
@click.option("--full", is_flag=True, help="Show the whole text and all captures, on a terminal too.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(target: str, location: str, at: str | None, full: bool, as_json: bool) -> None:
    """Show a page through time: its captures, their dates, and its text.

    The page is named by its URL, with or without http://, www. and the last slash; or by the content id of a text.
    Each line is one capture: its date, or why that proves nothing; whether the text had changed; and the record
    that proves it.

    \b
    Examples:
      archive show example.com
      archive show http://www.iana.org/about --at 2015
      archive show example.com --json
    """
    history = show(location, target, at=at)
    if as_json:
        click.echo(json_text(history))
    else:
        _print(history, full or not sys.stdout.isatty())


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "—"


def _print(found: History, full: bool) -> None:
    console = OutConsole()
    captures = found.captures
    shown = captures if full else captures[:_ROWS]
    console.print(f"{count_of(len(captures), 'capture')}, {count_of(found.texts, 'text')}", highlight=False)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("captured at", "text", "record"):
        table.add_column(name, overflow="fold")
    before: str | None = None
    for seen in shown:
        when = _day(seen.captured_at) + (f" ({seen.date_problem})" if seen.date_problem else "")
        what = "no text" if seen.content_id is None else seen.content_id[:12]
        if seen.content_id is not None:
            what += " same" if seen.content_id == before else " new" if before is None else " changed"
            before = seen.content_id
        place = f"{seen.file} at {seen.offset}" + (f"+{seen.skip}" if seen.skip else "")
        table.add_row(Text(when), Text(what), Text(place))
    console.print(table)
    if len(captures) > len(shown):
        console.print(f"… and {len(captures) - len(shown):,} more; --full shows all")
    if found.text is None:
        console.print("None of them has a text.")
        return
    since = f"first seen {_day(found.first_seen)} at {found.first_url}" if found.first_seen else "no date proves it"
    console.print(f"Text {found.content_id}, {since}:\n", markup=False, highlight=False)
    text = found.text if full else found.text[:_SHOWN]
    console.print(text, markup=False, highlight=False)
    if len(text) < len(found.text):
        console.print(f"… and {len(found.text) - len(text):,} more characters; --full shows all")
