"""`archive show`: shows a page through time."""

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
from archive.errors import QueryError, visible, visible_line
from archive.lake import Lake
from archive.show import OutConsole, count_of, json_text
from archive.sources import is_text
from query.sql import connect

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
#: A content id, or its first digits, of which `show` prints twelve.
_ID = re.compile(r"[0-9a-f]{12,64}")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
#: The most characters of a text on a terminal without --full.
_SHOWN = 2000
#: The most captures that a terminal lists without --full.
_ROWS = 100

_CAPTURES = """
SELECT captured_at, date_problem, date_source, record_type, content_id, url, title, file, "offset", skip,
       grade
FROM captures WHERE {condition} ORDER BY captured_at NULLS LAST, file, "offset", skip
"""
_TEXT = "SELECT text, first_seen, url, chars FROM documents WHERE content_id = $1"
_HOST = """
SELECT url, count(*) AS captures FROM captures
WHERE regexp_replace(lower(url), '^https?://(www\\.)?', '') LIKE $1 ESCAPE '\\' GROUP BY url ORDER BY 2 DESC, 1 LIMIT 5
"""


@dataclass(frozen=True, slots=True)
class PageCapture:
    """One capture of a page."""

    captured_at: datetime | None
    date_problem: str | None  #: why the date proves nothing; null where it is acceptable
    date_source: str
    record_type: str
    content_id: str | None
    url: str
    title: str | None
    file: str
    offset: int
    skip: int
    grade: str  #: `archive.evidence.grade.GRADES`


@dataclass(frozen=True, slots=True)
class History:
    """The captures of a page, ordered by date, and one of its texts."""

    captures: list[PageCapture]
    content_id: str | None  #: of `text`
    text: str | None
    first_seen: datetime | None  #: of `text`, at any address
    first_url: str | None

    @property
    def texts(self) -> int:
        """How many different texts the page had."""
        return len({capture.content_id for capture in self.captures if capture.content_id})


def show(lake: Lake | str | os.PathLike[str], target: str, *, at: str | None = None) -> History:
    """Return the captures of a page, and one of its texts.

    Args:
        lake: a lake, or its location.
        target: its URL, with or without scheme, `www.` and the last slash; or the content id of a text, or the first
            twelve of its digits.
        at: a date (`2015`, `2015-03`, `2015-03-31`): the text is the one that was seen last before its end; by
            default the last one.

    Raises:
        LakeError: there is no lake.
        QueryError: the lake has no such page, or `at` is no date.
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
        rows = db.execute(_CAPTURES.format(condition=condition), [target if is_id else addresses(target)])
        captures = [PageCapture(*row) for row in rows.fetchall()]
        if not captures:
            raise QueryError(f"{target}: the lake has no capture of it{_others(db, target)}")
        with_text = [capture for capture in captures if capture.content_id]
        if at is not None:
            with_text = [
                capture for capture in with_text if capture.captured_at and str(capture.captured_at)[: len(at)] <= at
            ]
            if not with_text:
                raise QueryError(f"{target}: nothing was captured before the end of {at}")
        dated = [capture for capture in with_text if not capture.date_problem] or with_text
        content_id = dated[-1].content_id if dated else None
        row = db.execute(_TEXT, [content_id]).fetchone() if content_id else None
    text, first_seen, first_url, _ = row or (None, None, None, None)
    return History(captures, content_id, text, first_seen, first_url)


def addresses(url: str) -> list[str]:
    """Return the spellings of an address that captures may have."""
    rest = _SCHEME.sub("", url)
    host, slash, path = rest.partition("/")
    hosts = {host, host.lower(), host.lower().removeprefix("www."), f"www.{host.lower().removeprefix('www.')}"}
    rests = {f"{each}{slash}{path}" for each in hosts}
    rests |= {each.rstrip("/") for each in rests} | {f"{each.rstrip('/')}/" for each in rests}
    # an empty path is the path / (RFC 3986, 6.2.3)
    rests |= {each.replace("/?", "?", 1) for each in rests if each.partition("/")[2].startswith("?")}
    rests |= {each.replace("?", "/?", 1) for each in rests if "/" not in each.partition("?")[0]}
    return sorted({url, *(f"{scheme}://{each}" for scheme in ("http", "https") for each in rests)})


def _others(db: duckdb.DuckDBPyConnection, target: str) -> str:
    """Return which other pages of the host the lake has."""
    host = _SCHEME.sub("", target).partition("/")[0].lower().removeprefix("www.")
    if not host:
        return ""
    plain = host.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    urls = [url for url, _ in db.execute(_HOST, [f"{plain}%"]).fetchall()]
    return f"; of this host it has {', '.join(urls)}" if urls else ""


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


def _print(history: History, full: bool) -> None:
    console = OutConsole()
    captures = history.captures
    shown = captures if full else captures[:_ROWS]
    console.print(f"{count_of(len(captures), 'capture')}, {count_of(history.texts, 'text')}", highlight=False)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("captured at", "text", "record"):
        table.add_column(name, overflow="fold")
    before: str | None = None
    for capture in shown:
        when = _day(capture.captured_at) + (f" ({capture.date_problem})" if capture.date_problem else "")
        what = "no text" if capture.content_id is None else capture.content_id[:12]
        if capture.content_id is not None:
            what += " same" if capture.content_id == before else " new" if before is None else " changed"
            before = capture.content_id
        record = f"{capture.file} at {capture.offset}" + (f"+{capture.skip}" if capture.skip else "")
        table.add_row(Text(when), Text(what), Text(visible_line(record)))
    console.print(table)
    if len(captures) > len(shown):
        console.print(f"… and {len(captures) - len(shown):,} more; --full shows all")
    if history.text is None:
        console.print("None of them has a text.")
        return
    since = (
        f"first seen {_day(history.first_seen)} at {history.first_url}" if history.first_seen else "no date proves it"
    )
    console.print(f"Text {history.content_id}, {visible_line(since)}:\n", markup=False, highlight=False)
    text = history.text if full else history.text[:_SHOWN]
    console.print(visible(text), markup=False, highlight=False)
    if len(text) < len(history.text):
        console.print(f"… and {len(history.text) - len(text):,} more characters; --full shows all")
