"""Strata: texts are compared only with texts in the same language from the same kind of page.

Both are known without a look at the text, so that they cost nothing, and stay the same when a detector changes. The
kind is that of the address: words in its path, as sites of any language have them.
"""

from __future__ import annotations


def _word(*words: str) -> str:
    return rf"(^|[/._-])({'|'.join(words)})([/._?=-]|$)"


#: kind -> what the path of an address has, the first that fits. `other` is all else.
_KINDS = {
    "front": r"^/?(index\.\w{2,5}|default\.\w{2,5}|home)?/?$",
    "legal": _word("privacy", "terms", "tos", "legal", "polic(y|ies)", "cookies?", "imprint", "impressum"),
    "forum": _word(
        "forums?", "threads?", "topics?", "viewtopic", "showthread", "discussions?", "comments", "questions?"
    ),
    "shop": _word("shops?", "stores?", "products?", "items?", "cart", "catalog(ue)?", "categor(y|ies)", "buy", "dp"),
    "reference": _word("wikis?", "docs?", "documentation", "manuals?", "help", "faqs?", "support", "api"),
    # a date, a word, or a name of four words and more
    "article": r"/(19|20)\d\d/[01]?\d(/|$)|"
    + _word("news", "articles?", "stor(y|ies)", "blogs?", "posts?")
    + r"|/[^/?]+([-_][^-_/?]+){3,}/?([?]|$)",
}
OTHER = "other"
KINDS = (*_KINDS, OTHER)
#: Written without spaces between words: a run of letters is no word there.
UNSPACED = ("zh", "ja", "th", "lo", "km", "my", "bo", "dz")

_PATH = r"^[a-z][a-z0-9+.-]*://[^/?#]*([^#]*).*$"


def kind_sql(url: str) -> str:
    """Return SQL of the kind of page that an address is of.

    Args:
        url: an SQL expression.
    """
    path = f"regexp_extract(lower({url}), '{_PATH}', 1)"
    cases = " ".join(f"WHEN regexp_matches({path}, '{pattern}') THEN '{kind}'" for kind, pattern in _KINDS.items())
    is_address = f"coalesce(regexp_matches(lower({url}), '{_PATH}'), false)"
    return f"CASE WHEN NOT {is_address} THEN '{OTHER}' {cases} ELSE '{OTHER}' END"
