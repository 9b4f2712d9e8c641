"""What a record or row is worth: a capture with its text, a reject with its reason, or a skipped kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from archive.dates import Dated
from archive.evidence.grade import grade_of, integrity_of


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on memory and time that hold whatever the input.

    Attributes:
        record: bytes of the largest record block that is read.
        page: bytes of the largest decoded body that text is taken from.
        seconds: how long the extraction of one page may take.
        tags: how many `<` a page may have; each is a node of its parse tree, of a few hundred bytes.
    """

    record: int = 32 << 20
    page: int = 16 << 20
    seconds: float = 20.0
    tags: int = 500_000


@dataclass(slots=True)
class Capture:
    """A page as it was seen once. Most fields are columns of the `captures` table."""

    url: str | None  #: None where a row of a data set has none
    via: str | None
    dated: Dated
    record_type: str
    offset: int
    skip: int
    length: int | None
    record_id: str | None
    status: int | None = None
    mime: str | None = None
    charset: str | None = None
    charset_stated: str | None = None
    charset_own: bool | None = None
    title: str | None = None
    extractor: str | None = None
    truncated: str | None = None
    payload_digest: str | None = None
    transfer_digest: str | None = None  #: of a body in chunks, with them
    payload_check: str | None = None
    block_check: str | None = None
    refers_to_url: str | None = None
    refers_to_date: datetime | None = None
    refers_to_file: str | None = None  #: the name of the file that has the record which a revisit refers to
    robots: str | None = None
    rules: str | None = None  #: which file of a site's rules it is, in place of a page
    rules_text: str | None = None  #: what that says
    record_sha256: str | None = None
    operator: str | None = None
    crawl: str | None = None
    existed_by: datetime | None = None  #: by when others knew its bytes
    attested_by: str | None = None  #: who attests that
    text: str | None = None  #: normalised; None for a revisit, whose text is in another record

    @property
    def integrity(self) -> str:
        """What the digests of the record show."""
        return integrity_of(self.payload_check, self.block_check)

    @property
    def grade(self) -> str:
        """How much the date proves: `archive.evidence.grade.GRADES`."""
        return grade_of(self.dated, self.record_type, self.integrity)


@dataclass(slots=True)
class Reject:
    """A record that gave no text, and why."""

    reason: str
    detail: str
    offset: int
    skip: int
    length: int | None = None
    record_id: str | None = None
    record_type: str | None = None
    url: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record of a kind that never holds a page: request, metadata, warcinfo, dns…"""

    kind: str


Outcome = Capture | Reject | Skipped
