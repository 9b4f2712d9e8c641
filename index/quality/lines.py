"""C4's rules for lines, and FineWeb's measures of the lines that they keep.

Method: C4 is Raffel et al., JMLR 21 (2020) 140, with its code, tensorflow_datasets/text/c4_utils.py, in the form of
datatrove 0.10 (C4QualityFilter). FineWeb is Penedo et al., arXiv:2406.17557, 3.6, with datatrove's
FineWebQualityFilter, which reads the text that C4QualityFilter(filter_no_terminal_punct=False) keeps. The text itself
is never changed; these functions measure what would be kept of it.
"""

from __future__ import annotations

import numpy as np

from index.minhash.kernel import compiled
from index.quality.characters import DIGIT, SPACE, TERMINAL
from index.quality.memory import Memory, Page
from index.quality.repetition import HashTable, duplicates, hash_of
from index.quality.tokens import sentences, tokens

#: The columns of C4, with its rule that a line ends in terminal punctuation, and their numbers.
C4 = (
    "c4_long_word_lines",
    "c4_unpunctuated_lines",
    "c4_few_word_lines",
    "c4_javascript_lines",
    "c4_policy_lines",
    "c4_citation_lines",
    "c4_lines",
    "c4_sentences",
    "c4_lorem_ipsum",
    "c4_curly_bracket",
)
(_LONG_WORD, _UNPUNCTUATED, _FEW_WORDS, _JAVASCRIPT, _POLICY, _CITATION, _C4_LINES, _C4_SENTENCES, _C4_LOREM,
 _C4_CURLY) = range(10)  # fmt: skip
#: The columns of FineWeb, on what C4 without that rule keeps, and their numbers.
FINEWEB = (
    "fineweb_lines",
    "fineweb_sentences",
    "fineweb_lorem_ipsum",
    "fineweb_curly_bracket",
    "fineweb_words",
    "fineweb_punctuated_lines",
    "fineweb_short_lines",
    "fineweb_dup_line_chars",
    "fineweb_newlines_per_word",
)
(_LINES, _SENTENCES, _LOREM, _CURLY_BRACKET, _WORDS, _PUNCTUATED, _SHORT_LINES, _DUP_LINE_CHARS,
 _NEWLINES_PER_WORD) = range(10, 19)  # fmt: skip

_LONGEST = 1000  # characters of a word
_FEWEST = 3  # words of a line
_SHORT = 30  # characters of a short line
_OPEN, _CLOSE = (np.uint32(ord(letter)) for letter in "[]")
_DOT, _QUERY, _CALL, _DOUBLE, _SINGLE = (np.uint32(ord(letter)) for letter in ".?!\"'")

#: Bits of the phrases that a line holds.
JAVASCRIPT, POLICY, LOREM, CURLY = 1, 2, 4, 8
#: Phrases in lower case; c4_utils.py.
PHRASES = (
    ("javascript", JAVASCRIPT),
    ("lorem ipsum", LOREM),
    ("{", CURLY),
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
def _starts_with(text, position, end, phrase):  # type: ignore[no-untyped-def]
    if end - position < phrase.size:
        return False
    for number in range(phrase.size):  # noqa: SIM110
        if text[position + number] != phrase[number]:
            return False
    return True


@compiled
def _citation(text, position, end, classes):  # type: ignore[no-untyped-def]
    """Return the length of the citation that begins at a bracket: [12], [], [edit], [citation needed]; 0 for none."""
    after = position + 1
    while after < end and classes[text[after]] & DIGIT:
        after += 1
    if after < end and text[after] == _CLOSE:
        return after + 1 - position
    if _starts_with(text, position, end, _EDIT):
        return _EDIT.size
    if _starts_with(text, position, end, _NEEDED):
        return _NEEDED.size
    return 0


@compiled
def _has_citation(text, begin, end, classes):  # type: ignore[no-untyped-def]
    for position in range(begin, end):  # noqa: SIM110
        if text[position] == _OPEN and _citation(text, position, end, classes):
            return True
    return False


@compiled
def _uncited(text, begin, end, classes, out, at):  # type: ignore[no-untyped-def]
    """Copy a line to out[at:] without its citations; return where the copy ends."""
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
def _phrases(text, begin, end):  # type: ignore[no-untyped-def]
    """Return the kinds of phrases that a line holds, as bits."""
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
    """Return whether a line ends in a terminal punctuation mark, and not in an ellipsis."""
    if begin == end:
        return False
    last = text[end - 1]
    if last == _DOT:
        return not (end - begin > 2 and text[end - 2] == _DOT and text[end - 3] == _DOT)
    return last in (_QUERY, _CALL, _DOUBLE, _SINGLE)


@compiled
def _split(text, begin, end, classes):  # type: ignore[no-untyped-def]
    """Return how many runs of non-space a line has, and the length of the longest."""
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
def _keep_lines(page: Page, classes, exceptions, memory: Memory, out):  # type: ignore[no-untyped-def]
    """Apply C4's rules to each line, count the lines that they drop, and write the others to `memory.kept`.

    Returns:
        how many lines are kept, and how many words they have.
    """
    text, clean, line_begins, line_ends = page.text, memory.clean, page.lines.begins, page.lines.ends
    token_begins, token_ends, first_tokens = page.tokens.begins, page.tokens.ends, page.first_tokens
    copied = kept = words = 0
    for line in range(page.line_count):
        begin, end = line_begins[line], line_ends[line]
        if begin == end:
            continue
        pieces, longest = _split(text, begin, end, classes)
        source = text
        cited = _has_citation(text, begin, end, classes)
        if cited:
            source = clean
            after = _uncited(text, begin, end, classes, clean, copied)
            begin, end, copied = copied, after, after
            out[_CITATION] += _split(source, begin, end, classes)[0] == 0
        if longest > _LONGEST:
            out[_LONG_WORD] += 1
            continue
        good = _ends_well(source, begin, end)
        out[_UNPUNCTUATED] += not good
        if pieces < _FEWEST:
            out[_FEW_WORDS] += good
            continue
        phrases = _phrases(source, begin, end)
        if phrases & LOREM:
            out[_LOREM] = 1
            out[_C4_LOREM] = max(out[_C4_LOREM], good)
        if phrases & JAVASCRIPT:
            out[_JAVASCRIPT] += good
            continue
        if phrases & CURLY:
            out[_CURLY_BRACKET] = 1
            out[_C4_CURLY] = max(out[_C4_CURLY], good)
        if phrases & POLICY:
            out[_POLICY] += good
            continue
        if cited:
            own = memory.clean_tokens
            last = tokens(source, begin, end, classes, exceptions, own.begins, own.ends, memory.tails, 0)
            count = sentences(source, classes, own.begins, own.ends, 0, last)
            words += last
        else:
            first, last = first_tokens[line], first_tokens[line + 1]
            count = sentences(source, classes, token_begins, token_ends, first, last)
            words += last - first
        out[_SENTENCES] += count
        if good:
            out[_C4_LINES] += 1
            out[_C4_SENTENCES] += count
        memory.kept.begins[kept], memory.kept.ends[kept], memory.kept_clean[kept] = begin, end, cited
        kept += 1
    return kept, words


@compiled
def _strip(text, kept, classes, memory: Memory):  # type: ignore[no-untyped-def]
    """Remove white space from both ends of the text that the kept lines make.

    Returns:
        the numbers of the first and the last line that are not blank; the first is greater if all are.
    """
    begins, ends = memory.kept.begins, memory.kept.ends
    first, last = kept, -1
    for line in range(kept):
        source = memory.clean if memory.kept_clean[line] else text
        if _split(source, begins[line], ends[line], classes)[0]:
            first, last = min(first, line), line
    if first <= last:
        source = memory.clean if memory.kept_clean[first] else text
        while classes[source[begins[first]]] & SPACE:
            begins[first] += 1
        source = memory.clean if memory.kept_clean[last] else text
        while classes[source[ends[last] - 1]] & SPACE:
            ends[last] -= 1
    return first, last


@compiled
def measure(page: Page, classes, exceptions, memory: Memory, table: HashTable, out):  # type: ignore[no-untyped-def]
    """Write the columns C4 and FINEWEB."""
    text, keys, sizes = page.text, memory.keys, memory.sizes
    kept, words = _keep_lines(page, classes, exceptions, memory, out)
    first, last = _strip(text, kept, classes, memory)
    if first > last:
        return
    lines = characters = punctuated = short = 0
    for line in range(first, last + 1):
        source = memory.clean if memory.kept_clean[line] else text
        begin, end = memory.kept.begins[line], memory.kept.ends[line]
        characters += end - begin
        if not _split(source, begin, end, classes)[0]:
            continue
        keys[lines], sizes[lines] = hash_of(source, begin, end), end - begin
        lines += 1
        short += end - begin <= _SHORT
        punctuated += classes[source[end - 1]] & TERMINAL != 0
    out[_LINES] = lines
    out[_WORDS] = words
    out[_PUNCTUATED] = punctuated / lines
    out[_SHORT_LINES] = short / lines
    out[_DUP_LINE_CHARS] = duplicates(keys, sizes, lines, table)[1] / characters
    out[_NEWLINES_PER_WORD] = (last - first) / words if words else 0.0
