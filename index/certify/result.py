"""How much of a data set is proven."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

#: The folder of an output that is no file of the data set, and the file that states how the rows were judged.
OWN = "_certify"
MANIFEST = f"{OWN}/manifest.json"
#: How rows are judged. 2: near-duplicates by their characters too.
PROCEDURE = 2


def _no_proofs() -> Counter[str]:
    return Counter({"exact": 0, "near": 0, "none": 0})


@dataclass(slots=True)
class RowCounts:
    """The rows of a chunk, a file or a data set, and how many of them are proven."""

    rows: int = 0  #: of the data set, also those without a text
    proof: Counter[str] = field(default_factory=_no_proofs)  #: exact, near, none -> rows
    proof_by_year: dict[str, Counter[str]] = field(default_factory=dict)  #: year of the proof -> exact, near -> rows
    proof_by_grade: dict[str, Counter[str]] = field(default_factory=dict)  #: grade of the proof -> exact, near -> rows
    paragraphs: Counter[str] = field(default_factory=Counter)  #: exact, near, none -> paragraphs, if asked for
    words: int = 0  #: of the rows, if their passages were asked for
    known_words: int = 0  #: of these, the words in passages that existed before the date
    problems: Counter[str] = field(default_factory=Counter)  #: reason -> rows without text, stretches without rows

    def add(self, other: RowCounts) -> None:
        """Add the counts of other rows."""
        self.rows += other.rows
        self.proof.update(other.proof)
        self.paragraphs.update(other.paragraphs)
        self.problems.update(other.problems)
        self.words += other.words
        self.known_words += other.known_words
        for year, kinds in other.proof_by_year.items():
            self.proof_by_year.setdefault(year, Counter()).update(kinds)
        for grade, kinds in other.proof_by_grade.items():
            self.proof_by_grade.setdefault(grade, Counter()).update(kinds)

    def as_json(self) -> dict[str, Any]:
        """Return what the manifest keeps of a file."""
        return {
            "rows": self.rows,
            "proof": dict(self.proof),
            "proof_by_year": {year: dict(kinds) for year, kinds in sorted(self.proof_by_year.items())},
            "proof_by_grade": {grade: dict(kinds) for grade, kinds in sorted(self.proof_by_grade.items())},
            "paragraphs": dict(self.paragraphs),
            **({"words": self.words, "known_words": self.known_words} if self.words else {}),
            "problems": dict(self.problems),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> RowCounts:
        """Read what a manifest keeps of a file; other keys are ignored."""
        years = {year: Counter(kinds) for year, kinds in stored["proof_by_year"].items()}
        grades = {grade: Counter(kinds) for grade, kinds in stored.get("proof_by_grade", {}).items()}
        proof, paragraphs, problems = (Counter(stored[name]) for name in ("proof", "paragraphs", "problems"))
        words, known_words = stored.get("words", 0), stored.get("known_words", 0)
        return cls(stored["rows"], proof, years, grades, paragraphs, words, known_words, problems)


@dataclass(slots=True)
class CertifyResult(RowCounts):
    """What `certify` found: the counts of all rows, and of which files they are."""

    files: int = 0  #: of the data set
    files_skipped: int = 0  #: done by an earlier run of the same command
    index_is_older_than_lake: bool = False  #: the lake got texts after its index
    seconds: float = 0.0  #: of wall-clock time

    def sort(self) -> None:
        """Put years, grades and kinds in order."""
        self.proof_by_grade = dict(sorted(self.proof_by_grade.items()))
        years = sorted(self.proof_by_year.items())
        self.proof_by_year = {year: Counter(dict(sorted(kinds.items()))) for year, kinds in years}
