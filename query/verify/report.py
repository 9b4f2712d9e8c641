"""What `verify` found."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from query.verify.compare import Finding

KINDS = ("agrees", "gone", "differs", "unchecked")


@dataclass(slots=True)
class Report:
    """What `verify` found. `problems` says what is wrong with the export itself, `findings` with the records."""

    rows: int = 0
    shards: int = 0
    root: str = ""
    content_root: str = ""  #: the same wherever the cited files lie
    problems: list[str] = field(default_factory=list)
    traced: int = 0  #: rows whose records were looked at
    kinds: Counter[str] = field(default_factory=Counter)  #: of these rows: agrees, gone, differs, unchecked
    findings: list[Finding] = field(default_factory=list)  #: all that do not agree

    def as_json(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        kinds = {kind: self.kinds[kind] for kind in KINDS}
        return {**told, "kinds": kinds, "findings": [asdict(each) for each in self.findings], "sound": self.is_sound}

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong, and every record that was looked for is there and agrees."""
        return not self.problems and not self.findings
