"""How much of a data set is proven."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Summary:
    """The rows of a data set, and how many of them provably existed."""

    files: int = 0
    files_known: int = 0  #: done by an earlier run of the same command
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)  #: exact, near, none
    years: Counter[tuple[str, str]] = field(default_factory=Counter)  #: (year of the proof, kind) -> rows
    paragraphs: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)  #: rows without text, stretches without rows
    stale: bool = False  #: texts came into the lake after its index was made

    def add(self, other: Summary) -> None:
        self.rows += other.rows
        for name in ("kinds", "years", "paragraphs", "problems"):
            getattr(self, name).update(getattr(other, name))

    def as_json(self) -> dict[str, Any]:
        years: dict[str, dict[str, int]] = {}
        for (year, kind), count in sorted(self.years.items()):
            years.setdefault(year, {})[kind] = count
        return {
            "files": self.files,
            "files_known": self.files_known,
            "rows": self.rows,
            "proof": {kind: self.kinds[kind] for kind in ("exact", "near", "none")},
            "proof_by_year": years,
            "paragraphs": dict(self.paragraphs),
            "problems": dict(self.problems),
            "index_is_older_than_lake": self.stale,
        }

    @classmethod
    def from_json(cls, numbers: dict[str, Any]) -> Summary:
        stated = numbers["proof_by_year"]
        years = {(year, kind): count for year, kinds in stated.items() for kind, count in kinds.items()}
        named = {name: Counter(numbers[name]) for name in ("paragraphs", "problems")}
        return cls(
            rows=numbers["rows"], kinds=Counter(numbers["proof"]), years=Counter(years),
            paragraphs=named["paragraphs"], problems=named["problems"],
        )  # fmt: skip
