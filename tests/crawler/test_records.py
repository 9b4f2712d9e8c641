"""The files of a crawl hold what was on the wire, whole and verifiable, and other readers agree."""

from __future__ import annotations

import gzip
import hashlib
import json
import ssl
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from authority import openssl
from crawls import check, crawled, index, of, pages, records
from odd import ODD
from rawserver import Answer, missing, page, serving

ROBOTS = page(
    "User-agent: GPTBot\nDisallow: /\nUser-agent: *\nDisallow: /private\nContent-Usage: ai=n\n",
    "Content-Type: text/plain",
)


def test_odd_responses_are_kept_byte_for_byte_and_the_cut_ones_are_marked(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            return page("".join(f'<a href="/{name}">{name}</a>' for name in ODD))
        return ODD[path[1:]].answer if path[1:] in ODD else missing()

    with serving(answer) as server:
        result = crawled(
            tmp_path, server.address + "/", idle=1.0, batch=1000, batch_seconds=60.0
        )  # one batch: no revisits
        asked = {request.split(b" ", 2)[1].decode()[1:]: request for _, request in server.asked}
    assert result.done == len(ODD) + 1
    for name, odd in ODD.items():
        (response,) = of(tmp_path, "response", "/" + name)
        (metadata,) = of(tmp_path, "metadata", "/" + name)
        interim = json.loads(metadata.notes.get("http-interim", '""')).encode("latin-1")
        assert interim + response.block == odd.block, name
        assert response.block.startswith(b"HTTP/1.1 200 OK") or name != "interim"
        assert response.headers.get("WARC-Truncated", "") == odd.truncated, name
        (request,) = of(tmp_path, "request", "/" + name)
        assert request.block == asked[name]
        assert request.headers["WARC-Concurrent-To"] == response.id
        assert metadata.headers["WARC-Concurrent-To"] == response.id
        assert {each.headers["WARC-Date"] for each in (response, request, metadata)} == {response.headers["WARC-Date"]}
        assert response.headers["WARC-IP-Address"] == "127.0.0.1"
    check(tmp_path)


def test_a_page_names_the_rules_that_let_it_in_and_whom_they_shut_out(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return {"/robots.txt": ROBOTS, "/": page("<a href=/private/a>no</a><a href=/b>yes</a>"), "/b": page("b")}.get(
            path, missing()
        )

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", operator="A Library")
        assert server.paths() == ["/robots.txt", "/.well-known/tdmrep.json", "/", "/b"]
    assert (result.done, result.refused, result.reasons) == (2, 1, {"robots": 1})
    (robots,) = of(tmp_path, "response", "/robots.txt")
    (tdm,) = of(tmp_path, "response", "/tdmrep.json")
    notes = of(tmp_path, "metadata", "/b")[0].notes
    assert notes["robots-record"] == robots.id
    assert notes["robots-rule"] == "no rule matches"
    assert notes["robots-shut-out"] == "GPTBot"
    assert notes["robots-usage"] == "Content-Usage: ai=n"
    assert (notes["tdmrep-record"], notes["tdmrep-status"]) == (tdm.id, "404")
    assert (notes["via"], notes["depth"]) == (server.address + "/", "1")
    assert int(notes["fetchTimeMs"]) >= int(notes["firstByteTimeMs"]) >= 0
    info = next(records(tmp_path))
    assert info.kind == "warcinfo"
    assert info.notes["operator"] == "A Library"
    assert info.notes["contact"] == "test@example.org"
    assert "lowbackground" in info.notes["http-header-user-agent"]
    assert {each.headers.get("WARC-Warcinfo-ID") for each in records(tmp_path) if each.kind != "warcinfo"} == {info.id}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_over_tls_the_record_has_what_was_inside_and_names_the_protocols(tmp_path: Path, version: str) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
            "-days", "2", "-subj", "/CN=localhost")  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
    with serving(lambda path, _: page("inside") if path == "/" else missing(), tls=context) as server:
        assert crawled(tmp_path / "crawl", server.address + "/").done == 1
        asked = server.asked[-1][1]
    (response,) = of(tmp_path / "crawl", "response", f":{server.port}/")
    assert response.block == b"".join(page("inside").pieces)
    assert of(tmp_path / "crawl", "request", f":{server.port}/")[0].block == asked
    sha256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()
    for each in records(tmp_path / "crawl"):
        if each.kind == "response":
            assert each.protocols == ["http/1.1", f"tls/{version}"]
            assert each.headers["WARC-Cipher-Suite"].startswith("TLS_" if version == "1.3" else "ECDHE-")
        if each.kind == "metadata":
            assert each.notes["tls-certificate-sha256"] == sha256


def test_the_manifest_and_the_index_agree_with_the_files(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return page("".join(f"<a href=/{n}>" for n in range(30)) + path) if len(path) < 4 else missing()

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/", file_size=9000, batch=5)
    manifest = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert len(manifest) > 2
    assert [each["name"] for each in manifest] == sorted(path.name for path in tmp_path.glob("*.warc.gz"))
    for each in manifest:
        data = (tmp_path / each["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == each["sha256"]
        assert len(data) == each["bytes"]
    lines = (tmp_path / "index.cdxj").read_text().splitlines()
    assert lines == sorted(lines)
    assert len(lines) == 33
    for each in index(tmp_path):
        start = int(each["offset"])
        member = gzip.decompress((tmp_path / each["filename"]).read_bytes()[start : start + int(each["length"])])
        assert f"WARC-Target-URI: {each['url']}\r\n".encode() in member
        assert member.startswith(b"WARC/1.1\r\nWARC-Type: response\r\n")
    assert sorted(pages(tmp_path)) == sorted(["/", *(f"/{n}" for n in range(30))])
    assert not list(tmp_path.glob("*.open"))


def test_fastwarc_verifies_what_was_written(tmp_path: Path) -> None:
    fastwarc = pytest.importorskip("fastwarc")

    def answer(path: str, request: bytes) -> Answer:
        links = "".join(
            f"<a href=/{name}>"
            for name in ("plain", "chunks", "trailers", "gzip", "404", "204", "half-body", "deflate")
        )
        return page(links) if path == "/" else ODD[path[1:]].answer if path[1:] in ODD else missing()

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/")
        crawled(tmp_path, server.address + "/", again=True)
    count = 0
    for path in tmp_path.glob("*.warc.gz"):
        for parse_http in (False, True):
            for each in fastwarc.ArchiveIterator(str(path), parse_http=parse_http):
                if parse_http and each.headers["WARC-Type"] == "response":
                    assert each.verify_payload_digest(), each.headers["WARC-Target-URI"]
                if not parse_http and "WARC-Block-Digest" in each.headers:
                    assert each.verify_block_digest()
                    count += 1
    assert count == check(tmp_path)


def test_the_files_are_ingested_without_a_fault(tmp_path: Path) -> None:
    import lowbackground as lb

    def answer(path: str, request: bytes) -> Answer:
        words = " ".join(f"word{n}" for n in range(40))
        return page(f"<title>{path}</title><a href=/a><a href=/b><p>{path} {words}</p>") if len(path) < 3 else missing()

    folder = tmp_path / "crawl"
    with serving(answer) as server:
        crawled(folder, server.address + "/", operator="A Library")
    lake = str(tmp_path / "lake")
    result = lb.ingest(lake, str(folder), workers=1)
    assert (result.captures, result.files, result.files_failed, result.sources_useless) == (5, 1, {}, {})
    assert (result.site_rules, result.rejects) == (2, {})
    (folder / "mine.jsonl").write_text('{"text": "A row that somebody put into the folder.", "date": "2020-01-01"}\n')
    again = lb.ingest(lake, str(folder), workers=1)
    assert (again.files, again.files_skipped, again.captures) == (1, 1, 1)
    rows = lb.query(
        lake,
        "SELECT url, date_problem, payload_check, block_check, grade, operator FROM captures "
        "WHERE operator IS NOT NULL AND rules IS NULL ORDER BY url",
    ).to_pylist()
    assert [row["url"] for row in rows] == [f"{server.address}/{each}" for each in ("", "a", "b")]
    assert {(row["date_problem"], row["payload_check"], row["block_check"]) for row in rows} == {
        (None, "verified", "verified")
    }
    assert {row["operator"] for row in rows} == {"A Library"}
