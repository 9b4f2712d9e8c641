"""The frontier: which URLs wait, which are done, and what files have been written, in one SQLite database.

What a crawl knows changes in batches. A batch is one transaction: the lengths of the files, the pages that are done,
the links that were found. The files are synced before it. So after a kill at any moment the files are cut back to the
committed lengths, and each page is in them once.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from crawler.frontier.hosts import UNREACHABLE, Failing, Host, Task
from crawler.frontier.known import KnownFiles
from crawler.frontier.report import Report
from crawler.frontier.rows import (
    CALLS,
    CLOSED,
    DONE,
    FAILED,
    FAILING,
    HOST_BUDGET,
    MEMENTOS,
    NOT_HAD,
    PRIVATE,
    REFUSED,
    REPEATS,
    SCHEMA,
    SPIDER_ERROR,
    STATES,
    Batch,
    Crawl,
    File,
    Origin,
    Outcome,
    Payload,
)
from crawler.links.scope import Repeat, host_of, origin_of

#: The name of the database in the folder of a crawl.
NAME = "crawl.sqlite"
VERSION = 1
#: URLs of a host that are read at once; fewer where many hosts have some, so that about so many are in memory.
_READ, _IN_MEMORY = 100, 10_000
#: URLs whose hashes are kept, so that links that were seen lately cost no question to the database.
_SEEN = 200_000
#: Seconds that a host rests from the beginning of a run on, also where the clock was put back: a day, as Retry-After.
_LONGEST_REST = 86_400.0
#: Links to what is closed so are kept, refused: they may be fetched by a later run.
_KEPT = (UNREACHABLE, PRIVATE)
#: Reasons by which a narrower scope refuses what waits.
NARROWED = ("excluded", "not-included", "depth")


class Frontier:
    """Hands out URLs, one for each host at a time, and takes what became of them.

    Args:
        path: of the database; a new one is made.

    Raises:
        ValueError: another version wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16000", "temp_store=MEMORY"):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._one("PRAGMA user_version")
        if version == 0:
            with self._transaction():
                for statement in SCHEMA.split(";\n"):
                    if statement.strip():
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={VERSION}")
        elif version != VERSION:
            raise ValueError(f"{path}: the frontier of another version ({version}, this one has {VERSION})")
        self._db.executescript(MEMENTOS + CALLS + REPEATS + FAILING)
        self.most_of_host = 10_000  #: mementos of one host that a crawl of the past fetches
        self.batch = Batch()
        self.crawl = Crawl(0, "", 0.0, 0, 0, None, False)
        self._hosts: dict[int, Host] = {}
        self._ids: dict[str, int] = {}
        self._heap: list[tuple[float, int, Host]] = []
        self._count = itertools.count(1)
        self._out: set[int] = set()
        self._closed: dict[int, str] = {}
        self._closed_origins: set[str] = set()
        self._seen: tuple[set[int], set[int]] = set(), set()
        self.waiting = 0  #: URLs that wait, with those that were handed out
        self.states: Counter[str] = Counter()
        self.known = KnownFiles(self._db)

    def close(self) -> None:
        """Close the database. What was not committed is forgotten."""
        self._db.close()

    # crawls

    def last_crawl(self) -> Crawl | None:
        """Return the crawl that was begun last."""
        row = self._db.execute(
            "SELECT id, plan, seconds, pages, bytes, ended FROM crawls ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        number, plan, seconds, pages, size, ended = row
        return Crawl(number, plan, seconds, pages, size, ended, is_new=False)

    def begin(
        self,
        plan: str,
        seeds: Iterable[str],
        anew: bool,
        first: Iterable[tuple[str, str]] | None = None,
        allow_private: bool = False,
        host_pages: int = 0,
    ) -> Crawl:
        """Go on with the last crawl, or begin a new one: of each seed, and of what is found from there.

        A new crawl uses no robots.txt of an earlier one. One that goes on asks again for what had no answer.

        Args:
            first: what is asked for first, with its kind, where that is not the seeds.
            allow_private: what was refused for its private address waits again.
            host_pages: pages of a host; a host that had fewer than that may be asked again.
        """
        seeds = list(seeds)
        last = self.last_crawl()
        if last is None or anew:
            with self._transaction():
                self._db.execute("UPDATE urls SET state=?, reason='another crawl began' WHERE state=0", (REFUSED,))
                for table in ("repeats", "origins", "failing"):
                    self._db.execute(f"DELETE FROM {table}")
                self._db.execute("INSERT INTO crawls (plan, started) VALUES (?, ?)", (plan, time.time()))
            last = self.last_crawl()
            assert last is not None
            last.is_new = True
        else:
            with self._transaction():
                self._db.execute("UPDATE crawls SET ended=NULL, why=NULL, plan=? WHERE id=?", (plan, last.id))
                self._reopen(last.id, allow_private, host_pages)
            last.plan = plan
        self.crawl = last
        closed = self._db.execute("SELECT id, closed FROM hosts WHERE crawl=? AND closed <> ''", (last.id,))
        self._closed = dict(closed.fetchall())
        self._closed_origins.clear()
        self.states = self.report.counts()
        self.look_again()
        known = set(self.seeds())
        if new := [seed for seed in seeds if seed not in known]:  # a kill may have come in between, too
            asked = [(seed, "page") for seed in new] if first is None else first
            self.batch.links += [(url, kind, 0, None) for url, kind in asked]
            self.batch.seeds += new
            self.commit([], 0.0)
        return last

    def _reopen(self, crawl: int, allow_private: bool, host_pages: int) -> None:
        """Let what had no answer in earlier runs wait again, and ask once at once where a rest is for failures only."""
        reasons = [CLOSED, UNREACHABLE] + [PRIVATE] * allow_private
        marks = ", ".join("?" * len(reasons))
        self._db.execute(
            "UPDATE urls SET state=0, tries=0, reason=NULL WHERE crawl=? AND ((state=? AND status IS NULL) "
            f"OR (state=? AND reason IN ({marks})) OR (state=? AND reason=?))",
            (crawl, FAILED, REFUSED, *reasons, DONE, SPIDER_ERROR),
        )
        self._db.execute(f"UPDATE hosts SET closed='' WHERE crawl=? AND closed IN ({marks})", (crawl, *reasons))
        self._db.execute(f"DELETE FROM origins WHERE {NOT_HAD}")
        self._db.execute("UPDATE failing SET failures=0, rests=0, ready=0, closed='' WHERE closed<>''")
        self._db.execute(
            "UPDATE failing SET failures=failures-1, rests=rests-1, ready=0 WHERE ready>? AND failures>0 AND rests>0",
            (time.time(),),
        )
        open_ = "SELECT id FROM hosts WHERE crawl=? AND closed=? AND pages < ?"
        hosts = [number for (number,) in self._db.execute(open_, (crawl, HOST_BUDGET, host_pages))]
        for number in hosts:
            self._db.execute("UPDATE hosts SET closed='' WHERE id=?", (number,))
            self._db.execute(
                "UPDATE urls SET state=0, reason=NULL WHERE crawl=? AND host=? AND state=? AND reason=?",
                (crawl, number, REFUSED, HOST_BUDGET),
            )

    def refit(self, reason_of: Callable[[str, int], str]) -> None:
        """Refuse what waits and is not of the crawl any more; what was refused so and is of it now waits again.

        Args:
            reason_of: takes a URL and its depth, and returns why it is not of the crawl; empty where it is.
        """
        marks = ", ".join("?" * len(NARROWED))
        with self._transaction():
            self._db.execute(
                f"UPDATE urls SET state=0, reason=NULL WHERE crawl=? AND state=? AND reason IN ({marks})",
                (self.crawl.id, REFUSED, *NARROWED),
            )
            waiting = "SELECT id, url, depth FROM urls WHERE crawl=? AND state=0 AND kind='page' AND depth>0"
            refused = [
                (REFUSED, reason, number)
                for number, url, depth in self._db.execute(waiting, (self.crawl.id,))
                if (reason := reason_of(url, depth))
            ]
            self._db.executemany("UPDATE urls SET state=?, reason=? WHERE id=?", refused)
        self._hosts.clear()
        self._heap.clear()
        self.states = self.report.counts()
        self.look_again()

    def remember(self, options: str) -> None:
        """Keep what the crawl was asked to do, as JSON, for the next run."""
        self._db.execute("INSERT OR REPLACE INTO given VALUES (?, ?)", (self.crawl.id, options))

    def given(self) -> str:
        """Return what the last run of the crawl was asked to do, as JSON; empty where it is not known."""
        row = self._db.execute("SELECT options FROM given WHERE crawl=?", (self.crawl.id,)).fetchone()
        return row[0] if row else ""

    def look_again(self) -> None:
        """Count what waits at each host, where nothing is on its way."""
        self.waiting = 0
        for number, count in self._db.execute("SELECT host, count(*) FROM urls WHERE state=0 GROUP BY host"):
            host = self._host(number)
            host.left = count
            self.waiting += count
            self._push(host)

    def end(self, why: str) -> None:
        """Note why the run ended; the crawl is over where nothing waits."""
        ended = None if self.waiting else time.time()
        with self._transaction():
            self._db.execute("UPDATE crawls SET ended=?, why=? WHERE id=?", (ended, why, self.crawl.id))

    def seeds(self) -> list[str]:
        """Return the seeds of the crawl, and where they redirected to."""
        return [seed for (seed,) in self._db.execute("SELECT seed FROM scope WHERE crawl=?", (self.crawl.id,))]

    # handing out

    def take(self) -> Task | None:
        """Hand out the next URL of a host that may be asked now."""
        now = time.monotonic()
        while self._heap and self._heap[0][0] <= now:
            _, number, host = heapq.heappop(self._heap)
            if host.entry != number:  # it is there again, for earlier
                continue
            host.entry = 0
            if host.busy:
                continue
            if host.ready > now:
                self._push(host)
                continue
            task = self._next(host)
            if task is not None:
                host.busy = True
                self._out.add(task.id)
                return task
            self._push(host)
        return None

    def next_ready(self) -> float | None:
        """Return when the next host may be asked, by the monotonic clock; None where no URL waits for its host."""
        return self._heap[0][0] if self._heap else None

    @property
    def out(self) -> int:
        """How many URLs were handed out and are not committed."""
        return len(self._out)

    @property
    def resting(self) -> int:
        """How many hosts with waiting URLs are left in peace for longer than ten seconds."""
        soon = time.monotonic() + 10
        return sum(ready > soon and host.entry == number for ready, number, host in self._heap)

    @property
    def active_hosts(self) -> int:
        """How many hosts have URLs that wait or are on their way."""
        return len(self._hosts)

    def ready_of(self, name: str) -> float:
        """Return when a host may be asked, by the monotonic clock; 0 where nothing waits for it."""
        host = self._active(name)
        return host.ready if host is not None else 0.0

    def rest(self, name: str, until: float) -> None:
        """Leave a host in peace until then, if something waits for it."""
        host = self._active(name)
        if host is not None:
            host.ready = max(host.ready, until)

    def _active(self, name: str) -> Host | None:
        row = self._db.execute("SELECT id FROM hosts WHERE name=?", (name,)).fetchone()
        return self._hosts.get(row[0]) if row else None

    def _next(self, host: Host) -> Task | None:
        if host.closed or not (host.queue or host.left):
            return None
        host.parked = 0.0
        resting = host.resting(time.monotonic())
        at = self._first(host, resting)
        if at is None:
            self._read(host, resting)
            at = self._first(host, resting)
        if at is None:
            if resting:
                host.parked = min(resting.values())
            else:
                host.left = 0
            return None
        host.left -= 1
        task = host.queue[at]
        del host.queue[at]
        return task

    @staticmethod
    def _first(host: Host, resting: dict[str, float]) -> int | None:
        """Return which URL of a queue comes first of those whose scheme does not rest."""
        return next((at for at, task in enumerate(host.queue) if task.url.partition(":")[0] not in resting), None)

    def _read(self, host: Host, resting: dict[str, float]) -> None:
        """Read URLs that wait for a host into its queue; none of the schemes that rest."""
        most = max(min(_READ, _IN_MEMORY // len(self._hosts)), 5)
        there = {task.id for task in host.queue}
        but = " AND substr(u.url, 1, ?)<>?" * len(resting)
        starts = [each for scheme in resting for each in (len(scheme) + 1, f"{scheme}:")]
        rows = self._db.execute(
            "SELECT u.id, u.url, u.kind, u.depth, u.tries, v.url, u.etag, u.modified, u.payload FROM urls u "
            f"LEFT JOIN urls v ON v.id = u.via WHERE u.state=0 AND u.host=?{but} ORDER BY u.depth, u.id LIMIT ?",
            (host.id, *starts, most + len(self._out)),
        )
        for number, url, kind, *rest in rows:
            if number not in self._out and number not in there and len(host.queue) < most + len(there):
                host.queue.append(Task(number, url, host, kind, *rest))

    def _push(self, host: Host) -> None:
        if not (host.busy or host.entry or host.closed) and (host.queue or host.left):
            host.entry = next(self._count)
            heapq.heappush(self._heap, (max(host.ready, host.parked), host.entry, host))
        elif not (host.busy or host.entry or host.queue or host.left):
            self._hosts.pop(host.id, None)

    # what became of it

    def release(self, host: Host) -> None:
        """Take note that nothing is on its way to a host; `host.ready` is when it may be asked again."""
        host.busy = False
        self.batch.hosts[host.id] = host
        if host.closed:
            self._refuse_all(host)
        for scheme, part in host.failing.items():
            origin = f"{scheme}://{host.name}"
            if part.closed and origin not in self._closed_origins:
                self._closed_origins.add(origin)
                self.refuse_all(host, f"{origin}/", part.closed)
        self._push(host)

    def done(self, task: Task, outcome: Outcome) -> None:
        """Take what became of a URL. It counts with the next commit."""
        self.batch.done.append((task, outcome))

    def put_back(self, task: Task, tried: bool = True) -> None:
        """Take a URL back, to be handed out again."""
        if tried:
            task.tries += 1
            self.batch.again.append(task)
        self._out.discard(task.id)
        task.host.left += 1
        task.host.queue.appendleft(task)

    def found(self, url: str, depth: int, via: int | None, kind: str = "page", call: str = "") -> None:
        """Take a normal URL that was found. It waits from the next commit on, unless the crawl knows it.

        Args:
            call: what the user's own spider does with the answer.
        """
        mark = hash(url)
        new, old = self._seen
        if mark in new or mark in old:
            return
        if len(new) >= _SEEN:
            self._seen = set(), new
        self._seen[0].add(mark)
        self.batch.links.append((url, kind, depth, via))
        if call:
            self.batch.calls[url] = call

    def widen(self, seed: str) -> None:
        """Take the URL that a seed redirected to as a further seed."""
        self.batch.seeds.append(seed)

    def refuse_all(self, host: Host, start: str, reason: str) -> None:
        """Refuse all URLs of a host that begin so; those that are on their way are not."""
        self.batch.refusals.append((host, start, reason))
        kept = [task for task in host.queue if not task.url.startswith(start)]
        host.queue.clear()
        host.queue.extend(kept)

    def _refuse_all(self, host: Host) -> None:
        self._closed[host.id] = host.closed
        self.refuse_all(host, "", host.closed)

    def pending(self) -> int:
        """Return how much the next commit has to write."""
        batch = self.batch
        return len(batch.done) + len(batch.again) + len(batch.links) + len(batch.origins) + len(batch.refusals)

    def commit(self, files: Iterable[File], seconds: float) -> None:
        """Write what happened since the last commit, in one transaction. The files must be synced.

        Args:
            seconds: that the run has taken since the last commit.
        """
        batch, self.batch = self.batch, Batch()
        crawl = self.crawl
        new: Counter[int] = Counter()
        with self._transaction():
            db = self._db
            db.executemany(
                "INSERT INTO files (id, name, info, crawl, length, records, closed, sha256) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET length=excluded.length, "
                "records=excluded.records, closed=excluded.closed, sha256=excluded.sha256",
                [(f.id, f.name, f.info, f.crawl, f.length, f.records, f.closed, f.sha256) for f in files],
            )
            db.executemany(
                "INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (
                        p.identity,
                        p.sha1,
                        p.digest,
                        p.length,
                        p.url,
                        p.date,
                        p.record,
                        p.container,
                        p.file,
                        p.offset,
                        p.size,
                    )
                    for p in batch.payloads
                ],
            )
            db.executemany("INSERT INTO lines VALUES (?, ?)", batch.lines)
            db.executemany(
                "UPDATE urls SET state=?, status=?, fetched=?, etag=?, modified=?, payload=coalesce(?, payload), "
                "reason=? WHERE id=?",
                [(o.state, o.status, o.fetched, o.etag, o.modified, o.payload, o.reason, t.id) for t, o in batch.done],
            )
            db.executemany("UPDATE urls SET tries=? WHERE id=?", [(task.tries, task.id) for task in batch.again])
            db.executemany("INSERT OR IGNORE INTO scope VALUES (?, ?)", [(seed, crawl.id) for seed in batch.seeds])
            db.executemany(
                "INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(o.origin, o.fetched, o.status, o.body, o.record, o.url, o.error, o.tdm_record, o.tdm_status)
                 for o in batch.origins],
            )  # fmt: skip
            db.executemany(
                "INSERT OR REPLACE INTO repeats VALUES (?, ?, ?, ?, ?)",
                [(crawl.id, r.folder, r.payload, r.count, r.closed) for r in batch.repeats.values()],
            )
            refused = 0
            for host, start, reason in batch.refusals:
                refused += self._refuse(host, start, reason)
            for url, kind, depth, via in batch.links:
                number = self._host_id(url)
                closed = self._closed.get(number) or (UNREACHABLE if origin_of(url) in self._closed_origins else None)
                if closed is not None and closed not in _KEPT:
                    batch.left_out[closed] += 1
                    continue
                state = 0 if closed is None else REFUSED
                added = db.execute(
                    "INSERT INTO urls (url, host, crawl, state, kind, depth, via, reason) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (url) DO UPDATE SET crawl=excluded.crawl, state=excluded.state, kind=excluded.kind, "
                    "depth=excluded.depth, via=excluded.via, tries=0, reason=excluded.reason "
                    "WHERE urls.crawl < excluded.crawl",
                    (url, number, crawl.id, state, kind, depth, via, closed),
                ).rowcount
                if closed is None:
                    new[number] += added
                else:
                    self.states["refused"] += added
                if added and url in batch.calls:
                    db.execute("INSERT OR REPLACE INTO calls VALUES (?, ?, ?)", (crawl.id, url, batch.calls[url]))
            if batch.items is not None:
                db.execute("INSERT OR REPLACE INTO items VALUES (1, ?)", (batch.items,))
            self._choose(batch, new)
            self._save_hosts(batch.hosts.values())
            db.executemany(
                "INSERT INTO left_out VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(crawl.id, reason, count) for reason, count in batch.left_out.items()],
            )
            crawl.seconds += seconds
            crawl.pages += batch.pages
            crawl.bytes += batch.bytes
            db.execute(
                "UPDATE crawls SET seconds=?, pages=?, bytes=? WHERE id=?",
                (crawl.seconds, crawl.pages, crawl.bytes, crawl.id),
            )
        for task, outcome in batch.done:
            self._out.discard(task.id)
            self.states[STATES[outcome.state]] += 1
        self.states["refused"] += refused
        self.waiting += new.total() - len(batch.done) - refused
        self.states["waiting"] = self.waiting
        for number, count in new.items():
            if count:
                gained = self._host(number)
                gained.left += count
                if gained.parked:  # what is new may be of a scheme that does not rest
                    gained.parked = 0.0
                    gained.entry = 0
                self._push(gained)

    def _choose(self, batch: Batch, new: Counter[int]) -> None:
        """Keep the last capture of each page, redirects only where there is nothing else; have them fetched in the end.

        That is when no question to the CDX API waits any more: only then it is known which capture is the last.
        """
        self._db.executemany(
            "INSERT INTO mementos (crawl, key, page, stamp, url, host, line, digest, via, depth) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (crawl, key) DO UPDATE SET page=excluded.page, "
            "stamp=excluded.stamp, url=excluded.url, host=excluded.host, line=excluded.line, digest=excluded.digest, "
            "via=excluded.via WHERE (excluded.page, excluded.stamp) > (mementos.page, mementos.stamp)",
            [
                (self.crawl.id, c.key, c.is_page, c.stamp, c.url, c.host, c.line, c.digest, c.via, c.depth)
                for c in batch.candidates
            ],
        )
        if not any(task.kind == "cdx" for task, _ in batch.done):
            return
        waiting = "SELECT 1 FROM urls WHERE state=0 AND kind='cdx' LIMIT 1"
        chosen = "SELECT url FROM mementos WHERE crawl=? LIMIT 1"
        first = self._db.execute(chosen, (self.crawl.id,)).fetchone()
        if first is None or self._db.execute(waiting).fetchone():
            return
        number = self._host_id(first[0])
        if number in self._closed:
            batch.left_out[self._closed[number]] += 1
            return
        is_closed = origin_of(first[0]) in self._closed_origins
        state, reason = (REFUSED, UNREACHABLE) if is_closed else (0, None)
        numbered = "SELECT *, row_number() OVER (PARTITION BY host ORDER BY key) AS n FROM mementos WHERE crawl=?"
        count = self._db.execute(
            "INSERT INTO urls (url, host, crawl, state, kind, depth, via, reason) "
            f"SELECT url, ?, crawl, ?, 'page', depth, via, ? FROM ({numbered}) WHERE n <= ? "
            "ON CONFLICT (url) DO UPDATE SET crawl=excluded.crawl, state=excluded.state, kind=excluded.kind, "
            "depth=excluded.depth, via=excluded.via, tries=0, reason=excluded.reason "
            "WHERE urls.crawl < excluded.crawl",
            (number, state, reason, self.crawl.id, self.most_of_host),
        ).rowcount
        if is_closed:
            self.states["refused"] += count
        else:
            new[number] += count

    def _refuse(self, host: Host, start: str, reason: str) -> int:
        """Refuse what waits for a host, but what is on its way."""
        out = [(number,) for number in self._out]
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS out (id INTEGER PRIMARY KEY)")
        self._db.execute("DELETE FROM temp.out")
        self._db.executemany("INSERT INTO temp.out VALUES (?)", out)
        of_it = "state=0 AND host=? AND substr(url, 1, ?)=? AND id NOT IN (SELECT id FROM temp.out)"
        refused = self._db.execute(
            f"UPDATE urls SET state=?, reason=? WHERE {of_it}", (REFUSED, reason, host.id, len(start), start)
        ).rowcount
        left = "SELECT count(*) FROM urls WHERE state=0 AND host=? AND id NOT IN (SELECT id FROM temp.out)"
        host.left = self._db.execute(left, (host.id,)).fetchone()[0]
        return refused

    def _save_hosts(self, hosts: Iterable[Host]) -> None:
        now, clock, crawl = time.time(), time.monotonic(), self.crawl.id
        self._db.executemany(
            "UPDATE hosts SET crawl=?, pages=?, ready=?, crawl_delay=?, pause=?, closed=? WHERE id=?",
            [(crawl, h.pages, now + h.ready - clock, h.crawl_delay, h.pause, h.closed, h.id) for h in hosts],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO failing VALUES (?, ?, ?, ?, ?, ?)",
            [
                (f"{scheme}://{host.name}", p.failures, p.rests, now + p.ready - clock, p.closed, p.error)
                for host in hosts
                for scheme, p in host.failing.items()
            ],
        )

    # what it knows

    def _host_id(self, url: str) -> int:
        name = host_of(url)
        number = self._ids.get(name)
        if number is None:
            row = self._db.execute("SELECT id FROM hosts WHERE name=?", (name,)).fetchone()
            number = row[0] if row else self._db.execute("INSERT INTO hosts (name) VALUES (?)", (name,)).lastrowid
            if len(self._ids) > 20_000:
                self._ids.clear()
            self._ids[name] = number  # type: ignore[assignment]
        return number  # type: ignore[return-value]

    def _host(self, number: int) -> Host:
        host = self._hosts.get(number)
        if host is None:
            name, crawl, pages, ready, delay, pause, closed = self._db.execute(
                "SELECT name, crawl, pages, ready, crawl_delay, pause, closed FROM hosts WHERE id=?", (number,)
            ).fetchone()
            host = self._hosts[number] = Host(number, name)
            host.ready = time.monotonic() + min(max(ready - time.time(), 0.0), _LONGEST_REST)
            if crawl == self.crawl.id:
                host.pages, host.closed = pages, closed
                host.crawl_delay, host.pause = delay, pause
            of_it = "SELECT origin, failures, rests, ready, closed, error FROM failing WHERE origin IN (?, ?)"
            for origin, failures, rests, ready, closed, error in self._db.execute(
                of_it, (f"http://{name}", f"https://{name}")
            ):
                rest = time.monotonic() + min(ready - time.time(), _LONGEST_REST)
                host.failing[origin.partition(":")[0]] = Failing(failures, rests, rest, closed, error)
        return host

    def payload(self, identity: bytes) -> Payload | None:
        """Return where bytes were first seen, if that is committed."""
        row = self._db.execute("SELECT * FROM payloads WHERE sha256=?", (identity,)).fetchone()
        return Payload(*row) if row else None

    def repeats(self) -> Iterator[Repeat]:
        """Yield the folders of the crawl that gave payloads, first those that gave the same one most often."""
        rows = self._db.execute(
            "SELECT folder, payload, count, closed FROM repeats WHERE crawl=? ORDER BY count DESC", (self.crawl.id,)
        )
        for folder, payload, count, closed in rows:
            yield Repeat(folder, payload, count, bool(closed))

    def call(self, url: str) -> str:
        """Return what the user's own spider does with the answer for a URL."""
        row = self._db.execute("SELECT call FROM calls WHERE crawl=? AND url=?", (self.crawl.id, url)).fetchone()
        return row[0] if row else ""

    def items(self) -> int:
        """Return how many bytes of the file of items are committed."""
        row = self._db.execute("SELECT length FROM items").fetchone()
        return row[0] if row else 0

    def candidate(self, url: str) -> tuple[str, str]:
        """Return the line of the CDX API that named a raw memento, and the digest in it; empty where none did."""
        row = self._db.execute(
            "SELECT line, digest FROM mementos WHERE url=? AND crawl=?", (url, self.crawl.id)
        ).fetchone()
        return row or ("", "")

    def has_candidate(self, key: str) -> bool:
        """Return whether the crawl has a capture of a page."""
        row = self._db.execute("SELECT 1 FROM mementos WHERE crawl=? AND key=?", (self.crawl.id, key)).fetchone()
        return row is not None

    def done_of(self, kind: str) -> Iterator[str]:
        """Yield the URLs of a kind of which the crawl has an answer."""
        of_kind = "SELECT url FROM urls WHERE crawl=? AND kind=? AND state<>0"
        for (url,) in self._db.execute(of_kind, (self.crawl.id, kind)):
            yield url

    def redirects(self, number: int) -> int:
        """Return how many redirects led to a URL one after the other; URLs that are on their way were committed."""
        count = 0
        while row := self._db.execute(
            "SELECT v.id, v.status FROM urls u JOIN urls v ON v.id=u.via WHERE u.id=?", (number,)
        ).fetchone():
            number, status = row
            if status is None or status // 100 != 3 or count >= 100:
                break
            count += 1
        return count

    def origin(self, origin: str) -> Origin | None:
        """Return what is known of the robots.txt of an origin."""
        for each in reversed(self.batch.origins):
            if each.origin == origin:
                return each
        row = self._db.execute("SELECT * FROM origins WHERE origin=?", (origin,)).fetchone()
        return Origin(*row) if row else None

    def files(self) -> list[File]:
        """Return all files, in the order in which they were begun."""
        rows = self._db.execute("SELECT id, name, info, crawl, length, records, closed, sha256 FROM files ORDER BY id")
        return [
            File(number, name, info, crawl, length, records, bool(closed), sha256)
            for number, name, info, crawl, length, records, closed, sha256 in rows
        ]

    def lines(self, file: int) -> list[str]:
        """Return the lines of an index of a file; those by original address are of its negative number."""
        return [line for (line,) in self._db.execute("SELECT line FROM lines WHERE file=? ORDER BY line", (file,))]

    def forget_lines(self, file: int) -> None:
        """Forget the lines of a file, once they are in an index."""
        with self._transaction():
            self._db.execute("DELETE FROM lines WHERE file IN (?, ?)", (file, -file))

    def forget_payloads(self, file: int) -> None:
        """Forget which bytes a file held, so that no revisit refers to them."""
        with self._transaction():
            self._db.execute("DELETE FROM payloads WHERE file=?", (file,))

    @property
    def report(self) -> Report:
        """What the crawl has done so far."""
        return Report(self._db, self.crawl.id)

    def _one(self, question: str) -> Any:
        return self._db.execute(question).fetchone()[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
