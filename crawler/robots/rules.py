"""What a robots.txt allows this crawler, by the status of the answer too, and what it says of others."""

from __future__ import annotations

from archive import site_rules
from archive.site_rules import LONGEST, Verdict, text_of
from crawler.options import TOKEN

#: Redirects that are followed, and seconds that a robots.txt is used (RFC 9309, 2.3.1.2 and 2.4).
REDIRECTS, KEPT = 5, 86400.0

__all__ = ["KEPT", "LONGEST", "REDIRECTS", "Rules", "Verdict"]


class Rules(site_rules.Rules):
    """The rules of an origin.

    Args:
        status: of the response behind all redirects; 0 where none came.
        body: of that response.
    """

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._why = ""
        if status // 100 == 4 and status != 429:
            self._why = f"open: robots.txt has the status {status}"
        elif status // 100 == 3:
            self._why = f"open: robots.txt redirects more than {REDIRECTS} times"
        elif status // 100 != 2:
            self._why = f"closed: robots.txt has the status {status}" if status else "closed: no robots.txt was had"
        super().__init__(text_of(body) if status // 100 == 2 else None, TOKEN)
        self.sitemaps = tuple(dict.fromkeys(self.parsed.sitemaps))[:1000]
        self.crawl_delay = float(getattr(self.group_of(TOKEN), "crawl_delay", None) or 0.0)

    @property
    def is_closed(self) -> bool:
        """Whether nothing may be fetched since the rules could not be had."""
        return self._why.startswith("closed")

    def verdict(self, url: str) -> Verdict:
        """Return whether a URL may be fetched, by which rule, and who else may not.

        >>> rules = Rules(200, b"User-agent: GPTBot\\nDisallow: /\\nUser-agent: *\\nDisallow: /private")
        >>> rules.verdict("http://example.com/a")
        Verdict(allowed=True, rule='no rule matches', shut_out=('GPTBot',))
        """
        return Verdict(not self.is_closed, self._why) if self._why else super().verdict(url)
