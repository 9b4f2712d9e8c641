"""The language of a text, by two detectors that err on different texts.

Resiliparse's is fast, and right on running text of some length. On a menu or a few words it is often wrong: it takes
English menus for Latin. There ELD (Nito-ELD, 60 languages) is asked too, which is slower and much better on short
texts. Where they name the same language, that is right in 99.9 % of the texts of `benchmarks/language.py`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from resiliparse.parse.lang import detect_fast

#: The rank at which Resiliparse's detector gives up; a score is the distance from it, 0 to 1.
_CUTOFF = 1200
#: Resiliparse's detector looks at this many characters …
_SAMPLE = 4_000
#: … and ELD, which gains nothing from more, at this many.
_SECOND_SAMPLE = 400
#: Below so many characters, or a score of so much, Resiliparse's answer is no reason to believe it.
_SHORT, _DOUBT = 1_000, 0.6
#: Of a few words ELD knows the language only where nothing else is near; of others, not where nothing is.
_WORDS, _NEAR = 50, 0.3
#: The score of a language that only one detector names is at most this.
_ALONE = 0.5


def language_of(text: str) -> tuple[str | None, float]:
    """Return the ISO 639-1 code of a text's language, with a score from 0 to 1; None and 0 where it is not known.

    The score is how near the text is to the statistics of that language. It is over 0.5 only where the text is long and
    near, or both detectors name this language.

    >>> language_of("Home About us Contact Products News Download Support")[0]
    'en'
    """
    first, score = first_language_of(text)
    if first not in {None, "la"} and len(text) >= _SHORT and score >= _DOUBT:
        return first, score
    found = _detector().detect(text[:_SECOND_SAMPLE])
    second = found.language
    if second is None:
        return None, 0.0
    near = max(found.scores().values())
    if second == first:
        return first, round(max(score, min(near, 1.0), _ALONE), 3)
    if near < _NEAR or (len(text) < _WORDS and not found.is_reliable()):
        return None, 0.0
    return second, round(min(near, _ALONE), 3)


def first_language_of(text: str) -> tuple[str | None, float]:
    """Return what Resiliparse's detector alone finds, as lakes of older versions have it."""
    code, rank = detect_fast(text[:_SAMPLE], cutoff=_CUTOFF)
    if code == "unknown":
        return None, 0.0
    return code, round(1 - min(rank, _CUTOFF) / _CUTOFF, 3)


@lru_cache(maxsize=1)
def _detector() -> Any:
    """Load ELD, with 50 MB of data, which workers share where their server has loaded them."""
    from eld import LanguageDetector

    return LanguageDetector()
