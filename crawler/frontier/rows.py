"""What the frontier keeps: the tables, and their rows as the program has them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from crawler.frontier.hosts import Host, Task
from crawler.links.scope import Repeat

WAITING, DONE, FAILED, REFUSED = range(4)
STATES = ("waiting", "done", "failed", "refused")

#: Reasons for which URLs were refused or not answered that a later run may find otherwise.
CLOSED, PRIVATE, SPIDER_ERROR, HOST_BUDGET = "robots-closed", "private-address", "spider-error", "host-budget"
#: A robots.txt of which nothing is known, by the status of its answer (RFC 9309, 2.3.1.4).
NOT_HAD = "(status NOT BETWEEN 200 AND 499 OR status=429)"

SCHEMA = """
CREATE TABLE crawls (id INTEGER PRIMARY KEY, plan TEXT NOT NULL, started REAL NOT NULL, ended REAL, why TEXT,
  seconds REAL NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE hosts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, crawl INTEGER NOT NULL DEFAULT 0,
  pages INTEGER NOT NULL DEFAULT 0, ready REAL NOT NULL DEFAULT 0, crawl_delay REAL NOT NULL DEFAULT 0,
  pause REAL NOT NULL DEFAULT 0, closed TEXT NOT NULL DEFAULT '');
CREATE TABLE urls (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, host INTEGER NOT NULL, crawl INTEGER NOT NULL,
  state INTEGER NOT NULL, kind TEXT NOT NULL, depth INTEGER NOT NULL, via INTEGER, tries INTEGER NOT NULL DEFAULT 0,
  status INTEGER, fetched TEXT, etag TEXT, modified TEXT, payload BLOB, reason TEXT);
CREATE INDEX waiting ON urls (host, depth, id) WHERE state = 0;
CREATE TABLE scope (seed TEXT NOT NULL, crawl INTEGER NOT NULL, PRIMARY KEY (crawl, seed)) WITHOUT ROWID;
CREATE TABLE origins (origin TEXT PRIMARY KEY, fetched REAL NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL,
  record TEXT NOT NULL, url TEXT NOT NULL, error TEXT NOT NULL, tdm_record TEXT NOT NULL, tdm_status INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE files (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, info TEXT NOT NULL, crawl INTEGER NOT NULL,
  length INTEGER NOT NULL,
  records INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0, sha256 TEXT);
CREATE TABLE lines (file INTEGER NOT NULL, line TEXT NOT NULL);
CREATE TABLE payloads (sha256 BLOB PRIMARY KEY, sha1 TEXT NOT NULL, digest TEXT NOT NULL, length INTEGER NOT NULL,
  url TEXT NOT NULL, date TEXT NOT NULL, record TEXT NOT NULL, container TEXT NOT NULL, file INTEGER NOT NULL,
  offset INTEGER NOT NULL, size INTEGER NOT NULL)
  WITHOUT ROWID;
"""

#: Connections to an origin that failed one after the other; what was left out of a crawl, by reason; what it was asked
#: to do.
FAILING = """
CREATE TABLE IF NOT EXISTS failing (origin TEXT PRIMARY KEY, failures INTEGER NOT NULL, rests INTEGER NOT NULL,
  ready REAL NOT NULL, closed TEXT NOT NULL, error TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS left_out (crawl INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (crawl, reason)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS given (crawl INTEGER PRIMARY KEY, options TEXT NOT NULL);
"""

#: Folders with their last payload, so that one which gives the same again and again is found over several runs.
REPEATS = """
CREATE TABLE IF NOT EXISTS repeats (crawl INTEGER NOT NULL, folder TEXT NOT NULL, payload BLOB NOT NULL,
  count INTEGER NOT NULL, closed INTEGER NOT NULL, PRIMARY KEY (crawl, folder)) WITHOUT ROWID;
"""

#: Of a crawl of the past by enumeration: for each page the capture that is fetched, once no question waits.
MEMENTOS = """
CREATE TABLE IF NOT EXISTS mementos (crawl INTEGER NOT NULL, key TEXT NOT NULL, page INTEGER NOT NULL,
  stamp TEXT NOT NULL, url TEXT NOT NULL, host TEXT NOT NULL, line TEXT NOT NULL, digest TEXT NOT NULL,
  via INTEGER NOT NULL, depth INTEGER NOT NULL, PRIMARY KEY (crawl, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS memento_urls ON mementos (url);
"""


#: Of a crawl with the user's own spider: what is done with a URL, and the length of the file of items.
CALLS = """
CREATE TABLE IF NOT EXISTS calls (crawl INTEGER NOT NULL, url TEXT NOT NULL, call TEXT NOT NULL,
  PRIMARY KEY (crawl, url)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, length INTEGER NOT NULL);
"""


@dataclass(slots=True)
class Payload:
    """Where bytes were first seen."""

    identity: bytes  #: `Message.identity`
    sha1: str  #: of the body without chunks, with its content coding
    digest: str  #: as its record states it
    length: int
    url: str
    date: str
    record: str
    container: str  #: the name of its file
    file: int = 0  #: of this folder; 0: it is somewhere else
    offset: int = 0
    size: int = 0  #: bytes of the record in its file


@dataclass(slots=True)
class Candidate:
    """A capture that a web archive states to have."""

    key: str  #: of its page, as replay tools look it up
    is_page: bool  #: no redirect
    stamp: str
    url: str  #: of its raw memento
    host: str  #: of its page
    line: str  #: of the CDX API
    digest: str  #: as the line states it
    via: int  #: the question that it answers
    depth: int


@dataclass(slots=True)
class Outcome:
    """What became of a URL."""

    state: int
    status: int | None = None
    fetched: str | None = None
    etag: str | None = None
    modified: str | None = None
    payload: bytes | None = None
    reason: str | None = None


@dataclass(slots=True)
class Origin:
    """What the robots.txt of an origin was."""

    origin: str
    fetched: float  #: seconds of the epoch
    status: int  #: of the last response; 0 where none came
    body: bytes
    record: str  #: the id of the record
    url: str  #: where redirects led to
    error: str = ""
    tdm_record: str = ""
    tdm_status: int = 0


@dataclass
class File:
    """A file of records."""

    id: int
    name: str
    info: str  #: id of its warcinfo record
    crawl: int
    length: int
    records: int
    closed: bool = False
    sha256: str | None = None


@dataclass(slots=True)
class HostRow:
    """A host, with how many of its URLs are in each state."""

    host: str
    counts: tuple[int, int, int, int]  #: in the order of `STATES`
    ready: float  #: seconds of the epoch
    closed: str
    error: str


@dataclass
class Crawl:
    """One crawl of the folder, whose numbers are those of all its runs."""

    id: int
    plan: str
    seconds: float
    pages: int
    bytes: int
    ended: float | None
    is_new: bool


@dataclass
class Batch:
    """What the next transaction changes."""

    done: list[tuple[Task, Outcome]] = field(default_factory=list)
    again: list[Task] = field(default_factory=list)
    links: list[tuple[str, str, int, int | None]] = field(default_factory=list)  #: URL, kind, depth, via
    payloads: list[Payload] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    calls: dict[str, str] = field(default_factory=dict)  #: what is done with the links
    items: int | None = None  #: bytes of the file of items, where there is one
    refusals: list[tuple[Host, str, str]] = field(default_factory=list)  #: host, how its URLs begin, reason
    hosts: dict[int, Host] = field(default_factory=dict)
    repeats: dict[str, Repeat] = field(default_factory=dict)  #: by folder
    left_out: Counter[str] = field(default_factory=Counter)  #: links that are not of the crawl, by reason
    pages: int = 0
    bytes: int = 0
