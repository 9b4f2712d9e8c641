"""Words and phrases that are known to be more frequent since chat models write, and who published them."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WordList:
    """Words and phrases that somebody published. A text in another language says nothing about them."""

    name: str
    source: str
    language: str
    words: tuple[str, ...]  #: single words as `words_of` gives them
    phrases: tuple[str, ...]  #: with spaces or punctuation: they are counted in the raw text


#: What FineWeb counted in Common Crawl's dumps.
FINEWEB = WordList(
    "FineWeb's proxy words",
    "Penedo et al. 2024, FineWeb, arXiv:2406.17557 (blog, part Synthetic data)",
    "en",
    ("delve", "intertwined"),
    ("as a large language model", "it's important to note", "rich tapestry", "certainly!", "dive into"),
)
#: Words whose use in abstracts of PubMed rose most in 2024.
KOBAK = WordList(
    "Kobak's excess words",
    "Kobak et al. 2024, arXiv:2406.07016",
    "en",
    (
        *("delve", "delves", "delved", "delving", "showcasing", "showcases", "showcased", "underscores", "underscore"),
        *("underscoring", "underscored", "boasts", "meticulous", "meticulously", "intricate", "intricacies", "pivotal"),
        *("crucial", "realm", "noteworthy", "invaluable", "surpassing", "surpasses", "tapestry", "unveil", "unveiling"),
        *("garnered", "bolster", "bolstering", "elucidates", "commendable", "multifaceted", "transformative"),
    ),
    (),
)
#: Adjectives and adverbs that chat models use often, counted by Liang in reviews and by Gray in papers.
GRAY = WordList(
    "Gray's adjectives and adverbs",
    "Gray 2024, arXiv:2403.16887, after Liang et al. 2024, arXiv:2403.07183",
    "en",
    (
        *("commendable", "innovative", "meticulous", "intricate", "notable", "versatile", "noteworthy", "invaluable"),
        *("pivotal", "potent", "fresh", "ingenious", "meticulously", "reportedly", "lucidly", "innovatively", "aptly"),
        *("methodically", "excellently", "compellingly", "impressively", "undoubtedly", "scholarly", "strategically"),
    ),
    (),
)
LISTS = (FINEWEB, KOBAK, GRAY)

#: All phrases, in the order of the columns of `Corpus.phrases`.
PHRASES = tuple(sorted({phrase for words in LISTS for phrase in words.phrases}))
#: A word of each phrase that is rare elsewhere: a text without it is not searched for the phrase.
_RARE = {phrase: max(re.findall(r"[a-z']+", phrase), key=len) for phrase in PHRASES}
_PATTERNS = {
    phrase: re.compile(r"(?<!\w)" + r"\s+".join(map(re.escape, phrase.split())) + r"(?!\w)") for phrase in PHRASES
}


def count_phrases(text: str, words: Container[str]) -> list[int]:
    """Return how often a text in lower case has each of `PHRASES`.

    Args:
        words: the words of the text.
    """
    plain = text.replace("’", "'")
    return [len(_PATTERNS[phrase].findall(plain)) if _RARE[phrase] in words else 0 for phrase in PHRASES]
