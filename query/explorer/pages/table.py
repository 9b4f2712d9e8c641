"""The table of all pages. The server, `--static` and the tests walk it."""

from __future__ import annotations

from query.explorer.pages import overview, search, set, site, text, url

_PAGES = (overview.PAGE, search.PAGE, set.PAGE, text.PAGE, verify.PAGE, url.PAGE, site.PAGE)
#: In the order of the menu.
PAGES: dict[str, Page] = {page.name: page for page in _PAGES}
