"""Grades: how much the date of a capture proves. One rule, and the table that the manual prints."""

from __future__ import annotations

from dataclasses import dataclass

from archive.dates import Dated


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade: its name, what a capture needs for it, what it proves, and what it does not."""

    name: str
    needs: str
    proves: str
    leaves_open: str


#: The best first.
GRADES: dict[str, Grade] = {
    "A": Grade(
        "sealed",
        "a time stamp that was verified, over a file that contains the record (RFC 3161, OpenTimestamps, signed WACZ)",
        "the bytes existed when the authority signed their hash; `existed_by` is that moment",
        "any earlier date that the record states; whether the page was ever on the web; whether the authority's clock "
        "and key were safe",
    ),
    "B": Grade(
        "corroborated",
        "two operators captured the same payload or text before the date; or an index of another holder lists the same "
        "digest within a day of the capture",
        "two parties, by their names, state that the bytes existed then",
        "whether they are independent: one may have copied from the other, and whoever writes a file can write a name "
        "into it",
    ),
    "C": Grade(
        "consistent",
        "the response that a crawler recorded, with a digest that was verified; the page's server states the same day; "
        "nothing else in the record, its file or its names contradicts",
        "everything that the file states about the time agrees, and the bytes are those that its writer hashed",
        "whether its writer invented all of it, and whether both clocks were wrong",
    ),
    "D": Grade(
        "plain",
        "the record of a crawler, or what a web archive kept (`id_`, with Memento-Datetime); nothing contradicts; or, "
        "as of its publication, a file with a checksum that was published with it (`--published`)",
        "whoever wrote the file states one date, and nothing that was read speaks against it; of a publication, that "
        "whoever ingested the file states when and where its checksum was published",
        "whether that date is right: nothing else supports it, but a publication can be looked up",
    ),
    "E": Grade(
        "claimed",
        "a date that somebody wrote: the column of a data set, a `resource` record, a rewritten replay, a date that "
        "only an address states, an index line, a publication without a checksum",
        "that this date is stated, and by what",
        "everything else: anybody may have written it, at any time",
    ),
    "X": Grade(
        "contradicted",
        "something contradicts the date, or the date cannot be read, or the file was retracted",
        "nothing; `date_problem` says why",
        "whether the text is old after all: another capture may prove that",
    ),
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
