"""`split`: hold out a part of a corpus, and drop training text that shares something with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archive.errors import CollapseError
from archive.show import bytes_text
from collapse.corpus.document import Document, size_of
from collapse.corpus.overlap import without_overlap
from collapse.corpus.read import Corpus
from collapse.corpus.report import SplitReport

#: The share of the held-out bytes that may stay unused.
_NEARLY = 0.1


@dataclass(frozen=True, slots=True)
class Split:
    """Training and held-out documents, both in the shuffled order of the corpus."""

    train: list[Document]
    held_out: list[Document]
    report: SplitReport


def split(corpus: Corpus, held_out_bytes: int, train_bytes: int = 1) -> Split:
    """Hold out whole documents up to so many bytes, and drop other documents that share text with them.

    If the sources name held-out documents, only these are taken. Otherwise they are the first of the shuffled order, so
    that a corpus read with a larger limit has nearly the same ones.

    Args:
        train_bytes: the training text that must be left.

    Raises:
        CollapseError: the corpus is too small.
    """
    available = size_of(corpus.train)
    is_given = bool(corpus.held_out)
    if available < train_bytes + (0 if is_given else held_out_bytes):
        needed = f"{bytes_text(train_bytes)} to train on"
        needed += "" if is_given else f" and {bytes_text(held_out_bytes)} to hold out"
        raise CollapseError(
            f"{corpus.name}: {bytes_text(available)} of text is not enough: {needed} are needed; "
            "give more text, or take a smaller recipe"
        )
    held_out = _up_to(corpus.held_out or corpus.train, held_out_bytes)
    if not held_out:
        raise CollapseError(
            f"{corpus.name}: no document has {bytes_text(held_out_bytes)} or less to be held out whole; "
            "hold out more, or give more and shorter documents"
        )
    train = corpus.train
    if not is_given:
        drawn = {document.text for document in held_out}
        train = [document for document in train if document.text not in drawn]
    kept, dropped = without_overlap(train, held_out)
    report = SplitReport(
        train_documents=len(kept),
        train_bytes=size_of(kept),
        held_out_documents=len(held_out),
        held_out_bytes=size_of(held_out),
        is_given=is_given,
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
    """Take whole documents, in their order, up to so many bytes in all.

    A document that does not fit is skipped, until the bytes are nearly reached: after that only ever shorter documents
    would fit.
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
