"""What a crawl is asked to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from archive.program import program_version
from crawler.asof import AsOf
from crawler.frontier.hosts import Manners

#: The product token: by it robots.txt names us, and requests begin with it.
TOKEN = "lowbackground"


@dataclass(frozen=True)
class Options:
    """The options of `crawler.crawl`, checked. What `plan` returns may not change while a crawl goes on."""

    seeds: tuple[str, ...]
    contact: str
    operator: str = ""
    name: str = "crawl"
    scope: str = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    depth: int = 20
    sitemaps: bool = True
    host_pages: int = 10_000
    pages: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    connections: int = 32
    longest: int = 32_000_000  #: bytes of a response that are kept
    idle: float = 30.0
    timeout: float = 300.0
    file_size: int = 1_000_000_000
    allow_private: bool = False
    batch: int = 200
    batch_seconds: float = 1.0
    manners: Manners = field(default_factory=Manners)
    as_of: AsOf | None = None  #: a crawl of the past, by a web archive
    store: str | None = None  #: `s3://bucket/prefix`, where closed files go
    tsa: str | None = None  #: the address of an authority that stamps closed files
    wacz: bool = False  #: package the closed files in the end
    spider: str = ""  #: the user's own, as `module:Class`
    settings: tuple[tuple[str, Any], ...] = ()  #: of Scrapy, by name
    javascript: bool = False  #: pages are shown in a browser

    @property
    def is_plain(self) -> bool:
        """Whether nothing of the user's own has a part in the crawl, and no browser."""
        return not (self.spider or self.settings or self.javascript)

    @property
    def plan(self) -> str:
        """What makes it this crawl and no other, as JSON."""
        kept = ("seeds", "scope", "include", "exclude", "depth", "sitemaps")
        plan = {name: getattr(self, name) for name in kept}
        for name in ("seeds", "include", "exclude"):  # in any order they are the same crawl
            plan[name] = sorted(plan[name])
        if self.as_of is not None:
            plan["as_of"] = self.as_of.plan
        if self.spider:
            plan["spider"] = self.spider
        if self.javascript:
            plan["javascript"] = True
        return json.dumps(plan, sort_keys=True)

    def joins(self, plan: str) -> tuple[str, ...]:
        """Return by what options this is another crawl than that of a plan; none where that can go on with these.

        What only narrows or widens the scope may change, and URLs may be added. A crawl of the past asks for lists by
        its scope, so there only URLs may be added.
        """
        mine, other = json.loads(self.plan), json.loads(plan)
        fixed = {"scope": "--scope", "as_of": "--as-of, --from, --within or --by", "spider": "--spider",
                 "javascript": "--javascript"}  # fmt: skip
        if self.as_of is not None:
            fixed |= {"include": "--include", "exclude": "--exclude", "depth": "--depth"}
        differs = tuple(option for name, option in fixed.items() if mine.get(name) != other.get(name))
        seeds, theirs = set(mine["seeds"]), set(other.get("seeds", ()))
        return ("URLs", *differs) if seeds and theirs and not seeds & theirs else differs

    @property
    def plan_hash(self) -> str:
        """A hash of the plan and of the manners."""
        names = " ".join(name for name, _ in self.settings)  # a value may be a password
        kept = f"{self.plan}{self.manners}{self.longest}{self.host_pages}{names}"
        return hashlib.sha256(kept.encode()).hexdigest()

    @property
    def software(self) -> str:
        """The name and the version of this program."""
        return f"lowbackground/{program_version()}"

    @property
    def user_agent(self) -> str:
        """How requests name the crawler, and whom to write to."""
        return f"{TOKEN}/{program_version()} (+{self.contact})"
