"""What the compiled functions of `index.quality` share: a text with its tokens and lines, and memory to work in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled

Numbers = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]


class Spans(NamedTuple):
    """Parts of a text: where each begins, and where it ends. Unit: characters."""

    begins: Numbers
    ends: Numbers


class Page(NamedTuple):
    """A text, its tokens and its lines. The arrays are longer than what they hold."""

    text: npt.NDArray[np.uint32]  #: code points
    size: int
    tokens: Spans
    token_count: int
    lines: Spans  #: empty ones too
    line_count: int
    first_tokens: Numbers  #: of each line the number of its first token; then the number of tokens


class Memory(NamedTuple):
    """Arrays for texts of at most so many characters, used again for each text.

    The system gives memory only to pages that are written to. So the arrays of a short text cost what it needs.
    """

    text: npt.NDArray[np.uint32]
    tokens: Spans
    lines: Spans
    first_tokens: Numbers
    tails: Numbers  #: for `tokens.tokens`
    sums: Hashes  #: of `repetition.prefixes` …
    powers: Hashes
    lengths: Numbers
    hashes: Hashes  #: of tokens
    keys: Hashes  #: of lines, paragraphs or runs of words …
    sizes: Numbers  #: … and their characters …
    counts: Numbers  #: … and how often each was found
    clean: npt.NDArray[np.uint32]  #: lines without their citations, one after the other
    clean_tokens: Spans  #: of one such line
    kept: Spans  #: the lines that C4 keeps …
    kept_clean: npt.NDArray[np.bool_]  #: … and whether each is in `clean`


@compiled
def _spans(room):  # type: ignore[no-untyped-def]
    return Spans(np.empty(room, np.int32), np.empty(room, np.int32))


@compiled
def allocate(room):  # type: ignore[no-untyped-def]
    """Return memory for texts of at most `room` - 2 characters."""
    return Memory(
        np.empty(room, np.uint32), _spans(room), _spans(room), np.empty(room, np.int32), np.empty(room, np.int32),
        np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint64),
        np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.int32),
        np.empty(room, np.uint32), _spans(room), _spans(room), np.empty(room, np.bool_),
    )  # fmt: skip
