"""Each fault of a server, in each place of a crawl: named, nothing of it ingested, and the next run completes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from minicc.fixtures import CRAWLS
from minicc.make import page, write_collinfo, write_crawl
from minicc.serve import KINDS, Fault, Server, serve

from archive.commoncrawl.mirror import Access
from archive.commoncrawl.source import reach_of
from archive.engine.base import Context, Done, Failed, Tasks
from archive.errors import ArchiveError
from archive.intake.run import ingest
from archive.lake import Lake

NAME = "CC-MAIN-2019-35"


@dataclass(frozen=True)
class Place:
    """Where in a crawl something goes wrong.

    Args:
        pattern: of the paths that are asked for.
        ranges: only requests for parts of a file, or only those for all of it.
        options: of the ingest that asks for it.
        after: so many requests for it are answered well.
    """

    pattern: str
    ranges: bool | None
    options: dict[str, Any]
    after: int = 0


PLACES = {
    "collinfo": Place("collinfo.json", None, {}),
    "listing": Place("*/warc.paths.gz", None, {}),
    "cluster.idx": Place("*/cluster.idx", None, {"host": "a.example"}),
    "cdx block": Place("*/cdx-*.gz", None, {"host": "a.example"}),
    "Parquet footer": Place("*.parquet", None, {"tld": "example"}),
    "row group": Place("*.parquet", None, {"tld": "example"}, after=1),
    "range": Place("*.warc.gz", None, {"host": "a.example"}),
    "stream": Place("*.warc.gz", None, {}),
}
_BROKEN = (
    "reset by peer|reset the connection|connection ended after|keeps breaking|connection broke|closed the connection"
)
_OTHER = "in answer to a request for|200 and not 206"
_WHAT = "in place of a gzip file|came in its place|damaged|no such index|no Parquet file|no list of crawls|no path|cannot be read|no line of such"
#: What the message says of each fault: a pattern.
WORDS = {
    "slowdown": "503 Slow ?Down",
    "error": "500 Internal",
    "too-many": "429 Too Many",
    "refuse": "answered 403 .* nothing is lost",
    "missing": "answered 404",
    "reset": _BROKEN,
    "reset-inside": _BROKEN,
    "truncate": _BROKEN,
    "short": f"{_OTHER}|{_BROKEN}",
    "whole": "200 and not 206",
    "wrong-range": _OTHER,
    "html": f"{_OTHER}|{_WHAT}",
    "garbled": _WHAT,
    "no-range": "416",
    "gateway": "502 Bad Gateway",
    "gateway-timeout": "504 Gateway Timeout",
    "redirect": "sends us to http://localhost.* another host",
    "empty": f"nothing came|{_OTHER}|no list of crawls",
    "other-bytes": f"{_WHAT}|cannot be read|is cut|not in order|is a record at none",
    "wrong-length": f"{_BROKEN}|the server announces|no byte came",
    "recoded": f"Content-Encoding|{_OTHER}|{_WHAT}",
    "hang": f"{_BROKEN}|no byte came|timed out",
    "hang-inside": f"{_BROKEN}|no byte came|timed out",
    "slow": f"{_BROKEN}|no byte came|bytes a second|timed out",
    "cut": f"bytes in one answer and|is this copy whole|is cut|{_WHAT}|{_OTHER}|ends at byte|cannot be read",
    "damaged": f"damaged|cannot be read|not in order|{_WHAT}",
    "damaged-end": f"damaged|is this copy whole|{_WHAT}|is cut",
    "junk": "no path of a file|no list of crawls|no such index|not in order|cannot be read",
    "unsorted": "not in order|is cut",
}
#: Where a fault is none: the answer is as good as any, or there is no such thing.
NONE = {
    ("short", "collinfo"), ("short", "listing"), ("short", "stream"),
    ("whole", "collinfo"), ("whole", "listing"), ("whole", "stream"),
    ("wrong-range", "collinfo"), ("wrong-range", "listing"), ("wrong-range", "stream"),
    ("damaged-end", "row group"), ("damaged-end", "range"),
}  # fmt: skip
#: These give an answer that looks like a good one.
_OF_CONTENT = {
    "html",
    "empty",
    "garbled",
    "other-bytes",
    "recoded",
    "cut",
    "damaged",
    "damaged-end",
    "junk",
    "unsorted",
}
#: Of these the manual has the words of other places.
_SAID_ELSEWHERE = {"refuse", "slow", "junk", "unsorted"}
#: These take time.
_LATE = {"hang", "hang-inside", "slow"}
#: These change what is in a list, or in an index of lines.
_OF_LINES = {"junk": {"listing", "cluster.idx"}, "unsorted": {"cluster.idx"}}


PAGE = Path(__file__).parents[3] / "docs" / "common-crawl.md"
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def messages() -> dict[str, tuple[str, str]]:
    """Return what the manual says that is printed of each fault: of parts of a file, and of a file as a whole."""
    page = PAGE.read_text(encoding="utf-8").partition("## What can go wrong")[2].partition("\n## ")[0]
    table = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    messages = {row[0].strip("`"): [each.strip("`") for each in row[3].split("<br>")] for row in table}
    return {kind: (words[0], words[-1]) for kind, words in messages.items()}


class Inline:
    """An engine without processes."""

    workers = 1

    def run(self, work: Any, tasks: Iterable[Any], **_: Any) -> Iterator[Any]:
        assert isinstance(tasks, Tasks)
        while (task := tasks.take()) is not None:
            try:
                yield Done(task, work(task, Context()))
            except ArchiveError as error:
                yield Failed(task, str(error))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl of one file, and two pages more than a tail of a Parquet file has."""
    folder = tmp_path_factory.mktemp("faults")
    start = datetime.fromisoformat(CRAWLS[NAME][0]).replace(tzinfo=UTC) + timedelta(days=2)
    pages = [page(f"http://a.example/{n}", f"Page {n} {'word ' * 30}", start + timedelta(hours=n)) for n in range(12)]
    write_crawl(folder, NAME, pages, files=1, shards=1, block=4, parts=1, group=6)
    write_collinfo(folder, {NAME: CRAWLS[NAME]})
    return folder


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serve(root) as server:
        yield server


@pytest.fixture(scope="module")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a lake has of the crawl."""
    lake = Lake(str(tmp_path_factory.mktemp("undisturbed") / "lake"))
    ingest(lake, f"cc:{NAME}", mirror=str(root), workers=Inline())  # type: ignore[arg-type]
    return found(lake)


def found(lake: Lake) -> list[str]:
    """What a lake has."""
    columns = ["url", "captured_at", "grade", "record_sha256", "offset", "content_id"]
    return sorted(map(repr, lake.read("captures", columns).to_pylist()))


def attempt(lake: Lake, server: Server, options: dict[str, Any]) -> str:
    """Ingest; returns what was said of what went wrong."""
    try:
        result = ingest(lake, f"cc:{NAME}", mirror=server.address, rate=1e6, workers=Inline(), **options)  # type: ignore[arg-type]
    except ArchiveError as error:
        return str(error)
    assert not result.rejects
    return " ".join(result.files_failed.values())


CASES = [
    (kind, place)
    for kind in KINDS
    for place in PLACES
    if kind in WORDS and (kind, place) not in NONE and not (kind in _OF_LINES and place != "cluster.idx")
]


@pytest.mark.parametrize("kind", list(dict.fromkeys(kind for kind, _ in CASES)))
def test_a_fault_is_named_wherever_it_is_and_nothing_of_it_is_ingested(
    kind: str, server: Server, undisturbed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(Access, range_attempts=3, file_attempts=3, first_wait=1e-9)
    quick = partial(quick, timeout=0.05 if kind in _LATE else 10)
    wrong = []
    for where in (place for each, place in CASES if each == kind):
        place, lake = PLACES[where], Lake(str(tmp_path / where))
        cache = tmp_path / f"cache of {where}"
        monkeypatch.setattr("archive.intake.crawled.Access", partial(quick, cache=str(cache)))
        server.faults = [Fault(kind, place.pattern, None, place.after, 0.1, place.ranges)]
        said = attempt(lake, server, place.options)
        if not re.search(WORDS[kind], said):
            wrong.append(f"{where}: {said or 'nothing was said'}")
        if where in {"range", "stream"} and kind not in _SAID_ELSEWHERE:
            words = re.sub(r"http://localhost\S+", "https://login.example/,", said)
            if not _NUMBER.sub("N", words).endswith(f": {_NUMBER.sub('N', messages()[kind][where == 'stream'])}"):
                wrong.append(f"{where}: the manual has other words: {said}")
        if lake.exists() and any(lake.read(table, ["file"]).num_rows for table in ("captures", "rejects")):
            wrong.append(f"{where}: something was ingested")
        if kind == "refuse":  # it is remembered
            assert attempt(lake, server, place.options).count("answered 403") == 1
            shutil.rmtree(cache / "gates")
        server.faults = []
        reach_of.cache_clear()  # the next run is another process
        if kind not in _OF_CONTENT and where != "stream":
            continue  # nothing of such an answer gets as far as a cache
        if (again := attempt(lake, server, place.options)) or found(lake) != undisturbed:
            wrong.append(f"{where}: the next run is not as undisturbed. {again}")
    assert not wrong, "\n".join(wrong)


def test_a_list_with_other_ends_of_lines_is_the_same_list(
    server: Server, undisturbed: list[str], lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server.faults = [Fault("crlf", "*.paths.gz", None)]
    assert attempt(lake, server, {}) == ""
    assert found(lake) == undisturbed


def test_every_fault_that_the_server_can_make_is_in_the_table() -> None:
    assert set(KINDS) - set(WORDS) == {"changed", "crlf"}, "these two have tests of their own"


def test_the_manual_has_every_fault_of_the_server() -> None:
    assert list(messages()) == list(KINDS)
