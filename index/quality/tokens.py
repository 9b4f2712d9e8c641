"""The word rule: separates words and marks, nearly as spaCy's tokenizer for English does.

The filters of the field count the tokens of spaCy 3 (`spacy.blank("en")`), as datatrove calls it. This is its rule
without its long lists, so that it can be compiled and never changes. A text is cut at white space. Then, of each piece:

1. An exception of the list below (abbreviations, and/or, faces), or a small letter with a period, stays as it is.
2. From the front are cut, one by one: marks, quotes, currency signs, icons, § % = — –, a + that no digit follows,
   two or more periods as one.
3. From the back are cut: marks, quotes, icons, — –, two or more periods as one; 's; %, + and currency signs after a
   digit; a period, but not after a single capital (`U.S.`).
4. The rest is cut: before n't, 'm, 're, 've, 'll, 'd at its end; cannot into two; around two or more periods, …
   and icons; around hyphens and dashes between letters or between digit and letter; around : < > = / between letter
   or digit and letter; around , between letters; around a period between a lower-case and an upper-case letter;
   around + - * ^ between digits. But what looks like an address (a scheme and ://, or a name, a
   period and at least two small letters, before a path if there is one) stays whole.
5. Each letter of a script without spaces (`index.minhash.characters`) is a word, with its marks.

A sentence ends where a token is one TERMINAL character, and the next begins with the next token that is no
punctuation: the rule of spaCy's sentencizer.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from index.minhash.kernel import compiled
from index.minhash.kernel import decode as _decode
from index.quality.characters import (
    ALONE,
    BACK,
    CURRENCY,
    DIGIT,
    FRONT,
    ICON,
    LETTER,
    MARK,
    PUNCT,
    QUOTE,
    SPACE,
    TERMINAL,
    UPPER,
)

#: spaCy's `lang/en/tokenizer_exceptions.py`: abbreviations whose period is no end.
_ABBREVIATIONS = (
    "Adm. Ak. Ala. Apr. Ariz. Ark. Aug. Bros. Calif. Co. Colo. Conn. Corp. D.C. Dec. Del. Dr. E.G. E.g. Feb. "
    "Fla. Ga. Gen. Gov. I.E. I.e. Ia. Id. Ill. Inc. Ind. Jan. Jr. Jul. Jun. Kan. Kans. Ky. La. Ltd. Mar. Mass. "
    "Md. Messrs. Mich. Minn. Miss. Mo. Mont. Mr. Mrs. Ms. Mt. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. "
    "Nov. Oct. Okla. Ore. Pa. Ph.D. Prof. Rep. Rev. S.C. Sen. Sep. Sept. St. Tenn. Va. Wash. Wis. a.m. co. e.g. "
    "i.e. p.m. v.s. vs."
)
#: Words with marks that are not cut: faces of `lang/tokenizer_exceptions.py`, and two words.
_FACES = (
    r"""'' (*_*) (-8 (-: (-; (-_-) (._.) (: (; (= (>_<) (^_^) (o: )-: ): -_- -__- ._. 0.0 0.o 0_0 0_o 8) 8-) """
    r"""8-D 8D :'( :') :'-( :'-) :( :(( :((( :() :) :)) :))) :* :-( :-(( :-((( :-) :-)) :-))) :-* :-/ :-0 """
    r""":-3 :-> :-D :-O :-P :-X :-] :-o :-p :-x :-| :-} :/ :0 :1 :3 :> :D :O :P :X :] :o :o) :p :x :| :} ;) """
    r""";-) ;-D ;D ;_; <.< </3 <3 <33 <333 <space> =( =) =/ =3 =D =[ =] =| >.< >.> >:( >:o ><(((*> @_@ C++ """
    r"""O.O O.o O_O O_o V.V V_V XD XDD [-: [: [= \") \n \t ]= ^_^ ^__^ ^___^ o.0 o.O o.o o_0 o_O o_o v.v v_v """
    r"""xD xDD"""
)
EXCEPTIONS = ("and/or", "w/o", *_ABBREVIATIONS.split(), *_FACES.split())
_LONGEST = max(map(len, EXCEPTIONS))
_PLAIN = LETTER | UPPER | DIGIT
_DOT, _PLUS, _MINUS, _PERCENT, _COMMA, _SLASH, _COLON = (np.uint32(ord(letter)) for letter in ".+-%,/:")
_CURLY = np.uint32(0x2019)
_APOSTROPHE = np.uint32(ord("'"))
_ELLIPSIS = np.uint32(0x2026)
_QUERY, _LOW, _AT = (np.uint32(ord(letter)) for letter in "?_@")
_EM, _EN, _TILDE = np.uint32(0x2014), np.uint32(0x2013), np.uint32(ord("~"))
_STAR, _CARET, _LESS, _MORE, _EQUAL = (np.uint32(ord(letter)) for letter in "*^<>=")
_N, _T, _S, _BIG_S, _M, _D, _R, _V, _E, _L = (np.uint32(ord(letter)) for letter in "ntsSmdrvel")
_0, _9 = np.uint32(ord("0")), np.uint32(ord("9"))


@lru_cache(maxsize=1)
def exceptions() -> npt.NDArray[np.uint64]:
    """Return the exceptions as numbers, sorted: seven bits for each character, so at most nine characters."""
    numbers = []
    for word in EXCEPTIONS:
        number = 0
        for letter in word:
            number = number << 7 | ord(letter)
        numbers.append(number)
    return np.array(sorted(numbers), np.uint64)


@compiled
def decode(data, begin, stop, out):  # type: ignore[no-untyped-def]
    """Write the code points of data[begin:stop] into `out`; return how many these are."""
    at, end = np.uint64(begin), np.uint64(stop)
    count = 0
    while at < end:
        byte = data[at]
        if byte < 0x80:
            out[count] = byte
            at += np.uint64(1)
        else:
            out[count], at = _decode(data, at, end)
        count += 1
    return count


@compiled
def _digit(letter):  # type: ignore[no-untyped-def]
    return _0 <= letter <= _9


@compiled
def _stays(text, begin, end, exceptions):  # type: ignore[no-untyped-def]
    """Return whether a piece is an exception, or a small letter with a period."""
    size = end - begin
    if size > _LONGEST or size < 2:
        return False
    number = np.uint64(0)
    for position in range(begin, end):
        if text[position] > np.uint32(127):
            return False
        number = number << np.uint64(7) | np.uint64(text[position])
    if size == 2 and text[end - 1] == _DOT and np.uint32(97) <= text[begin] <= np.uint32(122):
        return True
    row = np.searchsorted(exceptions, number)
    return row < exceptions.size and exceptions[row] == number


@compiled
def _front(text, begin, end, classes):  # type: ignore[no-untyped-def]
    """Return how many characters are cut from the front."""
    letter = text[begin]
    if letter == _DOT:
        size = 1
        while begin + size < end and text[begin + size] == _DOT:
            size += 1
        return size if size > 1 else 0
    if letter == _PLUS:
        return 0 if begin + 1 < end and _digit(text[begin + 1]) else 1
    return 1 if classes[letter] & FRONT else 0


@compiled
def _back(text, begin, end, classes):  # type: ignore[no-untyped-def]
    """Return how many characters are cut from the back."""
    letter = text[end - 1]
    kind = classes[letter]
    if kind & BACK:
        return 1
    if end - begin < 2:
        return 0
    before = text[end - 2]
    if letter in (_S, _BIG_S):
        return 2 if before in (_APOSTROPHE, _CURLY) else 0
    if letter == _DOT:
        if before == _DOT:
            size = 2
            while end - size > begin and text[end - size - 1] == _DOT:
                size += 1
            return size
        kind = classes[before]
        if kind & UPPER:
            return 1 if end - begin > 2 and classes[text[end - 3]] & UPPER else 0
        ends = kind & (LETTER | BACK) or _digit(before) or before in (_PERCENT, _MINUS, _PLUS)
        return 1 if ends else 0
    if (letter in (_PERCENT, _PLUS) or kind & CURRENCY) and _digit(before):
        return 1
    return 0


@compiled
def _contraction(text, begin, end):  # type: ignore[no-untyped-def]
    """Return where the last word of a contraction begins; `end` for other words."""
    size = end - begin
    last = text[end - 1]
    if size > 3 and last == _T and text[end - 3] == _N and (text[end - 2] == _APOSTROPHE or text[end - 2] == _CURLY):
        return end - 3
    if size > 2 and (last in (_M, _D)) and (text[end - 2] == _APOSTROPHE or text[end - 2] == _CURLY):
        return end - 2
    if size > 3 and (text[end - 3] == _APOSTROPHE or text[end - 3] == _CURLY):
        first = text[end - 2]
        if (last == _E and (first in (_R, _V))) or (last == _L and first == _L):
            return end - 3
    return end


@compiled
def _is_address(text, begin, end, classes):  # type: ignore[no-untyped-def]
    """Return whether a piece is an address: scheme://…, name@host.name or host.name, whose last name is lower-case."""
    dot = -1
    position = begin
    while position < end:
        letter = text[position]
        if letter == _COLON:
            return (
                position > begin
                and position + 2 < end
                and text[position + 1] == _SLASH
                and text[position + 2] == _SLASH
            )
        if letter in (_SLASH, _QUERY):
            break
        if letter == _DOT:
            dot = position
        elif not (classes[letter] & _PLAIN or letter in (_MINUS, _LOW, _AT)):
            return False
        position += 1
    if dot <= begin or position - dot < 3:
        return False
    for after in range(dot + 1, position):
        kind = classes[text[after]]
        if kind & UPPER or not kind & LETTER:
            return False
    return True


@compiled
def _inner(text, position, end, classes):  # type: ignore[no-untyped-def]
    """Return how many characters at a position inside a piece are a token of their own."""
    letter = text[position]
    kind = classes[letter]
    if kind & LETTER:
        return 0
    if letter == _ELLIPSIS or kind & ICON:
        return 1
    if letter == _DOT and position + 1 < end and text[position + 1] == _DOT:
        size = 2
        while position + size < end and text[position + size] == _DOT:
            size += 1
        return size
    if position + 1 >= end:
        return 0
    before, after = classes[text[position - 1]], classes[text[position + 1]]
    number = _digit(text[position - 1])
    follows = _digit(text[position + 1]) or text[position + 1] == _MINUS
    if number and follows and letter in (_PLUS, _MINUS, _STAR, _CARET):
        return 1
    if letter == _DOT:
        left = before & QUOTE or (before & LETTER and not before & UPPER)
        return 1 if left and (after & UPPER or after & QUOTE) else 0
    if letter == _COMMA:
        return 1 if before & LETTER and after & LETTER else 0
    if not (before & LETTER or number):
        return 0
    if letter in (_COLON, _LESS, _MORE, _EQUAL, _SLASH):
        return 1 if after & LETTER else 0
    if letter in (_EN, _TILDE):
        return 1 if after & LETTER else 0
    if letter in (_MINUS, _EM):
        size = 1
        while (
            size < 4 and position + size < end and text[position + size] == letter
        ):  # a million hyphens are looked at once
            size += 1
        if size <= (3 if letter == _MINUS else 2) and position + size < end and classes[text[position + size]] & LETTER:
            return size
    return 0


@compiled
def _cut(text, begin, end, classes, begins, ends, count):  # type: ignore[no-untyped-def]
    """Append the tokens of a piece without its marks (steps 4 and 5); return the new count."""
    if _is_address(text, begin, end, classes):
        begins[count], ends[count] = begin, end
        return count + 1
    stop = _contraction(text, begin, end)
    start = position = begin
    while position < stop:
        if classes[text[position]] & ALONE:
            size = 1
            while position + size < stop and classes[text[position + size]] & MARK:
                size += 1
        else:
            size = _inner(text, position, stop, classes) if position > begin else 0
            if not size:
                position += 1
                continue
        if start < position:
            begins[count], ends[count] = start, position
            count += 1
        begins[count], ends[count] = position, position + size
        count += 1
        position += size
        start = position
    if start < stop:
        begins[count], ends[count] = start, stop
        count += 1
    if stop < end:
        begins[count], ends[count] = stop, end
        count += 1
    return count


@compiled
def _is_cannot(text, begin):  # type: ignore[no-untyped-def]
    """Return whether six letters are cannot or Cannot."""
    return (
        text[begin] | np.uint32(32) == np.uint32(99)
        and text[begin + 1] == np.uint32(97)
        and text[begin + 2] == _N
        and text[begin + 3] == _N
        and text[begin + 4] == np.uint32(111)
        and text[begin + 5] == _T
    )


@compiled
def tokens(text, begin, stop, classes, exceptions, begins, ends, tails, count):  # type: ignore[no-untyped-def]
    """Append where the tokens of text[begin:stop] begin and end to the first `count`; return the new count.

    Args:
        tails: memory for the ends of marks.
    """
    at = begin
    while at < stop:
        if classes[text[at]] & SPACE:
            at += 1
            continue
        start = at
        kinds = np.uint16(0)
        others = np.uint16(0)
        while at < stop:
            kind = classes[text[at]]
            if kind & SPACE:
                break
            kinds |= kind
            others |= np.uint16(kind & _PLAIN == 0)
            at += 1
        if not others and not kinds & ALONE:
            if at - start == 6 and _is_cannot(text, start):
                begins[count], ends[count] = start, start + 3
                count += 1
                start += 3
            begins[count], ends[count] = start, at
            count += 1
            continue
        end = at
        taken = 0
        while start < end and not _stays(text, start, end, exceptions):
            size = _front(text, start, end, classes)
            if size:
                begins[count], ends[count] = start, start + size
                count += 1
                start += size
                continue
            size = _back(text, start, end, classes)
            if not size:
                break
            tails[taken] = end
            taken += 1
            end -= size
        if start < end:
            if _stays(text, start, end, exceptions):
                begins[count], ends[count] = start, end
                count += 1
            else:
                count = _cut(text, start, end, classes, begins, ends, count)
        while taken:
            taken -= 1
            begins[count], ends[count] = end, tails[taken]
            end = tails[taken]
            count += 1
    return count


@compiled
def sentences(text, classes, begins, ends, first, last):  # type: ignore[no-untyped-def]
    """Count the sentences of the tokens first to last - 1 of one line; 1 if there are no tokens."""
    count = 1
    ended = False
    for position in range(first, last):
        begin, end = begins[position], ends[position]
        if end - begin == 1 and classes[text[begin]] & TERMINAL:
            ended = True
        elif ended:
            marks = True
            for letter in range(begin, end):
                if not classes[text[letter]] & PUNCT:
                    marks = False
                    break
            if not marks:
                count += 1
                ended = False
    return count
