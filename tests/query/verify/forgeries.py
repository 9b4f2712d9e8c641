# ruff: noqa: ARG005
"""Forgeries of exported sets: a table of small changes, each with what must find it.

The forger can compute every hash, root, index, card and number again (`forging`). What he cannot change are the archive
files where the user has them, a root that the user knows from elsewhere, the lake, and the signature of a time stamp.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from forging import Row, hashed, key_of, replace_rows, reseal, rewrite, rows_of
from world import World

from query.dataset import MANIFEST, Manifest
from query.rows import schema_of

Change = Callable[[Path, World], Any]
Pick = Callable[[Row], bool]


@dataclass(frozen=True)
class Forgery:
    """A change of a set, and how it is found.

    Attributes:
        of: the set: a folder of `World.sets`.
        found: a regular expression that a problem, a finding or the error must match.
        options: of `verify`, next to `all`; strings are completed from the world.
    """

    name: str
    change: Change
    found: str
    of: str = "parquet"
    options: dict[str, Any] = field(default_factory=dict)


TABLE: list[Forgery] = []
ROOT: dict[str, Any] = {"root": "ROOT", "rows": 0, "all": False}
LAKE: dict[str, Any] = {"again": "LAKE", "rows": 0, "all": False}
HASHES: dict[str, Any] = {"rows": 0, "all": False}


def add(name: str, change: Change, found: str, of: str = "parquet", **options: Any) -> None:
    TABLE.append(Forgery(name, change, found, of, options))


# -- rows: one value each, with every hash and number made anew -------------------------------------


def url(value: str) -> Pick:
    return lambda row: row["url"] == value


def kind(value: str) -> Pick:
    return lambda row: row["record_type"] == value


PAGE, NOFOLLOW, WAYBACK = url("http://site0.org/"), url("http://site1.org/"), url("http://old.org/page")
REVISIT, ROW, LINE = kind("revisit"), url("http://row1.org/"), url("http://packed1.org/")


def set_value(pick: Pick, **values: Any) -> Change:
    def change(rows: list[Row]) -> None:
        row = next(filter(pick, rows))
        for name, value in values.items():
            row[name] = value(row[name]) if callable(value) else value

    return lambda out, world: rewrite(out, change)


def earlier(**by: int) -> Callable[[datetime], datetime]:
    return lambda at: at - timedelta(**by)


def last_letter(value: str) -> str:
    return value[:-1] + ("A" if value[-1] != "A" else "B")


def new_text(row: Row) -> None:
    row["text"] += " And more."
    row["content_id"] = hashlib.sha256(row["text"].encode()).hexdigest()


def by(change: Callable[[list[Row]], None]) -> Change:
    return lambda out, world: rewrite(out, change)


def one(pick: Pick, change: Callable[[Row], None]) -> Change:
    return by(lambda rows: change(next(filter(pick, rows))))


add("text of a page, with its id", one(PAGE, new_text), "text: the record gives another")
add("text of a revisit, with its id", one(REVISIT, new_text), "text: the record gives another")
add("text of a row, with its id", one(ROW, new_text), "text: the record gives another")
add("text without its id", set_value(PAGE, text=lambda text: text + "."), "not that of the content id")
add("id without its text", set_value(PAGE, content_id="0" * 64), "not that of the content id")
add("id that is no hash", set_value(PAGE, content_id="X"), "no SHA-256")

for label, pick, column, value, found in (
    ("url on the same site", PAGE, "url", "http://site0.org/other", "url: "),
    ("url gone", PAGE, "url", None, "url: |domain"),
    ("domain", PAGE, "domain", "other.org", "another domain"),
    ("domain gone", PAGE, "domain", None, "another domain"),
    ("title", PAGE, "title", "Another", "title: "),
    ("title gone", PAGE, "title", None, "title: "),
    ("language", PAGE, "language", "fr", "language: "),
    ("language gone", PAGE, "language", None, "language: "),
    ("a microsecond earlier", PAGE, "captured_at", earlier(microseconds=1), "date: "),
    ("a second earlier", PAGE, "captured_at", earlier(seconds=1), "date: "),
    ("years earlier", PAGE, "captured_at", earlier(days=900), "date: "),
    ("a day later", PAGE, "captured_at", earlier(days=-1), "date: "),
    ("date after the limit", PAGE, "captured_at", datetime(2022, 1, 1, tzinfo=UTC), "not captured before"),
    ("kind of date: arc", PAGE, "date_source", "arc", "kind of date"),
    ("kind of date: cdx", PAGE, "date_source", "cdx", "kind of date"),
    ("kind of date that there is not", PAGE, "date_source", "crawl", "kind of date that there is not"),
    ("kind of date gone", PAGE, "date_source", None, "no date_source"),
    ("grade A", PAGE, "grade", "A", "grade: "),
    ("grade B", PAGE, "grade", "B", "grade: "),
    ("grade C", PAGE, "grade", "C", "grade: "),
    ("grade lower", PAGE, "grade", "E", "grade: "),
    ("grade gone", PAGE, "grade", None, "of a lower grade"),
    ("grade X", PAGE, "grade", "X", "of a lower grade"),
    ("grade that there is not", PAGE, "grade", "AA", "grade that there is not"),
    ("evidence empty", PAGE, "evidence", [], "evidence: "),
    ("evidence gone", PAGE, "evidence", None, "and not both"),
    ("evidence with another date", PAGE, "evidence", lambda e: [e[0].replace("201", "200"), *e[1:]], "evidence: "),
    ("evidence without its last", PAGE, "evidence", lambda e: e[:-1], "evidence: "),
    ("evidence with one more", PAGE, "evidence", lambda e: [*e, "http-date 2010-01-01T00:00:00Z agrees"], "evidence: "),
    ("evidence that contradicts", PAGE, "evidence", lambda e: [e[0].replace("agrees", "contradicts")], "evidence: "),
    ("evidence of a crawl", PAGE, "evidence", lambda e: [*e, "crawl-window 2016-01-01T00:00:00Z agrees"], "evidence: "),
    ("record: conversion", PAGE, "record_type", "conversion", "record type"),
    ("record: resource", PAGE, "record_type", "resource", "record type"),
    ("record: revisit", PAGE, "record_type", "revisit", "revisits alone"),
    ("record: none", PAGE, "record_type", None, "no record_type"),
    ("record of no kind", PAGE, "record_type", "page", "kind of record that there is not"),
    ("record: row", PAGE, "record_type", "row", "a row of a data set has no|record type"),
    ("file gone", PAGE, "file", None, "no file"),
    ("offset plus one", PAGE, "offset", lambda at: at + 1, "no record"),
    ("offset below 0", PAGE, "offset", -1, "below 0"),
    ("offset beyond the file", PAGE, "offset", 1 << 60, "no record"),
    ("offset gone", PAGE, "offset", None, "no offset"),
    ("length", PAGE, "length", lambda length: length + 1, "length: "),
    ("skip", PAGE, "skip", 5, "no record"),
    ("skip gone", PAGE, "skip", None, "no skip"),
    ("record id", PAGE, "record_id", "<urn:uuid:0>", "record id"),
    ("record id gone", PAGE, "record_id", None, "record id"),
    ("hash of the record", PAGE, "record_sha256", "0" * 64, "record: "),
    ("hash of the record gone", PAGE, "record_sha256", None, "record: "),
    ("operator of the wayback machine gone", WAYBACK, "operator", None, "operator: "),
    ("digest", PAGE, "payload_digest", last_letter, "digest: "),
    ("digest gone", PAGE, "payload_digest", None, "no payload digest"),
    ("digest of another kind", PAGE, "payload_digest", "sha256:" + "A" * 52, "digest: "),
    ("extractor", PAGE, "extractor", "plain/1", "extractor: |text was made by"),
    ("extractor without a name", PAGE, "extractor", "/1", "extractor has no version"),
    ("extractor gone", PAGE, "extractor", None, "no extractor"),
    ("robots gone", NOFOLLOW, "robots", None, "robots: "),
    ("robots made up", PAGE, "robots", "noindex", "robots: "),
    ("text_file of a page", PAGE, "text_file", "/x", "revisits alone"),
    ("text_length of a page", PAGE, "text_length", 5, "revisits alone"),
    (
        "replay: the fetch's address",
        WAYBACK,
        "url",
        "http://web.archive.org/web/2008/http://old.org/page",
        "url: |domain",
    ),
    ("replay: a year earlier", WAYBACK, "captured_at", earlier(days=365), "date: "),
    ("replay: as a crawl", WAYBACK, "date_source", "warc", "kind of date"),
    ("revisit: a year earlier", REVISIT, "captured_at", earlier(days=365), "date: "),
    ("revisit: of MD5", REVISIT, "payload_digest", "md5:" + "A" * 26, "MD5 links"),
    ("revisit: digest", REVISIT, "payload_digest", last_letter, "digest: "),
    ("revisit: text elsewhere", REVISIT, "text_offset", lambda at: at + 1, "no record"),
    ("revisit: text of no file", REVISIT, "text_file", "/nowhere/x.warc.gz", "no such file"),
    ("revisit: text_skip", REVISIT, "text_skip", 3, "no record"),
    ("revisit: text_length", REVISIT, "text_length", 3, "length: "),
    ("revisit: text_file gone", REVISIT, "text_file", None, "revisits alone"),
    ("row: url", ROW, "url", "http://row1.org/x", "url: "),
    ("row: title", ROW, "title", "A title", "title: "),
    ("row: earlier", ROW, "captured_at", earlier(days=365), "date: "),
    ("row: the other column's date", ROW, "captured_at", datetime(2013, 4, 5, tzinfo=UTC), "date: "),
    ("row: evidence", ROW, "evidence", [], "evidence: "),
    ("row: evidence of another column", ROW, "evidence", lambda e: [e[-1]], "evidence: "),
    ("row: grade D", ROW, "grade", "D", "grade: "),
    ("row: as a record", ROW, "record_type", "response", "somebody wrote|payload digest"),
    ("row: as a crawl", ROW, "date_source", "warc", "somebody wrote"),
    ("row: length", ROW, "length", 5, "length: "),
    ("row: offset", ROW, "offset", lambda at: at + 1, "no record"),
    ("row: robots", ROW, "robots", "noindex", "robots: "),
    ("row: digest", ROW, "payload_digest", "sha1:" + "A" * 32, "a row of a data set has no"),
    ("row: record id", ROW, "record_id", "<urn:uuid:1>", "a row of a data set has no"),
    ("row: hash of a record", ROW, "record_sha256", "0" * 64, "a row of a data set has no"),
    ("packed row: skip", LINE, "skip", 7, "no record"),
    ("packed row: length", LINE, "length", 7, "length: "),
):
    add(f"row value: {label}", set_value(pick, **{column: value}), found)


def at_date_of_other_column(row: Row) -> None:
    row["captured_at"] = datetime(2013, 4, 5, 23, 59, 59, 999999, tzinfo=UTC)
    row["evidence"] = ["created 2013-04-05T23:59:59.999999Z agrees"]


def as_other_url(row: Row) -> None:
    row["url"], row["domain"] = "http://elsewhere.org/", "elsewhere.org"


def twice(rows: list[Row]) -> None:
    rows.append(dict(rows[0]))


def removed(rows: list[Row]) -> None:
    del rows[0]


def swapped(rows: list[Row]) -> None:
    for name in ("text", "content_id", "language"):
        rows[0][name], rows[1][name] = rows[1][name], rows[0][name]


def invented(rows: list[Row]) -> None:
    row = dict(next(row for row in rows if PAGE(row)))
    new_text(row)
    rows.append(row)


def cites(pick: Pick, other: Pick, *names: str) -> Change:
    """A row that cites the record of another."""

    def change(rows: list[Row]) -> None:
        row, there = next(filter(pick, rows)), next(filter(other, rows))
        row.update({name: there[name] for name in names})

    return by(change)


def to_text(row: Row, other: Row) -> None:
    for name in ("file", "offset", "length", "skip"):
        row[f"text_{name}"], row[name] = row[name], other[name]
    for name in ("url", "domain", "captured_at", "record_id", "title", "evidence", "record_sha256"):
        row[name] = other[name]


def borrowed(rows: list[Row]) -> None:
    """A text whose date is that of another page, by the path of a revisit."""
    row, other = next(filter(PAGE, rows)), next(filter(NOFOLLOW, rows))
    to_text(row, other)
    row["record_type"] = "revisit"


WHERE = ("file", "offset", "length", "skip")
add("row: date and evidence of another column", one(ROW, at_date_of_other_column), "date: the row says 2013")
add("url of another site, with its domain", one(PAGE, as_other_url), "url: ")
add("a row twice", by(twice), "more than once")
add("two texts swapped", by(swapped), "text: ")
add("a text more, that cites an honest record", by(invented), "text: ")
add("a date borrowed by the path of a revisit", by(borrowed), "record type|digest")
add("cites another page", cites(PAGE, NOFOLLOW, *WHERE), "url: |digest: ")
add("cites another row", cites(ROW, url("http://row2.org/"), *WHERE), "text: ")
add("cites the page of a revisit", cites(REVISIT, PAGE, *WHERE), "digest: |record type")
add("revisit: text of another page", by(lambda rows: next(filter(REVISIT, rows)).update(
    {f"text_{name}": next(filter(PAGE, rows))[name] for name in WHERE})), "digest: ")  # fmt: skip


# -- citations ---------------------------------------------------------------------------------------


def cite(pick: Pick, file: Callable[[World], str], found: str, name: str, change: Change | None = None,
         offset: Callable[[World], int] | None = None, **options: Any) -> None:  # fmt: skip
    def forge(out: Path, world: World) -> None:
        values: dict[str, Any] = {"file": file(world)}
        if offset:
            values["offset"] = offset(world)
        set_value(pick, **values)(out, world)
        if change:
            change(out, world)

    add(f"citation: {name}", forge, found, **options)


def source(name: str) -> Callable[[World], str]:
    return lambda world: str(world.sources / name)


INNER = url("http://inner.org/")
cite(INNER, source("plain.warc"), "no record", "inside of an honest record", offset=lambda world: world.inside["plain"])
cite(
    INNER,
    source("stored.warc.gz"),
    "no record",
    "a member inside of a page",
    offset=lambda world: world.inside["stored"],
)
cite(INNER, source("stored.warc.gz"), "no record|url|digest", "the page that contains it", offset=lambda world: 0)
cite(url("http://same.org/1"), source("pages.warc.gz"), "url: |date: ", "a later record of the same text",
     offset=lambda world: world.later)  # fmt: skip
cite(PAGE, lambda world: f"{world.sources}/../sources/pages.warc.gz", "no ingest gives", "a path with ..")
cite(PAGE, lambda world: f"{world.sources}/./pages.warc.gz", "no ingest gives", "a path with .")
cite(PAGE, lambda world: f"{world.sources}//pages.warc.gz", "no ingest gives", "a path with two slashes")
cite(PAGE, lambda world: os.path.relpath(world.sources / "pages.warc.gz"), "no ingest gives", "a relative path")
cite(
    PAGE,
    lambda world: str(world.outside / "pages.warc.gz"),
    "outside of what --trusted",
    "a copy elsewhere",
    trusted="SOURCES",
)
cite(PAGE, source("link.warc.gz"), "outside of what --trusted", "a link that leads elsewhere", trusted="SOURCES")
cite(PAGE, lambda world: "/dev/zero", "no such file", "a device")
cite(PAGE, lambda world: str(world.sources), "no such file", "a folder")
cite(PAGE, source("pipe"), "no such file", "a pipe")
cite(PAGE, source("none.warc.gz"), "no such file", "a file that is not there")
cite(PAGE, source("pages.warc.gz\0"), "no ingest gives|no such file", "a name with a zero byte")
cite(PAGE, lambda world: "http://127.0.0.1:9/pages.warc.gz", "on the network", "loopback, not asked")
cite(PAGE, lambda world: "http://127.0.0.1:9/pages.warc.gz", "no public address", "loopback", network=True)
cite(PAGE, lambda world: "http://localhost:9/pages.warc.gz", "no public address", "a name of loopback", network=True)
cite(PAGE, lambda world: "http://[::1]:9/pages.warc.gz", "no public address", "loopback of IPv6", network=True)
cite(PAGE, lambda world: "http://[::ffff:10.0.0.1]/p", "no public address", "private, as IPv6", network=True)
cite(PAGE, lambda world: "http://10.0.0.1/pages.warc.gz", "no public address", "a private address", network=True)
cite(PAGE, lambda world: "http://192.168.1.1/pages.warc.gz", "no public address", "a router", network=True)
cite(PAGE, lambda world: "http://169.254.169.254/latest/meta-data/", "no public address", "metadata", network=True)
cite(PAGE, lambda world: "http://0x7f000001/p", "no public address|no answer", "loopback in hexadecimal", network=True)
cite(PAGE, lambda world: "http://[::1", "no answer|no address|Invalid", "a broken address", network=True)
cite(PAGE, lambda world: "http://a.org/x/../y", "no ingest gives", "an address with ..", network=True)
cite(PAGE, lambda world: "s3://bucket/key", "on the network", "a store of objects, not asked")
cite(PAGE, lambda world: "gopher://a.org/x", "not known|no ingest", "a scheme that nothing reads")
cite(PAGE, lambda world: f"file://{world.sources}/pages.warc.gz", "no ingest gives|not known", "an address of a file")
cite(url("http://one.wacz/"), lambda world: f"{world.sources}/a.wacz!/archive/two.warc.gz", "url: |no record|digest: ",
     "another entry of a WACZ")  # fmt: skip
cite(url("http://one.wacz/"), lambda world: f"{world.sources}/a.wacz!/archive/none.warc.gz", "no such entry",
     "an entry that is not there")  # fmt: skip
cite(url("http://one.wacz/"), lambda world: f"{world.outside}/altered.wacz!/archive/one.warc.gz", "altered",
     "a WACZ whose archive is not the one that it states")  # fmt: skip
cite(url("http://one.wacz/"), lambda world: f"{world.sources}/pages.warc.gz!/archive/one.warc.gz", "no such entry",
     "an entry of what is no package")  # fmt: skip
cite(PAGE, lambda world: str(world.outside / "swapped.warc.gz"), "digest: |record: |altered|text",
     "another file of the same size")  # fmt: skip
cite(
    PAGE,
    lambda world: str(world.outside / "text.warc.gz"),
    "altered",
    "a record whose text was replaced",
    offset=lambda _: 0,
)
cite(
    PAGE,
    lambda world: str(world.outside / "header.warc.gz"),
    "record: |date: ",
    "a header that was changed",
    offset=lambda _: 0,
)


def cites_itself(out: Path, world: World) -> None:
    def change(rows: list[Row]) -> None:
        row = next(filter(ROW, rows))
        new_text(row)
        row.update(file=str((out / "train" / "train-00000.parquet").resolve()), offset=0, skip=0)

    rewrite(out, change)


add("citation: the set itself", cites_itself, "proves nothing about itself")


# -- manifest ----------------------------------------------------------------------------------------


def edit(change: Callable[[dict[str, Any]], Any]) -> Change:
    """Change the manifest alone."""

    def forge(out: Path, world: World) -> None:
        manifest = json.loads((out / MANIFEST).read_bytes())
        change(manifest)
        (out / MANIFEST).write_text(json.dumps(manifest))

    return forge


def edited(**values: Any) -> Change:
    """Change values of the manifest, and all that follows from them."""

    def forge(out: Path, world: World) -> None:
        manifest = json.loads((out / MANIFEST).read_bytes())
        for name, value in values.items():
            inner, *path = manifest, *name.split("__")
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value(inner[path[-1]]) if callable(value) else value
        reseal(out, Manifest.from_json(manifest))

    return forge


KEYS = ("version", "program", "lake", "arguments", "tokenizer", "public_suffix_list", "rows", "chars", "tokens",
        "masked", "bytes", "splits", "dropped", "contamination", "months", "languages", "date_sources", "grades",
        "extractors", "domains", "largest_domains", "shards", "merkle_root", "content_root", "files")  # fmt: skip


def without(key: str) -> Change:
    return edit(lambda manifest: manifest.pop(key))


def instead(key: str, value: Any) -> Change:
    return edit(lambda manifest: manifest.update({key: value}))


WRONG: tuple[tuple[str, Any], ...] = (
    ("rows", "9"),
    ("rows", True),
    ("version", 3.0),
    ("lake", {"location": 3, "versions": {}}),
    ("splits", {"train": "1"}),
    ("arguments", {"before": "2022-01-01", "near": 1}),
    ("arguments", {"before": "2022-01-01", "date_sources": "warc"}),
    ("arguments", {"before": "2022-01-01", "nears": True}),
    ("unknown", 1),
)
for key in KEYS:
    add(f"manifest: no {key}", without(key), f"no {key}|README|another version", **HASHES)
    add(f"manifest: {key} of another type", instead(key, [{"x": 1}]), "not a manifest", **HASHES)
for key, wrong in WRONG:
    add(f"manifest: {key} is {wrong!r}", instead(key, wrong), "not a manifest", **HASHES)

values: dict[str, Any]
for label, values, found in (
    ("before later", {"arguments__before": "2022-06-01T00:00:00+00:00"}, "Merkle root"),
    ("near", {"arguments__near": True}, "Merkle root"),
    ("preset", {"arguments__preset": "c4"}, "Merkle root"),
    ("opt-outs", {"arguments__honour_opt_outs": True}, "Merkle root"),
    ("where", {"arguments__where": "words > 5"}, "Merkle root"),
    ("archives", {"arguments__archives": 2}, "Merkle root"),
    ("grade", {"arguments__grade": "D"}, "Merkle root"),
    (
        "an earlier version of the lake",
        {"lake__versions": lambda v: {**v, "captures": v["captures"] - 1}},
        "Merkle root",
    ),
    ("shard_size", {"arguments__shard_size": 7}, "Merkle root"),
    ("decontaminate", {"arguments__decontaminate": ["/x.jsonl"]}, "Merkle root"),
    ("dropped", {"dropped": lambda d: [{**d[0], "dropped": d[0]["dropped"] + 1}]}, "Merkle root"),
    ("dropped: another reason", {"dropped": lambda d: [{**d[0], "name": "nothing"}]}, "Merkle root"),
    ("versions of the lake", {"lake__versions": {"captures": 99}}, "Merkle root"),
    ("program", {"program": "lowbackground 0.0.1"}, "Merkle root"),
    ("public suffix list", {"public_suffix_list": "1"}, "Merkle root"),
):
    add(f"manifest, sealed anew: {label}", edited(**values), found, **ROOT)

for label, values, found in (
    ("before earlier", {"arguments__before": "2014-01-01T00:00:00+00:00"}, "not captured before 2014"),
    ("after", {"arguments__after": "2014-01-01T00:00:00+00:00"}, "captured before 2014"),
    ("grade better", {"arguments__grade": "C"}, "of a lower grade than C"),
    ("kinds of dates", {"arguments__date_sources": ["arc"]}, "evidence of another kind"),
    ("language", {"arguments__language": "fr"}, "another language"),
    ("seed", {"arguments__seed": 5}, "order of the seed"),
    ("sample", {"arguments__sample": 0.01}, "not in the sample"),
    ("slices", {"arguments__slices": "year"}, "no folder of an export"),
    ("split", {"arguments__split": {"a": 0.5, "b": 0.5}}, "no folder of an export"),
    ("masked", {"arguments__mask": True}, "columns are not those"),
    ("format", {"arguments__format": "jsonl"}, "cannot be read"),
    ("tokenizer", {"tokenizer": {"name": "gpt2", "fingerprint": "0", "vocab_size": 3}}, "tokenizer"),
    ("rows", {"rows": lambda n: n + 1}, "rows of the manifest"),
    ("chars", {"chars": lambda n: n + 1}, "chars of the manifest"),
    ("bytes", {"bytes": lambda n: n + 1}, "bytes of the manifest"),
    ("tokens", {"tokens": 7}, "tokens of the manifest"),
    ("splits", {"splits": lambda s: {"train": s["train"] - 1, "test": 1}}, "splits of the manifest"),
    ("months", {"months": lambda m: {"1999-01": sum(m.values())}}, "months of the manifest"),
    ("languages", {"languages": lambda m: {"fr": sum(m.values())}}, "languages of the manifest"),
    ("kinds counted", {"date_sources": lambda m: {"warc": sum(m.values())}}, "date_sources of the manifest"),
    ("grades counted", {"grades": lambda m: {"C": sum(m.values())}}, "grades of the manifest"),
    ("extractors", {"extractors": lambda m: {"x/1": sum(m.values())}}, "extractors of the manifest"),
    ("domains", {"domains": lambda n: n + 1}, "domains of the manifest"),
    ("largest domains", {"largest_domains": lambda m: {"a.org": 99}}, "largest_domains of the manifest"),
    ("contamination", {"contamination": {"mmlu": 0}}, "contamination of the manifest"),
    ("shards: none", {"shards": []}, "no shard|README|rows of the manifest"),
    ("shards: rows", {"shards": lambda s: [{**s[0], "rows": s[0]["rows"] + 1}]}, "the manifest says"),
    ("shards: chars", {"shards": lambda s: [{**s[0], "chars": 1}]}, "chars are"),
    ("shards: root", {"shards": lambda s: [{**s[0], "merkle_root": "0" * 64}]}, "another Merkle root"),
    ("shards: content root", {"shards": lambda s: [{**s[0], "content_root": "0" * 64}]}, "another content root"),
    ("shards: another folder", {"shards": lambda s: [{**s[0], "folder": "test"}]}, "No such file"),
    ("shards: a folder above", {"shards": lambda s: [{**s[0], "folder": ".."}]}, "No such file"),
    ("shards: one twice", {"shards": lambda s: [*s, *s]}, "more than once"),
    ("shards: a name", {"shards": lambda s: [{**s[0], "files": [{**s[0]["files"][0], "name": "../../etc/passwd"}]}]},
     "No such file"),
    ("shards: a hash", {"shards": lambda s: [{**s[0], "files": [{**s[0]["files"][0], "sha256": "0" * 64}]}]},
     "not the bytes"),
    ("shards: bytes", {"shards": lambda s: [{**s[0], "files": [{**s[0]["files"][0], "bytes": 7}]}]}, "has .* bytes"),
):  # fmt: skip
    add(f"manifest, sealed anew: {label}", edited(**values), found, **HASHES)

add("manifest: shards are an empty list", edit(lambda m: m.update(shards=[])), "no shard", **HASHES)
add("manifest: files are an empty list", edit(lambda m: m.update(files=[])), "does not state it", **HASHES)
add("manifest: a file twice", edit(lambda m: m["files"].append(m["files"][0])), "more than once", **HASHES)
add(
    "manifest: a shard of a million rows",
    edit(lambda m: m["shards"][0].update(rows=10**18)),
    "the manifest says",
    **HASHES,
)
add("manifest: less than no rows", edit(lambda m: m["shards"][0].update(rows=-5)), "less than no rows", **HASHES)
add("manifest: a shard without files", edit(lambda m: m["shards"][0].update(files=[])), "no files", **HASHES)
add("manifest: root", edit(lambda m: m.update(merkle_root="0" * 64)), "the Merkle root is", **HASHES)
add("manifest: content root", edit(lambda m: m.update(content_root="0" * 64)), "the content root is", **HASHES)
add("manifest: version 2", edit(lambda m: m.update(version=2)), "", **HASHES)
add("manifest: version 1", edit(lambda m: m.update(version=1)), "another version", **HASHES)
add("manifest: version 4", edit(lambda m: m.update(version=4)), "another version", **HASHES)


def written(text: Callable[[str], str]) -> Change:
    def forge(out: Path, world: World) -> None:
        (out / MANIFEST).write_text(text((out / MANIFEST).read_text()))

    return forge


add("manifest: a key twice", written(lambda text: text.replace("{", '{"rows": 1, ', 1)), "twice", **HASHES)
add("manifest: a number that is none", written(lambda text: text.replace('"rows": ', '"rows": NaN, "x": ', 1)),
    "no number", **HASHES)  # fmt: skip
add("manifest: nested too deeply", written(lambda text: "[" * 100_000), "manifest", **HASHES)
add("manifest: not UTF-8", lambda out, world: (out / MANIFEST).write_bytes(b"\xff\xfe{") and None, "manifest", **HASHES)


# -- card --------------------------------------------------------------------------------------------


def card(change: Callable[[str], str], program: str | None = None) -> Change:
    """Change the card and its hash."""

    def forge(out: Path, world: World) -> None:
        manifest = json.loads((out / MANIFEST).read_bytes())
        if program:
            manifest["program"] = program
            reseal(out, Manifest.from_json(manifest))
            manifest = json.loads((out / MANIFEST).read_bytes())
        text = (out / "README.md").read_text()
        assert change(text) != text
        (out / "README.md").write_text(change(text))
        stated = next(file for file in manifest["files"] if file["name"] == "README.md")
        stated |= vars(Hashed(out / "README.md"))
        (out / MANIFEST).write_text(json.dumps(manifest))

    return forge


class Hashed:
    def __init__(self, path: Path) -> None:
        file = hashed(path, path.name)
        self.sha256, self.bytes = file.sha256, file.bytes


PATH = 'path: "train/*.parquet"'
OTHER_CARD = {
    "another path": lambda text: text.replace(PATH, 'path: "other/*.parquet"'),
    "one path more": lambda text: text.replace(PATH, f'{PATH}\n  - split: test\n    path: "x.parquet"'),
    "data_files in one line": lambda text: text.replace("data_files:\n", 'data_files: "x.parquet"\n', 1),
    "another split": lambda text: text.replace("split: train", "split: test", 1),
    "another config": lambda text: text.replace('config_name: "default"', 'config_name: "x"', 1),
    "configs twice": lambda text: text.replace("configs:\n", "configs: []\nconfigs:\n", 1),
    "a script": lambda text: text.replace("license: other", "license: other\nviewer: false"),
}
for label, change in OTHER_CARD.items():
    add(f"card: {label}", card(change), "README.md: not what|Merkle", **HASHES)
    add(f"card of another version: {label}", card(change, "lowbackground 0.0.1"), "README.md: |Merkle", **HASHES)
for label, change in {
    "earlier": lambda text: text.replace("2022-01-01", "1995-01-01"),
    "more texts": lambda text: text.replace(" texts", "00 texts", 1),
    "grades": lambda text: text.replace("| D plain |", "| A sealed |"),
    "kinds of dates": lambda text: text.replace("| warc |", "| arc |"),
    "languages": lambda text: text.replace("| en |", "| fr |"),
    "left out": lambda text: text.replace("| 0 |", "| 99 |", 1).replace("no acceptable capture", "spam", 1),
    "a word": lambda text: text.replace("provably", "surely", 1),
    "another root": lambda text: text[:-300].replace("Merkle", "Merkel") + text[-300:].replace("a", "b"),
    "a line more": lambda text: text + "\nAll of it is in the public domain.\n",
    "an argument": lambda text: text.replace("| before |", "| after |", 1),
}.items():
    add(f"card: {label}", card(change), "README.md: not what|Merkle", **HASHES)
    add(f"card of another version: {label}", card(change, "lowbackground 0.0.1"), "README.md|Merkle", **HASHES)
add("card: changed, its hash not", lambda out, world: (out / "README.md").write_text("From 1995.") and None,
    "README.md: not the bytes", **HASHES)  # fmt: skip
add("card: gone", lambda out, world: (out / "README.md").unlink(), "README.md: No such", **HASHES)
add("picture: another", lambda out, world: (out / "distribution.svg").write_text("<svg/>") and None,
    "distribution.svg: not the bytes", **HASHES)  # fmt: skip


# -- files -------------------------------------------------------------------------------------------


def first(out: Path) -> Path:
    return out / "train" / "train-00000.parquet"


def copied(name: str) -> Change:
    def forge(out: Path, world: World) -> None:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(first(out), out / name)

    return forge


def renamed(out: Path, world: World) -> None:
    """A shard of another name, as the manifest says too."""
    first(out).rename(out / "train" / "train-00007.parquet")
    edited(shards=lambda s: [{**s[0], "files": [{**s[0]["files"][0], "name": "train-00007.parquet"}]}])(out, world)


def moved_to_test(out: Path, world: World) -> None:
    (out / "train").rename(out / "test")
    (out / "test" / "train-00000.parquet").rename(out / "test" / "test-00000.parquet")
    name = {"name": "test-00000.parquet"}
    edited(shards=lambda s: [{**s[0], "folder": "test", "files": [{**s[0]["files"][0], **name}]}],
           splits=lambda s: {"test": s["train"]})(out, world)  # fmt: skip


def linked(out: Path, world: World) -> None:
    first(out).rename(out.parent / "away.parquet")
    first(out).symlink_to(out.parent / "away.parquet")


def folder_linked(out: Path, world: World) -> None:
    (out / "train").rename(out.parent / "away")
    (out / "train").symlink_to(out.parent / "away")


def piped(name: str) -> Change:
    def forge(out: Path, world: World) -> None:
        (out / name).unlink(missing_ok=True)
        os.mkfifo(out / name)

    return forge


def socketed(out: Path, world: World) -> None:
    here = os.getcwd()
    os.chdir(out)  # the name of a socket is short
    try:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as each:
            each.bind("socket")
    finally:
        os.chdir(here)


def looped(out: Path, world: World) -> None:
    (out / "train" / "more").mkdir()
    (out / "train" / "more" / "up").symlink_to(out, target_is_directory=True)


def with_metadata(out: Path, world: World) -> None:
    """A library reads other columns, though the values are the same."""
    table = pq.read_table(first(out))
    pq.write_table(table.replace_schema_metadata({"huggingface": '{"info": {"features": {}}}'}), first(out))
    refresh(out)


def with_a_column(out: Path, world: World) -> None:
    table = pq.read_table(first(out))
    pq.write_table(table.append_column("label", pa.array([1] * len(table))), first(out))
    refresh(out)


def without_a_column(out: Path, world: World) -> None:
    pq.write_table(pq.read_table(first(out)).drop_columns(["evidence"]), first(out))
    refresh(out)


def other_type(out: Path, world: World) -> None:
    table = pq.read_table(first(out))
    at = table.column_names.index("captured_at")
    pq.write_table(table.set_column(at, "captured_at", table["captured_at"].cast(pa.timestamp("us"))), first(out))
    refresh(out)


def card_folder(out: Path, world: World) -> None:
    (out / "README.md").unlink()
    (out / "README.md").mkdir()


def refresh(out: Path) -> None:
    """Make the hashes of all files of the shards anew, and what follows from them."""
    manifest = json.loads((out / MANIFEST).read_bytes())
    for shard in manifest["shards"]:
        shard["files"] = [vars_of(out / shard["folder"] / file["name"]) for file in shard["files"]]
    manifest["bytes"] = sum(file["bytes"] for shard in manifest["shards"] for file in shard["files"])
    reseal(out, Manifest.from_json(manifest))


def vars_of(path: Path) -> dict[str, Any]:
    file = hashed(path, path.name)
    return {"name": file.name, "bytes": file.bytes, "sha256": file.sha256}


for label, forge, found in (
    ("a shard is gone", lambda out, world: first(out).unlink(), "train-00000.parquet: No such"),
    ("a shard is clipped", lambda out, world: first(out).write_bytes(first(out).read_bytes()[:-100]) and None, "not the bytes"),
    ("a shard is empty", lambda out, world: first(out).write_bytes(b"") and None, "not the bytes"),
    ("a shard more", copied("train/train-00001.parquet"), "train-00001.parquet: not of this export"),
    ("a split more", copied("test/test-00000.parquet"), "test-00000.parquet: not of this export"),
    ("a nested folder", copied("train/more/x.parquet"), "train/more/x.parquet: not of this export"),
    ("a hidden file", copied(".hidden"), "hidden: not of this export"),
    ("a hidden folder", copied(".cache/x.parquet"), "cache/x.parquet: not of this export"),
    ("a name that is not UTF-8", copied(os.fsdecode(b"train/\xff.parquet")), "not of this export"),
    ("an empty folder", lambda out, world: (out / "val").mkdir(), "val: a folder that is not"),
    ("a script of the loader", lambda out, world: (out / "set.py").write_text("x = 1") and None, "set.py: not of this"),
    ("a shard renamed", lambda out, world: first(out).rename(out / "train" / "x.parquet") and None, "No such|not of this"),
    ("a shard renamed, in the manifest too", renamed, "where train-00000 belongs"),
    ("a split renamed, in the manifest too", moved_to_test, "no folder of an export"),
    ("a link in place of a shard", linked, "a link"),
    ("a link in place of a folder", folder_linked, "train: a link|No such"),
    ("a second name of a shard", lambda out, world: os.link(first(out), out / "x.parquet"), "x.parquet: not of this"),
    ("a link to a folder", lambda out, world: (out / "more").symlink_to("/tmp"), "more: a link"),
    ("a link to nothing", lambda out, world: (out / "more").symlink_to("nothing"), "more: a link"),
    ("a link in a circle", looped, "train/more/up: a link"),
    ("a pipe", piped("pipe"), "pipe: a pipe"),
    ("a pipe in place of a shard", piped("train/train-00000.parquet"), "a pipe"),
    ("a pipe in place of the card", piped("README.md"), "README.md: a pipe"),
    ("a pipe in place of the manifest", piped(MANIFEST), "no regular file"),
    ("a socket", socketed, "socket: a pipe, socket"),
    ("a folder in place of the card", card_folder, "README.md: "),
    ("metadata of another library", with_metadata, "metadata that no export writes"),
    ("a column more", with_a_column, "columns are not those"),
    ("a column less", without_a_column, "columns are not those"),
    ("a column of another type", other_type, "columns are not those"),
):  # fmt: skip
    add(f"files: {label}", forge, found, **HASHES)


# -- slices and splits -------------------------------------------------------------------------------


def read_all(out: Path) -> tuple[Manifest, list[list[Row]]]:
    manifest = Manifest.from_json(json.loads((out / MANIFEST).read_bytes()))
    return manifest, [rows_of(out, shard, manifest.arguments.format).to_pylist() for shard in manifest.shards]


def write_all(out: Path, manifest: Manifest, held: list[list[Row]]) -> None:
    schema = schema_of(manifest.columns)
    for rows in held:
        rows.sort(key=lambda row: key_of(row, manifest.arguments.seed))
    replace_rows(out, {n: pa.Table.from_pylist(rows, schema=schema) for n, rows in enumerate(held)})


def other_year(out: Path, world: World) -> None:
    manifest, held = read_all(out)
    one = next(number for number, rows in enumerate(held) if len(rows) > 1)
    held[one - 1].append(held[one].pop())
    write_all(out, manifest, held)


def across_splits(out: Path, world: World) -> None:
    """A row of a site moves, of which others stay."""
    manifest, held = read_all(out)
    counts: dict[Any, int] = {}
    for rows in held:
        for row in rows:
            counts[row["domain"]] = counts.get(row["domain"], 0) + 1
    one = next(n for n, rows in enumerate(held) for row in rows if counts[row["domain"]] > 1)
    row = next(row for row in held[one] if counts[row["domain"]] > 1)
    held[one].remove(row)
    held[1 - one].append(row)
    write_all(out, manifest, held)


def reordered(out: Path, world: World) -> None:
    manifest, held = read_all(out)
    table = pa.Table.from_pylist(held[0][::-1], schema=schema_of(manifest.columns))
    replace_rows(out, {0: table})


def split_gone(out: Path, world: World) -> None:
    """One whole split is gone, and nothing says that there was one."""
    manifest = json.loads((out / MANIFEST).read_bytes())
    folder = manifest["shards"][0]["folder"]
    shutil.rmtree(out / folder)
    manifest["shards"] = [shard for shard in manifest["shards"] if shard["folder"] != folder]
    reseal(out, Manifest.from_json(manifest), count=True)


add("slices: a row of another year", other_year, "folder of another year", of="sliced", **HASHES)
add("splits: a row of a site in another", across_splits, "more than one split", of="split", **HASHES)
add("splits: one is gone", split_gone, "Merkle root", of="split", **ROOT)
add("splits: a row moved, known by the root", across_splits, "Merkle root, ", of="split", **ROOT)
add("rows in another order", reordered, "order of the seed", **HASHES)
add("rows in another order, known by the root", reordered, "neither the Merkle root", **ROOT)


# -- other formats -----------------------------------------------------------------------------------

FORMATS = ("jsonl", "mds", "litdata", "webdataset")
for format_ in FORMATS:
    add(f"{format_}: a text", one(PAGE, new_text), "text: ", of=format_)
    add(f"{format_}: a date", set_value(PAGE, captured_at=earlier(days=1)), "date: ", of=format_)
    add(f"{format_}: evidence", set_value(PAGE, evidence=[]), "evidence: ", of=format_)
    add(f"{format_}: a row twice", by(twice), "more than once", of=format_, **HASHES)


def shard_of(out: Path) -> Path:
    return next(path for path in sorted((out / "train").iterdir()) if path.name.startswith("train-00000"))


def bytes_of(change: Callable[[bytes], bytes]) -> Change:
    def forge(out: Path, world: World) -> None:
        path = shard_of(out)
        data = path.read_bytes()
        assert change(data) != data
        path.write_bytes(change(data))
        refresh(out)

    return forge


def lines(change: Callable[[bytes], bytes]) -> Change:
    def content(data: bytes) -> bytes:
        text = zstandard.ZstdDecompressor().stream_reader(data).read()
        return zstandard.ZstdCompressor().compress(change(text))

    return bytes_of(content)


def index(change: Callable[[dict[str, Any]], Any]) -> Change:
    """Change the index of a folder, by which the library of the format finds the shards, and its hash."""

    def forge(out: Path, world: World) -> None:
        path = out / "train" / "index.json"
        values = json.loads(path.read_bytes())
        change(values)
        path.write_text(json.dumps(values))
        manifest = json.loads((out / MANIFEST).read_bytes())
        for file in manifest["files"]:
            if file["name"] == "train/index.json":
                file |= vars_of(path) | {"name": file["name"]}
        reseal(out, Manifest.from_json(manifest))

    return forge


add("jsonl: a name twice", lines(lambda text: text.replace(b'{"content_id"', b'{"text":"Forged.","content_id"', 1)),
    "twice", of="jsonl", **HASHES)  # fmt: skip
add("jsonl: a column more", lines(lambda text: text.replace(b"{", b'{"x":1,', 1)), "not a row", of="jsonl", **HASHES)
add("jsonl: another type", lines(lambda text: text.replace(b'"skip":0', b'"skip":"0"', 1)), "cannot be read",
    of="jsonl", **HASHES)  # fmt: skip
add("jsonl: an empty line", lines(lambda text: text + b"\n"), "cannot be read", of="jsonl", **HASHES)
add("jsonl: a second frame", bytes_of(lambda data: data + zstandard.compress(b'{"text": "more"}\n')), "cannot be read|rows",
    of="jsonl", **HASHES)  # fmt: skip
add("mds: the header of a shard", bytes_of(lambda data: data.replace(b'"compression": null', b'"compression": "gz"', 1)),
    "cannot be read|ends|header", of="mds", **HASHES)  # fmt: skip
add("mds: a header of the same length", bytes_of(lambda data: data.replace(b'"str", "str"', b'"int", "str"', 1)),
    "cannot be read", of="mds", **HASHES)  # fmt: skip
add("mds: the index names another file", index(lambda v: v["shards"][0]["raw_data"].update(basename="x.mds")),
    "not the index", of="mds", **HASHES)  # fmt: skip
add(
    "mds: the index counts fewer",
    index(lambda v: v["shards"][0].update(samples=1)),
    "not the index",
    of="mds",
    **HASHES,
)
add(
    "mds: no index",
    lambda out, world: (out / "train" / "index.json").unlink(),
    "index.json: No such",
    of="mds",
    **HASHES,
)
add("litdata: the index names another file", index(lambda v: v["chunks"][0].update(filename="x.bin")), "not the index",
    of="litdata", **HASHES)  # fmt: skip
add("litdata: the index says encrypted", index(lambda v: v["config"].update(encryption={"x": 1})), "not the index",
    of="litdata", **HASHES)  # fmt: skip
add("litdata: bytes behind the samples", bytes_of(lambda data: data + b"x"), "cannot be read", of="litdata", **HASHES)
add("webdataset: behind the end", bytes_of(lambda data: data + data), "cannot be read", of="webdataset", **HASHES)
add(
    "webdataset: a member is a link", bytes_of(lambda data: tar_link(data)), "cannot be read", of="webdataset", **HASHES
)


def tar_link(data: bytes) -> bytes:
    from tarfile import SYMTYPE, TarInfo

    member = TarInfo.frombuf(data[:512], "utf-8", "strict")
    member.type, member.linkname = SYMTYPE, "/etc/passwd"
    return member.tobuf() + data[512:]


add("masked: fewer than were", set_value(PAGE, masked=3), "masked: ", of="masked")
add("masked: the address is back", one(lambda row: row["masked"] > 0, lambda row: row.update(
    text=row["text"].replace(row["text"].split()[2], "jane@site.org"))), "text: ", of="masked")  # fmt: skip


def refusal_gone(out: Path, world: World) -> None:
    set_value(url("http://refuses.org/"), robots=None)(out, world)
    edited(arguments__honour_opt_outs=True)(out, world)


add("opt-outs: honoured, and the page's refusal gone", refusal_gone, "opts out")
add(
    "opt-outs: honoured, and the refusal is in the row",
    edited(arguments__honour_opt_outs=True),
    "it opts out",
    **HASHES,
)


# -- what only the lake knows ------------------------------------------------------------------------

add("lake: a row is gone", by(removed), "--again|not the rows", **LAKE)
add("lake: a cluster", set_value(PAGE, cluster_id="0" * 64), "not the rows that the lake gives", **LAKE)
add("lake: version of the extractor", set_value(PAGE, extractor="resiliparse/99"), "extractors|not the rows", **LAKE)
add("lake: other numbers of what was left out", edited(dropped=lambda d: [{**d[0], "dropped": 99}]), "dropped", **LAKE)
add("lake: near", edited(arguments__near=True), "--again", **LAKE)
add("lake: opt-outs", edited(arguments__where="words > 99999"), "--again", **LAKE)
add("lake: versions that it never had", edited(lake__versions={"captures": 99, "documents": 1}), "--again", **LAKE)
add("lake: another one", lambda out, world: None, "--again", again="OTHER_LAKE", rows=0, all=False)
add("operator", set_value(PAGE, operator="Somebody"), "not the rows", **LAKE)
add("row: operator", set_value(ROW, operator="Common Crawl"), "not the rows", **LAKE)
add("length gone", set_value(PAGE, length=None), "not the rows", **LAKE)
add("row: url gone, though it has one", set_value(ROW, url=None, domain=None), "not the rows", **LAKE)

# -- seals -------------------------------------------------------------------------------------------

SEAL: dict[str, Any] = {"rows": 0, "all": False, "certificate": "CERTIFICATE"}
add("seal: of another authority", lambda out, world: None, "seal does not hold", seal="SEAL", rows=0, all=False,
    certificate="OTHER_CERTIFICATE")  # fmt: skip
add("seal: of another set", lambda out, world: None, "seal does not hold", of="jsonl", seal="SEAL", **SEAL)
add("seal: a byte off", lambda out, world: None, "seal does not hold|no time stamp", seal="BROKEN_SEAL", **SEAL)
add(
    "seal: a row a second earlier",
    set_value(PAGE, captured_at=earlier(seconds=1)),
    "seal does not hold",
    seal="SEAL",
    **SEAL,
)
add("seal: a byte of a text", one(PAGE, new_text), "seal does not hold", seal="SEAL", **SEAL)
add("seal: another argument", edited(arguments__near=True), "seal does not hold", seal="SEAL", **SEAL)
add(
    "seal: another number of the card",
    edited(dropped=lambda d: [{**d[0], "dropped": 9}]),
    "seal does not hold",
    seal="SEAL",
    **SEAL,
)
add("seal: is none", lambda out, world: None, "time stamp|token", seal="NO_SEAL", **SEAL)


# -- certify -----------------------------------------------------------------------------------------


def certified(change: Callable[[list[Row]], None], **stated: Any) -> Change:
    """Change the rows that certify wrote, and the hash of the file."""

    def forge(out: Path, world: World) -> None:
        path = out / "rows.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        change(rows)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        manifest = json.loads((out / "_certify" / "manifest.json").read_bytes())
        manifest["files"]["rows.jsonl"] |= {
            key: value for key, value in vars_of(path).items() if key != "name"
        } | stated
        (out / "_certify" / "manifest.json").write_text(json.dumps(manifest))

    return forge


def about(change: Callable[[dict[str, Any]], Any]) -> Change:
    def forge(out: Path, world: World) -> None:
        path = out / "_certify" / "manifest.json"
        manifest = json.loads(path.read_bytes())
        change(manifest)
        path.write_text(json.dumps(manifest))

    return forge


def row_of(number: int, **values: Any) -> Callable[[list[Row]], None]:
    def change(rows: list[Row]) -> None:
        for name, value in values.items():
            rows[number][name] = value(rows[number][name]) if callable(value) else value

    return change


for label, change, found in (
    ("text of an exact proof", row_of(0, text=lambda text: text + " more words of it"), "text: "),
    ("text of a near proof", row_of(1, text=lambda text: " ".join(text.split()[::-1])), "similarity: "),
    ("similarity", row_of(1, proof_similarity=0.99), "similarity: "),
    ("similarity of an exact proof", row_of(0, proof_similarity=0.9), "similarity of the same text"),
    ("near as exact", row_of(1, proof="exact", proof_similarity=1.0), "text: "),
    ("date", row_of(0, proof_date="2009-01-01T00:00:00Z"), "date: "),
    ("date without a zone", row_of(0, proof_date="2009-01-01T00:00:00"), "not proven before"),
    ("date after the limit", row_of(0, proof_date="2023-01-01T00:00:00Z"), "not proven before"),
    ("url", row_of(0, proof_url="http://other.org/"), "url: "),
    ("file", row_of(0, proof_record=lambda r: {**r, "file": "/nowhere"}), "no such file"),
    ("offset", row_of(0, proof_record=lambda r: {**r, "offset": 3}), "no record"),
    ("digest", row_of(0, proof_record=lambda r: {**r, "digest": "sha1:A"}), "digest: "),
    ("a record of no type", row_of(0, proof_record="x"), "no record"),
    ("grade", row_of(0, proof_grade="C"), "grade: "),
    ("grade lower than asked", row_of(0, proof_grade="E"), "of a lower grade"),
    ("kind of date", row_of(0, proof_date_source="arc"), "kind of date"),
    ("kind that there is not", row_of(0, proof_date_source="x"), "evidence of another kind"),
    ("proof out of nothing", lambda rows: rows[2].update({k: v for k, v in rows[0].items() if k != "text"}), "text: "),
    ("a proof of no kind", row_of(0, proof="sure"), "no proof is called"),
    ("evidence for no proof", row_of(2, proof_url="http://a.org/"), "evidence for no proof"),
    ("a row less", lambda rows: rows.pop(), "rows of the manifest"),
):  # fmt: skip
    add(f"certify: {label}", certified(change), found, of="certified")
for label, forge, found in (
    ("rows, without the hash", lambda out, world: (out / "rows.jsonl").write_text("{}\n") and None, "not the bytes"),
    ("a file more", lambda out, world: (out / "more.jsonl").write_text("{}\n") and None, "not of this result"),
    ("a file less", lambda out, world: (out / "rows.jsonl").unlink(), "No such file"),
    ("a link", lambda out, world: (out / "x").symlink_to("/tmp"), "a link"),
    ("before", about(lambda m: m["arguments"].update(before="2012-01-01T00:00:00+00:00")), "not proven before"),
    ("no date", about(lambda m: m["arguments"].update(before="soon")), "before of the manifest"),
    ("grade asked", about(lambda m: m["arguments"].update(grade="C")), "lower grade than C"),
    ("counts", about(lambda m: m["files"]["rows.jsonl"]["proof"].update(exact=3)), "proof of the manifest"),
    ("years", about(lambda m: m["files"]["rows.jsonl"].update(proof_by_year={"1999": {"exact": 1}})), "proof_by_year"),
    ("a type", about(lambda m: m["files"]["rows.jsonl"].update(rows="5")), "not a manifest"),
    ("an argument less", about(lambda m: m["arguments"].pop("grade")), "not a manifest"),
    ("no files", about(lambda m: m.update(files={})), "not of this result"),
    ("a list", about(lambda m: m.update(files=[])), "not a manifest"),
    ("paragraphs", about(lambda m: m["arguments"].update(paragraphs=True)), "proof_paragraphs"),
):  # fmt: skip
    add(f"certify: {label}", forge, found, of="certified")
