"""The table of all pages. The server, `--static` and the tests walk it."""

from __future__ import annotations

from query.explorer.page import Page
from query.explorer.pages import overview, set, text, verify

#: In the order of the menu.
PAGES: dict[str, Page] = {page.name: page for page in (overview.PAGE, set.PAGE, text.PAGE, verify.PAGE)}
