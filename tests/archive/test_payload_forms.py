"""A payload digest may be of the body as it was transferred, or of it without its chunks. Either names the page."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import members, record, rows, take
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.capture import Capture
from archive.examine import Examiner
from archive.lake import Lake
from archive.records.record import Span
from archive.records.record_reader import RecordReader
from archive.text.extract import from_html

Write = Callable[[str, bytes], str]
PAGE = b"<html><title>T</title><body><p>" + b"Some words of a page in chunks. " * 8 + b"</p></body></html>"
CHUNKED = {"Transfer-Encoding": "chunked"}


def stated(body: bytes, name: str = "sha1") -> str:
    return f"{name}:{base64.b32encode(hashlib.new(name, body).digest()).decode().rstrip('=')}"


def in_chunks(body: bytes, cuts: list[int], extension: bytes = b"") -> bytes:
    ends = sorted({min(cut, len(body)) for cut in cuts} | {len(body)})
    parts = [body[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True) if end > start]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n\r\n"


def examined(body: bytes, claim: str) -> Capture:
    raw = record(body=body, http=CHUNKED, warc={"WARC-Payload-Digest": claim})
    (found,) = RecordReader(io.BytesIO(raw), Span())
    outcome = Examiner("a.warc", from_html).examine(found)
    assert isinstance(outcome, Capture)
    return outcome


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, len(PAGE)), max_size=8),
    st.sampled_from([b"", b";x=1", b" "]),
    st.sampled_from(["sha1", "sha256"]),
    st.integers(0, len(PAGE) - 1),
)
def test_both_digests_verify_and_one_is_kept_and_no_other_passes(
    cuts: list[int], extension: bytes, name: str, at: int
) -> None:
    body = in_chunks(PAGE, cuts, extension)
    by_payload, by_transfer = examined(body, stated(PAGE, name)), examined(body, stated(body, name))
    for found in (by_payload, by_transfer):
        assert (found.payload_digest, found.transfer_digest) == (stated(PAGE, name), stated(body, name))
        assert (found.payload_check, found.dated.problem) == ("verified", None)
    assert by_payload.text == by_transfer.text
    altered = PAGE[:at] + bytes([PAGE[at] ^ 1]) + PAGE[at + 1 :]
    for claim in (stated(altered, name), stated(in_chunks(altered, cuts, extension), name), stated(body[:-1], name)):
        found = examined(body, claim)
        assert (found.payload_check, found.transfer_digest) == ("mismatch", None)


@pytest.mark.parametrize("claims", ["payload", "transferred"])
@pytest.mark.parametrize("revisits", ["payload", "transferred", "another"])
def test_a_revisit_by_either_digest_proves_the_page(claims: str, revisits: str, lake: Lake, write: Write) -> None:
    body = in_chunks(PAGE, [7, 100])
    digests = {"payload": stated(PAGE), "transferred": stated(body), "another": stated(in_chunks(PAGE, [9]))}
    first = record(body=body, http=CHUNKED, date="2016-01-01T00:00:00Z", warc={"WARC-Payload-Digest": digests[claims]})
    again = record(
        url="http://example.com/again", kind="revisit", body=b"", date="2014-01-01T00:00:00Z",
        warc={"WARC-Payload-Digest": digests[revisits],
              "WARC-Profile": "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"},
    )  # fmt: skip
    take(lake, write("a.warc.gz", members(first, again)))
    found = rows(lake, "SELECT url, content_id IS NOT NULL FROM captures ORDER BY captured_at")
    assert found == [("http://example.com/again", revisits != "another"), ("http://example.com/", True)]


def test_two_archives_agree_on_a_page_in_other_chunks(lake: Lake, write: Write) -> None:
    for name, cuts in (("a", [7, 100]), ("b", [50])):
        body = in_chunks(PAGE, cuts)
        take(lake, write(f"{name}.warc", record(body=body, http=CHUNKED, warc={"WARC-Payload-Digest": stated(body)})))
    assert rows(lake, "SELECT DISTINCT payload_digest FROM captures") == [(stated(PAGE),)]
    assert rows(lake, "SELECT count(DISTINCT transfer_digest) FROM captures") == [(2,)]


def test_a_body_that_is_not_in_chunks_has_one_digest(lake: Lake, tmp_path: Path, write: Write) -> None:
    take(lake, write("a.warc", record(body=PAGE) + record(body=PAGE, http=CHUNKED)))
    assert rows(lake, "SELECT payload_digest, transfer_digest FROM captures") == [(stated(PAGE), None)] * 2
