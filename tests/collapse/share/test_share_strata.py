"""The kind of a page is told by its address."""

from __future__ import annotations

import duckdb
import pytest

from archive.files import sql_literal
from collapse.share.counting.strata import KINDS, kind_sql


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://a.org", "front"),
        ("http://a.org/", "front"),
        ("https://a.org/index.html", "front"),
        ("https://a.org/?utm=1", "other"),
        ("http://a.org/privacy-policy", "legal"),
        ("http://a.org/legal/Terms.aspx", "legal"),
        ("http://forum.a.org/viewtopic.php?t=1", "forum"),
        ("http://a.org/forums/showthread.php?t=1", "forum"),
        ("http://a.org/product/12", "shop"),
        ("http://a.org/wiki/Page", "reference"),
        ("http://a.org/docs/install", "reference"),
        ("http://a.org/2015/03/x.html", "article"),
        ("http://a.org/blog/x", "article"),
        ("http://a.org/a-day-in-the-woods", "article"),
        ("http://a.org/a-day", "other"),
        ("http://news.a.org/x", "other"),
        ("http://a.org/newspaper", "other"),
        ("HTTP://A.ORG/BLOG/X", "article"),
        ("urn:isbn:1", "other"),
        ("", "other"),
        ("http://a.org/\n", "other"),
        (None, "other"),
    ],
)
def test_the_path_of_an_address_tells_the_kind_of_page(url: str | None, kind: str) -> None:
    assert kind in KINDS
    literal = "NULL::VARCHAR" if url is None else sql_literal(url)
    assert duckdb.sql(f"SELECT {kind_sql(literal)}").fetchall() == [(kind,)]
