"""By when others knew the files of a lake: what is in the table `attestations`, for the units that brought them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from archive import versions
from archive.lake import Lake
from archive.tables import ATTESTATIONS, RETRACTIONS, SOURCES

#: The kind of a bound that the user states (`archive ingest --published`).
PUBLISHED = "published"
#: The transaction of the ledger that shows that some captures have a bound of their own. A lake without one pays
#: nothing to find that out: its log is open anyway.
STORED = "bounded"


class Bound(NamedTuple):
    """By when a file existed, who attests it, and how much that proves: `archive.evidence.grade.GRADES`."""

    at: datetime
    by: str
    grade: str


class UnitBound(NamedTuple):
    """The same for a unit of work: `sources.unit`."""

    unit: str
    at: datetime
    by: str
    grade: str


@dataclass(slots=True)
class UnitBounds:
    """The bounds of a lake's units. What a retracted file brought has none."""

    stored: bool = False  #: some captures have one of their own, in the column `existed_by`
    attested: list[UnitBound] = field(default_factory=list)  #: by verified time stamps; one for each unit
    published: list[UnitBound] = field(default_factory=list)  #: as the user states; one for each unit and grade


def of_files(lake: Lake) -> dict[str, dict[str, Bound]]:
    """Return for the SHA-256 of each file that is attested the earliest bound of each grade.

    A verified time stamp has grade A. A publication is what somebody states: D where the file has the checksum that
    was published with it, else E.
    """
    found: dict[str, dict[str, Bound]] = {}
    if not lake.has(ATTESTATIONS):
        return found
    for row in lake.read(ATTESTATIONS.name, ["subject_sha256", "kind", "at", "by", "verified"]).to_pylist():
        if row["at"] is None or not (row["verified"] or row["kind"] == PUBLISHED):
            continue
        grade = "A" if row["kind"] != PUBLISHED else "D" if row["verified"] else "E"
        bound, of_file = Bound(row["at"], row["by"], grade), found.setdefault(row["subject_sha256"], {})
        of_file[grade] = min(of_file.get(grade, bound), bound)
    return found


def of_units(lake: Lake) -> UnitBounds:
    """Return the bounds of all units of a lake."""
    ledger = lake.delta(SOURCES.name)
    found = UnitBounds(ledger.transaction_version(STORED) is not None)
    of_file = of_files(lake)
    if not of_file or "sha256" not in versions.columns(ledger):  # an older lake has no such column
        return found
    rows = lake.dataset_of(ledger, SOURCES.name).to_table(columns=["unit", "file", "version", "sha256"]).to_pylist()
    gone = retracted(lake)
    hashes = {row["version"]: row["sha256"] for row in rows if row["sha256"]}
    for row in rows:
        if row["file"] in gone:
            continue
        for bound in of_file.get(hashes.get(row["version"], ""), {}).values():
            (found.attested if bound.grade == "A" else found.published).append(UnitBound(row["unit"], *bound))
    return found


def retracted(lake: Lake) -> set[str]:
    """Return the files that were retracted (`archive retract`)."""
    if not lake.has(RETRACTIONS):
        return set()
    return set(lake.read(RETRACTIONS.name, ["source"])["source"].to_pylist())
