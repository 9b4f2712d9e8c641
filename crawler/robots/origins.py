"""What the origins of a crawl allow: their robots.txt, and what they reserve for text and data mining.

Both are fetched in front of the first page of an origin in each crawl, and again after a day; both are recorded like
pages.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from crawler.frontier.frontier import Frontier
from crawler.frontier.hosts import BUSY, Host, Task
from crawler.frontier.rows import CLOSED, REFUSED, Origin, Outcome
from crawler.links.scope import LONGEST_URL, host_of, joined, origin_of
from crawler.options import Options
from crawler.records.recorder import Recorder
from crawler.robots.rules import KEPT, LONGEST, REDIRECTS, Rules
from crawler.steps import Step, headers_of
from crawler.wire.exchange import Exchange
from crawler.wire.message import decoded_to_end

#: Origins whose rules are kept parsed.
_PARSED = 1000
#: How often a robots.txt that cannot be had is asked for.
_TRIES = 3
#: How a response ends of which the rest was lost; that of a long one is not read.
CUT = ("disconnect", "time")


class Origins:
    """Knows the rules of origins, and which request is needed to know them.

    Args:
        takes: whether a sitemap at this URL belongs to the crawl.
    """

    def __init__(
        self, options: Options, frontier: Frontier, recorder: Recorder, takes: Callable[[str, int], bool]
    ) -> None:
        self._options, self._frontier, self._recorder, self._takes = options, frontier, recorder, takes
        self._rules: dict[str, tuple[Rules, Origin]] = {}
        self._half: dict[str, Origin] = {}  #: whose tdmrep.json is not known yet
        self._tries: dict[str, int] = {}

    def of(self, task: Task) -> tuple[Rules, Origin] | None:
        """Return the rules for a URL, and where they are from; None where they are not known, or too old."""
        origin = origin_of(task.url)
        found = self._rules.get(origin)
        if found is None:
            facts = self._frontier.origin(origin)
            if facts is None:
                return None
            found = self._parsed(facts, task.host)
        return found if 0 <= time.time() - found[1].fetched < KEPT else None  # a clock may go back, too

    def first_step(self, task: Task) -> Step:
        """Return the request for the rules for a URL."""
        return Step(f"{origin_of(task.url)}/robots.txt", "robots", task, headers_of(self._options))

    def answered(self, step: Step, exchange: Exchange) -> Step | None:
        """Take what came; return what must be asked next, or None: then the URL waits again, or is refused."""
        notes = [("for", origin_of(step.task.url)), ("crawl", self._frontier.crawl.id), *step.notes]
        kept = self._recorder.keep(exchange, exchange.message, notes)
        self._frontier.batch.bytes += exchange.size
        status = exchange.message.status if exchange.message is not None else 0
        if step.role == "robots":
            return self._robots(step, exchange, status, kept.record)
        step.task.host.answered(self._options.manners, exchange.seconds, _scheme(step))
        self._complete(step, kept.record, status)
        return None

    def failed(self, step: Step, error: str, private: bool) -> None:
        """Take it that no response came."""
        if step.role == "robots":
            if not private:
                step.task.host.failed(self._options.manners, _scheme(step), error)
            self._missing(step, 0, "", error, private)
        else:
            step.task.host.answered(self._options.manners, 0.0, _scheme(step))
            self._complete(step, "", 0)

    def _robots(self, step: Step, exchange: Exchange, status: int, record: str) -> Step | None:
        host, manners, message = step.task.host, self._options.manners, exchange.message
        origin = origin_of(step.task.url)
        if message is not None and status // 100 == 3 and step.hops < REDIRECTS:
            url = joined(step.url, message.get(b"location"))
            if url and url != step.url:
                return Step(url, "robots", step.task, step.headers, step.hops + 1)
        body, is_whole = decoded_to_end(message, LONGEST) if message is not None else (b"", False)
        # what did not come may forbid what the rest allows
        is_cut = status // 100 == 2 and (exchange.truncated in CUT or not is_whole)
        if message is None or status // 100 == 5 or status in BUSY or is_cut:
            retry_after = message.retry_after if message else ""
            host.was_busy(manners, retry_after, exchange.seconds, _scheme(step))
            self._missing(
                step, 0 if is_cut else status, record, exchange.error or ("cannot be decoded" if is_cut else ""), False
            )
            return None
        self._tries.pop(origin, None)
        host.answered(manners, exchange.seconds, _scheme(step))
        kept = body if status // 100 == 2 else b""
        facts = self._half[origin] = Origin(origin, time.time(), status, kept, record, step.url)
        rules, _ = self._parsed(facts, host)
        url = f"{origin}/.well-known/tdmrep.json"
        if rules.verdict(url).allowed:
            return Step(url, "tdm", step.task, step.headers)
        self._complete(step, "", 0)
        return None

    def _missing(self, step: Step, status: int, record: str, error: str, private: bool) -> None:
        """Ask again later for a robots.txt that could not be had, or close the origin."""
        origin = origin_of(step.task.url)
        tries = self._tries[origin] = self._tries.get(origin, 0) + 1
        if tries < _TRIES and not private:
            self._frontier.put_back(step.task, tried=False)
            return
        self._tries.pop(origin)
        facts = Origin(origin, time.time(), status, b"", record, step.url, error[:200])
        self._rules[origin] = Rules(status, b""), facts
        self._frontier.batch.origins.append(facts)
        self._frontier.done(step.task, Outcome(REFUSED, reason=CLOSED))
        self._frontier.refuse_all(step.task.host, f"{origin}/", CLOSED)

    def _complete(self, step: Step, tdm_record: str, tdm_status: int) -> None:
        """Keep what is known of an origin; its pages may be fetched now."""
        facts = self._half.pop(origin_of(step.task.url))
        facts.tdm_record, facts.tdm_status = tdm_record, tdm_status
        self._frontier.batch.origins.append(facts)
        self._frontier.put_back(step.task, tried=False)

    def _parsed(self, facts: Origin, host: Host) -> tuple[Rules, Origin]:
        rules = Rules(facts.status, facts.body)
        while len(self._rules) >= _PARSED:
            self._rules.pop(next(iter(self._rules)))
        self._rules[facts.origin] = rules, facts
        host.crawl_delay = max(host.crawl_delay, rules.crawl_delay)
        if self._options.sitemaps and not rules.is_closed:
            for address in rules.sitemaps:
                url = joined(facts.url, address)
                if url and len(url) <= LONGEST_URL and (host_of(url) == host_of(facts.origin) or self._takes(url, 1)):
                    self._frontier.found(url, 1, None, "sitemap")
        return rules, facts


def _scheme(step: Step) -> str:
    """Return the scheme of the origin whose rules are asked for."""
    return step.task.url.partition(":")[0]
