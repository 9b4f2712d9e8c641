"""The codes of rejects, of problems with dates, and of the sources of dates.

Codes are defined here only; `docs/reference/codes.md` is generated from these tables.
"""

from __future__ import annotations

#: Why a record gave no text. `http-NNN` is any status other than 200 and 203.
REJECTS: dict[str, str] = {
    "bad-charset": "most of the text cannot be decoded, neither as the page declares nor as detected",
    "bad-compression": "the compressed bytes of the record are damaged (bad gzip, zstd or lz4 data)",
    "bad-encoding": "the HTTP body cannot be decoded as its Content-Encoding says",
    "bad-http": "the record should be an HTTP message, but cannot be read as one",
    "bad-length": "the record is shorter or longer than its header states",
    "bad-line": "the line of an index cannot be read",
    "bad-record": "the header of the record cannot be read, or the bytes belong to no record",
    "bad-row": "the line or row of a data set cannot be read",
    "crashed": "the extractor's process died of the page (out of memory, or a fault)",
    "empty-file": "the file is empty",
    "empty-text": "the page has no visible text",
    "extractor-error": "the extractor failed on the page with an error",
    "http-NNN": "the server answered with this status, so the body is not the page",
    "internal-error": "a fault of this program; please report it",
    "no-text-column": "the row has no column of text, or another kind of value in it",
    "not-text": "the body is not HTML or plain text (by its type, or by its bytes)",
    "revisit-without-digest": "the revisit record lacks the digest of the payload that was seen again",
    "timeout": "the extraction took longer than the limit",
    "too-large": "the record, or its decoded body, is larger than the limit",
    "truncated": "the file ends inside the record",
    "unknown-format": "no reader knows the format of the file",
    "unsafe-name": "the name of the entry of a WACZ leads out of the package",
    "zip-bomb": "the entry of a WACZ states that it grows more than a thousandfold",
}

#: Reasons that mean damaged input, of which there should be more. They make `archive ingest` exit with 1.
DAMAGE: frozenset[str] = frozenset(
    {
        "bad-compression",
        "bad-length",
        "bad-line",
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

#: Why a date proves nothing. The capture is kept. Of several problems, the first one here is the one that is written.
DATE_PROBLEMS: dict[str, str] = {
    "missing": "the record has no date, or `null`",
    "unparsable": "the date cannot be read, or is a day that does not exist",
    "repeated": "the record has several values, that differ, for one date; or the row has one column twice",
    "unreadable": "a further date of the record cannot be read: WARC-Date where a replay was fetched, "
    "Memento-Datetime, another WARC field with a date",
    "future": "the date is after the time of the ingest (with one day of slack)",
    "before-web": "the date is before 1991",
    "conflict": "two sources of the date differ by more than a day, and no third confirms one",
    "made-later": "the record states that it was made more than a day after its date",
    "refers-later": "the record refers to a capture of more than a day after its own date",
    "server-later": "the page's server states a time of more than a day after the date (Date or Last-Modified)",
    "outside-crawl": "the date is not within each crawl that the path, the name, the warcinfo or the row states "
    "(as Common Crawl publishes its times, with a day of slack; of any other crawl, 30 days before its week to 60 days "
    "after)",
    "altered": "the bytes of the record do not have the digest that its header states, or its file is not what the "
    "package around it states",
    "index-differs": "the index that names the record states another digest than the record does, or a time more than "
    "a day from its date",
    "retracted": "its file was retracted (`archive retract`); the table `retractions` says why",
    "recovered": "the record was found by searching behind damage, and may be the content of a record whose date "
    "is not known",
}

#: The kinds of claims in `captures.evidence`. For a row of a data set, a kind is the name of the column.
CLAIMS: dict[str, str] = {
    "warc-date": "WARC-Date",
    "arc-date": "the date in the ARC header line",
    "http-date": "the Date of the page's server",
    "last-modified": "the Last-Modified of the page's server",
    "memento": "Memento-Datetime, by a web archive",
    "replay-url": "the time stamp in the address that was fetched",
    "source-uri": "the time stamp in WARC-Source-URI, where a tool took the record from",
    "row-url": "the time stamp in the URL of a row",
    "creation-date": "WARC-Creation-Date, when a tool made the record; likewise any other WARC field with a date",
    "refers-to": "WARC-Refers-To-Date of a revisit",
    "fetch-timestamp": "x_commoncrawl_FetchTimestamp",
    "crawl-window": "the end of a crawl that the path, the name, the warcinfo or the row states",
    "warc-version": "since when there has been the version of the format that the record has",
    "software": "since when there has been the software that the warcinfo names",
    "attested": "by when the file existed: `captures.attested_by` attests it",
    "published": "when the file was published: `archive ingest --published`",
    "damaged-record": "the date of the damaged record that the record may be part of",
}

#: The values of `captures.date_source`: how we know the date.
DATE_SOURCES: dict[str, str] = {
    "warc": "the WARC-Date of the record, written by the crawler when it fetched the page",
    "arc": "the date in the ARC header line",
    "cdx": "the web archive's own timestamp of the page (Memento-Datetime or replay URL)",
    "dataset": "the date column of a data set, which anybody may have written",
    "attested": "no date of the record: by when its file existed, as a verified time stamp or signature shows",
    "published": "no date of the record: when its file was published (`archive ingest --published`)",
    "index": "a line of an index (`archive witness`): it confirms captures, and proves no text by itself",
}


def reject_reason(status: int) -> str:
    """Return the reject code of an HTTP status that is no success."""
    return f"http-{status:03d}"


class Unusable(Exception):
    """Raised where a record or row gives no text; `reason` is a code of `REJECTS`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
