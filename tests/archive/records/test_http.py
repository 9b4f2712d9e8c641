"""HTTP responses as records hold them: the final response, any line ends, lenient status lines, headers without an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.records.chunks import dechunk
from archive.records.http import Message, parse_response

PAGE = b"<!doctype html><p>Words.\r\n\r\n\n\nMore words."
FINAL = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Final: yes\r\n\r\n"


def parse(block: bytes) -> Message:
    found = parse_response(block)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Continue\n\n",
        b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/css\r\nLink: <a.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\n\r\n",
        b"HTTP/1.1 200 Connection Established\r\nProxy-Agent: x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_the_final_response_counts(interim: bytes) -> None:
    found = parse(interim + FINAL + PAGE)
    assert (found.status, found.mime, found.body) == (200, "text/html", PAGE)
    assert found.headers["x-final"] == "yes"
    assert "link" not in found.headers


def test_fields_of_interim_answers_are_kept_apart() -> None:
    found = parse(b"HTTP/1.1 103 Early Hints\r\nDate: Sun, 05 May 2024 00:00:00 GMT\r\n\r\n" + FINAL + PAGE)
    assert "date" not in found.headers
    assert [fields["date"] for fields in found.others] == ["Sun, 05 May 2024 00:00:00 GMT"]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
    ],
)
def test_a_page_that_shows_a_response_is_no_interim_answer(head: bytes) -> None:
    assert parse(head + FINAL + PAGE).body == FINAL + PAGE


def test_an_interim_answer_alone_is_the_response() -> None:
    assert parse(b"HTTP/1.1 100 Continue\r\n\r\n").status == 100
    assert parse(b"HTTP/1.1 100 a\nX: y\n\n" * 5000 + FINAL).status == 100, "no response has so many in front of it"


@given(
    st.lists(st.sampled_from([b"\n", b"\r\n", b"\r\r\n"]), min_size=4, max_size=4),
    st.binary(max_size=40),
)
def test_line_ends_of_any_kind_give_one_header_and_leave_the_body_alone(ends: list[bytes], body: bytes) -> None:
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: text/html;", b" charset=utf-8", b""]
    found = parse(b"".join(line + end for line, end in zip(lines, ends, strict=True)) + body)
    assert found.headers == {"content-type": "text/html; charset=utf-8"}
    assert found.body == body


def test_lines_that_end_with_cr_alone_are_fields_and_what_others_read_there_is_kept_too() -> None:
    found = parse(b"HTTP/1.0 200 OK\rContent-Type: text/html\rServer: x\r\r" + PAGE)
    assert found.headers == {"content-type": "text/html", "server": "x"}
    assert found.body == PAGE
    later = parse(
        b"HTTP/1.0 200 OK\rContent-Type: text/html\r\rwords\r\nDate: Sun, 05 May 2024 00:00:00 GMT\r\n\r\n" + PAGE
    )
    assert any("date" in fields for fields in (later.headers, *later.others))


@pytest.mark.parametrize(
    "page", [PAGE, b"<HTML>\n\nWords.", b"  <head><title>x</title>\r\n\r\n", b"<!-- x -->\n\n<html>"]
)
@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_a_header_without_its_blank_line_ends_in_front_of_the_page(page: bytes, eol: bytes) -> None:
    found = parse(eol.join([b"HTTP/1.0 200 OK", b"Content-Type: text/html", b"Server: x", page]))
    assert found.headers == {"content-type": "text/html", "server": "x"}
    assert found.body == page.lstrip()


def test_a_header_that_ends_with_the_record_has_no_body() -> None:
    found = parse(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n")
    assert (found.mime, found.body) == ("text/html", b"")


def test_a_header_of_150_kb_is_read_whole() -> None:
    cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"x" * 1000) for n in range(150))
    found = parse(b"HTTP/1.1 200 OK\r\n" + cookies + b"Content-Type: text/html\r\n\r\n" + PAGE)
    assert found.mime == "text/html"
    assert found.body == PAGE
    assert len(found.headers.every("set-cookie")) == 150


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("HTTP/1.1 200", 200),
        ("http/1.1 404 not found", 404),
        ("HTTP/1.1 200OK", 200),
        ("HTTP/1.1.0 200 OK", 200),
        ("HTTP/1.1\t200\tOK", 200),
        ("HTTP/2 200", 200),
        ("HTTP/3 203 x", 203),
        ("HTTP 200 Document follows", 200),
        ("ICY 200 OK", 200),
        ("HTTP/1.1 OK", 200),
        ("HTTP/1.0", 200),
        ("\r\n\r\nHTTP/1.1 500 x", 500),
        ("\ufeffHTTP/1.1 200 OK", 200),
    ],
)
def test_lenient_status_lines(line: str, status: int) -> None:
    found = parse(line.encode() + b"\r\nContent-Type: text/html\r\n\r\n" + PAGE)
    assert (found.status, found.mime, found.body) == (status, "text/html", PAGE)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 is a protocol.\n\nIt has lines.",
        b"<html>HTTP/1.1 200 OK",
        b"HTTPS 200",
        b"19/Sep/2017 GET /a HTTP/1.1 200",
    ],
)
def test_what_is_no_response_is_none(block: bytes) -> None:
    assert parse_response(block) is None


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_and_the_body_is_the_end_of_the_block(junk: bytes) -> None:
    for block in (junk, b"HTTP/1.1 200 OK\r\n" + junk, b"HTTP/1.1 100 x\r\n\r\n" + junk):
        found = parse_response(block)
        assert found is None or block.endswith(found.body)


def test_the_length_and_the_codings_that_a_header_states() -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: GZIP; q=1\r\nContent-Length: 5\r\nTransfer-Encoding: , chunked\r\n\r\n"
    )
    found = parse(head)
    assert found.transfer_codings == ["gzip", "chunked"]
    assert found.length == 5
    assert parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n").length is None
    assert parse(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").length is None


_VALUES = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=20)


@given(
    st.lists(st.tuples(st.sampled_from(["Server", "X-Made", "ETag", "Set-Cookie", "Vary"]), _VALUES), max_size=6),
    st.binary(max_size=200),
    st.lists(st.integers(1, 50), max_size=5),
    st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"]),
    st.booleans(),
)
def test_what_the_grammar_allows_is_read_as_by_another_reader(
    fields: list[tuple[str, str]], body: bytes, sizes: list[int], interim: bytes, in_chunks: bool
) -> None:
    h11 = pytest.importorskip("h11")
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in fields)]
    sent = body
    if in_chunks:
        lines.append("Transfer-Encoding: chunked")
        parts, at = [], 0
        for size in [*sizes, len(body)]:
            if part := body[at : at + size]:
                parts.append(b"%x\r\n%s\r\n" % (len(part), part))
            at += size
        sent = b"".join([*parts, b"0\r\n\r\n"])
    else:
        lines.append(f"Content-Length: {len(body)}")
    wire = interim + "\r\n".join([*lines, "", ""]).encode() + sent
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(wire)
    head, read = None, b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        assert event is not h11.NEED_DATA
        head = event if isinstance(event, h11.Response) else head
        read += bytes(event.data) if isinstance(event, h11.Data) else b""
    found = parse(wire)
    assert head is not None
    assert found.status == head.status_code
    for name in {name for name, _ in head.headers}:
        assert found.headers.every(name.decode()) == [v.decode() for n, v in head.headers if n == name]
    joined = dechunk(found.body, found.length)[0] if in_chunks else found.body
    assert joined == read == body
