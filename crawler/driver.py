"""What a crawl does next, and what it makes of each answer. It knows nothing of Scrapy.

Of each host one request at most is on its way. In front of the first page of an origin its robots.txt is fetched, and
what it says of text and data mining (`/.well-known/tdmrep.json`); both are recorded like pages.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from crawler.exchange import Exchange
from crawler.files import Files
from crawler.following import leads_of
from crawler.frontier import DONE, FAILED, REFUSED, Frontier, Origin, Outcome, Payload
from crawler.hosts import BUSY, Host, Task
from crawler.message import Message, decoded, parse
from crawler.options import Options
from crawler.recorder import Recorder
from crawler.robots import KEPT, LONGEST, REDIRECTS, Rules
from crawler.scope import Repeats, Scope, host_of, normal, origin_of

_log = logging.getLogger(__name__)

#: Origins whose rules are kept parsed.
_RULES = 1000
#: How often a robots.txt that cannot be had is asked for.
_ROBOTS_TRIES = 3
#: URLs that are refused before others have a turn.
_AT_ONCE = 1000
ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@dataclass(slots=True, eq=False)
class Step:
    """A request that is to be sent now."""

    url: str
    role: str  #: `page`, `robots` or `tdm`
    task: Task
    headers: dict[str, str]
    hops: int = 0  #: redirects in front of it
    known: Payload | None = None  #: what was there in an earlier crawl
    notes: list[tuple[str, object]] = field(default_factory=list)  #: for its metadata
    exchange: Exchange | None = None  #: once it was sent


class Driver:
    """Decides what is fetched, and keeps what comes. `wake` is called where `next_step` should be, after some seconds.

    Args:
        progress: takes pages and bytes that were committed.
    """

    def __init__(
        self,
        options: Options,
        frontier: Frontier,
        files: Files,
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self.options, self.frontier, self.files = options, frontier, files
        self.recorder = Recorder(files, frontier)
        self.scope = Scope(options.scope, frontier.seeds(), options.include, options.exclude, options.depth)
        self.repeats = Repeats()
        self.why = ""  #: why the run ends
        self.failure: BaseException | None = None
        self.flying: set[Step] = set()
        self.wake: Callable[[float], Any] = lambda _: None
        self._progress = progress
        self._rules: dict[str, tuple[Rules, Origin]] = {}
        self._half: dict[str, Origin] = {}  #: whose tdmrep.json is not known yet
        self._tries: dict[str, int] = {}
        self._delayed: list[tuple[float, int, Step]] = []
        self._count = itertools.count()
        self._committed = self._began = time.monotonic()
        self._counted = self._began
        self._aborted = False

    # what is next

    def next_step(self) -> Step | None:
        """Return the next request, if there is one that may be sent now."""
        if self.why or self.failure is not None or self._is_spent():
            return None
        while True:
            if self._delayed and self._delayed[0][0] <= time.monotonic():
                return self._send(heapq.heappop(self._delayed)[2])
            refused = 0
            while (task := self.frontier.take()) is not None:
                step = self._step(task)
                if step is not None:
                    return self._send(step)
                refused += 1
                if refused >= _AT_ONCE:
                    self.commit_if_due()
                    self.wake(0.0)
                    return None
            if not self.flying and not self._delayed and self.frontier.pending():
                self.commit()  # what was found may be fetched now
                continue
            break
        ready = [each for each in (self.frontier.next_ready(), self._delayed[0][0] if self._delayed else None) if each]
        if ready:
            self.wake(max(min(ready) - time.monotonic(), 0.0))
        return None

    def _send(self, step: Step) -> Step:
        self.flying.add(step)
        return step

    @property
    def is_over(self) -> bool:
        """Whether nothing is on its way, and nothing more will be sent."""
        if self.flying:
            return False
        if self.why or self.failure is not None:
            return True
        return not self.frontier.waiting and not self.frontier.pending() and not self._delayed

    def _is_spent(self) -> bool:
        """End the run where a budget is used up."""
        options, crawl, batch = self.options, self.frontier.crawl, self.frontier.batch
        flying = sum(step.role == "page" and step.task.kind == "page" for step in self.flying)
        if options.pages is not None and crawl.pages + batch.pages + flying >= options.pages:
            if not flying:
                self.stop("pages")
            return True
        if options.bytes is not None and crawl.bytes + batch.bytes >= options.bytes:
            self.stop("bytes")
        elif options.seconds is not None and crawl.seconds + time.monotonic() - self._counted >= options.seconds:
            self.stop("time")
        return bool(self.why)

    def _step(self, task: Task) -> Step | None:
        """Return the request for a URL, or for what must be known first; None where the URL is refused."""
        host = task.host
        if host.pages >= self.options.host_pages:
            host.closed = "host-budget"
            self._refuse(task, host.closed)
            return None
        if self.repeats.is_closed(task.url):
            self._refuse(task, "trap")
            return None
        origin = origin_of(task.url)
        found = self._rules_of(origin, host)
        if found is None:
            return Step(f"{origin}/robots.txt", "robots", task, self._headers())
        rules, facts = found
        verdict = rules.verdict(task.url)
        if not verdict.allowed:
            self._refuse(task, "robots-closed" if rules.is_closed else "robots")
            return None
        step = Step(task.url, "page", task, self._headers())
        if task.payload is not None and (task.etag or task.modified):
            step.known = self.frontier.payload(task.payload)
        if step.known is not None:
            if task.etag:
                step.headers["If-None-Match"] = task.etag
            if task.modified:
                step.headers["If-Modified-Since"] = task.modified
        step.notes = [
            ("via", task.via),
            ("depth", task.depth),
            ("crawl", self.frontier.crawl.id),
            ("robots-url", facts.url),
            ("robots-record", f"<{facts.record}>" if facts.record else ""),
            ("robots-status", facts.status or facts.error or "none"),
            ("robots-rule", verdict.rule),
            ("robots-shut-out", ", ".join(verdict.shut_out)),
            *(("robots-usage", line) for line in rules.usage),
            ("tdmrep-record", f"<{facts.tdm_record}>" if facts.tdm_record else ""),
            ("tdmrep-status", facts.tdm_status or ""),
        ]
        return step

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": self.options.user_agent, "Accept": ACCEPT, "Accept-Encoding": "gzip"}
        if "@" in self.options.contact:
            headers["From"] = self.options.contact
        return headers

    def _refuse(self, task: Task, reason: str) -> None:
        self.frontier.done(task, Outcome(REFUSED, reason=reason))
        self.frontier.release(task.host)

    def _rules_of(self, origin: str, host: Host) -> tuple[Rules, Origin] | None:
        """Return the rules of an origin; None where they are not known, or too old."""
        found = self._rules.get(origin)
        if found is None:
            facts = self.frontier.origin(origin)
            if facts is None:
                return None
            found = self._rules_known(facts, host)
        return found if found[1].fetched + KEPT > time.time() else None

    def _rules_known(self, facts: Origin, host: Host) -> tuple[Rules, Origin]:
        rules = Rules(facts.status, facts.body)
        while len(self._rules) >= _RULES:
            self._rules.pop(next(iter(self._rules)))
        self._rules[facts.origin] = rules, facts
        host.crawl_delay = max(host.crawl_delay, rules.crawl_delay)
        if self.options.sitemaps and not rules.is_closed:
            for address in rules.sitemaps:
                url = normal(urljoin(facts.url, address))
                if url and (host_of(url) == host_of(facts.origin) or self.scope.takes(url, 1)):
                    self.frontier.found(url, 1, None, "sitemap")
        return rules, facts

    # what came

    def answered(self, step: Step, exchange: Exchange) -> None:
        """Take what came for a request."""
        self.flying.discard(step)
        if self._aborted:
            return
        message = exchange.message
        if step.role == "robots":
            self._robots(step, exchange, message)
        elif step.role == "tdm":
            self._tdm(step, exchange, message)
        else:
            self._page(step, exchange, message)
        self.commit_if_due()

    def failed(self, step: Step, exchange: Exchange | None, error: str, private: bool) -> None:
        """Take it that no response came.

        Args:
            private: the host has no public address, and was not connected to.
        """
        self.flying.discard(step)
        if self._aborted:
            return
        task, host, manners = step.task, step.task.host, self.options.manners
        if private and host_of(step.url) == host.name:
            _log.info("%s: %s", step.url, error)
            host.closed = "private-address"
            self.frontier.done(task, Outcome(REFUSED, reason=host.closed))
            self.frontier.release(host)
            return
        if step.role == "tdm":
            self._after_tdm(step, "", 0)
            return
        if not private:
            host.failed(manners)
        _log.info("%s: %s", step.url, error)
        if step.role == "robots":
            self._robots_missing(step, 0, "", error, private)
        elif task.tries + 1 < manners.connections and not host.closed:
            self.frontier.put_back(task)
        else:
            if exchange is not None:
                self.recorder.keep(
                    exchange, None, [*step.notes, ("error", error)] if not exchange.error else step.notes
                )
            self.frontier.done(task, Outcome(FAILED, reason=error[:200]))
        self.frontier.release(host)
        self.commit_if_due()

    def _page(self, step: Step, exchange: Exchange, message: Message | None) -> None:
        task, host, batch, manners = step.task, step.task.host, self.frontier.batch, self.options.manners
        host.pages += 1
        batch.bytes += len(exchange.response)
        kept = self.recorder.keep(exchange, message, step.notes, step.known)
        status = message.status if message is not None else 0
        if status in BUSY:
            wait = host.was_busy(manners, message.get(b"retry-after") if message else "", exchange.seconds)
            _log.info("%s: status %d, the host rests for %.0f s", task.url, status, wait)
            if task.tries + 1 < manners.tries:
                self.frontier.put_back(task)
                self.frontier.release(host)
                return
        else:
            host.answered(manners, exchange.seconds)
        batch.pages += task.kind == "page"
        outcome = Outcome(DONE, status, exchange.at.isoformat(), payload=kept.payload)
        if status == 304 and step.known is not None:
            outcome.etag, outcome.modified = task.etag, task.modified
            message = self._earlier(step.known)
        elif message is not None and kept.payload is not None:
            outcome.etag = message.get(b"etag")[:1000] or None
            outcome.modified = message.get(b"last-modified")[:100] or None
        if message is not None:
            self._follow(task, message)
        is_page = status == 200 and task.kind == "page"
        if is_page and kept.payload is not None and self.repeats.add(task.url, kept.payload):
            _log.info("%s: its folder gives the same bytes again and again, and is left", task.url)
        self.frontier.done(task, outcome)
        self.frontier.release(host)

    def _earlier(self, known: Payload) -> Message | None:
        """Return the response that a server states is still the same, for its links; None where it is gone."""
        try:
            return parse(self.files.block(known.file, known.offset, known.size))
        except (OSError, zlib.error) as error:
            _log.warning("the links of %s are not known: %s", known.url, error)
            return None

    def _follow(self, task: Task, message: Message) -> None:
        """Tell the frontier of what a response leads to."""
        leads = leads_of(message, task.url, task.kind, task.depth)
        if leads.more:
            self.scope.left_out["too-many-links"] += 1
        for url, kind, depth in leads.urls:
            if leads.moved and task.depth == 0 and kind == "page":  # where a seed is now
                self.scope.add(url)
                self.frontier.widen(url)
            if kind == "sitemap" or self.scope.takes(url, depth):
                self.frontier.found(url, depth, task.id, kind)

    def _robots(self, step: Step, exchange: Exchange, message: Message | None) -> None:
        """Take the robots.txt of an origin, or a redirect on the way to it."""
        host, manners = step.task.host, self.options.manners
        origin = origin_of(step.task.url)
        status = message.status if message is not None else 0
        kept = self.recorder.keep(exchange, message, [("for", origin), ("crawl", self.frontier.crawl.id)])
        self.frontier.batch.bytes += len(exchange.response)
        if message is not None and status // 100 == 3 and step.hops < REDIRECTS:
            url = normal(urljoin(step.url, message.get(b"location")))
            if url and url != step.url:
                self._later(Step(url, "robots", step.task, self._headers(), step.hops + 1), exchange.seconds)
                return
        if status // 100 == 5 or status in BUSY or status == 0:
            host.was_busy(manners, message.get(b"retry-after") if message else "", exchange.seconds)
            self._robots_missing(step, status, kept.record, exchange.error, False)
            self.frontier.release(host)
            return
        self._tries.pop(origin, None)
        host.answered(manners, exchange.seconds)
        body = decoded(message, LONGEST) if message is not None and status // 100 == 2 else b""
        facts = Origin(origin, time.time(), status, body, kept.record, step.url)
        rules, _ = self._rules_known(facts, host)
        tdm = f"{origin}/.well-known/tdmrep.json"
        if rules.verdict(tdm).allowed:
            self._later(Step(tdm, "tdm", step.task, self._headers()), exchange.seconds)
            self._half[origin] = facts
        else:
            self.frontier.batch.origins.append(facts)
            self.frontier.put_back(step.task, tried=False)
            self.frontier.release(host)

    def _robots_missing(self, step: Step, status: int, record: str, error: str, private: bool) -> None:
        """Ask again later for a robots.txt that could not be had, or close the origin."""
        origin = origin_of(step.task.url)
        tries = self._tries[origin] = self._tries.get(origin, 0) + 1
        if tries >= _ROBOTS_TRIES or private:
            self._tries.pop(origin)
            facts = Origin(origin, time.time(), status, b"", record, step.url, error[:200])
            self._rules[origin] = Rules(status, b""), facts
            self.frontier.batch.origins.append(facts)
            self.frontier.done(step.task, Outcome(REFUSED, reason="robots-closed"))
            self.frontier.refuse_all(step.task.host, f"{origin}/", "robots-closed")
            return
        self.frontier.put_back(step.task, tried=False)

    def _tdm(self, step: Step, exchange: Exchange, message: Message | None) -> None:
        origin = origin_of(step.task.url)
        kept = self.recorder.keep(exchange, message, [("for", origin), ("crawl", self.frontier.crawl.id)])
        self.frontier.batch.bytes += len(exchange.response)
        step.task.host.answered(self.options.manners, exchange.seconds)
        self._after_tdm(step, kept.record, message.status if message is not None else 0)

    def _after_tdm(self, step: Step, record: str, status: int) -> None:
        """Keep what is known of an origin; its pages may be fetched now."""
        facts = self._half.pop(origin_of(step.task.url))
        facts.tdm_record, facts.tdm_status = record, status
        self.frontier.batch.origins.append(facts)
        self.frontier.put_back(step.task, tried=False)
        self.frontier.release(step.task.host)

    def _later(self, step: Step, seconds: float) -> None:
        """Send a request to a host when it may be asked again; the host is busy until then."""
        host = step.task.host
        host.ready = time.monotonic() + host.delay(self.options.manners, seconds)
        heapq.heappush(self._delayed, (host.ready, next(self._count), step))

    # batches

    def commit_if_due(self) -> None:
        """Commit where a batch is full, or has waited long enough."""
        pending = self.frontier.pending()
        if pending and (
            len(self.frontier.batch.done) >= self.options.batch
            or pending >= 100 * self.options.batch
            or time.monotonic() - self._committed >= self.options.batch_seconds
        ):
            self.commit()

    def commit(self) -> None:
        """Sync the file, and then commit what is in it."""
        now = time.monotonic()
        pages, size = self.frontier.batch.pages, self.frontier.batch.bytes
        self.frontier.commit(self.files.sync(), now - self._counted)
        self._committed = self._counted = now
        self._progress(pages, size)
        if self.files.is_full:
            self.files.end_file()

    def stop(self, why: str) -> None:
        """Send nothing more; what is on its way is awaited."""
        self.why = self.why or why

    def abort(self) -> None:
        """Commit what has come, and hang up on what is on its way. It waits for the next run."""
        if self.failure is None:
            self.commit()
        self._aborted = True
        for step in list(self.flying):
            if step.exchange is not None:
                step.exchange.stop()
