"""Archives of every kind, a lake of them, and sets of every format: what is forged, and what must pass."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from authority import Authority
from conftest import members, record, take
from made import edited, indexed, words

import lowbackground as lb
from archive.lake import Lake
from index.certify import certify
from query.export.run import export

BEFORE = "2022-01-01"
#: Name of a set -> the options of its export.
SETS: dict[str, dict[str, Any]] = {
    "parquet": {},
    "jsonl": {"format": "jsonl"},
    "mds": {"format": "mds"},
    "litdata": {"format": "litdata"},
    "webdataset": {"format": "webdataset"},
    "sliced": {"slices": "year"},
    "split": {"split": {"a": 0.5, "b": 0.5}},
    "masked": {"mask": True},
}


@dataclass
class World:
    """The folders of all.

    Attributes:
        sources: the archives that the lake was made of.
        outside: what a forger wrote elsewhere.
        inside: where a record is inside of a page.
        later: the offset of a later record of a text.
    """

    folder: Path
    sources: Path
    outside: Path
    lake: Path
    sets: dict[str, Path] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)
    later: int = 0
    names: dict[str, Any] = field(default_factory=dict)  #: what options of `verify` are called in the table


def page(number: int, words: str = "", **options: Any) -> bytes:
    text = words or f"The words of page {number} are these, and no others."
    date = f"201{number % 10}-05-06T07:08:09Z"
    return record(f"http://site{number}.org/", f"<title>T{number}</title><p>{text}</p>", date, **options)


def digest_of(made: bytes) -> str:
    line = next(line for line in made.decode().splitlines() if line.startswith("WARC-Payload-Digest"))
    return line.split(": ")[1]


def stored(data: bytes) -> bytes:
    """Return a gzip member that holds its content as it is."""
    return gzip.compress(data, compresslevel=0, mtime=0)


def package(entries: dict[str, bytes], stated: dict[str, bytes]) -> bytes:
    """Return a WACZ, whose manifest states the digests of some contents."""
    resources = [{"path": name, "hash": f"sha256:{hashlib.sha256(data).hexdigest()}"} for name, data in stated.items()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name, data in {**entries, "datapackage.json": json.dumps({"resources": resources}).encode()}.items():
            made.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def make(folder: Path) -> World:
    """Make all of it."""
    world = World(folder, folder / "sources", folder / "outside", folder / "lake")
    world.sources.mkdir(parents=True)
    world.outside.mkdir()
    pages = _write_sources(world)
    lake = Lake(str(world.lake))
    take(lake, str(world.sources))
    indexed(lake)
    for name, options in SETS.items():
        world.sets[name] = folder / "sets" / name
        export(lake, world.sets[name], before=BEFORE, grade="E", workers=1, **options)
    _certify(world, lake)
    _write_outside(world, pages)
    _seal(world)
    other = Lake(str(folder / "other"))
    take(other, str(world.sources / "pages.warc.gz"))
    world.names |= {"LAKE": str(world.lake), "OTHER_LAKE": str(other.location), "SOURCES": str(world.sources)}
    os.mkfifo(world.sources / "pipe")
    (world.sources / "link.warc.gz").symlink_to(world.outside / "pages.warc.gz")
    return world


def _write_sources(world: World) -> list[bytes]:
    def write(name: str, content: bytes) -> None:
        (world.sources / name).write_bytes(content)

    nofollow = "<meta name=robots content=nofollow>"
    pages = [page(0), page(1, nofollow + "Words of a page that links to nowhere."), *(page(n) for n in range(2, 6))]
    same = [record(f"http://same.org/{n}", "<p>A text of two records.</p>", f"201{n}-02-03T00:00:00Z") for n in (1, 7)]
    refuses = record("http://refuses.org/", "<meta name=robots content=noai><p>Words of one who refuses.</p>")
    mail = record("http://mail.org/", "<p>Mail to jane@site.org today.</p>", "2016-01-01T00:00:00Z")
    several = [
        record(f"http://big.org/{n}", f"<p>Page {n} of a site.</p>", f"2012-03-0{n}T00:00:00Z") for n in (1, 2, 3)
    ]
    packed = [*pages, *same, refuses, mail, *several]
    write("pages.warc.gz", members(*packed))
    world.later = len(members(*packed[: packed.index(same[1])]))
    revisit = record(
        "http://site3.org/", "", "2009-01-01T00:00:00Z", "revisit", warc={"WARC-Payload-Digest": digest_of(pages[3])}
    )
    write("revisit.warc.gz", gzip.compress(revisit, mtime=0))
    wayback = record("http://web.archive.org/web/20080102030405id_/http://old.org/page", "<p>An old page.</p>",
                     "2021-01-01T00:00:00Z", http={"Memento-Datetime": "Wed, 02 Jan 2008 03:04:05 GMT"})  # fmt: skip
    write("wayback.warc", wayback)
    inner = record("http://inner.org/", "<p>A record that others contain.</p>", "2003-01-01T00:00:00Z")
    write("inner.warc.gz", members(inner))
    outer = record("http://outer.org/", b"<p>On archives:</p>\r\n\r\n" + inner, "2021-01-01T00:00:00Z")
    write("plain.warc", outer)
    world.inside["plain"] = outer.index(inner)
    boxed = stored(inner)
    box = stored(record("http://box.org/", b"<p>More on archives.</p>" + boxed, "2021-01-01T00:00:00Z"))
    write("stored.warc.gz", box)
    world.inside["stored"] = box.index(boxed)
    rows = [
        {
            "text": f"Row {n} of a data set.",
            "created": "2013-04-05",
            "added": "2019-04-05",
            "url": f"http://row{n}.org/",
        }
        for n in range(4)
    ]
    write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    lines = [{"text": f"Line {n} of another.", "date": "2018-01-01", "url": f"http://packed{n}.org/"} for n in range(3)]
    write("packed.jsonl.gz", gzip.compress("".join(json.dumps(row) + "\n" for row in lines).encode(), mtime=0))
    cells = {"text": [f"Cell {n} of a table." for n in range(5)], "date": ["2016-01-01T00:00:00Z"] * 5,
             "url": ["http://cell.org/"] * 5}  # fmt: skip
    pq.write_table(pa.table(cells), world.sources / "cells.parquet", row_group_size=2)
    entries = {
        f"archive/{name}.warc.gz": members(
            record(f"http://{name}.wacz/", f"<p>Entry {name}.</p>", "2014-05-05T00:00:00Z")
        )
        for name in ("one", "two")
    }
    write("a.wacz", package(entries, entries))
    long = record("http://long.org/", f"<p>{' '.join(words(120, 3))}</p>", "2011-01-01T00:00:00Z")
    write("long.warc.gz", members(long))
    return packed


def _write_outside(world: World, pages: list[bytes]) -> None:
    """What a forger can write: copies that are changed, elsewhere."""
    shutil.copy(world.sources / "pages.warc.gz", world.outside / "pages.warc.gz")
    with zipfile.ZipFile(world.sources / "a.wacz") as made:
        entries = {name: made.read(name) for name in made.namelist() if name.startswith("archive/")}
    changed = {**entries, "archive/one.warc.gz": entries["archive/one.warc.gz"] + members(pages[0])}
    (world.outside / "altered.wacz").write_bytes(package(changed, entries))
    first = pages[0]
    other_text = first.replace(b"are these, and", b"are those, and")
    other_date = first.replace(b"WARC-Date: 2010-05-06T07:08:09Z", b"WARC-Date: 2009-05-06T07:08:09Z")
    assert first not in {other_text, other_date}
    (world.outside / "text.warc.gz").write_bytes(members(other_text))
    (world.outside / "header.warc.gz").write_bytes(members(other_date))
    honest = (world.sources / "pages.warc.gz").read_bytes()
    swapped = members(*[other_text if each == first else each for each in pages])
    (world.outside / "swapped.warc.gz").write_bytes(swapped[: len(honest)].ljust(len(honest), b"\0"))


def _certify(world: World, lake: Lake) -> None:
    long = words(120, 3)
    rows = [
        " ".join(long),
        " ".join(edited(long, 2, 5)),
        " ".join(words(90, 9)),
        "The words of page 4 are these, and no others.",
    ]
    (world.folder / "in").mkdir()
    source = world.folder / "in" / "rows.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    world.sets["certified"] = world.folder / "sets" / "certified"
    result = certify(lake, source, world.sets["certified"], before=BEFORE, workers=1)
    assert (result.proof["exact"], result.proof["near"]) == (2, 1)


def _seal(world: World) -> None:
    one, other = (Authority(world.folder / name, name=name) for name in ("tsa", "other-tsa"))
    token = world.folder / "set.seal.tsr"
    with one.served() as address:
        assert lb.seal(world.sets["parquet"], tsa=address, out=token, certificate=[one.root]).verified
    data = bytearray(token.read_bytes())
    data[-20] ^= 1
    (world.folder / "broken.tsr").write_bytes(data)
    (world.folder / "none.tsr").write_bytes(b"no stamp")
    world.names |= {
        "SEAL": str(token),
        "BROKEN_SEAL": str(world.folder / "broken.tsr"),
        "NO_SEAL": str(world.folder / "none.tsr"),
        "CERTIFICATE": [str(one.root)],
        "OTHER_CERTIFICATE": [str(other.root)],
    }
