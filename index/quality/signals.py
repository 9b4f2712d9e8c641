"""Measures the signals of texts: one row of numbers for each text, by compiled functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from index.minhash.kernel import compiled, utf8
from index.quality import lines, repetition, tokens
from index.quality.characters import LETTER, SYMBOL, classes
from index.quality.memory import Memory, Page, allocate
from index.quality.table import QUALITY

#: Of word rule, classes of characters and measures together. Signals of different versions are not comparable.
VERSION = 1

#: The columns of Gopher's quality filter, in the order in which `_gopher` writes them.
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
#: All columns, in the order in which the kernel writes them.
COLUMNS = (*GOPHER, *repetition.COLUMNS, *lines.C4, *lines.FINEWEB)
_REPETITION = len(GOPHER)
_LINES = _REPETITION + len(repetition.COLUMNS)

#: The stop words of Gopher's filter, in lower case only.
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_HASH, _DOT, _ELLIPSIS, _BULLET, _MINUS, _NEWLINE = (np.uint32(ord(letter)) for letter in "#.…•-\n")


def _stop_hashes() -> npt.NDArray[np.uint64]:
    """Return the hashes of the stop words, as `repetition.words` computes them."""
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
    """Write where the lines begin and end, empty ones too; return how many these are."""
    count = begin = 0
    for position in range(size + 1):
        if position == size or text[position] == _NEWLINE:
            begins[count], ends[count] = begin, position
            count += 1
            begin = position + 1
    return count


@compiled
def _page(size, classes, exceptions, memory: Memory):  # type: ignore[no-untyped-def]
    """Find the tokens and lines of the text in memory."""
    text, own, first_tokens = memory.text, memory.tokens, memory.first_tokens
    token_count = tokens.tokens(text, 0, size, classes, exceptions, own.begins, own.ends, memory.tails, 0)
    line_count = _split_lines(text, size, memory.lines.begins, memory.lines.ends)
    token = 0
    for line in range(line_count):
        while token < token_count and own.begins[token] < memory.lines.begins[line]:
            token += 1
        first_tokens[line] = token
    first_tokens[line_count] = token_count
    return Page(text, size, own, token_count, memory.lines, line_count, first_tokens)


@compiled
def _words(page: Page, classes, hashes, stops, out):  # type: ignore[no-untyped-def]
    """Write the columns of Gopher that count words."""
    text, begins, ends, count = page.text, page.tokens.begins, page.tokens.ends, page.token_count
    plain = plain_characters = alphabetic = 0
    seen = 0  # stop words, as bits
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
    different = 0
    while seen:
        different += seen & 1
        seen >>= 1
    out[1] = count
    out[2] = plain
    out[3] = plain_characters / plain if plain else 0.0
    out[8] = alphabetic / count if count else 0.0
    out[9] = different


@compiled
def _marks(text, size):  # type: ignore[no-untyped-def]
    """Count the hashes and the ellipses of a text."""
    hashes = ellipses = dots = 0
    for position in range(size):
        letter = text[position]
        if letter == _DOT:
            dots += 1
            if dots == 3:
                ellipses += 1
                dots = 0
            continue
        dots = 0
        hashes += letter == _HASH
        ellipses += letter == _ELLIPSIS
    return hashes, ellipses


@compiled
def _line_marks(page: Page):  # type: ignore[no-untyped-def]
    """Count the lines that begin with a bullet, and those that end with an ellipsis."""
    text, bullets, trailing = page.text, 0, 0
    for line in range(page.line_count):
        begin, end = page.lines.begins[line], page.lines.ends[line]
        if begin == end:
            continue
        bullets += text[begin] == _BULLET or text[begin] == _MINUS
        dotted = end - begin > 2 and text[end - 1] == _DOT and text[end - 2] == _DOT and text[end - 3] == _DOT
        trailing += dotted or text[end - 1] == _ELLIPSIS
    return bullets, trailing


@compiled
def _gopher(page: Page, classes, hashes, stops, out):  # type: ignore[no-untyped-def]
    """Write the columns GOPHER.

    Args:
        hashes: of the tokens.
        stops: hashes of the stop words.
    """
    _words(page, classes, hashes, stops, out)
    marks, ellipses = _marks(page.text, page.size)
    bullets, trailing = _line_marks(page)
    out[0] = page.size
    out[4] = marks / page.token_count if page.token_count else 0.0
    out[5] = ellipses / page.token_count if page.token_count else 0.0
    out[6] = bullets / page.line_count
    out[7] = trailing / page.line_count


@compiled
def _measure(data, offsets, classes, exceptions, stops, out):  # type: ignore[no-untyped-def]
    """Write the signals of each text into its row of `out`; zeros for an empty text."""
    longest = 0
    for number in range(offsets.size - 1):
        longest = max(longest, offsets[number + 1] - offsets[number])
    memory = allocate(longest + 2)
    table = repetition.new_table(1 << 11)
    for number in range(offsets.size - 1):
        row = out[number]
        row[:] = 0.0
        size = tokens.decode(data, offsets[number], offsets[number + 1], memory.text)
        if not size:
            continue
        page = _page(size, classes, exceptions, memory)
        begins, ends, count = page.tokens.begins, page.tokens.ends, page.token_count
        repetition.prefixes(page.text, begins, ends, count, memory.sums, memory.powers, memory.lengths)
        repetition.words(memory.sums, memory.powers, count, memory.hashes)
        table = repetition.with_room(table, max(count, page.line_count))
        _gopher(page, classes, memory.hashes, stops, row)
        repetition.measure(page, memory, table, row[_REPETITION:])
        lines.measure(page, classes, exceptions, memory, table, row[_LINES:])


def measured(texts: pa.Array) -> npt.NDArray[np.float64]:
    """Measure texts in the lake's normal form: (texts, COLUMNS).

    Args:
        texts: strings without nulls.
    """
    data, offsets = (numbers.view() for numbers in utf8(texts))
    data.flags.writeable = offsets.flags.writeable = False  # of one type, whatever they are: compiled once
    out = np.empty((len(texts), len(COLUMNS)), np.float64)
    _measure(data, offsets, classes(), tokens.exceptions(), _stop_hashes(), out)
    return out


def signals(content_ids: pa.Array, texts: pa.Array) -> pa.Table:
    """Measure texts, and return the rows of the table `quality`."""
    numbers = measured(texts)
    columns = [content_ids]
    for index, name in enumerate(COLUMNS):
        columns.append(pa.array(np.ascontiguousarray(numbers[:, index])).cast(QUALITY.schema.field(name).type))
    return pa.Table.from_arrays(columns, schema=QUALITY.schema)
