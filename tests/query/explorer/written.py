"""Checks a folder of pages: every link and every file that a page loads is there, and every id exists once."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class Parsed(HTMLParser):
    """What a page links to, loads, names, and has as elements."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.refers: list[str] = []  #: href and src
        self.ids: list[str] = []
        self.named: list[str] = []  #: ids that attributes name
        self.tags: set[str] = set()
        self.inline: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "action", "xlink:href"}:
                self.refers.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            elif name in {"for", "aria-labelledby", "aria-describedby", "headers"}:
                self.named += (value or "").split()
            elif name == "style" or name.startswith("on"):
                self.inline.append(name)


def faults(folder: Path) -> list[str]:
    """Return what is wrong with a folder of pages, a line each."""
    found = []
    pages = {path.resolve(): Parsed(path) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        own = path.relative_to(folder.resolve())
        found += [f"{own}: the id {each} twice" for each in page.ids if page.ids.count(each) > 1]
        found += [f"{own}: names {each}, which is not there" for each in page.named if each not in page.ids]
        for refers in page.refers:
            parts = urlsplit(refers)
            if parts.scheme or parts.netloc or parts.path.startswith("/"):
                found.append(f"{own}: leaves the folder: {refers}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or not target.is_relative_to(folder.resolve()):
                found.append(f"{own}: leads nowhere: {refers}")
            elif parts.fragment and parts.fragment not in pages[target].ids:
                found.append(f"{own}: no such place: {refers}")
    for path in folder.rglob("*.json"):
        twin: Any = json.loads(path.read_text())
        for link in [twin["address"], *twin["links"]]:
            if not (path.parent / unquote(link)).is_file():
                found.append(f"{path.name}: leads nowhere: {link}")
    return found
