"""What is proven about a row, and the columns that state it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

if TYPE_CHECKING:  # `archive verify` needs the columns, and no extra
    from index.proven import Proof

Kind = Literal["exact", "near", "none"]

Passage = tuple[int, int, int, "Proof"]  #: first character, the one behind the last, words, what proves it

_RECORD = pa.struct([("file", pa.string()), ("offset", pa.int64()), ("skip", pa.int64()), ("digest", pa.string())])
_PARAGRAPH = pa.struct(
    [
        ("words", pa.int32()),
        ("proof", pa.string()),
        ("proof_date", pa.timestamp("us", "UTC")),
        ("proof_similarity", pa.float64()),
        ("proof_url", pa.string()),
        ("proof_record", _RECORD),
    ]
)
_PASSAGE = pa.struct(
    [
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("words", pa.int32()),
        ("proof_date", pa.timestamp("us", "UTC")),
        ("proof_url", pa.string()),
        ("proof_record", _RECORD),
    ]
)
#: The columns that a certified data set has in addition to its own.
SCHEMA = pa.schema(
    [
        ("proof", pa.string()),  # exact, near, none
        ("proof_date", pa.timestamp("us", "UTC")),
        ("proof_similarity", pa.float64()),  # Jaccard similarity of the row and the text of the capture
        ("proof_characters", pa.float64()),  # the same by their characters; null where the lake holds no text
        ("proof_dropped", pa.int32()),  # characters of the row that the normal form leaves out: control characters
        ("proof_estimated", pa.bool_()),  # the lake holds no text to compare with: similarity from signatures
        ("proof_url", pa.string()),
        ("proof_record", _RECORD),
        ("proof_grade", pa.string()),  # of that capture: archive.evidence.grade.GRADES
        ("proof_date_source", pa.string()),  # archive.reasons.DATE_SOURCES
        ("proof_paragraphs", pa.list_(_PARAGRAPH)),  # null unless asked for
        ("proof_words", pa.int32()),  # of the row; this and what follows is null unless asked for
        ("proof_known_words", pa.int32()),  # of these, the words in passages that existed before the date
        ("proof_passages", pa.list_(_PASSAGE)),  # by their characters in the normal form of the text
    ]
)
#: The columns that belong to an option, and are null without it.
OPTIONAL = {
    "paragraphs": ("proof_paragraphs",),
    "passages": ("proof_words", "proof_known_words", "proof_passages"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The earliest acceptable capture of a text (`exact`) or of a verified near-duplicate (`near`), if any."""

    kind: Kind = "none"
    similarity: float | None = None
    characters: float | None = None
    dropped: int = 0
    estimated: bool = False
    proof: Proof | None = None
    paragraphs: tuple[tuple[int, Verdict], ...] | None = None  #: words and verdict of each paragraph
    words: int | None = None  #: of the row, if its passages were looked up
    passages: tuple[Passage, ...] | None = None

    @property
    def known_words(self) -> int | None:
        """How many words of the row are in its passages."""
        return None if self.passages is None else sum(words for _, _, words, _ in self.passages)

    def as_row(self) -> dict[str, Any]:
        """Return the values of the columns."""
        return {
            **self._common(),
            "proof_characters": self.characters,
            "proof_dropped": None if self.kind == "none" else self.dropped,
            "proof_grade": self.proof and self.proof.grade,
            "proof_date_source": self.proof and self.proof.source,
            "proof_estimated": self.estimated if self.kind == "near" else None,
            "proof_paragraphs": None
            if self.paragraphs is None
            else [{"words": words, **verdict._common()} for words, verdict in self.paragraphs],
            "proof_words": self.words,
            "proof_known_words": self.known_words,
            "proof_passages": None
            if self.passages is None
            else [
                {"start": start, "end": end, "words": words, **_cited(proof)}
                for start, end, words, proof in self.passages
            ],
        }

    def _common(self) -> dict[str, Any]:
        return {"proof": self.kind, "proof_similarity": self.similarity, **_cited(self.proof)}

    def as_json(self) -> dict[str, Any]:
        """Return the values as JSON has them, in the order of the columns; those of options only if asked for."""
        row = self.as_row()
        for part in [row, *(row["proof_paragraphs"] or []), *(row["proof_passages"] or [])]:
            if part["proof_date"] is not None:
                part["proof_date"] = part["proof_date"].isoformat().replace("+00:00", "Z")
        optional = {name for names in OPTIONAL.values() for name in names}
        return {name: row[name] for name in SCHEMA.names if name not in optional or row[name] is not None}


def _cited(proof: Proof | None) -> dict[str, Any]:
    return {
        "proof_date": proof and proof.date,
        "proof_url": proof and proof.url,
        "proof_record": proof
        and {"file": proof.file, "offset": proof.offset, "skip": proof.skip, "digest": proof.digest},
    }
