"""Grades: how much the date of a capture proves. One rule, and the table that the manual prints."""

from __future__ import annotations

from archive.dates import Dated

#: Each grade, the best first: its name, what it needs, and what it does not show.
GRADES: dict[str, tuple[str, str, str]] = {
    "A": (
        "sealed",
        "a time stamp that was verified, or a published checksum, over bytes that hold the record, before the date",
        "it does not show when the page itself was first written",
    ),
    "B": (
        "corroborated",
        "two operators captured the same payload or text before the date; or another holder's index has the digest",
        "it does not exclude that both took it from one source",
    ),
    "C": (
        "consistent",
        "a crawler's response whose digest was verified; the page's server states the same day; nothing contradicts",
        "it does not exclude a writer who made all of that up",
    ),
    "D": (
        "plain",
        "the record of a crawler, or what a web archive kept (`id_`, with Memento-Datetime); nothing contradicts",
        "nothing but the record's own date speaks for it",
    ),
    "E": (
        "claimed",
        "a date that somebody wrote: a data set's column, a `resource` record, a rewritten replay, a date that only an "
        "address states",
        "anybody may have written it, at any time",
    ),
    "X": ("contradicted", "something contradicts the date, or it cannot be read", "it proves nothing"),
}
#: The grade that a text needs where nobody asks for another.
DEFAULT = "D"


def asked(grade: str, archives: int) -> str:
    """Return the grade that somebody asks for, in capitals.

    Raises:
        ValueError: there is no such grade, or it needs fewer than one archive.
    """
    if not isinstance(grade, str) or grade.upper() not in GRADES or grade.upper() == "X":
        raise ValueError(f"no grade {grade!r}; there are A, B, C, D and E")
    if type(archives) is not int or archives < 1:
        raise ValueError(f"archives {archives!r}: a number from 1 on")
    return grade.upper()


BLOCK, PAYLOAD, UNSTATED, CONTRADICTED = "block", "payload", "unstated", "contradicted"

#: SQL for captures of lakes from before there were grades: the columns of that time support no more than D.
UNKNOWN_SQL = """CASE
    WHEN date_problem = 'recovered' THEN 'E'
    WHEN date_problem IS NOT NULL OR captured_at IS NULL THEN 'X'
    WHEN block_check = 'mismatch' THEN 'X'
    WHEN payload_check = 'mismatch' AND block_check IS DISTINCT FROM 'verified' THEN 'X'
    WHEN date_source = 'dataset' OR record_type IN ('resource', 'row') THEN 'E'
    WHEN date_source = 'cdx' THEN 'E'
    ELSE 'D' END"""


def integrity_of(payload_check: str | None, block_check: str | None) -> str:
    """Return what the digests of a record show: `block`, `payload`, `unstated` or `contradicted`.

    A payload digest that does not fit is no contradiction where the digest of the whole block does: writers disagree on
    what a payload is.
    """
    if block_check == "mismatch":
        return CONTRADICTED
    if block_check == "verified":
        return BLOCK
    if payload_check == "mismatch":
        return CONTRADICTED
    if payload_check == "verified":
        return PAYLOAD
    return UNSTATED


def grade_of(dated: Dated, record_type: str, integrity: str) -> str:
    """Return the grade of one capture by what is in its own file; A and B come from elsewhere."""
    if dated.problem == "recovered":
        return "E"
    if dated.problem or dated.captured_at is None or integrity == CONTRADICTED:
        return "X"
    if dated.weak or record_type in {"resource", "row"}:
        return "E"
    if dated.confirmed and record_type == "response" and integrity in {BLOCK, PAYLOAD}:
        return "C"
    return "D"
