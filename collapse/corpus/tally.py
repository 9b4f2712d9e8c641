"""Count what was read and could not be used, by reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

#: Reasons in addition to those of `archive.reasons`.
REASONS: dict[str, str] = {
    "beside-rows": "a text file in a folder of JSON lines, Parquet or CSV, such as a README: not a part of the set",
    "damaged-shard": "a shard of an export that cannot be read to its end",
    "divided": "a text that is too long for one document: its pieces are used",
    "duplicate": "a text that was read before",
    "not-asked-for": "a row without the values that `where` asks for",
    "not-utf-8": "the bytes are not UTF-8, or contain what no text can contain",
    "short": "a text of too few words for `archive share`",
}
#: Reasons that are no fault of the input.
EXPECTED = frozenset({"beside-rows", "divided", "duplicate", "not-asked-for", "short"})
#: Characters of a detail that are kept.
_DETAIL = 200


class Damage(Exception):
    """The rest of a file cannot be read."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Tally:
    """Counts of rejects by reason."""

    reasons: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)  #: one example for each reason
    had_enough: bool = False  #: reading stopped before the end

    def reject(self, reason: str, detail: str = "") -> None:
        self.reasons[reason] += 1
        self.details.setdefault(reason, " ".join(detail.split())[:_DETAIL])
