"""What a crawl has done so far: counts, reasons, hosts, as the database of the frontier has them."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter

from crawler.frontier.rows import DONE, FAILED, NOT_HAD, PRIVATE, REFUSED, SPIDER_ERROR, STATES, HostRow
from crawler.links.scope import host_of


class Report:
    """Answers questions about one crawl.

    Args:
        crawl: its number.
    """

    def __init__(self, db: sqlite3.Connection, crawl: int) -> None:
        self._db, self._crawl = db, crawl

    def why(self) -> str:
        """Return why the last run of the crawl ended; empty where it runs, or was killed."""
        row = self._db.execute("SELECT why FROM crawls WHERE id=?", (self._crawl,)).fetchone()
        return row[0] or "" if row else ""

    def counts(self) -> Counter[str]:
        """Return how many URLs of the crawl are in each state."""
        rows = self._db.execute("SELECT state, count(*) FROM urls WHERE crawl=? GROUP BY state", (self._crawl,))
        return Counter({STATES[state]: count for state, count in rows})

    def reasons(self) -> dict[str, int]:
        """Return how many URLs of the crawl were refused or failed, by reason."""
        rows = self._db.execute(
            "SELECT coalesce(reason, ''), count(*) FROM urls WHERE crawl=? AND state IN (2, 3) "
            "GROUP BY 1 ORDER BY 2 DESC",
            (self._crawl,),
        )
        return dict(rows.fetchall())

    def left_out(self) -> dict[str, int]:
        """Return how many links are not of the crawl, by reason."""
        rows = self._db.execute(
            "SELECT reason, count FROM left_out WHERE crawl=? AND count>0 ORDER BY 2 DESC, 1", (self._crawl,)
        )
        return dict(rows.fetchall())

    def answered(self) -> int:
        """Return from how many of the URLs that the crawl began with, or what they redirect to, a response came."""
        of_it = "SELECT count(*) FROM urls WHERE crawl=? AND depth=0 AND state<>0 AND status IS NOT NULL"
        return self._db.execute(of_it, (self._crawl,)).fetchone()[0]  # type: ignore[no-any-return]

    def spider_errors(self) -> int:
        """Return at how many pages the user's own spider failed."""
        of_it = "SELECT count(*) FROM urls WHERE crawl=? AND state=? AND reason=?"
        return self._db.execute(of_it, (self._crawl, DONE, SPIDER_ERROR)).fetchone()[0]  # type: ignore[no-any-return]

    def troubles(self, most: int) -> dict[str, str]:
        """Return origins from which nothing could be fetched when they were asked last, with why."""
        found: dict[str, str] = {}
        for origin, status, error in self._db.execute(
            f"SELECT origin, status, error FROM origins WHERE {NOT_HAD} ORDER BY origin LIMIT ?", (most,)
        ):
            found[origin] = f"{error or f'status {status}'}; robots.txt could not be had"
        for origin, error in self._db.execute(
            "SELECT origin, error FROM failing WHERE failures>0 ORDER BY origin LIMIT ?", (most,)
        ):
            found.setdefault(origin, error or "no connection")
        for (name,) in self._db.execute(
            "SELECT name FROM hosts WHERE crawl=? AND closed=? ORDER BY name LIMIT ?", (self._crawl, PRIVATE, most)
        ):
            found[name] = "a private address; --allow-private connects to it"
        return dict(list(found.items())[:most])

    def rests(self) -> tuple[int, int, float, str]:
        """Return how many hosts have URLs that wait, and how many of them rest for more than ten seconds; when the
        first host may be asked (seconds of the epoch; 0 where none waits), and why it rests.
        """
        now = time.time()
        failing = {
            origin: (ready, failures, error)
            for origin, ready, failures, error in self._db.execute("SELECT origin, ready, failures, error FROM failing")
        }
        hosts: dict[int, tuple[float, str]] = {}
        for number, name, ready, scheme in self._db.execute(
            "SELECT DISTINCT h.id, h.name, h.ready, substr(u.url, 1, 5) FROM urls u JOIN hosts h ON h.id=u.host "
            "WHERE u.state=0"
        ):
            until, failures, error = failing.get(f"{scheme.rstrip(':')}://{name}", (0.0, 0, ""))
            why = f"{error}, {failures} times" if until > ready else "it asked for peace"
            hosts[number] = min(hosts.get(number, (float("inf"), "")), (max(ready, until), why))
        first, why = min(hosts.values(), default=(0.0, ""))
        resting = sum(ready > now + 10 for ready, _ in hosts.values())
        return len(hosts), resting, first, why if first > now + 10 else ""

    def host_rows(self, most: int | None) -> list[HostRow]:
        """Return the hosts of the crawl, those with most URLs first."""
        failing: dict[str, list[tuple[float, str, str]]] = {}
        for origin, *rest in self._db.execute("SELECT origin, ready, closed, error FROM failing WHERE failures>0"):
            failing.setdefault(host_of(origin), []).append(tuple(rest))
        rows = self._db.execute(
            "SELECT h.name, h.ready, h.closed, sum(u.state=0), sum(u.state=1), sum(u.state=2), sum(u.state=3) "
            "FROM urls u JOIN hosts h ON h.id=u.host WHERE u.crawl=? GROUP BY h.id "
            "ORDER BY count(*) DESC, h.name LIMIT ?",
            (self._crawl, -1 if most is None else most),
        )
        found = []
        for name, ready, closed, *counts in rows:
            parts = failing.get(name, [])
            if parts and not counts[1]:  # where another scheme answers, the host is open
                ready = max(ready, min(part[0] for part in parts))
                closed = closed or min(part[1] for part in parts)
            error = "; ".join(sorted({part[2] for part in parts if part[2]}))
            found.append(HostRow(name, (counts[0], counts[1], counts[2], counts[3]), ready, closed, error))
        return found

    def not_fetched(self, most: int | None) -> list[tuple[str, str]]:
        """Return the URLs of the crawl that gave no response or were refused, with the reason; the first ones first."""
        rows = self._db.execute(
            "SELECT url, coalesce(reason, '') FROM urls WHERE crawl=? AND state IN (?, ?) ORDER BY state, id LIMIT ?",
            (self._crawl, FAILED, REFUSED, -1 if most is None else most),
        )
        return rows.fetchall()

    def statuses(self) -> dict[str, int]:
        """Return how many URLs of the crawl are done, by the status of the response."""
        rows = self._db.execute(
            "SELECT cast(status AS TEXT), count(*) FROM urls WHERE crawl=? AND state=1 GROUP BY 1 ORDER BY 1",
            (self._crawl,),
        )
        return dict(rows.fetchall())

    def responses(self) -> dict[str, int]:
        """Return how many URLs are done, by what came: pages, sitemaps, redirects, errors, answers of web archives."""
        rows = self._db.execute(
            "SELECT CASE WHEN kind NOT IN ('page', 'sitemap') THEN 'answer' WHEN status=304 THEN 'unchanged' "
            "WHEN status BETWEEN 300 AND 399 THEN 'redirect' WHEN status NOT BETWEEN 200 AND 299 THEN 'error' "
            "ELSE kind END, count(*) FROM urls WHERE crawl=? AND state=1 GROUP BY 1 ORDER BY 2 DESC, 1",
            (self._crawl,),
        )
        return dict(rows.fetchall())
