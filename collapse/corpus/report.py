"""What was read of the sets of a run, what was held out, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was read of a set, and what could not be used."""

    documents: int  #: usable ones, duplicates included
    bytes: int  #: of their texts
    rejects: dict[str, int]  #: by reason: codes of `archive.reasons` and of `collapse.corpus.tally`
    is_sample: bool  #: whether the set has more than was kept


@dataclass(frozen=True, slots=True)
class SplitReport:
    """How a set was split into training and held-out documents."""

    train_documents: int
    train_bytes: int
    held_out_documents: int
    held_out_bytes: int
    is_given: bool  #: whether the set itself names its held-out documents
    dropped: dict[str, int]  #: training documents, by what they share with held-out ones (`without_overlap`)
    dropped_bytes: int


@dataclass(frozen=True, slots=True)
class SuspectReport:
    """What was read of the suspect set."""

    name: str
    reading: ReadReport
    documents: int  #: that were used
    dropped: dict[str, int]  #: by what they share with held-out documents


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """The sets that a run used."""

    name: str
    reading: ReadReport
    split: SplitReport
    suspect: SuspectReport | None = None
    vocabulary: int = 0  #: tokens of the tokenizer
    blocks: dict[str, int] = field(default_factory=dict)  #: that the text has: `real`, `held_out`, `suspect`
    held_out_tokens: int = 0  #: that models are evaluated on
    held_out_documents_used: int = 0  #: that these tokens come from
