"""C4's rules for lines, and FineWeb's measures on the lines that they leave.

C4: Raffel et al., JMLR 21 (2020) 140, and its code, tensorflow_datasets/text/c4_utils.py, in the form of datatrove 0.10
(C4QualityFilter). FineWeb: Penedo et al., arXiv:2406.17557, 3.6; datatrove's FineWebQualityFilter, which reads the
text that C4QualityFilter(filter_no_terminal_punct=False) left. The text itself is never changed; what would be left
is measured.
"""

from __future__ import annotations

import numpy as np

from index.minhash.kernel import compiled
from index.quality.characters import DIGIT, SPACE, TERMINAL
from index.quality.repetition import duplicates, hash_of
from index.quality.tokens import sentences, tokens

_LONGEST = 1000  # characters of a word
_FEWEST = 3  # words of a line
_SHORT = 30  # characters of a short line
_OPEN, _CLOSE, _CURLY = (np.uint32(ord(letter)) for letter in "[]{")
_DOT, _QUERY, _CALL, _DOUBLE, _SINGLE = (np.uint32(ord(letter)) for letter in ".?!\"'")

#: Bits of what a line holds.
JAVASCRIPT, POLICY, LOREM = 1, 2, 4
#: Phrases in lower case; c4_utils.py.
PHRASES = (
    ("javascript", JAVASCRIPT),
    ("lorem ipsum", LOREM),
    ("terms of use", POLICY),
    ("privacy policy", POLICY),
    ("cookie policy", POLICY),
    ("uses cookies", POLICY),
    ("use of cookies", POLICY),
    ("use cookies", POLICY),
)
_WIDTH = max(len(phrase) for phrase, _ in PHRASES)
_LETTERS = np.array([[*map(ord, phrase.ljust(_WIDTH, "\0"))] for phrase, _ in PHRASES], np.uint32)
_SIZES = np.array([len(phrase) for phrase, _ in PHRASES], np.int64)
_BITS = np.array([bit for _, bit in PHRASES], np.int64)
#: Whether a phrase begins with this ASCII character.
_FIRST = np.zeros(128, np.bool_)
_FIRST[_LETTERS[:, 0]] = True
_EDIT = np.array([*map(ord, "[edit]")], np.uint32)
_NEEDED = np.array([*map(ord, "[citation needed]")], np.uint32)


@compiled
def _lower(letter):  # type: ignore[no-untyped-def]
    return letter + np.uint32(32) if np.uint32(65) <= letter <= np.uint32(90) else letter


@compiled
def _starts(text, position, end, phrase):  # type: ignore[no-untyped-def]
    if end - position < phrase.size:
        return False
    for number in range(phrase.size):  # noqa: SIM110
        if text[position + number] != phrase[number]:
            return False
    return True


@compiled
def _citation(text, position, end, classes):  # type: ignore[no-untyped-def]
    """How long the citation is that begins at a bracket: [12], [], [edit], [citation needed]; 0 for none."""
    at = position + 1
    while at < end and classes[text[at]] & DIGIT:
        at += 1
    if at < end and text[at] == _CLOSE:
        return at + 1 - position
    if _starts(text, position, end, _EDIT):
        return _EDIT.size
    if _starts(text, position, end, _NEEDED):
        return _NEEDED.size
    return 0


@compiled
def _uncited(text, begin, end, classes, out, at):  # type: ignore[no-untyped-def]
    """Copy a line to out[at:] without its citations; returns where the copy ends."""
    position = begin
    while position < end:
        size = _citation(text, position, end, classes) if text[position] == _OPEN else 0
        if size:
            position += size
            continue
        out[at] = text[position]
        at += 1
        position += 1
    return at


@compiled
def _holds(text, begin, end):  # type: ignore[no-untyped-def]
    """Which kinds of phrases a line holds, as bits."""
    bits = 0
    for position in range(begin, end):
        letter = _lower(text[position])
        if letter >= np.uint32(128) or not _FIRST[letter]:
            continue
        for phrase in range(_SIZES.size):
            size = _SIZES[phrase]
            if _LETTERS[phrase, 0] != letter or end - position < size:
                continue
            number = 1
            while number < size and _lower(text[position + number]) == _LETTERS[phrase, number]:
                number += 1
            if number == size:
                bits |= _BITS[phrase]
    return bits


@compiled
def _ends_well(text, begin, end):  # type: ignore[no-untyped-def]
    """Whether a line ends in a terminal punctuation mark, and not in an ellipsis."""
    if begin == end:
        return False
    last = text[end - 1]
    if last == _DOT:
        return not (end - begin > 2 and text[end - 2] == _DOT and text[end - 3] == _DOT)
    return last in (_QUERY, _CALL, _DOUBLE, _SINGLE)


@compiled
def _split(text, begin, end, classes):  # type: ignore[no-untyped-def]
    """How many runs of non-space a line has, and how long the longest is."""
    count = longest = 0
    size = 0
    for position in range(begin, end):
        if classes[text[position]] & SPACE:
            size = 0
            continue
        count += size == 0
        size += 1
        longest = max(longest, size)
    return count, longest


@compiled
def measure(text, classes, known, begins, ends, line_begins, line_ends, firsts, count, scratch, table, base, out):  # type: ignore[no-untyped-def]  # fmt: skip
    """The columns C4 and FINEWEB of `index.quality.signals`, in their order.

    Args:
        begins, ends: of the tokens of the text.
        firsts: of each line, its first token; one more for the end.
        scratch: for the words of changed lines, the lines without citations, keys and lengths of lines, and where the
            lines that are left begin and end.
    """
    token_begins, token_ends, tails, clean, keys, lengths, left_begins, left_ends, left_clean = scratch
    copied = left = words = newlines = 0
    out[:] = 0
    for line in range(count):
        begin, end = line_begins[line], line_ends[line]
        if begin == end:
            continue
        pieces, longest = _split(text, begin, end, classes)
        cited = False
        for position in range(begin, end):
            if text[position] == _OPEN and _citation(text, position, end, classes):
                cited = True
                break
        source = text
        if cited:
            source = clean
            after = _uncited(text, begin, end, classes, clean, copied)
            begin, end, copied = copied, after, after
            out[5] += _split(source, begin, end, classes)[0] == 0
        if longest > _LONGEST:
            out[0] += 1
            continue
        good = _ends_well(source, begin, end)
        out[1] += not good
        if pieces < _FEWEST:
            out[2] += good
            continue
        bits = _holds(source, begin, end)
        lorem = bits & LOREM != 0
        curly = False
        for position in range(begin, end):
            if source[position] == _CURLY:
                curly = True
                break
        if lorem:
            out[12] = 1
            if good:
                out[8] = 1
        if bits & JAVASCRIPT:
            out[3] += good
            continue
        if curly:
            out[13] = 1
            if good:
                out[9] = 1
        if bits & POLICY:
            out[4] += good
            continue
        if cited:
            last = tokens(source, begin, end, classes, known, token_begins, token_ends, tails, 0)
            parts = sentences(source, classes, token_begins, token_ends, 0, last)
            words += last
        else:
            parts = sentences(source, classes, begins, ends, firsts[line], firsts[line + 1])
            words += firsts[line + 1] - firsts[line]
        out[11] += parts
        if good:
            out[6] += 1
            out[7] += parts
        left_begins[left], left_ends[left], left_clean[left] = begin, end, cited
        left += 1
    if not left:
        return
    # the text that is left, without white space at its ends
    first, last = left, 0
    for line in range(left):
        source = clean if left_clean[line] else text
        if _split(source, left_begins[line], left_ends[line], classes)[0]:
            first, last = min(first, line), line
    if first == left:
        return
    source = clean if left_clean[first] else text
    while classes[source[left_begins[first]]] & SPACE:
        left_begins[first] += 1
    source = clean if left_clean[last] else text
    while classes[source[left_ends[last] - 1]] & SPACE:
        left_ends[last] -= 1
    newlines = last - first
    full = characters = punctuated = short = 0
    for line in range(first, last + 1):
        source = clean if left_clean[line] else text
        begin, end = left_begins[line], left_ends[line]
        characters += end - begin
        if not _split(source, begin, end, classes)[0]:
            continue
        keys[full], lengths[full] = hash_of(source, begin, end), end - begin
        full += 1
        short += end - begin <= _SHORT
        punctuated += classes[source[end - 1]] & TERMINAL != 0
    out[10] = full
    out[14] = words
    out[15] = punctuated / full
    out[16] = short / full
    out[17] = duplicates(keys, lengths, full, table, base)[1] / characters
    out[18] = newlines / words if words else 0.0
