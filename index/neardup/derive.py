"""Derives the near-duplicates from what a lake holds: from all of it, or from what has changed since the last time.

What can change them are new texts, texts whose first date changed, texts that were forgotten or are back, pairs that
vectors propose, and texts of which so far only the signature was there. After any of these, only the band values of
the changed texts are looked at, and only the clusters that a changed text or pair belongs to are derived again.
The result is that of a derivation from nothing. What the last one knew is kept in the user's cache (`Kept`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive import bounds, proofs, versions
from archive.engine import Engine
from archive.evidence import grade, operators
from archive.lake import Lake
from archive.progress import Reporter
from archive.tables import CAPTURES, DOCUMENTS
from index import ids, tables
from index.minhash import kernel, procedure
from index.minhash.kernel import band_keys
from index.minhash.procedure import Parameters
from index.neardup import cluster, dates
from index.neardup.arrange import arranged, in_time, localized, put_in
from index.neardup.candidates import join, split
from index.neardup.kept import Array, Kept, release, taken
from index.neardup.numbered import Numbered, Numbers, number_texts, segments_kept, segments_restored, signed
from index.neardup.pair_columns import Pairs, counted, locate, ordered, sort
from index.neardup.pairs import Comparer, Values, read_pairs, similarity
from index.neardup.ranges import TOGETHER, Counted, Dates, Ranges
from index.neardup.verified import UNKNOWN, Rows, Verified, empty, merge, rows_of
from index.tables import DUPLICATES, PAIRS, SIGNATURES
from index.vectors import likeness
from index.vectors.table import LIKENESSES

_log = logging.getLogger(__name__)

#: Where more than this share of the texts changed, all are derived again.
_MANY = 1 / 8
#: A lake with fewer texts keeps nothing: to derive all of it takes a second.
LEAST = 1 << 16
#: Bytes that the program and its libraries take, and of each text: its date, its local number, whether it is live, …
_PROGRAM, _TEXT = 300 << 20, 24
#: Rows of `duplicates` that are in memory at a time.
_WRITTEN = 1 << 18


class _DriftError(Exception):
    """What is kept does not fit the lake."""


class Derived:
    """The near-duplicates, and what they were derived from.

    Attributes:
        candidates: pairs that a band value or a vector proposes.
        compared: pairs that were compared for this.
        stored: the files of `duplicates` that had these rows the last time; None where none is known to.
        about, arrays: for `Kept.keep`.
        clusters: groups of texts that near-duplicates connect.
        clustered: texts in these.
    """

    def __init__(
        self, texts: Numbered, near: Rows, candidates: int, compared: int, stored: list[str] | None,
        about: dict[str, Any], arrays: dict[str, Array],
    ) -> None:  # fmt: skip
        self.texts, self._near, self.candidates, self.compared = texts, near, candidates, compared
        self.stored, self.about, self.arrays = stored, about, arrays
        root, has = near["root"], np.zeros(len(texts), bool)
        has[near["a"]] = has[near["b"]] = True
        self.clusters, self.clustered = int((root[1:] != root[:-1]).sum()) + (len(root) > 0), int(has.sum())

    def __len__(self) -> int:
        return len(self._near["a"])

    def rows(self) -> Iterator[pa.Table]:
        """Yield the rows of `duplicates` in parts, in an order that their content alone decides."""
        for first in range(0, len(self), _WRITTEN):
            part = _taken(self._near, slice(first, first + _WRITTEN))
            later, earlier = in_time(part["a"], part["b"], self.texts.first_seen, self.texts.ids)
            columns = {
                "content_id": ids.text(taken(self.texts.ids, later)),
                "earlier_id": ids.text(taken(self.texts.ids, earlier)),
                "similarity": similarity(part["shared"], part["total"]),
                "shared": part["shared"],
                "total": part["total"],
                "estimated": part["estimated"] != 0,
                "cluster_id": ids.text(taken(self.texts.ids, part["root"])),
            }
            yield pa.table(columns, schema=DUPLICATES.schema)
            release(self.texts.ids)


def derive(
    lake: Lake, snapshot: Lake, parameters: Parameters, engine: Engine, memory: int, kept: Kept, reporter: Reporter
) -> Derived:
    """Derive the near-duplicates.

    Args:
        lake: pairs that were compared are added to it.
        snapshot: of the lake, from which all is derived.
        memory: bytes for all; where the texts alone take more than half of it, an eighth of it comes on top.
        kept: of the last time.
    """
    restored = kept.restore()
    if restored and not _fits(snapshot, parameters, restored[0]):
        kept.drop()
        restored = None
    given = lake, snapshot, parameters, engine, memory, kept, reporter
    try:
        return _Derivation(*given, restored).run()
    except _DriftError:
        _log.info("%s: what was kept does not fit the lake; all is derived anew", lake.location)
        kept.drop()
        return _Derivation(*given, None).run()


def _fits(lake: Lake, parameters: Parameters, about: dict[str, Any]) -> bool:
    """Return whether what is kept was derived from this lake, and not from a later state of it.

    Where an older copy of a lake is put in its place, it may lack texts that others were compared with.
    """
    numbers = _versions(lake)
    is_older = any(numbers.get(name, -1) < number for name, number in about["versions"].items())
    return about["of"] == _of(lake, parameters) and not is_older and lake.rows(PAIRS.name) >= about["rows"]


def _versions(lake: Lake) -> dict[str, int]:
    return {**tables.versions(lake), PAIRS.name: lake.delta(PAIRS.name).version()}


def signed_before(lake: Lake, parameters: Parameters, files: list[str]) -> tuple[Numbered | None, list[str]]:
    """Return the texts of some files of signatures as they were kept, and the files that these are not of.

    Returns:
        None and all files, where nothing is kept, or texts of files that the lake does not have any more.
    """
    with Kept(lake.location) as kept:
        restored = kept.restore({"ids", "order", "named"})
        if restored is None or not _fits(lake, parameters, restored[0]):
            return None, files
        about, arrays = restored
        segments = segments_restored(about["segments"], arrays["named"])
        if not {segment.name for segment in segments} <= set(files):
            return None, files
        texts = _numbered(about, arrays)
    return texts, sorted(set(files) - {segment.name for segment in segments})


def _of(lake: Lake, parameters: Parameters) -> list[Any]:
    """Return what must be the same for anything to be used again: the program, the parameters and the lake."""
    modules = [proofs, bounds, grade, operators, versions, ids, likeness, kernel, procedure]
    files = [*(Path(str(module.__file__)) for module in modules), *sorted(Path(__file__).parent.glob("*.py"))]
    program = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    opened = [lake.delta(name).metadata().id for name in (CAPTURES.name, SIGNATURES.name, PAIRS.name)]
    return [program, asdict(parameters), TOGETHER, [str(each) for each in opened]]


def _taken(rows: Rows, chosen: Array | slice) -> Rows:
    return {name: np.asarray(values[chosen]) for name, values in rows.items()}


def _joined(*parts: Rows) -> Rows:
    rows = {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
    return _taken(rows, sort(rows["a"], rows["b"]))


def _numbered(about: dict[str, Any], arrays: dict[str, Array]) -> Numbered:
    names = ("ids", "shingles", "order", "first_seen", "captured", "live")
    segments = segments_restored(about["segments"], arrays["named"])
    return Numbered(**{name: arrays[name] for name in names}, segments=segments)


class _Derivation:
    def __init__(
        self, lake: Lake, snapshot: Lake, parameters: Parameters, engine: Engine, memory: int, kept: Kept,
        reporter: Reporter, restored: tuple[dict[str, Any], dict[str, Array]] | None,
    ) -> None:  # fmt: skip
        self._writer, self._lake = lake, snapshot
        self._parameters, self._engine, self._memory = parameters, engine, memory
        self._kept, self._reporter = kept, reporter
        self._about, self._arrays = restored or ({}, {})
        self._old: Numbered | None = None
        if restored:
            self._old = _numbered(*restored)
        self._verified = Verified()
        self._pair_files: list[str] = []
        self._candidates = 0

    def run(self) -> Derived:
        reporter, lake = self._reporter, self._lake
        reporter.stage("dates", None)
        self._texts = texts = number_texts(lake, self._old, self._kept)
        self._memory = max(self._memory - _PROGRAM - _TEXT * len(texts), self._memory // 8)
        signed_now = texts.live
        if self._old and (signed(self._old.segments, len(self._old)) & ~signed_now[: len(self._old)]).any():
            raise _DriftError  # forgotten texts were swept: what was compared with them counts no more
        strangers, revisits = self._date()
        self._release()
        texts.live = signed_now & texts.captured
        dates_ = self._changes()
        compared = self._comparer = Comparer(
            self._writer, texts, self._parameters, self._engine, reporter.advance, self._memory // 4
        )
        proposed = self._proposed()
        documents = sorted(lake.files(DOCUMENTS.name))
        reporter.stage("find", None)
        with self._engine.scratch() as folder:
            ranges = Ranges(lake, texts, self._parameters, self._engine, self._memory // 2, folder)
            if dates_ is None:
                _log.info("%s: all %d texts are derived anew", lake.location, len(texts))
                near = self._all(ranges, proposed, folder)
            else:
                numbers = np.flatnonzero(dates_.changed)
                _log.info("%s: %d of %d texts have changed", lake.location, len(numbers), len(texts))
                near = self._changed(ranges, dates_, numbers, proposed, self._about["documents"] != documents)
            self._release()
            if self._verified.is_large:
                self._verified = merge([_flat(self._verified)], self._kept.scratch(), self._memory // 2)
        arrays: dict[str, Array] = {
            "ids": texts.ids, "shingles": texts.shingles, "order": texts.order,
            **{name: self._extended(name) for name in ("first_seen", "captured", "live")},
            "named": segments_kept(texts.segments)[1],
            "strangers": strangers, "revisits": revisits,
            "proposed-a": proposed[0], "proposed-b": proposed[1],
            **{f"large-{name}": values for name, values in self._verified.large.items()},
            **{f"small-{name}": values for name, values in self._verified.small.items()},
            **{f"near-{name}": values for name, values in near.items()},
        }  # fmt: skip
        about: dict[str, Any] = {
            "of": _of(lake, self._parameters),
            "versions": _versions(self._writer),
            "rows": self._writer.rows(PAIRS.name),
            "segments": segments_kept(texts.segments)[0],
            "captures": sorted(lake.files(CAPTURES.name)),
            "rest": self._rest,
            "documents": documents,
            "pairs": sorted({*self._pair_files, *compared.files}),
            "candidates": self._candidates,
        }
        same = (
            dates_ is not None
            and _are_same(near, self._near_before())
            and not (dates_.changed[near["a"]].any() or dates_.changed[near["b"]].any())
        )
        stored = self._about["duplicates"] if same else None
        return Derived(texts, near, self._candidates, compared.count, stored, about, arrays)

    def _changes(self) -> Dates | None:
        """Return what has changed since the last time; None where that is too much, or nothing is known of it."""
        if self._old is None:
            return None
        texts, size = self._texts, len(self._old)
        before, live_before = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
        before[:size], live_before[:size] = self._old.first_seen, self._old.live
        changed = (texts.live != live_before) | (texts.live & (texts.first_seen != before))
        if np.count_nonzero(changed) > len(texts) * _MANY:
            return None
        return Dates(texts.ids, before, live_before, texts.first_seen, texts.live, changed)

    def _extended(self, name: str) -> Array:
        """Return a column of the texts to be kept. Where old texts have the same, only new rows are written."""
        now: Array = getattr(self._texts, name)
        before = self._arrays.get(name)
        if before is None or not np.array_equal(before, now[: len(before)]):
            return now
        return self._kept.grown(name, now[len(before) :])

    def _release(self) -> None:
        """Give back the pages of all mapped files: they count as memory of this process while nobody else wants any."""
        texts = self._texts
        release(*self._arrays.values(), *self._verified.large.values())
        release(texts.ids, texts.shingles, texts.order, texts.first_seen)

    def _date(self) -> tuple[Array, Array]:
        """Set the dates; return what `dates.read_all` returns."""
        lake, texts, about = self._lake, self._texts, self._about
        files = set(lake.files(CAPTURES.name))
        self._rest = dates.rest_of(lake)
        if self._old is not None and about["rest"] == self._rest and files >= set(about["captures"]):
            strangers, revisits = self._arrays["strangers"], self._arrays["revisits"]
            fresh = texts.ids[len(self._old) :, 0]
            new = sorted(files - set(about["captures"]))
            if not np.isin(fresh, strangers).any():
                if not new:
                    return strangers, revisits
                more = dates.read_new(lake, texts, new, revisits, self._memory // 4, self._kept.scratch())
                if more is not None:
                    return np.union1d(strangers, more), revisits
        return dates.read_all(lake, texts, self._memory // 4, self._kept.scratch())

    def _proposed(self) -> tuple[Numbers, Numbers]:
        """Return the pairs of live texts that vectors proposed, sorted, each once."""
        lefts, rights = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        texts = self._texts
        for pair in likeness.stored(self._lake) if self._lake.has(LIKENESSES) else ():
            left, right = (texts.find(each) for each in pair)
            both = (left >= 0) & (right >= 0) & (left != right)
            left, right = left[both], right[both]
            both = texts.live[left] & texts.live[right]
            lefts.append(left[both])
            rights.append(right[both])
        a, b, _ = _once(*ordered(np.concatenate(lefts), np.concatenate(rights)), 1)
        return a, b

    def _near_before(self) -> Rows:
        return {name: self._arrays[f"near-{name}"] for name in (*empty(), "root")}

    def _restored(self) -> Verified:
        parts = ({name: self._arrays[f"{part}-{name}"] for name in empty()} for part in ("large", "small"))
        return Verified(*parts)

    def _new_pairs(self) -> Iterator[tuple[Pairs, Values]]:
        """Yield what the files of `pairs` have that nobody has read; note which of these are done with.

        A file that names texts which have no number yet is read again the next time.
        """
        files, known = self._lake.files(PAIRS.name), set(self._about.get("pairs", ()))
        self._pair_files = [name for name in files if name in known]
        for name in sorted(set(files) - known):
            is_whole = True
            for pairs, values, is_all in read_pairs(self._lake, self._texts, name):
                is_whole = is_whole and is_all
                yield pairs, values
            if is_whole:
                self._pair_files.append(name)

    def _all(self, ranges: Ranges, proposed: tuple[Numbers, Numbers], folder: str) -> Rows:
        """Find the candidates by all bands, and the near-duplicates from nothing."""
        parts = [rows_of(a, b, count) for a, b, count in ranges.all()]
        parts.append(rows_of(*proposed, 1))
        if self._old is not None:
            parts += [{**rows, "count": np.zeros(len(rows["a"]), np.int32)} for rows in self._restored().rows()]
        spill = Path(folder, "spill")  # no worker needs it
        spill.mkdir()
        for number, ((a, b), values) in enumerate(self._new_pairs()):
            order = sort(a, b)
            rows = rows_of(a[order], b[order], 0, values[order])
            rows["count"] = np.zeros(len(a), np.int32)
            parts.append(_mapped(rows, f"{spill}/pairs-{number}"))
            self._release()
        count = sum(len(part["a"]) for part in parts)
        self._reporter.stage("verify", count)
        self._verified = merge(
            parts, self._kept.scratch(), self._memory // 3, self._comparer.compare, self._comparer.has_texts
        )
        self._release()
        found = [empty()]
        for rows in self._verified.rows():
            is_candidate = np.asarray(rows["count"]) > 0
            self._candidates += int(is_candidate.sum())
            found.append(_taken(rows, self._near(rows) & is_candidate))
            self._release()
        return arranged(self._texts, self._witnessed(_joined(*found)))

    def _changed(
        self, ranges: Ranges, dates_: Dates, numbers: Numbers, proposed: tuple[Numbers, Numbers], again: bool
    ) -> Rows:
        """Correct the candidates of the last time by what has changed, and derive the clusters that this concerns."""
        self._verified = verified = self._restored()
        learned = [empty()]
        for (a, b), values in self._new_pairs():
            learned.append(self._learn(a, b, values))
        a, b, count = self._differences(ranges, dates_, numbers, proposed)
        rows = verified.find(a, b)
        had = rows["count"] > 0
        rows["count"] = rows["count"] + count
        if (rows["count"] < 0).any():
            raise _DriftError
        self._candidates = self._about["candidates"] + int((rows["count"] > 0).sum()) - int(had.sum())
        self._release()
        self._reporter.stage("verify", len(a))
        self._resolve(rows, rows["count"] > 0)
        verified.update(_taken(rows, rows["estimated"] != UNKNOWN))
        fresh = [rows, *learned]
        if again and self._comparer.has_texts:  # perhaps the lake has texts now that it had not
            estimates = verified.estimated()
            values = self._comparer.compare(estimates["a"], estimates["b"], np.ones(len(estimates["a"]), bool))
            exact = values[:, 2] == 0
            better = rows_of(estimates["a"][exact], estimates["b"][exact], estimates["count"][exact], values[exact])
            verified.update(better)
            fresh.append(better)
        near = self._near_before()
        ends = np.zeros(len(self._texts), bool)
        ends[numbers] = True
        for each in fresh:
            ends[each["a"]] = ends[each["b"]] = True
        # all clusters, as they were, that a changed text or pair belongs to: what is new connects no others
        is_touched = np.zeros(len(self._texts), bool)
        is_touched[near["root"][ends[near["a"]] | ends[near["b"]]]] = True
        touched = is_touched[near["root"]]
        old = _taken(near, touched)
        del old["root"]
        # their candidates of the last time that are near, as they are now, and those that are new
        base = _taken(old, old["count"] > 0)
        out = ends[base["a"]] & ends[base["b"]]
        again_a, again_b, _ = _once(
            np.concatenate([base["a"][out], *(each["a"] for each in fresh)]),
            np.concatenate([base["b"][out], *(each["b"] for each in fresh)]),
            1,
        )
        now = verified.find(again_a, again_b)
        now = _taken(now, self._near(now) & (now["count"] > 0))
        base = _joined(_taken(base, ~out), now)
        _log.info("%d of %d near-duplicates are derived again", len(base["a"]), len(near["a"]))
        return put_in(self._texts, near, ~touched, arranged(self._texts, self._witnessed(base)))

    def _differences(
        self, ranges: Ranges, dates_: Dates, numbers: Numbers, proposed: tuple[Numbers, Numbers]
    ) -> Counted:
        """Return the pairs that more, or fewer, band values and vectors make candidates than the last time."""
        keys = [np.empty(0, np.int64)]
        for some, matrix in self._texts.signatures(self._lake, numbers, self._parameters.hashes):
            shingles = np.asarray(self._texts.shingles[some])
            keys.append(band_keys(matrix, shingles, self._parameters)[shingles > 0].reshape(-1).view(np.int64))
        wanted = np.unique(np.concatenate(keys))
        found = [ranges.changed(wanted, dates_)] if len(wanted) else []
        before = self._arrays["proposed-a"], self._arrays["proposed-b"]
        gone = locate(*proposed, *before) < 0
        new = locate(*before, *proposed) < 0
        for pairs, sign in (((before[0][gone], before[1][gone]), -1), ((proposed[0][new], proposed[1][new]), 1)):
            found.append((*pairs, np.full(len(pairs[0]), sign, np.int32)))
        a, b, count = (np.concatenate([each[column] for each in found]) for column in range(3))
        a, b, count = counted(a, b, count)
        some = count != 0
        return a[some], b[some], count[some]

    def _learn(self, a: Numbers, b: Numbers, values: npt.NDArray[np.int32]) -> Rows:
        """Take what others have compared; return the rows that had an estimate."""
        order = np.argsort(values[:, 2], kind="stable")
        order = order[sort(a[order], b[order])]
        a, b, values = a[order], b[order], values[order]
        once = np.ones(len(a), bool)
        once[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
        a, b, values = a[once], b[once], values[once]
        known = self._verified.find(a, b)
        better = values[:, 2] < known["estimated"]
        rows = rows_of(a[better], b[better], known["count"][better], values[better])
        self._verified.update(rows)
        return _taken(rows, known["estimated"][better] == 1)

    def _resolve(self, rows: Rows, wanted: npt.NDArray[np.bool_]) -> None:
        """Compare the wanted pairs that have no value."""
        at = np.flatnonzero(wanted & (rows["estimated"] == UNKNOWN))
        if len(at):
            values = self._comparer.compare(rows["a"][at], rows["b"][at], np.zeros(len(at), bool))
            for column, name in enumerate(("shared", "total", "estimated")):
                rows[name][at] = values[:, column]

    def _near(self, rows: Rows) -> npt.NDArray[np.bool_]:
        shared, total, estimated = (np.asarray(rows[name]) for name in ("shared", "total", "estimated"))
        near: npt.NDArray[np.bool_] = self._comparer.near(shared, total, estimated) & (estimated != UNKNOWN)
        return near

    def _witnessed(self, near: Rows) -> Rows:
        """Return the near-duplicates of some clusters, with those that no band shows."""
        left, right, local = localized(near["a"], near["b"], len(self._texts))
        rank = self._texts.rank(local)

        def is_near(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
            a, b = (local[each] for each in split(codes))
            rows = self._verified.find(a, b)
            unknown = rows["estimated"] == UNKNOWN
            release(*self._verified.large.values())
            self._resolve(rows, unknown)
            if unknown.any():
                self._verified.update(_taken(rows, unknown))
            return self._near(rows)

        codes = cluster.witnessed(np.sort(join(left, right)), rank, is_near)
        a, b = (local[each] for each in split(codes))
        found = self._verified.find(a, b)
        return {name: np.asarray(values) for name, values in found.items()}


def _once(a: Numbers, b: Numbers, count: int) -> Counted:
    return counted(a, b, np.full(len(a), count, np.int32))


def _flat(verified: Verified) -> Rows:
    """Return all rows in one part."""
    return _joined(*verified.rows())


def _mapped(rows: Rows, path: str) -> Rows:
    """Write rows to files; return them as mapped files."""
    for name, values in rows.items():
        np.save(f"{path}.{name}.npy", values)
    return {name: np.load(f"{path}.{name}.npy", mmap_mode="r") for name in rows}


def _are_same(one: Rows, other: Rows) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one if name != "count")
