"""How much of a text repeats itself: lines, paragraphs, and runs of words.

The measures of Table A1 of Rae et al., "Scaling Language Models: Methods, Analysis & Insights from Training Gopher",
arXiv:2112.11446, counted as datatrove 0.10 counts them: in characters of the words of a run, against all characters of
the text, a run that was found again being stepped over.
"""

from __future__ import annotations

import numpy as np

from index.minhash.kernel import compiled, mix

#: Of the polynomial over the characters; its inverse modulo 2^64 gives the hash of any run of words by one subtraction
#: and one multiplication.
_LETTER = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_WORD = np.uint64(0xC2B2AE3D27D4EB4F)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_0 = np.uint64(0)


@compiled
def room(count):  # type: ignore[no-untyped-def]
    """The size of a table for so many keys: a power of two, at most half full."""
    size = 16
    while size < 2 * count:
        size *= 2
    return size


@compiled
def _place(keys, number, table, mask, base):  # type: ignore[no-untyped-def]
    """The number of the first key that equals keys[number]; `number` itself, now noted, where it is new.

    What stands in the table below `base` was left by others, so that it need not be cleared.
    """
    key = keys[number]
    slot = (key ^ (key >> np.uint64(32))) * _SPREAD
    slot = (slot ^ (slot >> np.uint64(29))) & mask
    while table[slot] >= base:
        if keys[table[slot] - base] == key:
            return table[slot] - base
        slot = (slot + np.uint64(1)) & mask
    table[slot] = base + number
    return np.int64(number)


@compiled
def hash_of(text, begin, end):  # type: ignore[no-untyped-def]
    value = _0
    for position in range(begin, end):
        value = value * _LETTER + np.uint64(text[position])
    return mix(value)


@compiled
def duplicates(keys, lengths, count, table, base):  # type: ignore[no-untyped-def]
    """How many of the keys were there before, and the characters of those."""
    mask = np.uint64(room(count) - 1)
    again = characters = 0
    for number in range(count):
        if _place(keys, number, table, mask, base) != number:
            again += 1
            characters += lengths[number]
    return again, characters


@compiled
def prefixes(text, begins, ends, count, sums, powers, lengths):  # type: ignore[no-untyped-def]
    """For each token what the polynomial over all characters before it is, divided by its own power; and the power.

    So the hash of tokens i to j, written without spaces, is (sums[j] - sums[i]) * powers[i].
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
    """The hash of each token."""
    for number in range(count):
        out[number] = mix((sums[number + 1] - sums[number]) * powers[number])


@compiled
def top(size, hashes, lengths, count, keys, found, table, base):  # type: ignore[no-untyped-def]
    """The characters of all occurrences of the most frequent run of so many words, with one space between words.

    Of equally frequent ones the first counts, as with Python's Counter.
    """
    runs = count - size + 1
    if runs < 1:
        return 0
    mask = np.uint64(room(runs) - 1)
    most, best = 0, 0
    for number in range(runs):
        key = hashes[number]
        for position in range(number + 1, number + size):
            key = key * _WORD + hashes[position]
        keys[number] = key
        found[number] = 0
        first = _place(keys, number, table, mask, base)
        found[first] += 1
        often = found[first]
        if often > most or (often == most and first < best):
            most, best = often, first
    return most * (lengths[best + size] - lengths[best] + size - 1)


@compiled
def repeated(size, sums, powers, lengths, count, keys, table, base):  # type: ignore[no-untyped-def]
    """The characters of the runs of so many words that were there before; behind such a run the next one begins."""
    runs = count - size + 1
    if runs < 1:
        return 0
    mask = np.uint64(room(runs) - 1)
    characters = 0
    number = 0
    while number < runs:
        keys[number] = (sums[number + size] - sums[number]) * powers[number]
        if _place(keys, number, table, mask, base) != number:
            characters += lengths[number + size] - lengths[number]
            number += size
        else:
            number += 1
    return characters
