"""`attest`: adds to a lake what a time stamp shows of a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from archive.attestations import timestamps
from archive.attestations.rows import add_rows
from archive.errors import SourceError
from archive.lake import Lake, open_lake
from archive.sources import location_of, open_bytes
from archive.tables import ATTESTATIONS


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
    captures: int  #: of the lake, that came from this file by its name
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
    added = add_rows(lake, ATTESTATIONS, [row], name)
    captures = _captures_of(lake, location)
    return AttestResult(
        location, subject, found.kind, found.verified, found.at, found.by, found.detail, captures, added
    )


def earliest_bounds(lake: Lake) -> dict[str, tuple[datetime, str]]:
    """Return for each SHA-256 that is attested the earliest verified moment by which it existed, and who attests it."""
    if not lake.has(ATTESTATIONS):
        return {}
    bounds: dict[str, tuple[datetime, str]] = {}
    for row in lake.read(ATTESTATIONS.name, ["subject_sha256", "at", "by", "verified"]).to_pylist():
        if row["verified"] and row["at"] is not None:
            bound = (row["at"], row["by"])
            bounds[row["subject_sha256"]] = min(bounds.get(row["subject_sha256"], bound), bound)
    return bounds


def _captures_of(lake: Lake, location: str) -> int:
    ledger = lake.read("sources", ["file", "captures"])
    path = location if "://" in location else os.path.realpath(location)
    files, captures = ledger["file"].to_pylist(), ledger["captures"].to_pylist()
    return sum(count or 0 for name, count in zip(files, captures, strict=True) if name in {location, path})
