"""What a crawl does next, and what it makes of each answer. It knows nothing of Scrapy.

Of each host one request at most is on its way.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import time
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from archive.show import bytes_text
from crawler.frontier.frontier import Frontier
from crawler.frontier.hosts import BUSY, Task
from crawler.frontier.known import validator
from crawler.frontier.rows import CLOSED, DONE, FAILED, REFUSED, SPIDER_ERROR, Outcome, Payload
from crawler.links.html import links_of
from crawler.links.leads import is_nofollow, leads_of
from crawler.links.scope import LONGEST_URL, Repeats, Scope, host_of, normal, origin_of
from crawler.options import Options
from crawler.past.mementos import LOOKUPS, Look, Past
from crawler.records.files import Files
from crawler.records.known import response_of
from crawler.records.recorder import Kept, Recorder
from crawler.robots.origins import Origins
from crawler.steps import Rendered, Step, Yielded, headers_of
from crawler.wire.exchange import Exchange
from crawler.wire.message import Message, parse

_log = logging.getLogger(__name__)

#: URLs that are refused before others have a turn.
_AT_ONCE = 1000
#: Hosts of rules of others that are remembered.
_VISITED = 10_000
#: Redirects one after the other that are followed, as browsers do.
REDIRECTS = 20
#: Equal payloads one after the other that close a folder.
_EQUAL = 50


class ItemFile(Protocol):
    """Keeps items; `crawler.hosted.items.Items` does."""

    def append(self, item: str, about: dict[str, Any]) -> None: ...

    def sync(self) -> int: ...


class Driver:
    """Decides what is fetched, and keeps what comes. `wake` is called where `next_step` should be, after some seconds.

    Args:
        progress: takes pages and bytes that were committed.
        items: keeps what the user's own spider yields.
    """

    def __init__(
        self,
        options: Options,
        frontier: Frontier,
        files: Files,
        progress: Callable[[int, int], None] = lambda *_: None,
        items: ItemFile | None = None,
    ) -> None:
        self.options, self.frontier, self.files = options, frontier, files
        self.recorder = Recorder(files, frontier)
        self.scope = Scope(options.scope, frontier.seeds(), options.include, options.exclude, options.depth)
        self.past = Past(options, frontier, self.scope) if options.as_of is not None else None
        self.repeats = Repeats(_EQUAL, known=frontier.repeats())
        self.why = ""  #: why the run ends
        self.failure: BaseException | None = None
        self.flying: set[Step] = set()
        self.wake: Callable[[float], Any] = lambda _: None
        self.starting = False  #: the user's own spider still names the URLs that it begins with
        self._items = items
        self._progress = progress
        self._origins = Origins(options, frontier, self.recorder, self.scope.takes)
        self._visited: dict[str, float] = {}  #: hosts of robots.txt of others, and when they may be asked again
        self._asked: dict[str, float] = {}  #: the same hosts, and when they were asked last
        self._delayed: list[tuple[float, int, Step]] = []
        self._count = itertools.count()
        self._committed = self._began = time.monotonic()
        self._counted = self._began
        self._aborted = False
        self._left_out: Counter[str] = Counter()  #: what is committed of it

    # what is next

    def next_step(self) -> Step | None:
        """Return the next request, if there is one that may be sent now."""
        if self.why or self.failure is not None or self._is_spent():
            return None
        while True:
            if (due := self._due()) is not None:
                return self._send(due)
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
        elif self.frontier.waiting and not self.flying:
            _log.warning("%d URLs wait at no host; they are looked for again", self.frontier.waiting)
            self.frontier.look_again()
            self.wake(0.0)
        return None

    def _due(self) -> Step | None:
        """Return the next delayed request, if its time has come.

        Two that go to the host of the rules of others may have become due at once, where this process was late.
        """
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            step = heapq.heappop(self._delayed)[2]
            name = host_of(step.url)
            if name == step.task.host.name:
                return step
            ready = self._asked.get(name, -math.inf) + self.options.manners.delay
            if ready <= now:
                self._asked[name] = now
                return step
            heapq.heappush(self._delayed, (ready, next(self._count), step))
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
        return not self.starting and not self.frontier.waiting and not self.frontier.pending() and not self._delayed

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
        if self.past is None and host.pages >= self.options.host_pages:
            host.closed = "host-budget"
            self._refuse(task, host.closed)
            return None
        if self.past is not None and self.past.is_spent(task):
            self._refuse(task, "host-budget")
            return None
        if self.repeats.is_closed(task.url):
            self._refuse(task, "trap")
            return None
        found = self._origins.of(task)
        if found is None:
            return self._origins.first_step(task)
        rules, facts = found
        verdict = rules.verdict(task.url)
        if not verdict.allowed:
            self._refuse(task, CLOSED if rules.is_closed else "robots")
            return None
        step = Step(task.url, "page", task, headers_of(self.options))
        if self.past is not None:
            step.headers |= self.past.headers(task)
        elif self._items is not None:
            step.call = self.frontier.call(task.url)
        elif not self.options.javascript:  # a browser needs the page, also where it has not changed; so does a spider
            step.known = self._known(task)
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

    def _refuse(self, task: Task, reason: str) -> None:
        self.frontier.done(task, Outcome(REFUSED, reason=reason))
        self.frontier.release(task.host)

    # what came

    def answered(self, step: Step, exchange: Exchange) -> None:
        """Take what came for a request."""
        if step not in self.flying:
            return
        self.flying.discard(step)
        if self._aborted or self._is_faulty(exchange):
            return
        if step.role == "page":
            self._page(step, exchange, exchange.message)
        elif (then := self._origins.answered(step, exchange)) is not None:
            self._later(then, exchange.seconds)
        else:
            self.frontier.release(step.task.host)
        self.commit_if_due()

    def refused(self, step: Step, reason: str) -> None:
        """Take it that a middleware of the user's own kept a request from being sent."""
        if step not in self.flying:
            return
        self.flying.discard(step)
        if not self._aborted:
            self._refuse(step.task, reason)
            self.commit_if_due()

    def leave(self, step: Step) -> None:
        """Forget a request whose page is not complete when the run ends; the next run sends it again."""
        self.flying.discard(step)

    def replaced(self, step: Step, url: str, call: str) -> None:
        """Take it that a middleware asks for another URL in place of one, which was not sent."""
        target = normal(url)
        if target and target != step.task.url and self.scope.takes(target, step.task.depth):
            self.frontier.found(target, step.task.depth, step.task.id, "page", call)
        self.refused(step, "middleware")

    def failed(self, step: Step, exchange: Exchange | None, error: str, private: bool) -> None:
        """Take it that no response came.

        Args:
            private: the host has no public address, and was not connected to.
        """
        self.flying.discard(step)
        if self._aborted or self._is_faulty(exchange):
            return
        _log.info("%s: %s", step.url, error)
        task, host = step.task, step.task.host
        if private and host_of(step.url) == host.name:
            host.closed = "private-address"
            self.frontier.done(task, Outcome(REFUSED, reason=host.closed))
        elif step.role != "page":
            self._origins.failed(step, error, private)
        else:
            host.failed(self.options.manners, task.url.partition(":")[0], error)
            if task.tries + 1 < self.options.manners.connections and not host.closed_for(task.url):
                self.frontier.put_back(task)
            else:
                if exchange is not None:
                    exchange.error = exchange.error or error
                    self.recorder.keep(exchange, None, step.notes, is_lookup=task.kind in LOOKUPS)
                self.frontier.done(task, Outcome(FAILED, reason=_reason(exchange)))
        self.frontier.release(host)
        self.commit_if_due()

    def _is_faulty(self, exchange: Exchange | None) -> bool:
        """End the run where the disk did not take a response."""
        if exchange is None or exchange.fault is None:
            return False
        self.failure = self.failure or exchange.fault
        return True

    def _page(self, step: Step, exchange: Exchange, message: Message | None) -> None:
        task, host, batch, manners = step.task, step.task.host, self.frontier.batch, self.options.manners
        host.pages += 1
        batch.bytes += exchange.size
        is_busy = self.past.is_busy(message) if self.past is not None else _status(message) in BUSY
        look = self.past.look(task, exchange, message) if self.past is not None and not is_busy else None
        kept = self._keep(step, exchange, message, look)
        rendered = ""
        if step.rendered is not None and kept.record:
            rendered = self.recorder.keep_rendered(task.url, kept.record, step.rendered)
            self._count_blocked(step.rendered)
        status = _status(message)
        _log.info("%s", _line(status, exchange, task.url, kept))
        if is_busy or (look is not None and look.retry):
            retry_after = message.retry_after if message else ""
            wait = host.was_busy(manners, retry_after, exchange.seconds, task.url.partition(":")[0])
            _log.info("%s: status %d, the host rests for %.0f s", task.url, status, wait)
            if task.tries + 1 < manners.tries:
                self.frontier.put_back(task)
                self.frontier.release(host)
                self.commit()  # the next run knows of the rest, too
                return
        else:
            host.answered(manners, exchange.seconds, task.url.partition(":")[0])
            host.ready = max(host.ready, step.rest)
        if self.past is not None:
            host.ready = max(host.ready, time.monotonic() + self.past.pace(task))
        batch.pages += task.kind == "page" and not is_busy and (look is None or look.keep)
        outcome = Outcome(DONE, status, exchange.at.isoformat(), payload=kept.payload)
        if look is not None:
            outcome.state, outcome.reason = look.state, look.reason or None
        elif status == 304 and step.known is not None:
            outcome.etag, outcome.modified = task.etag, task.modified
            message = self._earlier(step.known)
        elif message is not None and kept.payload is not None:
            outcome.etag = validator(message.get(b"etag"))
            outcome.modified = validator(message.get(b"last-modified"))
        if message is not None and self.past is None:
            self._follow(step, message)
        if step.yielded is not None:
            self._take(step, step.yielded, message, kept, rendered)
            if step.yielded.error:
                outcome.reason = SPIDER_ERROR
        is_page = status == 200 and task.kind == "page"
        if is_page and kept.payload is not None:
            repeat = self.repeats.add(task.url, kept.payload)
            batch.repeats[repeat.folder] = repeat
            if repeat.count == _EQUAL:
                _log.info("%s: its folder gives the same bytes again and again, and is left", task.url)
        self.frontier.done(task, outcome)
        self.frontier.release(host)

    def _keep(self, step: Step, exchange: Exchange, message: Message | None, look: Look | None) -> Kept:
        """Write the records of an answer."""
        if look is None:
            is_lookup = step.task.kind in LOOKUPS
            return self.recorder.keep(exchange, message, step.notes, step.known, is_lookup=is_lookup)
        if look.reason:
            _log.info("%s: %s", step.url, look.reason)
        if not look.keep:
            exchange.forget()
        notes = step.notes + look.notes
        return self.recorder.keep(exchange, message, notes, memento=look.memento, is_lookup=look.is_lookup)

    def _known(self, task: Task) -> Payload | None:
        """Return what was at a URL, here or in a file of others, if the server can be asked whether it has changed."""
        if task.payload is None and (page := self.frontier.known.page(task.url)) is not None:
            task.etag, task.modified, task.payload = page.etag, page.modified, page.payload
        if task.payload is None or not (task.etag or task.modified):
            return None
        known = self.frontier.payload(task.payload)
        if known is not None and not known.file and response_of(self.frontier, known) is None:
            return None  # its links could not be followed
        return known

    def _earlier(self, known: Payload) -> Message | None:
        """Return the response that a server states is still the same, for its links; None where it is gone."""
        if not known.file:
            return response_of(self.frontier, known)
        try:
            return parse(self.files.block(known.file, known.offset, known.size))
        except (OSError, zlib.error) as error:
            _log.warning("the links of %s are not known: %s", known.url, error)
            self.scope.left_out["earlier-links-unknown"] += 1
            return None

    def _follow(self, step: Step, message: Message) -> None:
        """Tell the frontier of what a response leads to; the links of a page are left to the user's own spider."""
        task = step.task
        if self._items is not None and task.kind == "page" and message.status // 100 != 3:
            return
        leads = leads_of(message, task.url, task.kind, task.depth)
        if step.rendered is not None and not is_nofollow(message, task.url):
            found = links_of(step.rendered.html, task.url, "utf-8")
            urls = {target: None for target in map(normal, [*found.urls, *step.rendered.moved]) if target}
            if not found.nofollow:
                leads.urls += [(url, "page", task.depth + 1) for url in urls]
        if leads.more:
            self.scope.left_out["too-many-links"] += 1
        if leads.moved and leads.urls and self.frontier.redirects(task.id) >= REDIRECTS:
            self.scope.left_out["redirects"] += 1
            return
        for url, kind, depth in leads.urls:
            if leads.moved and task.depth == 0 and kind == "page":  # where a seed is now
                self.scope.add(url)
                self.frontier.widen(url)
            is_near = kind == "sitemap" and host_of(url) == host_of(task.url)
            if is_near or self.scope.takes(url, depth):
                self.frontier.found(url, depth, task.id, kind, step.call)

    # the user's own spider

    def start_with(self, url: str, call: str) -> None:
        """Take a URL that the spider begins with. One that an earlier run of the crawl knows is not asked again."""
        self.scope.add(url)
        self.frontier.widen(url)
        self.frontier.found(url, 0, None, "page", call)

    def _take(self, step: Step, yielded: Yielded, message: Message | None, kept: Kept, rendered: str) -> None:
        """Take what the spider made of a page, with the batch that the page is in."""
        task = step.task
        if self._items is not None:
            for item in yielded.items:
                about: dict[str, object] = {"url": task.url, "record": kept.record}
                if rendered:
                    about["rendered"] = rendered
                self._items.append(item, about | {"crawl": self.frontier.crawl.id})
        if yielded.requests and message is not None and is_nofollow(message, task.url):
            self.scope.left_out["nofollow"] += len(yielded.requests)
            return
        for asked, call in yielded.requests:
            url = normal(asked)
            if url is None:
                self.scope.left_out["no-web-address"] += 1
            elif self.scope.takes(url, task.depth + 1):
                self.frontier.found(url, task.depth + 1, task.id, "page", call)

    # what a page in a browser asks for

    def part(self, step: Step, url: str) -> Step | str:
        """Return the request for a part of a page; the reason where it may not be sent."""
        found = self._origins.of(step.task)
        if self.why or self._aborted:
            return "stopped"
        if origin_of(url) != origin_of(step.url) or found is None:
            return "other-host"
        if len(url) > LONGEST_URL:
            return "long-url"
        if not found[0].verdict(url).allowed:
            return "robots"
        if step.rest > time.monotonic():
            return "busy"
        notes = [("via", step.url), ("crawl", self.frontier.crawl.id), ("part-of", "a page in a browser")]
        return Step(url, "part", step.task, headers_of(self.options), notes=list(notes))

    def part_came(self, step: Step, part: Step, exchange: Exchange) -> float:
        """Keep a part of a page; return how many seconds the host is left in peace then."""
        host, manners, message = step.task.host, self.options.manners, exchange.message
        self._is_faulty(exchange)
        self.recorder.keep(exchange, message, part.notes)
        self.frontier.batch.bytes += exchange.size
        if _status(message) in BUSY:
            host.was_busy(manners, message.get(b"retry-after") if message else "", exchange.seconds)
            step.rest = host.ready
        return host.delay(manners, exchange.seconds)

    def _count_blocked(self, rendered: Rendered) -> None:
        for reason, count in rendered.blocked.items():
            self.scope.left_out[f"javascript-{reason}"] += count
        if rendered.error:
            self.scope.left_out["javascript-failed"] += 1

    def _later(self, step: Step, seconds: float) -> None:
        """Send a request to a host when it may be asked again; the host is busy until then.

        The rules of many hosts may be at one other: that has its peace too.
        """
        host, manners = step.task.host, self.options.manners
        host.ready = time.monotonic() + host.delay(manners, seconds)
        name = host_of(step.url)
        if name != host.name:
            host.ready = max(host.ready, self.frontier.ready_of(name), self._visited.get(name, 0.0))
            if len(self._visited) >= _VISITED:
                self._visited.clear()
                self._asked.clear()
            self._visited[name] = host.ready + manners.delay
            self.frontier.rest(name, host.ready + manners.delay)
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
        if self._items is not None:
            self.frontier.batch.items = self._items.sync()
        self.frontier.batch.left_out += self.scope.left_out - self._left_out
        self._left_out = Counter(self.scope.left_out)
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


def _line(status: int, exchange: Exchange, url: str, kept: Kept) -> str:
    """Return the line of the log for an answer.

    Its fields are the status, the bytes of the response, the seconds from the request to its end, and the URL.
    """
    about = ["(revisit)"] if kept.revisit else []
    if exchange.truncated:
        about.append(f"(truncated: {exchange.truncated})")
    return " ".join([str(status), bytes_text(exchange.size), f"{exchange.seconds:.2f} s", url, *about])


def _reason(exchange: Exchange | None) -> str:
    """Return why no response came."""
    return exchange.reason if exchange is not None and exchange.reason else "no-answer"


def _status(message: Message | None) -> int:
    """Return the status of a response; 0 where it has none that can be read."""
    return message.status if message is not None else 0
