"""What `verify` finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

KINDS = ("agrees", "gone", "differs", "unchecked")


@dataclass(frozen=True, slots=True)
class Finding:
    """What comes of a citation.

    `kind`: `agrees`; `gone`, where the file or the record cannot be read; `differs`, with what; `unchecked`, where
    the text was made by an extractor that is not installed in that version, and the installed one makes another text,
    where the file is on the network that may not be asked, or takes no more requests, or where the grade rests on more
    than the record.
    """

    row: int
    kind: str
    detail: str = ""

    @property
    def is_of_grade(self) -> bool:
        """Whether nothing is wrong but that the grade rests on more than the record."""
        return self.kind == "unchecked" and self.detail.startswith("grade: ")


@dataclass(slots=True)
class VerifyResult:
    """What `verify` found. `problems` are of the export itself, `findings` of the records that its rows cite."""

    sound: bool = False  #: nothing is wrong, and every record that was looked for is there and agrees
    rows: int = 0
    shards: int = 0
    merkle_root: str = ""  #: as computed from the rows; empty for a lake
    content_root: str = ""  #: the same wherever the cited files are
    existed_by: datetime | None = None  #: as the time stamp of the seal says; None without one that holds
    attested_by: str = ""  #: the authority of the seal
    sealed_units: int = 0  #: of a lake, whose captures are those that were sealed
    unsealed_units: int = 0  #: of a lake, that came after the seal
    problems: list[str] = field(default_factory=list)
    traced: int = 0  #: rows whose records were read
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))  #: of these rows, by `Finding.kind`
    findings: list[Finding] = field(default_factory=list)  #: all that do not agree
    walked: int = 0  #: of the traced rows, those whose records were reached from the start of their files
    seconds: float = 0.0
