"""`--published`: when files were published, as the user states it.

A publication bounds all that is in a file, whatever its own dates say. But nobody checks here when something was
published. So it is never grade A: where the file has a checksum that was published with it, others can look that up,
and it has grade D; without one it is the user's word, grade E.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from archive import dates
from archive.attestations.rows import add_rows
from archive.bounds import PUBLISHED
from archive.errors import ArchiveError, error_line
from archive.lake import Lake
from archive.tables import ATTESTATIONS, SOURCES

_CHECKSUM = re.compile(r"sha256:([0-9a-f]{64})", re.I)
#: A line of `sha256sum`, and one of `sha256` of BSD.
_LINE = re.compile(r"\\?([0-9a-f]{64})[ \t]+\*?\S.*|SHA256 \(.+\) = ([0-9a-f]{64})", re.I)


@dataclass(frozen=True, slots=True)
class Published:
    """When and where files were published, and their checksums, if these were published too."""

    at: datetime
    by: str
    checksums: frozenset[str] = frozenset()

    @classmethod
    def of(cls, date: str | None, attest: str | Iterable[str] | None, now: datetime | None = None) -> Published | None:
        """Read the options; None where there are none.

        Args:
            date: in any form of the W3C; its last instant counts, in whatever time zone.
            attest: where that can be looked up (`doi:10.…`, an address), and any of: `sha256:…`, a file of checksums.

        Raises:
            ArchiveError: one of the two is missing, the date cannot be read or is in the future, or no place is named.
        """
        items = [attest] if isinstance(attest, str) else list(attest or ())
        if date is None and not items:
            return None
        if date is None or not items:
            raise ArchiveError(
                "--published needs --attest, where that can be looked up, and --attest needs --published"
            )
        at = dates.interval(date, any_zone=True).end
        if at is None:
            raise ArchiveError(f"--published {date!r} is no date; write it as 2020-12-31")
        if at > (now or datetime.now(UTC)):
            raise ArchiveError(f"--published {date}: its last instant, {at:%Y-%m-%d %H:%M} UTC, is in the future")
        named, checksums = [], set()
        for item in map(str.strip, items):
            if match := _CHECKSUM.fullmatch(item):
                checksums.add(match[1].lower())
            elif os.path.isfile(item):
                checksums |= _read(item)
            elif item:
                named.append(item)
        if not named:
            raise ArchiveError("--attest also needs a place where that can be looked up: a DOI or an address")
        return cls(at, ", ".join(named), frozenset(checksums))


def _read(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8") as file:
            matches = [_LINE.fullmatch(line.strip()) for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise ArchiveError(f"--attest {path}: {error_line(error)}") from None
    if not (found := {(match[1] or match[2]).lower() for match in matches if match}):
        raise ArchiveError(f"--attest {path}: no SHA-256 is in it; `sha256sum` writes such files")
    return found


def attest_files(lake: Lake, published: Published, files: Mapping[str, str]) -> dict[str, str]:
    """Add to the table `attestations` when files were published.

    Args:
        files: with their versions in the ledger.

    Returns:
        the files of which nothing was added, and why.

    Raises:
        LakeError: the lake cannot be written.
    """
    ledger = lake.read(SOURCES.name, ["version", "sha256"]).to_pylist()
    hashes = {row["version"]: row["sha256"] for row in ledger if row["sha256"]}
    refused, rows = {}, []
    for file, version in files.items():
        sha256 = hashes.get(version)
        if sha256 is None:
            refused[file] = "the lake does not know its SHA-256; `archive ingest --again` of a local copy reads it"
        elif published.checksums and sha256 not in published.checksums:
            refused[file] = "it has none of the published checksums"
        else:
            stated = {"subject_sha256": sha256, "kind": PUBLISHED, "at": published.at, "by": published.by}
            rows.append({**stated, "token": None, "verified": bool(published.checksums)})
    lake.create([ATTESTATIONS])
    there = lake.read(ATTESTATIONS.name, ["subject_sha256", "kind", "at", "by", "verified"]).to_pylist()
    known = {tuple(row.values()) for row in there}
    fresh = {
        row["subject_sha256"]: row for row in rows if tuple(v for k, v in row.items() if k != "token") not in known
    }
    if fresh:
        name = f"{published.at.isoformat()} {published.by} {bool(published.checksums)} {sorted(fresh)}"
        add_rows(lake, ATTESTATIONS, list(fresh.values()), name)
    return refused
