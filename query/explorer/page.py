"""What a page is: a path, its parameters, and a function from them to plain data. All else is done for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from query.explorer.context import Context, Question
from query.explorer.parameters import BadParameter, Parameter

#: The most characters of a URL of this server, with room for the host and the ending of the twin.
_URL = 6_000


@dataclass(frozen=True, slots=True)
class Address:
    """A page of the explorer with its parameters, as they are written in a URL."""

    page: str  #: its name
    parameters: tuple[tuple[str, str], ...] = ()


def to(page: str, **parameters: object) -> Address:
    """Return the address of a page.

    >>> to("text", content_id="ab12")
    Address(page='text', parameters=(('content_id', 'ab12'),))
    """
    return Address(page, tuple((name, str(value)) for name, value in parameters.items()))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page answers: plain data, which becomes HTML by the template of the page, and JSON as it is."""

    title: str
    data: Any  #: a frozen dataclass
    sql: tuple[Question, ...]  #: what was asked of the lake; `archive query` answers the same
    command: tuple[str, ...]  #: the words of the command that tells the same in a terminal
    links: tuple[Address, ...]  #: all pages that it links to, apart from those of the menu
    is_final: bool = True  #: false while something is worked on: whoever asks again may learn more
    better: Address | None = None  #: another page that answers this question: a browser is sent there


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the explorer."""

    name: str  #: also that of its template
    path: str  #: as in `/text/{content_id}`; parameters that are not in it are in the query
    answer: Callable[[Context, Mapping[str, Any]], Answer]
    parameters: tuple[Parameter, ...] = ()
    menu: str | None = None  #: its word in the menu; None: it is not there
    takes_form: bool = False  #: its parameters may also come as the body of a POST, where they may be long
    acts: bool = False  #: it has a button, by which its address is posted: `Context.posted`; such an answer is not kept
    is_endless: bool = False  #: it links to itself with ever other parameters: who follows all links never ends
    is_of_lake: bool = True  #: false: it may answer otherwise while the lake stays the same

    def parse(self, given: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Return the values of the parameters.

        Raises:
            BadParameter: one is unknown, missing, given twice, or not as it must be.
        """
        written: dict[str, str] = {}
        known = {each.name: each for each in self.parameters}
        for name, value in given:
            if name not in known:
                raise BadParameter(f"this page has no parameter {name[:40]!r}")
            if name in written:
                raise BadParameter(f"the parameter {name} is given twice")
            written[name] = value
        return {name: each.read(written.get(name)) for name, each in known.items()}

    def written(self, values: Mapping[str, Any]) -> Address:
        """Return the address of this page with these values; those that are the default are left out."""
        return Address(
            self.name,
            tuple(
                (each.name, str(values[each.name]))
                for each in self.parameters
                if values[each.name] is not None and str(values[each.name]) != each.default
            ),
        )

    def is_short(self, address: Address) -> bool:
        """Whether a browser can send this address, and a form need not be posted."""
        return len(self.url(address)) <= _URL

    def url(self, address: Address, twin: bool = False) -> str:
        """Return the URL of an address of this page, from the root of the server on; with `twin` that of its JSON."""
        path, rest = self.path, []
        for name, value in address.parameters:
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            else:
                rest.append((name, value))
        if twin:
            path = twin_of(path)
        return path + ("?" + urlencode(rest) if rest else "")


def twin_of(path: str) -> str:
    """Return the path of the JSON twin of a page.

    >>> twin_of("/"), twin_of("/search")
    ('/index.json', '/search.json')
    """
    return f"{path}index.json" if path.endswith("/") else f"{path}.json"
