"""Known bytes are revisits: in one crawl, over the crawls of a folder, and where a server states that nothing changed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lowbackground as lb

pytest.importorskip("scrapy")

from crawls import check, crawled, index, of, pages, records
from rawserver import Answer, missing, page, serving
from warcio.archiveiterator import ArchiveIterator

from archive.errors import CrawlError
from archive.intake.display import show
from archive.intake.result import IngestResult
from crawler.records import known
from crawler.records.known import responses_of
from crawler.run import CrawlResult

WORDS = " ".join(f"word{number}" for number in range(60))
IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"


def test_equal_bytes_at_another_address_are_a_revisit_of_the_first(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            return page("<a href=/a><a href=/b><a href=/empty1><a href=/empty2><a href=/no1><a href=/no2>")
        if path.startswith("/no"):
            return page("nothing here", status="404 Not Found")
        if path in ("/a", "/b"):
            return page(f"<p>{WORDS}")
        return page("") if path.startswith("/empty") else missing()

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/", batch=1, batch_seconds=0.0)
    (first,), (second,) = of(tmp_path, "response", "/a"), of(tmp_path, "revisit", "/b")
    assert second.headers["WARC-Profile"] == IDENTICAL
    assert second.headers["WARC-Payload-Digest"] == first.headers["WARC-Payload-Digest"]
    assert second.headers["WARC-Refers-To"] == first.id
    assert second.headers["WARC-Refers-To-Target-URI"] == server.address + "/a"
    assert second.headers["WARC-Refers-To-Date"] == first.headers["WARC-Date"]
    assert first.block.startswith(second.block)
    assert second.block.endswith(b"\r\n\r\n")
    assert [each.url for each in records(tmp_path) if each.kind == "revisit"] == [server.address + "/b"]
    assert [each["mime"] for each in index(tmp_path) if each["url"].endswith(("/a", "/b"))] == [
        "text/html",
        "warc/revisit",
    ]
    check(tmp_path)


def test_chunks_of_other_sizes_are_the_same_bytes_but_no_chunks_are_others(tmp_path: Path) -> None:
    body = f"<p>{WORDS}".encode()

    def answer(path: str, request: bytes) -> Answer:
        if path not in ("/a", "/b"):
            pages = {"/": page("<a href=/a><a href=/b><a href=/c><a href=/d>"), "/c": page(body), "/d": page(body)}
            return pages.get(path, missing())
        size = 100 if path == "/a" else 64
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
        return Answer([head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"], "keep")

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/", batch=1, batch_seconds=0.0)
    for one, other in (("/a", "/b"), ("/c", "/d")):  # pywb reads the bytes of a revisit as the header of that says
        (first,), (second,) = of(tmp_path, "response", one), of(tmp_path, "revisit", other)
        assert second.headers["WARC-Payload-Digest"] == first.headers["WARC-Payload-Digest"]
        assert second.headers["WARC-Refers-To"] == first.id
    check(tmp_path)


def site(  # type: ignore[no-untyped-def]
    version: list[int], with_tags: bool = True, changed: tuple[int, ...] = (3,), new: int = 1
):
    """20 pages with ETags, which know when nothing has changed; some change with the version, and new ones come."""

    def answer(path: str, request: bytes) -> Answer:
        if path != "/" and not path[1:].isdigit():
            return missing()
        number = int(path[1:] or 0)
        tag = f'"{number}-{version[0] if number in changed else 0}"'
        if with_tags and f"If-None-Match: {tag}".encode() in request:
            return Answer(
                [f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\nX-Version:  {version[0]}\r\n\r\n".encode()], "keep"
            )
        links = "".join(f"<a href=/{each}>" for each in (2 * number + 1, 2 * number + 2) if each < 20)
        if version[0] > 1 and number == 3:
            links += "".join(f"<a href=/{99 - each}>" for each in range(new))
        text = f"<title>{number}</title>{links}<p>{WORDS} {tag}" + "filling " * 500
        return page(text, "Content-Type: text/html", *([f"ETag: {tag}"] if with_tags else []))

    return answer


@pytest.mark.parametrize("with_tags", [True, False])
def test_a_recrawl_of_an_unchanged_site_is_small_and_finds_what_is_new(tmp_path: Path, with_tags: bool) -> None:
    version = [1]
    with serving(site(version, with_tags)) as server:
        first = crawled(tmp_path, server.address + "/")
        sizes = [sum(path.stat().st_size for path in tmp_path.glob("*.warc.gz"))]
        again = crawled(tmp_path, server.address + "/", again=True)
        sizes.append(sum(path.stat().st_size for path in tmp_path.glob("*.warc.gz")) - sizes[0])
        version[0] = 2
        third = crawled(tmp_path, server.address + "/", again=True)
    assert (first.done, again.done, third.done) == (20, 20, 21)
    assert (first.crawl, again.crawl, third.crawl) == (1, 2, 3)
    assert first.statuses == {"200": 20}
    if with_tags:
        assert again.statuses == {"304": 20}
        assert third.statuses == {"200": 2, "304": 19}
        assert again.bytes < 0.15 * first.bytes
    found = [each for each in records(tmp_path) if each.kind == "revisit"]
    assert len(found) == 39
    kept = {each.url: each for each in records(tmp_path) if each.kind == "response" and each.url[-1:].isdigit()}
    for each in found[:20]:
        if with_tags:
            assert each.headers["WARC-Profile"] == NOT_MODIFIED
            assert each.block == b""
            (notes,) = (
                m.notes
                for m in records(tmp_path)
                if m.headers.get("WARC-Concurrent-To") == each.id and m.kind == "metadata"
            )
            assert json.loads(notes["http-304"]).startswith("HTTP/1.1 304 Not Modified\r\nETag: ")
            assert "\r\nX-Version:  " in json.loads(notes["http-304"])
        if each.url in kept and not each.url.endswith("/3"):
            assert each.headers["WARC-Payload-Digest"] == kept[each.url].headers["WARC-Payload-Digest"]
            assert each.headers["WARC-Refers-To"] == kept[each.url].id
    check(tmp_path)
    assert pages(tmp_path).count("/99") == 1


def test_a_lake_grows_by_what_is_new_of_a_recrawl(tmp_path: Path) -> None:
    """3 of 20 pages change, and 2 are new."""
    import lowbackground as lb
    import query

    lake, folder, version = str(tmp_path / "lake"), tmp_path / "crawl", [1]
    began = datetime.now(UTC)
    with serving(site(version, changed=(3, 7, 11), new=2)) as server:

        def step() -> tuple[CrawlResult, IngestResult]:
            done = crawled(folder, server.address + "/", again=True)
            return done, lb.ingest(lake, str(folder), workers=1)

        (first, taken), (second, taken_again) = step(), step()
        version[0] = 2
        third, taken_last = step()
    assert (first.done, second.done, third.done) == (20, 20, 22)
    assert second.bytes < 0.15 * first.bytes
    assert [each.files for each in (taken, taken_again, taken_last)] == [1, 1, 1]
    assert [each.files_skipped for each in (taken, taken_again, taken_last)] == [0, 1, 2]
    assert [each.new_texts for each in (taken, taken_again, taken_last)] == [20, 0, 5]
    assert [each.captures - each.site_rules for each in (taken, taken_again, taken_last)] == [20, 20, 22]
    assert taken.rejects + taken_again.rejects + taken_last.rejects == {}
    db = query.connect(lake)
    seen = "SELECT captures, count(*) FROM documents GROUP BY 1 ORDER BY 1"
    assert db.execute(seen).fetchall() == [(1, 5), (2, 3), (3, 17)]
    assert db.execute("SELECT count(*) FROM captures WHERE content_id IS NULL AND rules IS NULL").fetchall() == [(0,)]
    # the date is the start of the request, to the microsecond; the server states none, so the grade is D
    dated = dict(db.execute("SELECT record_id, captured_at FROM captures").fetchall())
    stated = {each.id: each.headers["WARC-Date"] for each in records(folder) if each.kind in ("response", "revisit")}
    assert stated == {number: f"{at:%Y-%m-%dT%H:%M:%S.%fZ}" for number, at in dated.items()}
    assert began < min(dated.values())
    assert db.execute("SELECT DISTINCT grade, date_source FROM captures").fetchall() == [("D", "warc")]
    assert db.execute("SELECT count(*) FROM clean('2022-01-01')").fetchall() == [(0,)]
    assert db.execute("SELECT count(*) FROM clean('2100-01-01')").fetchall() == [(25,)]


def test_a_304_for_a_page_in_chunks_states_the_digest_of_its_record(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path != "/":
            return missing()
        if b"If-None-Match" in request:
            return Answer([b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'], "keep")
        head = b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: "1"\r\nTransfer-Encoding: chunked\r\n\r\n'
        return Answer([head + b"5\r\nhello\r\n0\r\n\r\n"], "keep")

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/")
        crawled(tmp_path, server.address + "/", again=True)
    (first,) = of(tmp_path, "response", f":{server.port}/")
    (second,) = of(tmp_path, "revisit", f":{server.port}/")
    assert second.headers["WARC-Payload-Digest"] == first.headers["WARC-Payload-Digest"]
    assert second.headers["WARC-Refers-To-Container"] == next(tmp_path.glob("*-00001.warc.gz")).name
    check(tmp_path)


def test_bytes_that_other_files_hold_are_revisits_of_those(tmp_path: Path) -> None:
    with serving(site([1])) as server:
        crawled(tmp_path / "a", server.address + "/")
        crawled(tmp_path / "b", server.address + "/", known=(str(tmp_path / "a"),))
        with pytest.raises(CrawlError, match="--known"):
            crawled(tmp_path / "c", server.address + "/", known=(str(tmp_path / "a" / "index.cdxj"),))
        with pytest.raises(FileNotFoundError):
            crawled(tmp_path / "d", server.address + "/", known=(str(tmp_path / "nothing"),))
    first = {each.url: each for each in records(tmp_path / "a") if each.kind == "response"}
    second = [each for each in records(tmp_path / "b") if each.kind == "revisit"]
    assert len(second) == 20
    for each in second:
        assert each.headers["WARC-Refers-To"] == first[each.url].id
        assert each.headers["WARC-Refers-To-Date"] == first[each.url].headers["WARC-Date"]
        assert each.headers["WARC-Refers-To-Container"] == next((tmp_path / "a").glob("*.warc.gz")).name


def test_known_files_are_read_once_and_their_pages_are_asked_for_by_their_validators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(known, "responses_of", lambda path: (read.append(Path(path).name), *responses_of(path))[1:])
    version, others = [1], (str(tmp_path / "a"),)
    with serving(site(version)) as server:
        first = crawled(tmp_path / "a", server.address + "/")
        second = crawled(tmp_path / "b", server.address + "/", known=others)
        assert (second.done, second.statuses) == (20, {"304": 20})
        assert second.bytes < 0.15 * first.bytes
        files = [path.name for path in (tmp_path / "a").glob("*.warc.gz")]
        assert read == files
        version[0] = 2
        crawled(tmp_path / "a", server.address + "/", again=True)
        third = crawled(tmp_path / "b", server.address + "/", again=True, known=others)
        # page 3 has changed since `b` saw it, and the second file of `a` has what is there now
        assert (third.done, third.statuses) == (21, {"200": 1, "304": 20})
        assert {each.kind for each in of(tmp_path / "b", "response", "/3")} == set()
        assert len(read) == 2
        for path in (tmp_path / "a").glob("*.warc.gz"):
            path.unlink()
        # what nobody can read any more is fetched, so that no link is lost
        fourth = crawled(tmp_path / "b", server.address + "/", again=True)
        assert (fourth.done, fourth.statuses) == (21, {"200": 21})
    check(tmp_path / "b")


def test_a_known_file_that_was_replaced_is_read_anew_and_its_old_records_are_not_referred_to(tmp_path: Path) -> None:
    with serving(site([1], with_tags=False)) as server:
        crawled(tmp_path / "a", server.address + "/")
        crawled(tmp_path / "b", server.address + "/", known=(str(tmp_path / "a"),), pages=1)
        (path,) = (tmp_path / "a").glob("*.warc.gz")
        with path.open("rb") as stream:
            info = next(iter(ArchiveIterator(stream)))
            assert info.rec_type == "warcinfo"
        with gzip.open(path, "wb") as stream:
            stream.write(b"WARC/1.1\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n")
        crawled(tmp_path / "b", server.address + "/", known=(str(tmp_path / "a"),))
    kinds = [each.kind for each in records(tmp_path / "b") if each.url[-1:].isdigit() and each.kind != "metadata"]
    assert kinds.count("response") == 19


def test_an_ingest_names_the_files_that_its_revisits_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, others = str(tmp_path / "lake"), tmp_path / "a"
    with serving(site([1])) as server:
        crawled(others, server.address + "/")
        crawled(tmp_path / "b", server.address + "/", known=(str(others),))
    (file,) = others.glob("*.warc.gz")
    result = lb.ingest(lake, str(tmp_path / "b"), workers=1)
    assert (result.new_texts, result.revisits_apart) == (0, {file.name: 20})
    show(result)
    line = f"20 revisits of records in a file that this lake has not; ingest it too: {file.name}"
    assert line in capsys.readouterr().out.splitlines()
    result = lb.ingest(lake, [str(others), str(tmp_path / "b")], again=True, workers=1)
    assert (result.new_texts, result.revisits_apart) == (20, {})
