"""Turns an answer into HTML or JSON. All text of others is escaped here, in one way for all pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from archive.errors import visible, visible_line
from archive.evidence.grade import GRADES
from archive.reasons import DATE_PROBLEMS
from archive.show import bytes_text, count_of, json_text, plural
from query.domain import host_of
from query.explorer.addresses import domain_page, host_page, url_page
from query.explorer.draw.fields import fields
from query.explorer.draw.line import line
from query.explorer.draw.months import months
from query.explorer.draw.share import share
from query.explorer.draw.words import words
from query.explorer.page import Address, Answer, Page, to

_HERE = Path(__file__).parent
#: The most characters of a line that a page shows.
_LINE = 300
#: What the page of an error is called, by the status of HTTP.
_ERRORS = {400: "This address cannot be answered", 404: "Not found", 405: "Not allowed", 503: "Not yet"}


class Shown:
    """Shows the answers of a table of pages.

    Args:
        pages: by name.
        location: of the lake, for the commands.
        href: returns what a link to an address is in HTML, or None where it leads nowhere. By default, the path on a
            server; a folder of files needs another one.
        twin: the same for the JSON.
        static: where style and script are.
        note: what pages without a server say of themselves; None: there is a server.
    """

    def __init__(
        self,
        pages: Mapping[str, Page],
        location: str,
        href: Callable[[Address], str | None] | None = None,
        twin: Callable[[Address], str | None] | None = None,
        static: str = "/static",
        note: str | None = None,
    ) -> None:
        self._pages, self._location, self._static, self._note = pages, location, static, note
        self._href = href or (lambda address: pages[address.page].url(address))
        self._twin = twin or (lambda address: pages[address.page].url(address, twin=True))

    def html(self, page: Page, address: Address, answer: Answer) -> str:
        """Return a page as HTML."""

        declared = frozenset(answer.links)

        def href(target: Address) -> str | None:
            if target not in declared:
                raise ValueError(f"{page.name}: links to {target}, which its answer does not declare")
            return self._href(target) if target.page in self._pages else None

        def link(target: Address, words: object, kind: str = "") -> Markup:
            return _link(href(target), words, kind)

        def action(target: Address) -> str | None:
            """Return where a form is posted; None where there is no server."""
            if target not in declared or not self._pages[target.page].acts:
                raise ValueError(
                    f"{page.name}: posts to {target}, which its answer does not declare, or which does not act"
                )
            return self._href(target) if self._note is None else None

        return _rendered(
            f"{page.name}.html",
            page=page,
            title=answer.title,
            data=answer.data,
            link=link,
            form=lambda name: self._href(Address(name)) if self._note is None else None,
            action=action,
            href=href,
            frame=self._frame(page, answer.links),
            twin=self._twin(address) if page.is_short(address) else None,
            questions=answer.sql,
            command=self.command(answer),
        )  # fmt: skip

    def json(self, address: Address, answer: Answer, versions: Mapping[str, int]) -> str:
        """Return the same as JSON."""
        links = [self._href(each) for each in answer.links if each.page in self._pages]
        return json_text(
            {
                "title": answer.title,
                "address": self._href(address) if self._pages[address.page].is_short(address) else None,
                "data": answer.data,
                "sql": answer.sql,
                "command": self.command(answer),
                "links": [each for each in links if each is not None],
                "versions": dict(versions),
            }
        )

    def url(self, address: Address) -> str:
        """Return the URL of an address, from the root of the server on."""
        return self._pages[address.page].url(address)

    def error(self, status: int, line: str) -> str:
        """Return the page that says what is wrong."""
        title = _ERRORS.get(status, "This page failed")
        return _rendered(
            "error.html", page=None, title=title, status=status, line=line, frame=self._frame(None, ())
        )  # fmt: skip

    def waiting(self, line: str) -> str:
        """Return the page that is shown while something is made that a page needs; a browser asks again."""
        return _rendered("waiting.html", page=None, title="Not yet", line=line, frame=self._frame(None, ()))

    def command(self, answer: Answer) -> str:
        """Return the command that tells the same, to be copied."""
        return "archive " + shlex.join([*answer.command, "--lake", self._location])

    def _frame(self, page: Page | None, links: Sequence[Address]) -> dict[str, Any]:
        menu = [
            {"word": each.menu, "href": self._href(Address(each.name)), "is_here": each is page}
            for each in self._pages.values()
            if each.menu
        ]
        shown = [each for each in menu if each["href"]]
        return {"menu": shown, "static": self._static, "lake": self._location, "note": self._note}


def _link(href: str | None, words: object, kind: str) -> Markup:
    written = one_line(words)
    if not written.strip():  # whoever cannot see would hear nothing
        written = "(no name)"
    if href is None:
        return Markup('<span class="{}">{}</span>').format(kind, written)
    return Markup('<a class="{}" href="{}">{}</a>').format(kind, href, written)


def _rendered(template: str, **values: Any) -> str:
    """Return a page. Half a character, as the name of a file may have, is written out: UTF-8 has none."""
    html = _environment().get_template(template).render(**values)
    return html.encode("utf-8", "backslashreplace").decode()


def one_line(text: object, most: int = _LINE) -> str:
    """Return a text in one line, its controls written out, with how much was left out.

    >>> one_line("a" * 20, 8)
    'aaaaaaaa… (12 more characters)'
    """
    written = str(text)
    cut = visible_line(written[:most])
    return cut if len(written) <= most else f"{cut}… ({len(written) - most:,} more characters)"


def _prose(text: object, most: int = 600) -> Markup:
    """Return a sentence of this program as HTML, with its `commands` marked.

    >>> print(_prose("run `archive index` <first>"))
    run <code>archive index</code> &lt;first&gt;
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(one_line(text, most)))))


def _sentence(text: str) -> str:
    """Return a message as a sentence.

    The name of a parameter, as in `before: a day`, stays as it is.

    >>> _sentence("there is no such page")
    'There is no such page.'
    """
    first = text[:1] if re.match(r"\w+:", text) else text[:1].upper()
    return first + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


def _plain(value: Any, depth: int = 4) -> str:
    """Return a value of JSON in words; what is nested deeper, as it is written.

    >>> _plain(None), _plain(False), _plain({"words": 5, "near": [True, "a"]})
    ('none', 'no', 'words 5, near yes and a')
    """
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, Mapping) and depth:
        return ", ".join(f"{name} {_plain(each, depth - 1)}" for name, each in value.items()) or "none"
    if isinstance(value, list | tuple) and depth:
        return " and ".join(_plain(each, depth - 1) for each in value) or "none"
    return str(value)


def _moment(value: datetime | None) -> str:
    return "no date" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def _day(value: datetime | None) -> str:
    return "no date" if value is None else f"{value:%Y-%m-%d}"


def _percent(part: float, total: float) -> str:
    return f"{part / total:.1%}" if total else "–"


def _ungraded(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return counts by month as a picture takes them that has no grades."""
    return {month: {"": count} for month, count in counts.items()}


def _visible(value: Any) -> Any:
    """Write out the controls in whatever a template prints."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "line": one_line, "moment": _moment, "day": _day, "bytes": bytes_text, "json": json_text,
        "prose": _prose, "sentence": _sentence, "plain": _plain,
    }  # fmt: skip
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.globals |= {"date_problems": DATE_PROBLEMS, "plural": plural}
    environment.globals |= {
        "grades": GRADES, "count_of": count_of, "percent": _percent, "months": months, "time_line": line,
        "address": to, "word_diff": words, "url_page": url_page, "host_page": host_page, "domain_page": domain_page,
        "host_of": host_of, "share": share,
        "fields": fields, "ungraded": _ungraded,
    }  # fmt: skip
    return environment
