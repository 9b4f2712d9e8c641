"""Check the rows whose date is a bound of their file: a time stamp, a signature, a publication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive.attestations.wacz import Signed
from archive.bounds import Bound
from archive.dates import Dated
from archive.sources import open_bytes
from archive.sources.base import scheme_of, sha256_of
from query.rows import claims_text, instant_text
from query.verify.result import Finding

#: The bounds of a lake, `archive.bounds.of_files`; None where no lake was named.
Known = Mapping[str, Mapping[str, Bound]] | None
#: The kinds of dates that are bounds.
KINDS = frozenset({"attested", "published"})


@dataclass(frozen=True, slots=True)
class FileBounds:
    """By when a file existed, as far as that can be checked here."""

    found: tuple[Bound, ...] = ()
    unchecked: str = ""  #: why there may be more

    @classmethod
    def of(cls, location: str, known: Known) -> FileBounds:
        """Look up the SHA-256 of a file of this machine, and check the signature of a WACZ.

        Args:
            location: of the file; `a.wacz!/b.warc` is an entry of a package.

        Raises:
            SourceError, OSError: it cannot be read.
        """
        outer, _, inner = location.partition("!/")
        if scheme_of(outer) != "file":
            return cls((), f"the bytes of {outer} are not here; --moved names a copy")
        with open_bytes(outer) as file:
            signed = Signed.of(file) if inner else None
            file.seek(0)
            sha256 = sha256_of(file)
        found = tuple((known or {}).get(sha256, {}).values())
        if signed is not None and signed.covers(inner):
            found += (Bound(signed.existed_by, signed.attested_by, "A"),)
        return cls(found, "" if known is not None else "--lake names the lake that has its time stamps")


def compare_bound(citation: Mapping[str, Any], bounds: FileBounds | None, dated: Dated | None) -> Finding | None:
    """Compare the date, grade and evidence of a row with the bounds of its file; None where they agree.

    A bound that is earlier than the date of the row proves it too. What contradicts the date of the record does not
    count.

    Args:
        dated: the date of the record; None for a row of a data set.
    """

    def finding(kind: Any, why: str) -> Finding:
        return Finding(citation["row"], kind, why)

    kind, at, grade = citation["date_source"], citation["captured_at"], citation["grade"]
    grades = {"A"} if kind == "attested" else {"D", "E"}
    if grade not in grades:
        return finding("differs", f"grade: the row says {grade}, and its date is {kind}")
    claims = list(citation["evidence"] or ())
    own = [claim for claim in claims if not claim.startswith(("attested ", "published "))]
    if f"{kind} {instant_text(at)} agrees" not in claims or len(own) != len(claims) - 1:
        return finding("differs", f"evidence: the row does not state that it is {kind} as of {at}")
    if own and dated is not None:
        stated, there = ([c for c in each if not c.startswith("crawl-window ")] for each in (own, claims_text(dated)))
        if stated != there:
            return finding("differs", f"evidence: the row says {'; '.join(stated)}, the record {'; '.join(there)}")
    bounds = bounds or FileBounds()
    if any(bound.at <= at and bound.grade <= grade and (bound.grade == "A" or grade != "A") for bound in bounds.found):
        return None
    if bounds.unchecked:
        return finding("unchecked", f"{kind}: the row rests on a bound of its file; {bounds.unchecked}")
    return finding("differs", f"{kind}: nothing attests that its file existed by {at}")
