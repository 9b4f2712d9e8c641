"""What `verify` found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from query.verify.compare import Finding


@dataclass(slots=True)
class Report:
    """What `verify` found. `problems` says what is wrong with the export itself, `findings` with the records."""

    rows: int = 0
    shards: int = 0
    root: str = ""
    problems: list[str] = field(default_factory=list)
    traced: int = 0  #: rows whose records were looked at
    kinds: Counter[str] = field(default_factory=Counter)  #: of these rows: agrees, gone, differs, unchecked
    findings: list[Finding] = field(default_factory=list)  #: all that do not agree

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong, and every record that was looked for is there and agrees."""
        return not self.problems and not self.findings
