"""The texts of two sets, so that nothing but what they say tells them apart: cut to one length, each text once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from archive.errors import CollapseError
from archive.show import count_of
from collapse.corpus import Corpus, Document
from collapse.probe.overlap import Pairs, shared_pairs, twins
from collapse.probe.results import Unit

#: A run of other characters than white space, at most so long; or a letter of a script that has no spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{1,40}")
_LETTER = re.compile(r"[^\W_]")
#: Words that are counted of a text: lengths are compared up to here.
_COUNTED = 5_000
#: The fewest and most words that texts are cut to without `words`, and the share of texts that may be too short.
SHORTEST, LONGEST, _TOO_SHORT = 20, 300, 0.2
#: Sites of a set with fewer than this are no basis of an interval: then a text is the unit.
SITES = 20
#: The greatest share of a set's texts that come from one site.
_ONE_SITE = 0.05


@dataclass(frozen=True, slots=True)
class Texts:
    """The usable texts of a set, in an order that depends on the seed and on the texts alone."""

    texts: list[str]  #: all of the same number of words
    lengths: NDArray[np.int64]  #: words of the texts before they were cut
    months: NDArray[np.int64]  #: since the year 0; -1: no date
    sites: NDArray[np.int64]  #: one number for each site, the same in both sets

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def site_count(self) -> int:
        return len(np.unique(self.sites))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sets that share no text and no near-duplicate."""

    a: Texts
    b: Texts
    words: int  #: of each text
    by: Unit
    left_out: tuple[Counter[str], Counter[str]]


@dataclass(frozen=True, slots=True)
class _Cut:
    text: str
    length: int
    month: int
    site: str | None


def prepare(a: Sequence[Document], b: Sequence[Document], words: int | None, most: int, names: tuple[str, str]) -> Pair:
    """Cut the texts of two sets to one length, and drop what is in both, or twice in one.

    Args:
        words: how long; None: as long as four of five texts of both sets are.
        most: texts to keep of each set, the first ones.
        names: of the sets, for errors.

    Raises:
        CollapseError: a set has too few texts that are long enough.
    """
    left_out: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    read = [list(_cuts(documents[: 2 * most])) for documents in (a, b)]
    length = words or _common_length(read, names)
    kept: list[list[_Cut]] = []
    for cuts, documents, counts in zip(read, (a, b), left_out, strict=True):
        long = [replace(cut, text=first_words(cut.text, length)) for cut in cuts if cut.length >= length]
        spelled = [cut for cut in long if _LETTER.search(cut.text)]
        counts["too-short"], counts["no-letter"] = len(cuts) - len(long), len(long) - len(spelled)
        counts["over-texts"] = len(documents) - len(cuts) + max(0, len(spelled) - most)
        kept.append(spelled[:most])
    sizes = [len(cuts) for cuts in kept]
    for size, name, counts in zip(sizes, names, left_out, strict=True):
        if not size:
            raise _too_few(name, 0, length, 1, counts)
    both = kept[0] + kept[1]
    pairs = shared_pairs([cut.text for cut in both])
    usable = _each_once(pairs, sizes, left_out)
    by: Unit = "site" if all(_sites(both, usable, part) >= SITES for part in _parts(sizes)) else "text"
    sites = _numbers(both, pairs, usable, by)
    for counts, rows in zip(left_out, _parts(sizes), strict=True):
        _cap_sites(usable, sites, rows, counts)
    ready = [_texts(both, sites, rows[usable[rows]]) for rows in _parts(sizes)]
    return Pair(ready[0], ready[1], length, by, tuple(+counts for counts in left_out))  # type: ignore[arg-type]


def documents(corpus: Corpus) -> list[Document]:
    """Return all documents of a set: what it holds out, too."""
    held = {document.text for document in corpus.train}
    return corpus.train + [document for document in corpus.held_out if document.text not in held]


def first_words(text: str, count: int) -> str:
    """Return the beginning of a text up to the end of a word.

    >>> first_words(" one  two three", 2)
    'one  two'
    """
    end = 0
    for number, match in enumerate(_WORD.finditer(text), 1):
        end = match.end()
        if number == count:
            break
    return text[:end].strip()


def _cuts(documents: Iterable[Document]) -> Iterator[_Cut]:
    """Yield the documents with their lengths; of their texts, no more than is ever used."""
    for document in documents:
        length = end = 0
        for match in _WORD.finditer(document.text):
            length += 1
            if length <= 2 * LONGEST:
                end = match.end()
            if length == _COUNTED:
                break
        # a longer `words` than usual needs more of the text
        text = document.text if length > 2 * LONGEST else document.text[:end]
        yield _Cut(text, length, _month(document.date), document.domain)


def _month(date: str | None) -> int:
    return int(date[:4]) * 12 + int(date[5:7]) - 1 if date else -1


def _common_length(read: Sequence[Sequence[_Cut]], names: tuple[str, str]) -> int:
    lengths = []
    for cuts, name in zip(read, names, strict=True):
        if not cuts:
            raise CollapseError(f"{name}: no text in it")
        lengths.append(float(np.quantile([cut.length for cut in cuts], _TOO_SHORT)))
    return int(min(max(min(lengths) // 10 * 10, SHORTEST), LONGEST))


def _parts(sizes: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of A and of B."""
    return np.arange(sizes[0]), np.arange(sizes[0], sum(sizes))


def _each_once(pairs: Pairs, sizes: Sequence[int], left_out: tuple[Counter[str], Counter[str]]) -> NDArray[np.bool_]:
    """Return which texts are used: none that the other set shares, and of those alike in one set, the first."""
    is_a = np.arange(sum(sizes)) < sizes[0]
    left, right = pairs.left[pairs.is_same], pairs.right[pairs.is_same]
    usable = np.ones(len(is_a), np.bool_)
    across = is_a[left] != is_a[right]
    usable[left[across]] = usable[right[across]] = False
    inside = usable[left] & usable[right] & ~across
    count, cluster = _connected(len(is_a), left[inside], right[inside])
    first = np.full(count, len(is_a))
    np.minimum.at(first, cluster[usable], np.flatnonzero(usable))
    repeated = usable & (first[cluster] != np.arange(len(is_a)))
    for counts, rows in zip(left_out, _parts(sizes), strict=True):
        counts["in-both"] = int((~usable[rows]).sum())
        counts["near-duplicate"] = int(repeated[rows].sum())
    return np.asarray(usable & ~repeated)


def _connected(count: int, left: NDArray[np.int64], right: NDArray[np.int64]) -> tuple[int, NDArray[np.int32]]:
    graph = coo_matrix((np.ones(len(left), np.bool_), (left, right)), (count, count))
    return connected_components(graph, directed=False)  # type: ignore[no-any-return]


def _sites(cuts: Sequence[_Cut], usable: NDArray[np.bool_], rows: NDArray[np.int64]) -> int:
    """Return how many sites there are, or 0 if most texts have none."""
    known = [cuts[row].site for row in rows[usable[rows]]]
    named = [site for site in known if site is not None]
    return len(set(named)) if len(named) * 2 > len(known) else 0


def _numbers(cuts: Sequence[_Cut], pairs: Pairs, usable: NDArray[np.bool_], by: Unit) -> NDArray[np.int64]:
    """Number the sites; texts without one are one site if they share words or a subject."""
    named = np.array([by == "site" and cut.site is not None for cut in cuts], np.bool_)
    linked = (pairs.is_same | pairs.is_linked) & ~named[pairs.left] & ~named[pairs.right]
    left, right = pairs.left[linked], pairs.right[linked]
    if by == "text":
        rows = np.flatnonzero(usable)
        alike = twins([cuts[row].text for row in rows.tolist()])
        left, right = np.concatenate([left, rows[alike[0]]]), np.concatenate([right, rows[alike[1]]])
    count, cluster = _connected(len(cuts), left, right)
    numbers: dict[str, int] = {}
    return np.array(
        [
            count + numbers.setdefault(cut.site or "", len(numbers)) if is_named else int(cluster[row])
            for row, (cut, is_named) in enumerate(zip(cuts, named, strict=True))
        ],
        np.int64,
    )


def _cap_sites(
    usable: NDArray[np.bool_], sites: NDArray[np.int64], rows: NDArray[np.int64], counts: Counter[str]
) -> None:
    """Leave out texts of a site that has more than its share of a set."""
    used = rows[usable[rows]]
    most = max(1, int(_ONE_SITE * len(used)))
    seen: Counter[int] = Counter()
    for row in used:
        seen[int(sites[row])] += 1
        if seen[int(sites[row])] > most:
            usable[row] = False
            counts["over-site"] += 1


def _texts(cuts: Sequence[_Cut], sites: NDArray[np.int64], rows: NDArray[np.int64]) -> Texts:
    return Texts(
        [cuts[row].text for row in rows],
        np.array([cuts[row].length for row in rows], np.int64),
        np.array([cuts[row].month for row in rows], np.int64),
        sites[rows],
    )


#: Why a text is left out.
REASONS = {
    "too-short": "fewer words than texts are cut to",
    "no-letter": "no letter and no digit in it",
    "over-texts": "more texts than are used (--texts)",
    "in-both": "the other set has the text, or half of its five-word shingles",
    "near-duplicate": "a text before it in the set has half of its five-word shingles",
    "over-site": "its site has more than a twentieth of the set",
}


def enough(pair: Pair, names: tuple[str, str], least: tuple[int, int]) -> None:
    """Check that both sets have enough usable texts.

    Raises:
        CollapseError: one has not.
    """
    for texts, name, counts, need in zip((pair.a, pair.b), names, pair.left_out, least, strict=True):
        if len(texts) < need:
            raise _too_few(name, len(texts), pair.words, need, counts)


def _too_few(name: str, texts: int, words: int, need: int, counts: Counter[str]) -> CollapseError:
    lost = ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)
    return CollapseError(
        f"{name}: {count_of(texts, 'text')} of {words} words that can be compared, and {need} are needed"
        + (f"; left out: {lost}" if lost else "")
    )
