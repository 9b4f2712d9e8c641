"""The table of all pages. The server, `--static` and the tests walk it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from query.explorer.page import Page
from query.explorer.pages import map, overview, reports, search, set, site, text, topics, url, verify


def table(folders: Sequence[Path] = ()) -> dict[str, Page]:
    """Return the pages by name, in the order of the menu.

    Args:
        folders: in which reports are looked for.
    """
    of_texts = (text.PAGE, verify.PAGE, url.PAGE, site.PAGE)
    pages = (overview.PAGE, search.PAGE, set.PAGE, *of_texts, *topics.PAGES, *map.PAGES, *reports.pages(folders))
    return {page.name: page for page in pages}


PAGES = table()
