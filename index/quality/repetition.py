"""How much of a text repeats itself: lines, paragraphs, and runs of words.

Method: Table A1 of Rae et al., "Scaling Language Models: Methods, Analysis & Insights from Training Gopher",
arXiv:2112.11446, counted as datatrove 0.10 counts: characters of the words of a run, by all characters of the text. A
run that was found before is stepped over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled, mix
from index.quality.memory import Memory, Page

#: The columns, in the order in which `measure` writes them.
COLUMNS = (
    "dup_lines",
    "dup_line_chars",
    "dup_paragraphs",
    "dup_paragraph_chars",
    *(f"top_{size}_gram" for size in (2, 3, 4)),
    *(f"dup_{size}_grams" for size in (5, 6, 7, 8, 9, 10)),
)

#: Of the polynomial over the characters. With its inverse modulo 2^64, the hash of any run of words takes one
#: subtraction and one multiplication.
_LETTER = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_WORD = np.uint64(0xC2B2AE3D27D4EB4F)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_0 = np.uint64(0)
#: Keys that a hash table takes before it is cleared.
_LAST = 1 << 30


class HashTable(NamedTuple):
    """Finds equal keys by open addressing. Used many times, and cleared once in 2^30 keys.

    An entry is the number of a key, plus `base`. Smaller entries are of earlier uses, and count as empty.
    """

    entries: npt.NDArray[np.int64]
    base: npt.NDArray[np.int64]  #: one number


@compiled
def _size(count):  # type: ignore[no-untyped-def]
    """Return the size of a table for so many keys: a power of two, at most half full."""
    size = 16
    while size < 2 * count:
        size *= 2
    return size


@compiled
def new_table(count):  # type: ignore[no-untyped-def]
    """Return a table for so many keys."""
    return HashTable(np.full(_size(count), -1, np.int64), np.zeros(1, np.int64))


@compiled
def with_room(table, count):  # type: ignore[no-untyped-def]
    """Return the table itself, or a new one if it is too small for so many keys."""
    return table if _size(count) <= table.entries.size else new_table(count)


@compiled
def _begin(table, count):  # type: ignore[no-untyped-def]
    """Begin a use of the table for so many keys; return the base and the mask of its positions."""
    if table.base[0] > _LAST:
        table.entries[:] = -1
        table.base[0] = 0
    base = table.base[0]
    table.base[0] += count
    return base, np.uint64(_size(count) - 1)


@compiled
def _first(keys, number, entries, mask, base):  # type: ignore[no-untyped-def]
    """Return the number of the first key that equals keys[number]: `number` itself if it is new, and enter it then."""
    key = keys[number]
    slot = (key ^ (key >> np.uint64(32))) * _SPREAD
    slot = (slot ^ (slot >> np.uint64(29))) & mask
    while entries[slot] >= base:
        if keys[entries[slot] - base] == key:
            return entries[slot] - base
        slot = (slot + np.uint64(1)) & mask
    entries[slot] = base + number
    return np.int64(number)


@compiled
def hash_of(text, begin, end):  # type: ignore[no-untyped-def]
    """Return the hash of text[begin:end]."""
    value = _0
    for position in range(begin, end):
        value = value * _LETTER + np.uint64(text[position])
    return mix(value)


@compiled
def duplicates(keys, lengths, count, table):  # type: ignore[no-untyped-def]
    """Count the keys that were there before, and the characters of those."""
    base, mask = _begin(table, count)
    entries = table.entries
    again = characters = 0
    for number in range(count):
        if _first(keys, number, entries, mask, base) != number:
            again += 1
            characters += lengths[number]
    return again, characters


@compiled
def prefixes(text, begins, ends, count, sums, powers, lengths):  # type: ignore[no-untyped-def]
    """Write, for each token, the polynomial over all characters before it, divided by its own power, and that power.

    The hash of tokens i to j, written without spaces, is then (sums[j] - sums[i]) * powers[i]. `lengths` are the
    characters before each token.
    """
    total, power, inverse, characters = _0, np.uint64(1), np.uint64(1), 0
    for number in range(count):
        sums[number], powers[number], lengths[number] = total, power, characters
        for position in range(begins[number], ends[number]):
            total += np.uint64(text[position]) * inverse
            inverse *= _INVERSE
            power *= _LETTER
        characters += ends[number] - begins[number]
    sums[count], powers[count], lengths[count] = total, power, characters


@compiled
def words(sums, powers, count, out):  # type: ignore[no-untyped-def]
    """Write the hash of each token."""
    for number in range(count):
        out[number] = mix((sums[number + 1] - sums[number]) * powers[number])


@compiled
def _top(size, hashes, lengths, count, keys, counts, table):  # type: ignore[no-untyped-def]
    """Return the characters of all occurrences of the most frequent run of `size` words, with a space between words.

    Of equally frequent runs the first counts, as with Python's Counter.
    """
    runs = count - size + 1
    if runs < 1:
        return 0
    base, mask = _begin(table, runs)
    entries = table.entries
    most, best = 0, 0
    for number in range(runs):
        key = hashes[number]
        for word in range(number + 1, number + size):
            key = key * _WORD + hashes[word]
        keys[number] = key
        counts[number] = 0
        first = _first(keys, number, entries, mask, base)
        counts[first] += 1
        often = counts[first]
        if often > most or (often == most and first < best):
            most, best = often, first
    return most * (lengths[best + size] - lengths[best] + size - 1)


@compiled
def _repeated(size, sums, powers, lengths, count, keys, table):  # type: ignore[no-untyped-def]
    """Return the characters of the runs of `size` words that were there before; after such a run the next begins."""
    runs = count - size + 1
    if runs < 1:
        return 0
    base, mask = _begin(table, runs)
    entries = table.entries
    characters = 0
    number = 0
    while number < runs:
        keys[number] = (sums[number + size] - sums[number]) * powers[number]
        if _first(keys, number, entries, mask, base) != number:
            characters += lengths[number + size] - lengths[number]
            number += size
        else:
            number += 1
    return characters


@compiled
def _enter_lines(page: Page, memory: Memory):  # type: ignore[no-untyped-def]
    """Write the keys and lengths of the lines that are not empty; return how many these are."""
    count = 0
    for line in range(page.line_count):
        begin, end = page.lines.begins[line], page.lines.ends[line]
        if begin < end:
            memory.keys[count], memory.sizes[count] = hash_of(page.text, begin, end), end - begin
            count += 1
    return count


@compiled
def _enter_paragraphs(page: Page, memory: Memory):  # type: ignore[no-untyped-def]
    """Write the keys and lengths of the paragraphs, which empty lines separate; return how many these are."""
    begins, ends = page.lines.begins, page.lines.ends
    count = line = 0
    while line < page.line_count:
        begin = begins[line]
        while line < page.line_count and begins[line] < ends[line]:
            line += 1
        end = ends[line - 1] if line else 0
        if begin < end:
            memory.keys[count], memory.sizes[count] = hash_of(page.text, begin, end), end - begin
            count += 1
        line += 1
    return count


@compiled
def measure(page: Page, memory: Memory, table: HashTable, out):  # type: ignore[no-untyped-def]
    """Write the columns COLUMNS. Needs what `prefixes` and `words` wrote."""
    count = _enter_lines(page, memory)
    again, characters = duplicates(memory.keys, memory.sizes, count, table)
    out[0], out[1] = again / max(count, 1), characters / page.size
    count = _enter_paragraphs(page, memory)
    again, characters = duplicates(memory.keys, memory.sizes, count, table)
    out[2], out[3] = again / max(count, 1), characters / page.size
    sums, powers, lengths, keys = memory.sums, memory.powers, memory.lengths, memory.keys
    for size in range(2, 5):
        characters = _top(size, memory.hashes, lengths, page.token_count, keys, memory.counts, table)
        out[2 + size] = characters / page.size
    for size in range(5, 11):
        characters = _repeated(size, sums, powers, lengths, page.token_count, keys, table)
        out[2 + size] = characters / page.size
