"""The codes that say why something was not used, or not believed.

These two tables are the only place where a code is defined; `docs/reference/codes.md` prints them and
a test compares the two.
"""

from __future__ import annotations

#: Why a record gave no text. `http-NNN` stands for every status other than 200 and 203.
REJECTS: dict[str, str] = {
    "bad-compression": "the compressed bytes of the record are damaged (bad gzip, zstd or lz4 data)",
    "bad-encoding": "the HTTP body cannot be decoded as its Content-Encoding says",
    "bad-http": "the record should hold an HTTP message, but none can be read",
    "bad-length": "the length that the record states is not the length that it has",
    "bad-record": "the header of the record cannot be read, or the bytes belong to no record",
    "bad-row": "a line or row of a data set that cannot be read as one",
    "crashed": "reading the page ended the process that did it (out of memory, or a fault)",
    "empty-file": "the file holds no bytes",
    "empty-text": "the page holds no visible text",
    "extractor-error": "the extractor gave up on the page with an error",
    "http-NNN": "the server answered with this status, so the body is not the page",
    "internal-error": "this program failed on the record, which it never should; please report it",
    "no-text-column": "the row has no text where the columns say it should be",
    "not-text": "the body is not HTML or plain text (by its type, or by its bytes)",
    "revisit-without-digest": "a revisit record that does not say the digest of what was seen again",
    "timeout": "extracting the text took longer than the limit",
    "too-large": "the record, or its decoded body, is larger than the limit",
    "truncated": "the file ends inside the record",
    "unknown-format": "the file is none of the formats that can be read",
    "unsafe-name": "an entry of a WACZ whose name leads out of it",
    "zip-bomb": "an entry of a WACZ that claims to grow more than a thousandfold",
}

#: Reasons that mean damage: the input should have held more. They make `archive ingest` exit with 1.
DAMAGE: frozenset[str] = frozenset(
    {
        "bad-compression",
        "bad-length",
        "bad-record",
        "bad-row",
        "crashed",
        "empty-file",
        "internal-error",
        "truncated",
        "unknown-format",
        "unsafe-name",
        "zip-bomb",
    }
)

#: Why a date proves nothing. A capture with a problem stays in the table.
DATE_PROBLEMS: dict[str, str] = {
    "missing": "the record has no date, or says `null`",
    "unparsable": "the date cannot be read, or names a day that does not exist",
    "future": "the date lies after the time of the ingest (one day of slack)",
    "before-web": "the date lies before 1991",
    "outside-crawl": "the date does not fit the crawl that the file belongs to "
    "(30 days before its week to 60 days after)",
    "conflict": "two sources of the date disagree by more than a day, and nothing decides between them",
    "recovered": "the record was found by searching behind damage, and claims to be older than "
    "all that stands before the damage; it might be the content of another record",
}

#: How we know the date, from `captures.date_source`.
DATE_SOURCES: dict[str, str] = {
    "warc": "the WARC-Date of the record, written by the crawler when it fetched the page",
    "arc": "the date in the ARC header line",
    "cdx": "the timestamp under which a web archive keeps the page (Memento-Datetime or replay URL)",
    "dataset": "a date column that somebody else wrote",
}


def reject_reason(status: int) -> str:
    """The reject code of an HTTP status that is no success."""
    return f"http-{status:03d}"


class Unusable(Exception):
    """A record or row gives no text; `reason` is a code of `archive.reasons`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
