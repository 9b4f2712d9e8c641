"""`attest`: adds to a lake what a time stamp shows of a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from archive.attestations import timestamps
from archive.attestations.rows import add_rows
from archive.damage import naming_damage
from archive.errors import SourceError
from archive.lake import Lake, open_lake
from archive.sources import location_of, open_bytes
from archive.tables import ATTESTATIONS, SOURCES


@dataclass(frozen=True, slots=True)
class AttestResult:
    """What a time stamp shows of a file."""

    file: str
    subject_sha256: str  #: of the file
    kind: timestamps.Kind
    verified: bool
    at: datetime | None  #: by when the file existed; None where not verified
    by: str  #: who attests it
    detail: str  #: why it is not verified
    captures: int  #: of the lake, that came from this file by its SHA-256: those that a verified time stamp bounds
    unknown: int  #: captures from a file of this name of which the lake does not know the SHA-256
    added: bool  #: False where the lake had this time stamp already


def attest(
    lake: Lake | str | os.PathLike[str],
    file: str | os.PathLike[str],
    stamp: str | os.PathLike[str],
    *,
    certificate: Iterable[str | os.PathLike[str]] = (),
    block_header: Iterable[str | os.PathLike[str]] = (),
) -> AttestResult:
    """Check a time stamp of a file, and add it to the lake's table `attestations`.

    One that is pending, or whose authority is not trusted, is added as not verified, without a date.

    Args:
        file: whose bytes were stamped; a path, or an address as of a source.
        stamp: a token of RFC 3161 (`.tsr`), or an OpenTimestamps proof (`.ots`).
        certificate: files with the root certificates of the authorities to trust, in place of those that are known
            here.
        block_header: files with Bitcoin block headers that you trust.

    Raises:
        LakeError: there is no lake, or it cannot be written.
        SourceError: a file cannot be read, or the time stamp is one of other bytes.
    """
    lake = open_lake(lake)
    lake.require()
    timestamps.require_libraries("archive attest")
    roots, headers = timestamps.read_certificates(certificate) or None, timestamps.read_headers(block_header)
    token = timestamps.read_stamp(stamp)
    location = location_of(os.fspath(file))
    with open_bytes(location) as opened:
        digests = timestamps.digests_of(opened)
    found = timestamps.verify_stamp(token, digests, roots, headers)
    if not found.fits:
        raise SourceError(f"{os.fspath(stamp)}: no time stamp of {file}: {found.detail}")
    subject = digests["sha256"].hex()
    row = {
        "subject_sha256": subject,
        "kind": found.kind,
        "at": found.at,
        "by": found.by,
        "token": token,
        "verified": found.verified,
    }
    name = f"{subject} {hashlib.sha256(token).hexdigest()} {found.at}"
    lake.create()  # an older lake has no column for the SHA-256 of its files
    added = add_rows(lake, ATTESTATIONS, [row], name)
    with naming_damage(lake):
        captures = captures_of(lake, subject, location)
    return AttestResult(
        location, subject, found.kind, found.verified, found.at, found.by, found.detail, *captures, added
    )


def captures_of(lake: Lake, sha256: str, location: str) -> tuple[int, int]:
    """Return how many captures came from the file with this SHA-256, and how many more from a file of this name of
    which the lake does not know the SHA-256."""
    path = location if "://" in location else os.path.realpath(location)
    ledger = lake.read(SOURCES.name, ["file", "version", "sha256", "captures"]).to_pylist()
    hashes = {row["version"]: row["sha256"] for row in ledger if row["sha256"]}
    known = sum(row["captures"] or 0 for row in ledger if hashes.get(row["version"]) == sha256)
    named = [row for row in ledger if row["file"] in {location, path} and row["version"] not in hashes]
    return known, sum(row["captures"] or 0 for row in named)
