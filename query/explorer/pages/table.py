"""The table of all pages. The server, `--static` and the tests walk it."""

from __future__ import annotations

from query.explorer.page import Page
from query.explorer.pages import overview, search, site, text, url

#: In the order of the menu.
PAGES: dict[str, Page] = {page.name: page for page in (overview.PAGE, search.PAGE, text.PAGE, url.PAGE, site.PAGE)}
