"""A crawl of the past: which mementos a web archive is asked for, and what is made of its answers.

By enumeration the CDX API names all captures below the seeds; by following, each link is asked for at the TimeGate, and
where that knows only a later capture, at the TimeMap. All requests go to the archive; none goes to the site.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from crawler.asof import stamp_of, time_of
from crawler.frontier.frontier import Frontier
from crawler.frontier.hosts import BUSY, Task
from crawler.frontier.rows import DONE, FAILED, REFUSED, Candidate
from crawler.links.leads import leads_of
from crawler.links.scope import Scope, domain_of, folder_of, host_of, joined, normal
from crawler.options import Options
from crawler.past.lookups import Line, Link, http_date, lines_of, links_in
from crawler.records import warc
from crawler.records.recorder import Memento
from crawler.records.surt import surt
from crawler.wire.exchange import Exchange
from crawler.wire.message import Block, Message, decoded

#: Questions to the archive, which are no pages.
LOOKUPS = frozenset({"cdx", "gate", "map"})
#: Media types that hold no links and no text.
_NO_PAGES = (
    *("image/", "video/", "audio/", "font/", "text/css", "text/javascript"),
    *(f"application/{kind}" for kind in ("javascript", "x-javascript", "font", "x-font", "vnd.ms-font")),
)
_SECOND = timedelta(seconds=1)
#: Answers of a CDX API one after the other that name no capture, and only where to go on.
_EMPTY = 100


@dataclass(slots=True)
class Look:
    """What an answer of a web archive is.

    `reason` is why its page is not taken; `keep` whether its bytes are kept, of a memento or of something else.
    """

    state: int = DONE
    reason: str = ""
    memento: Memento | None = None
    is_lookup: bool = False
    keep: bool = True
    retry: bool = False  #: the archive may answer otherwise in a minute
    notes: list[tuple[str, object]] = field(default_factory=list)


class Past:
    """Asks a web archive for the past of some pages.

    Args:
        scope: of the crawl, by the original addresses.
    """

    def __init__(self, options: Options, frontier: Frontier, scope: Scope) -> None:
        assert options.as_of is not None
        self.asked = options.as_of
        self._options, self._frontier, self._scope = options, frontier, scope
        self._enumerates = self.asked.by == "enumerate"
        frontier.most_of_host = options.host_pages
        self._seeds = {surt(seed) for seed in options.seeds}
        self._starts = tuple(start for seed in options.seeds for start in _starts(seed, options.scope))
        self._rules = Scope("any", (), options.include, options.exclude, options.depth, scope.left_out)
        self._empty = 0
        self._of_host: Counter[str] = Counter()
        if not self._enumerates:
            self._of_host.update(host_of(self.asked.original(url)) for url in frontier.done_of("gate"))

    # what is asked

    def is_spent(self, task: Task) -> bool:
        """Return whether enough pages of a host were asked for by links; of a list, no more were taken."""
        of_host = self._of_host[host_of(self.asked.original(task.url))] if task.kind == "gate" else 0
        return of_host >= self._options.host_pages

    def headers(self, task: Task) -> dict[str, str]:
        """Return the further header of a request."""
        return {"Accept-Datetime": self.asked.accept} if task.kind == "gate" else {}

    def pace(self, task: Task) -> float:
        """Return the seconds for which the archive is left in peace after a request."""
        return self.asked.archive.pace if task.kind == "cdx" else self.asked.archive.delay

    @staticmethod
    def is_busy(message: Message | None) -> bool:
        """Return whether the archive asks for peace; a memento may have the same status, and asks for nothing."""
        return message is not None and message.status in BUSY and not message.get(b"memento-datetime")

    # what came

    def look(self, task: Task, exchange: Exchange, message: Message | None) -> Look:
        """Take an answer: tell the frontier of what it leads to, and return what it is."""
        if task.kind == "page":
            return self._memento(task, exchange, message)
        if message is None or message.status // 100 == 5 or not (message.complete or exchange.truncated == "length"):
            return Look(FAILED, f"{task.kind}-status-{message.status if message else 0}", is_lookup=True, retry=True)
        if task.kind == "cdx":
            return self._captures(task, message, exchange.truncated == "length")
        return self._links(task, message)

    def _captures(self, task: Task, message: Message, is_cut: bool) -> Look:
        """Take an answer of the CDX API."""
        if message.status == 404:
            return Look(is_lookup=True)
        if message.status != 200:
            return Look(FAILED, f"cdx-status-{message.status}", is_lookup=True)
        found = lines_of(decoded(message, self._options.longest))
        given = {name: values[0] for name, values in parse_qs(urlsplit(task.url).query).items()}
        since, until = time_of(given["from"]), time_of(given["to"])
        assert since is not None
        assert until is not None
        match, page = given["matchType"], given["url"]
        archive = self.asked.archive
        is_unreadable = found.cut and not is_cut
        if is_unreadable and self._may_ask_again(task):
            return Look(FAILED, "cdx-unreadable", is_lookup=True, retry=True)
        if is_cut or (not archive.resumes and len(found.lines) >= archive.lines):
            others = any(not given["from"] <= line.stamp <= given["to"] for line in found.lines)
            if others or until - since < _SECOND:  # it does not heed the times, or one second has too many
                return Look(FAILED, "cdx-cut", is_lookup=True)
            middle = (since + (until - since) / 2).replace(microsecond=0)
            self._found(self.asked.query(page, match, since, middle), "cdx", task, task.depth)
            self._found(self.asked.query(page, match, middle + _SECOND, until), "cdx", task, task.depth)
            return Look(is_lookup=True, notes=[("cut", "asked for again in two halves of its time")])
        best: dict[str, Candidate] = {}
        for line in found.lines:
            candidate = self._candidate(line, task, is_exact=match == "exact")
            if candidate is not None:
                known = best.get(candidate.key)
                if known is None or (known.is_page, known.stamp) < (candidate.is_page, candidate.stamp):
                    best[candidate.key] = candidate
        self._frontier.batch.candidates += best.values()
        if found.resume:
            self._empty = 0 if found.lines else self._empty + 1
            if self._empty > _EMPTY:
                return Look(FAILED, "cdx-cut", is_lookup=True)
            self._found(self.asked.query(page, match, since, until, found.resume), "cdx", task, task.depth)
        if is_unreadable:  # what of it could be read is taken
            return Look(FAILED, "cdx-unreadable", is_lookup=True, notes=[("captures", len(found.lines))])
        return Look(is_lookup=True, notes=[("captures", len(found.lines))])

    def _candidate(self, line: Line, task: Task, is_exact: bool) -> Candidate | None:
        """Return the capture of a line, if it may be fetched; count it where not."""
        left_out, at, original = self._scope.left_out, time_of(line.stamp), normal(line.url)
        if at is None or original is None:
            left_out["cdx-unreadable"] += 1
        elif problem := self.asked.problem(at):
            left_out[problem] += 1
        elif line.status[:1] not in ("2", "3", "-", ""):
            left_out["cdx-error-status"] += 1
        elif line.mime.lower().startswith(_NO_PAGES):
            left_out["no-page"] += 1
        elif not (is_exact or self._is_inside(surt(original))):
            left_out["scope"] += 1
        elif self._rules.takes(original, 0) and (url := self._address(line.url, line.stamp)):
            is_page = line.status[:1] != "3"
            text = " ".join(line.text.split())
            return Candidate(
                surt(original), is_page, line.stamp, url, host_of(original), text, line.digest, task.id, task.depth
            )
        return None

    def _address(self, original: str, stamp: str) -> str | None:
        """Return the address of a raw memento as it is asked for; None where it would be that of another page."""
        url = normal(self.asked.memento(original, stamp))
        replayed = self.asked.replayed(url) if url is not None else None
        if replayed is None or replayed[0] != stamp or surt(replayed[1]) != surt(normal(original) or ""):
            self._scope.left_out["no-url"] += 1
            return None
        return url

    def _is_inside(self, key: str) -> bool:
        return f"{key}/".startswith(self._starts)  # the key of a folder has no slash at its end

    def _links(self, task: Task, message: Message) -> Look:
        """Take an answer of a TimeGate or a TimeMap: have the last memento fetched that is not too late."""
        look = Look(is_lookup=True)
        original = self.asked.original(task.url)
        self._of_host[host_of(original)] += task.kind == "gate"
        if message.status // 100 not in (2, 3):
            return look
        if task.kind == "map":
            known = self._mementos(list(links_in(decoded(message, self._options.longest).decode("utf-8", "replace"))))
            chosen = max((each for each in known if each[0] <= self.asked.until), default=None)
        else:
            links = [link for value in message.every(b"link") for link in links_in(value.decode("latin-1"))]
            known = self._mementos(links)
            chosen, is_sure = self._nearest(task, message, links)
            if not is_sure:
                self._found(self.asked.timemap(original), "map", task, task.depth)
                return look
        if chosen is None:
            look.state, look.reason = REFUSED, "later-memento" if known else "no-memento"
        elif problem := self.asked.problem(chosen[0]):
            look.state, look.reason = REFUSED, problem
        else:
            self._found(self._address(chosen[1], stamp_of(chosen[0])), "page", task, task.depth)
        return look

    def _mementos(self, links: list[Link]) -> list[tuple[datetime, str]]:
        """Return the times and pages of the links that are mementos of the archive."""
        found = []
        for link in links:
            replayed = self.asked.replayed(link.url) if "memento" in link.relations else None
            at = time_of(replayed[0]) if replayed is not None else None
            if replayed is not None and at is not None:
                found.append((at, replayed[1]))
        return found

    def _nearest(self, task: Task, message: Message, links: list[Link]) -> tuple[tuple[datetime, str] | None, bool]:
        """Return the memento that a TimeGate leads to, or the one before it; and whether there is no better one.

        A TimeGate leads to the nearest. If that is not too late, it is the last one that is not. If it is, the one
        before it is, unless the archive does not name it.
        """
        near: list[tuple[datetime, str]] = []
        for name in (b"location", b"content-location"):
            replayed = self.asked.replayed(joined(task.url, message.get(name)) or "")
            if replayed is not None and (at := time_of(replayed[0])) is not None:
                near.append((at, replayed[1]))
        near = near or self._mementos(
            [each for each in links if not each.relations & {"prev", "next", "first", "last"}]
        )
        if not near:
            return None, False
        if near[0][0] <= self.asked.until:
            return near[0], True
        before = max(self._mementos([each for each in links if "prev" in each.relations]), default=None)
        return (before, True) if before is not None and before[0] <= self.asked.until else (None, False)

    def _memento(self, task: Task, exchange: Exchange, message: Message | None) -> Look:
        """Take the answer to the request for a raw memento."""
        replayed = self.asked.replayed(task.url)
        assert replayed is not None
        stamp, original = replayed
        look = Look(notes=[("original", original), ("as-of", stamp_of(self.asked.until))])
        is_cut = message is None or not (message.complete or exchange.truncated == "length")
        if is_cut and self._may_ask_again(task):
            look = self._refused(look, "cut")
            look.state, look.retry = FAILED, True
            return look
        if message is None:  # another reader may find a page in it
            return self._refused(look, "no-memento-datetime")
        stated = message.every(b"memento-datetime")
        dates = [http_date(each.decode("latin-1")) for each in stated]
        at = max((each for each in dates if each is not None), default=None) if None not in dates else None
        line, digest = self._frontier.candidate(task.url)
        look.notes += [*(("memento-datetime", each.decode("latin-1")) for each in stated), ("cdx-line", line)]
        if at is None:
            return self._no_memento(task, message, look)
        if problem := self.asked.problem(at):
            return self._refused(look, problem)
        if stamp_of(at) != stamp:  # the archive shows the nearest that it has: asked for by its own time
            self._again(task, original, stamp_of(at))
            return self._refused(look, "other-memento")
        look.memento = Memento(original, at)
        if line:
            look.notes.append(("cdx-digest", agreement(digest, message, exchange.response)))
        self._follow(task, message, original)
        return look

    def _no_memento(self, task: Task, message: Message, look: Look) -> Look:
        """Take an answer that the archive itself gives: a redirect to another memento, or an error."""
        if message.status // 100 == 3:
            target = self.asked.replayed(joined(task.url, message.get(b"location")) or "")
            at = time_of(target[0]) if target is not None else None
            if target is None or at is None:
                look.state, look.reason = REFUSED, "no-memento"
            elif problem := self.asked.problem(at):
                look.state, look.reason = REFUSED, problem
            else:
                self._again(task, target[1], target[0])
        elif message.status // 100 == 5:
            look.state, look.reason, look.retry = FAILED, f"status-{message.status}", True
        elif message.status // 100 != 4 or message.first:  # 203 is a page too, and behind 101 may be one
            return self._refused(look, "no-memento-datetime")
        return look

    def _may_ask_again(self, task: Task) -> bool:
        return task.tries + 1 < self._options.manners.tries

    @staticmethod
    def _refused(look: Look, reason: str) -> Look:
        """Note that the bytes of an answer are not kept."""
        look.state, look.reason, look.keep = REFUSED, reason, False
        look.notes.append(("refused", reason))
        return look

    def _again(self, task: Task, original: str, stamp: str) -> None:
        """Have the memento fetched that the archive has in place of another."""
        if task.depth >= self._options.depth:
            self._scope.left_out["depth"] += 1
        else:
            self._found(self._address(original, stamp), "page", task, task.depth + 1)

    def _follow(self, task: Task, message: Message, original: str) -> None:
        """Tell the frontier of what a memento leads to, by its original address."""
        leads = leads_of(message, original, "page", task.depth)
        if leads.more:
            self._scope.left_out["too-many-links"] += 1
        for target, _, depth in leads.urls:
            url = self._target(task, message) or target if leads.moved else target
            if leads.moved and (self._enumerates or surt(url) == surt(original)):
                self._redirect(task, original, url)
                continue
            if self._enumerates:
                continue
            if leads.moved and task.depth == 0:
                self._scope.add(url)
                self._frontier.widen(url)
            if self._scope.takes(url, depth):
                self._found(self.asked.gate(url), "gate", task, depth)

    def _target(self, task: Task, message: Message) -> str | None:
        """Return the page that a captured redirect leads to, where the archive wrote its own address into it."""
        location = message.get(b"location")
        if not (location.startswith("/") or "://" in location):
            return None
        replayed = self.asked.replayed(joined(task.url, location) or "")
        return normal(replayed[1]) if replayed is not None else None

    def _redirect(self, task: Task, original: str, url: str) -> None:
        """Ask for the captures of the page that a capture redirects to.

        The CDX API knows which of them are redirects. A TimeGate takes `http:` and `https:` of one address as one page,
        and would lead from one to the other to the first again.
        """
        key = surt(url)
        if not self._is_inside(key) and surt(original) not in self._seeds:
            self._scope.left_out["scope"] += 1
        elif not self._frontier.has_candidate(key):
            self._found(self.asked.query(url, "exact", self.asked.since, self.asked.until), "cdx", task, task.depth)

    def _found(self, address: str | None, kind: str, task: Task, depth: int) -> None:
        if address is None:
            return
        if (url := normal(address)) is None:
            self._scope.left_out["no-url"] += 1
        else:
            self._frontier.found(url, depth, task.id, kind)


def first_of(options: Options) -> list[tuple[str, str]] | None:
    """Return what a crawl of the past asks for first, each with its kind; None for any other crawl."""
    asked = options.as_of
    if asked is None:
        return None
    if asked.by == "follow":
        return [(asked.gate(seed), "gate") for seed in options.seeds]
    found = []
    for seed in options.seeds:
        match = "host" if options.scope == "any" else options.scope
        page = "/".join(seed.split("/")[:3]) + "/"
        if match == "prefix":
            page = folder_of(seed.partition("?")[0])
        elif match == "domain":
            page = f"http://{domain_of(seed)}/"
        found.append((asked.query(page, match, asked.since, asked.until), "cdx"))
    return [(url, kind) for address, kind in dict.fromkeys(found) if (url := normal(address))]


def agreement(digest: str, message: Message, block: Block) -> str:
    """Return whether the SHA-1 that a CDX line states is that of the payload."""
    stated = digest.removeprefix("sha1:").upper()
    if len(stated) != 32 or not stated.isalnum():
        return "not stated"
    stated = f"sha1:{stated}"
    if stated == warc.sha1(*message.parts()):
        return "agrees"
    if stated == warc.sha1(memoryview(block)[message.start :]):
        return "agrees, with its chunks"
    if stated == warc.sha1(decoded(message, 1 << 26)):
        return "agrees, without its content coding"
    return "differs"


def _starts(seed: str, scope: str) -> list[str]:
    """Return how the keys of the pages begin that a seed asks for."""
    if scope == "prefix":
        folder = folder_of(seed.partition("?")[0])
        return [surt(folder + "x")[:-1], surt(folder) + "?"]
    if scope == "domain":
        host = surt(f"http://{domain_of(seed)}/").partition(")")[0]
        return [host + ")", host + ",", host + ":"]
    return [surt(seed).partition(")")[0] + ")"]
