"""A web archive on loopback that answers as pywb 2.10.0 does, of captures that a test gives.

It has a CDX API, TimeGates, TimeMaps and raw mementos. 82 answers were compared with those of a pywb that had the same
captures, by hand, and all agree: the captures of the CDX API, the nearest memento in the Link header of a TimeGate, the
TimeMaps, the nearest memento where another time is asked for, redirects as they were captured. It can also answer as Wayback does: rows with a key to
go on behind, a redirect to the nearest memento.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qs, urljoin, urlsplit

from rawserver import Answer, Server, missing, page, serving

from crawler.records.surt import surt
from crawler.records.warc import sha1


@dataclass
class Held:
    """A capture that the archive holds."""

    url: str
    stamp: str
    body: bytes = b""
    status: str = "200 OK"
    fields: tuple[str, ...] = ()
    mime: str = "text/html"
    digest: str = ""  #: as the CDX API states it, where that is wrong

    @property
    def at(self) -> datetime:
        return datetime.strptime(self.stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)

    @property
    def date(self) -> str:
        return format_datetime(self.at, usegmt=True)


@dataclass
class WebArchive:
    held: list[Held]
    name: str = "127.0.0.1"  #: the host by which it is asked
    redirects: bool = False  #: to the nearest memento, and captured redirects to one of the same time, as Wayback does
    names_the_one_before: bool = False  #: in the Link header of a TimeGate, as Wayback does
    ignores_the_time: bool = False  #: its CDX API does
    robots: Answer = field(default_factory=missing)
    server: Server = field(default_factory=Server)

    @property
    def replay(self) -> str:
        return f"http://{self.name}:{self.server.port}/web/"

    def raw(self, url: str, stamp: str) -> str:
        return f"{self.replay}{stamp}id_/{url}"

    def of(self, url: str) -> list[Held]:
        return sorted((each for each in self.held if surt(each.url) == surt(url)), key=lambda each: each.stamp)

    def answer(self, path: str, request: bytes) -> Answer:
        if path == "/robots.txt":
            return self.robots
        if path.startswith("/web/cdx?"):
            return self.cdx(parse_qs(urlsplit(path).query))
        rest = path.removeprefix("/web/")
        if rest.startswith("timemap/link/"):
            return self.timemap(rest.removeprefix("timemap/link/"))
        stamp, mark, url = rest.partition("id_/")
        if mark and stamp.isdigit():
            return self.memento(url, stamp)
        return self.gate(rest, request)

    def cdx(self, asked: dict[str, list[str]]) -> Answer:
        given = {name: values[0] for name, values in asked.items()}
        key, match = surt(given["url"]), given["matchType"]
        host = key.partition(")")[0]
        starts = {"host": (host + ")",), "domain": (host + ")", host + ",")}.get(match, (key,))
        found = sorted(self.held, key=lambda each: (surt(each.url), each.stamp))
        found = [
            each for each in found if (surt(each.url) == key if match == "exact" else surt(each.url).startswith(starts))
        ]
        if not self.ignores_the_time:
            found = [each for each in found if given["from"] <= each.stamp <= given["to"]]
        limit = int(given["limit"])
        rows = [(surt(e.url), e.stamp, e.url, e.mime, e.status[:3], e.digest or sha1(e.body)[5:], "99") for e in found]
        if "showResumeKey" in given:
            names = ["urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"]
            after = [row for row in rows if f"{row[0]} {row[1]}" > given.get("resumeKey", "")]
            listed: list[object] = [names, *after[:limit]]
            if len(after) > limit:
                last = after[limit - 1]
                listed += [[], [f"{last[0]} {last[1]}"]]
            return page(json.dumps(listed), "Content-Type: application/json")
        fields = ("urlkey", "timestamp", "url", "mime", "status", "digest", "length")
        lines = [json.dumps(dict(zip(fields, row, strict=True))) for row in rows[:limit]]
        return page("".join(f"{line}\n" for line in lines), "Content-Type: text/x-ndjson")

    def memento(self, url: str, stamp: str) -> Answer:
        known = self.of(url)
        if not known:
            return missing()
        asked = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        near = min(known, key=lambda each: abs(each.at - asked))
        if self.redirects and near.stamp != stamp:
            return page("", f"Location: {self.raw(near.url, near.stamp)}", status="302 Found")
        known_fields = near.fields
        if self.redirects:
            known_fields = tuple(
                f"Location: /web/{near.stamp}id_/{urljoin(near.url, value)}"
                if name == "Location"
                else f"{name}: {value}"
                for name, _, value in (each.partition(": ") for each in near.fields)
            )
        now = format_datetime(datetime.now(UTC), usegmt=True)
        fields = [f"Content-Type: {near.mime}", *known_fields, f"Memento-Datetime: {near.date}", f"Date: {now}"]
        return page(near.body, *fields, f"Content-Location: {self.raw(near.url, near.stamp)}", status=near.status)

    def gate(self, url: str, request: bytes) -> Answer:
        known = self.of(url)
        if not known:
            return missing()
        line = next(line for line in request.decode().splitlines() if line.lower().startswith("accept-datetime:"))
        asked = parsedate_to_datetime(line.partition(":")[2].strip())
        near = min(known, key=lambda each: abs(each.at - asked))
        links = [f'<{near.url}>; rel="original"', f'<{self.replay}timemap/link/{url}>; rel="timemap"; type="x"']
        links.append(f'<{self.replay}{near.stamp}mp_/{near.url}>; rel="memento"; datetime="{near.date}"')
        place = known.index(near)
        if self.names_the_one_before and place:
            before = known[place - 1]
            links.append(f'<{self.replay}{before.stamp}/{before.url}>; rel="prev memento"; datetime="{before.date}"')
        if self.redirects:
            fields = f"Location: /web/{near.stamp}/{near.url}", f"Link: {', '.join(links)}"
            return page("", *fields, status="302 Found")
        return page("<p>the frame of the archive", "Content-Type: text/html", f"Link: {', '.join(links)}")

    def timemap(self, url: str) -> Answer:
        lines = [f'<{url}>; rel="original"']
        for each in self.of(url):
            lines.append(f'<{self.replay}{each.stamp}mp_/{each.url}>; rel="memento"; datetime="{each.date}"')
        return page(",\n".join(lines), "Content-Type: application/link-format")


@contextmanager
def archiving(archive: WebArchive) -> Iterator[WebArchive]:
    """Serve a web archive."""
    with serving(archive.answer) as server:
        archive.server = server
        yield archive
