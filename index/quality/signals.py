"""Texts in, signals out: one row of numbers for each text, at the speed of compiled code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from index.minhash.kernel import compiled, utf8
from index.quality import lines, repetition, tokens
from index.quality.characters import LETTER, SYMBOL, classes
from index.quality.table import QUALITY

#: Of the procedure: word rule, classes of characters and measures together. Signals of another one are not comparable.
VERSION = 1

#: The columns in the order in which the kernel writes them. Gopher's quality filter:
GOPHER = (
    "characters",
    "words",
    "non_symbol_words",
    "mean_word_length",
    "hashes_per_word",
    "ellipses_per_word",
    "bullet_lines",
    "ellipsis_lines",
    "alphabetic_words",
    "stop_words",
)
#: Gopher's repetition filter:
REPETITION = (
    "dup_lines",
    "dup_line_chars",
    "dup_paragraphs",
    "dup_paragraph_chars",
    *(f"top_{size}_gram" for size in (2, 3, 4)),
    *(f"dup_{size}_grams" for size in (5, 6, 7, 8, 9, 10)),
)
#: C4, with its rule that a line ends in terminal punctuation:
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
#: FineWeb, on what C4 without that rule leaves:
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
COLUMNS = (*GOPHER, *REPETITION, *C4, *FINEWEB)

#: The eight of Gopher's filter, in lower case only.
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_SECOND = len(GOPHER)
_THIRD = _SECOND + len(REPETITION)
_HASH, _DOT, _ELLIPSIS, _BULLET, _MINUS, _NEWLINE = (np.uint32(ord(letter)) for letter in "#.…•-\n")
#: Numbers that one table of words may hold before it is cleared.
_LAST = 1 << 30


def _stop_hashes() -> npt.NDArray[np.uint64]:
    """The hashes of the stop words, as `repetition.words` makes them."""
    text = np.array([*map(ord, "".join(STOP_WORDS))], np.uint32)
    ends = np.cumsum([len(word) for word in STOP_WORDS]).astype(np.int32)
    begins = np.concatenate([np.zeros(1, np.int32), ends[:-1]])
    count = len(STOP_WORDS)
    sums, powers, out = np.empty(count + 1, np.uint64), np.empty(count + 1, np.uint64), np.empty(count, np.uint64)
    repetition.prefixes(text, begins, ends, count, sums, powers, np.empty(count + 1, np.int32))
    repetition.words(sums, powers, count, out)
    return out


@compiled
def _split_lines(text, size, begins, ends):  # type: ignore[no-untyped-def]
    """Where the lines begin and end, blank ones too; returns how many."""
    count = begin = 0
    for position in range(size + 1):
        if position == size or text[position] == _NEWLINE:
            begins[count], ends[count] = begin, position
            count += 1
            begin = position + 1
    return count


@compiled
def _gopher(text, size, classes, begins, ends, count, line_begins, line_ends, line_count, hashes, stops, out):  # type: ignore[no-untyped-def]  # fmt: skip
    """The columns GOPHER."""
    plain = plain_characters = alphabetic = 0
    seen = 0
    for number in range(count):
        begin, end = begins[number], ends[number]
        other = letter = False
        for position in range(begin, end):
            kind = classes[text[position]]
            other |= kind & SYMBOL == 0
            letter |= kind & LETTER != 0
        if other:
            plain += 1
            plain_characters += end - begin
        alphabetic += letter
        if 2 <= end - begin <= 4:
            for stop in range(stops.size):
                if hashes[number] == stops[stop]:
                    seen |= 1 << stop
    marks = ellipses = dots = 0
    for position in range(size):
        letter = text[position]
        if letter == _DOT:
            dots += 1
            if dots == 3:
                ellipses += 1
                dots = 0
            continue
        dots = 0
        marks += letter == _HASH
        ellipses += letter == _ELLIPSIS
    bullets = trailing = 0
    for line in range(line_count):
        begin, end = line_begins[line], line_ends[line]
        if begin == end:
            continue
        bullets += text[begin] == _BULLET or text[begin] == _MINUS
        dotted = end - begin > 2 and text[end - 1] == _DOT and text[end - 2] == _DOT and text[end - 3] == _DOT
        trailing += dotted or text[end - 1] == _ELLIPSIS
    different = 0
    while seen:
        different += seen & 1
        seen >>= 1
    out[0] = size
    out[1] = count
    out[2] = plain
    out[3] = plain_characters / plain if plain else 0.0
    out[4] = marks / count if count else 0.0
    out[5] = ellipses / count if count else 0.0
    out[6] = bullets / line_count if size else 0.0
    out[7] = trailing / line_count if size else 0.0
    out[8] = alphabetic / count if count else 0.0
    out[9] = different


@compiled
def _measure(data, offsets, classes, known, stops, out):  # type: ignore[no-untyped-def]
    longest = 0
    for number in range(offsets.size - 1):
        longest = max(longest, offsets[number + 1] - offsets[number])
    room = longest + 2
    # of pages that are never touched the system makes no memory, so that these cost what a text needs
    text = np.empty(room, np.uint32)
    clean = np.empty(room, np.uint32)
    begins, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    line_begins, line_ends = np.empty(room, np.int32), np.empty(room, np.int32)
    firsts = np.empty(room, np.int32)
    sums, powers, hashes = np.empty(room, np.uint64), np.empty(room, np.uint64), np.empty(room, np.uint64)
    keys = np.empty(room, np.uint64)
    lengths, found = np.empty(room, np.int32), np.empty(room, np.int32)
    sizes = np.empty(room, np.int32)
    more_begins, more_ends, tails = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    left_begins, left_ends = np.empty(room, np.int32), np.empty(room, np.int32)
    left_clean = np.empty(room, np.bool_)
    scratch = (more_begins, more_ends, tails, clean, keys, sizes, left_begins, left_ends, left_clean)
    table = np.full(1 << 12, -1, np.int64)
    base = 0
    for number in range(offsets.size - 1):
        row = out[number]
        row[:] = 0.0
        size = tokens.decode(data, offsets[number], offsets[number + 1], text)
        if not size:
            continue
        count = tokens.tokens(text, 0, size, classes, known, begins, ends, tails, 0)
        line_count = _split_lines(text, size, line_begins, line_ends)
        if repetition.room(max(count, line_count)) > table.size:
            table, base = np.full(repetition.room(max(count, line_count)), -1, np.int64), 0
        step = max(count, line_count)
        if base > _LAST:
            table[:], base = -1, 0
        at = 0
        for line in range(line_count):
            while at < count and begins[at] < line_begins[line]:
                at += 1
            firsts[line] = at
        firsts[line_count] = count
        repetition.prefixes(text, begins, ends, count, sums, powers, lengths)
        repetition.words(sums, powers, count, hashes)
        _gopher(text, size, classes, begins, ends, count, line_begins, line_ends, line_count, hashes, stops, row)
        # lines and paragraphs
        full = 0
        for line in range(line_count):
            begin, end = line_begins[line], line_ends[line]
            if begin < end:
                keys[full], sizes[full] = repetition.hash_of(text, begin, end), end - begin
                full += 1
        again, characters = repetition.duplicates(keys, sizes, full, table, base)
        base += step
        row[_SECOND], row[_SECOND + 1] = again / max(full, 1), characters / size
        full = line = 0
        while line < line_count:
            begin = line_begins[line]
            while line < line_count and line_begins[line] < line_ends[line]:
                line += 1
            end = line_ends[line - 1] if line else 0
            if begin < end:
                keys[full], sizes[full] = repetition.hash_of(text, begin, end), end - begin
                full += 1
            line += 1
        again, characters = repetition.duplicates(keys, sizes, full, table, base)
        base += step
        row[_SECOND + 2], row[_SECOND + 3] = again / max(full, 1), characters / size
        # runs of words
        for run in range(2, 5):
            most = repetition.top(run, hashes, lengths, count, keys, found, table, base)
            base += step
            row[_SECOND + 2 + run] = most / size
        for run in range(5, 11):
            characters = repetition.repeated(run, sums, powers, lengths, count, keys, table, base)
            base += step
            row[_SECOND + 2 + run] = characters / size
        lines.measure(
            text, classes, known, begins, ends, line_begins, line_ends, firsts, line_count, scratch, table, base,
            row[_THIRD:],
        )  # fmt: skip
        base += step


def measured(texts: pa.Array) -> npt.NDArray[np.float64]:
    """The signals of texts in the lake's normal form: (texts, COLUMNS)."""
    data, offsets = (numbers.view() for numbers in utf8(texts))
    data.flags.writeable = offsets.flags.writeable = False  # of one type, wherever they come from: compiled once
    out = np.empty((len(texts), len(COLUMNS)), np.float64)
    _measure(data, offsets, classes(), tokens.whole(), _stop_hashes(), out)
    return out


def signals(content_ids: pa.Array, texts: pa.Array) -> pa.Table:
    """Rows of the table `quality`."""
    numbers = measured(texts)
    columns = [content_ids]
    for position, name in enumerate(COLUMNS):
        columns.append(pa.array(np.ascontiguousarray(numbers[:, position])).cast(QUALITY.schema.field(name).type))
    return pa.Table.from_arrays(columns, schema=QUALITY.schema)
