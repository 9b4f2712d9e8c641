"""`split`: a held-out part of a corpus, and training text that shares nothing with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archive.errors import CollapseError
from archive.show import bytes_text
from collapse.corpus.document import Document, size_of
from collapse.corpus.overlap import without_kin
from collapse.corpus.read import Corpus

#: The part of the held-out bytes that may be left over.
_NEARLY = 0.1


@dataclass(frozen=True, slots=True)
class Report:
    """What a split made of a corpus."""

    train_documents: int
    train_bytes: int
    held_out_documents: int
    held_out_bytes: int
    is_given: bool  #: the sources themselves said what is held out
    dropped: dict[str, int]  #: training documents, by what they share with held-out ones (`without_kin`)
    dropped_bytes: int


@dataclass(frozen=True, slots=True)
class Split:
    """Training and held-out documents, both in the shuffled order of the corpus."""

    train: list[Document]
    held_out: list[Document]
    report: Report


def split(corpus: Corpus, held_out_bytes: int, train_bytes: int = 1) -> Split:
    """Hold out whole documents up to so many bytes, and drop from the rest what shares text with them.

    Where the sources say which documents are held out, these are taken, and no others; else they are drawn: those that
    the shuffled order puts first, so that a corpus read with a larger limit has nearly the same ones.

    Args:
        train_bytes: of training text, without which the corpus is too small.

    Raises:
        CollapseError: the corpus is too small.
    """
    there = size_of(corpus.train)
    given = bool(corpus.held_out)
    if there < train_bytes + (0 if given else held_out_bytes):
        needed = f"{bytes_text(train_bytes)} to train on"
        needed += "" if given else f" and {bytes_text(held_out_bytes)} to hold out"
        raise CollapseError(
            f"{corpus.name}: {bytes_text(there)} of text is not enough: {needed} are needed; "
            "give more text, or take a smaller recipe"
        )
    held_out = _up_to(corpus.held_out or corpus.train, held_out_bytes)
    if not held_out:
        raise CollapseError(
            f"{corpus.name}: no document has {bytes_text(held_out_bytes)} or less to be held out whole; "
            "hold out more, or give more and shorter documents"
        )
    train = corpus.train
    if not given:
        drawn = {document.text for document in held_out}
        train = [document for document in train if document.text not in drawn]
    kept, dropped = without_kin(train, held_out)
    report = Report(
        train_documents=len(kept),
        train_bytes=size_of(kept),
        held_out_documents=len(held_out),
        held_out_bytes=size_of(held_out),
        is_given=given,
        dropped=dict(sorted(dropped.items())),
        dropped_bytes=size_of(train) - size_of(kept),
    )
    if report.train_bytes < train_bytes:
        raise CollapseError(
            f"{corpus.name}: {bytes_text(report.train_bytes)} to train on are left, where {bytes_text(train_bytes)} "
            f"are needed: {sum(dropped.values())} of {len(train)} documents share text with held-out ones; give more"
        )
    return Split(kept, held_out, report)


def _up_to(documents: Iterable[Document], most: int) -> list[Document]:
    """Whole documents up to so many bytes in all, in their order; one that does not fit is passed over until these are
    nearly reached.

    Not longer, since only ever shorter documents would fit in what is left.
    """
    taken: list[Document] = []
    left = most
    for document in documents:
        if document.size <= left:
            taken.append(document)
            left -= document.size
        elif left < most * _NEARLY:
            break
    return taken
