"""Candidates by ranges of keys: what a worker does with the bands whose keys are in a range.

A pair is a candidate if its texts share a band value and one of them is among the `leaders` earliest that have it, or
both are among the `TOGETHER` earliest. So a value that a million texts share gives a million times `leaders` pairs, and
not 10¹²; and the texts of a value that few have are all compared with each other.

After a change only the values that a new or changed text has are looked at. What a value gave before is subtracted,
and what it gives now is added. A pair that no value gives any more is no candidate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archive.engine import Context, Engine, succeed
from archive.lake import Lake
from index.minhash.kernel import compiled
from index.minhash.procedure import Parameters
from index.neardup.bands import Bands
from index.neardup.kept import release
from index.neardup.numbered import Numbered, segments_kept, segments_restored
from index.neardup.pair_columns import Numbers, counted

#: The earliest texts of a band value that are compared all with all.
TOGETHER = 64
#: Bytes that a row of bands takes while its range is sorted and paired.
_ROW = 96

Counted = tuple[Numbers, Numbers, npt.NDArray[np.int32]]


@compiled
def less(x, y, moment, ids):  # type: ignore[no-untyped-def]
    """Return whether a text is earlier than another: by its date, then by its id."""
    if moment[x] != moment[y]:
        return moment[x] < moment[y]
    if ids[x, 0] != ids[y, 0]:
        return ids[x, 0] < ids[y, 0]
    return ids[x, 1] < ids[y, 1]


@compiled
def _early(texts, first, last, moment, live, ids, early):  # type: ignore[no-untyped-def]
    """Write the earliest live texts of a bucket into `early`, in their order; return how many they are."""
    held = 0
    for position in range(first, last):
        text = texts[position]
        if not live[text]:
            continue
        if held == early.size and not less(text, early[held - 1], moment, ids):
            continue
        at = held if held < early.size else held - 1
        while at > 0 and less(text, early[at - 1], moment, ids):
            early[at] = early[at - 1]
            at -= 1
        early[at] = text
        held = min(held + 1, early.size)
    return held


@compiled
def _has(texts, count, text):  # type: ignore[no-untyped-def]
    """Return whether a text is among the first of some; numba compiles no `any` of a generator."""
    for at in range(count):  # noqa: SIM110
        if texts[at] == text:
            return True
    return False


@compiled
def _emit(  # type: ignore[no-untyped-def]
    texts, first, last, live, changed, early, held, other, other_held, leaders, sign, a, b, count, at
):
    """Write the pairs of a bucket in one state, but for those that it gives in the other state too.

    All pairs of a text that changed, or that is early in either state, are written; both states write them, and the
    sum counts. Any other text is late in both states: it has pairs with the leaders alone.
    """
    led, other_led = min(held, leaders), min(other_held, leaders)
    for position in range(first, last):
        text = texts[position]
        if not live[text]:
            continue
        at_early = -1
        for number in range(held):
            if early[number] == text:
                at_early = number
                break
        partners = led if at_early < 0 else at_early
        differs = changed[text] or at_early >= 0 or _has(other, other_held, text)
        for number in range(partners):
            partner = early[number]
            if differs or not _has(other, other_led, partner):
                a[at], b[at], count[at] = min(text, partner), max(text, partner), sign
                at += 1
    return at


@compiled
def _pairs(keys, texts, ids, before, live_before, moment, live, changed, leaders, together, a, b, count):  # type: ignore[no-untyped-def]
    """Write the pairs that buckets give now (1) and no longer give (-1); return how many rows these are.

    If `a` is empty, return how many rows are enough.
    """
    early, early_before = np.empty(max(leaders, together), np.int64), np.empty(max(leaders, together), np.int64)
    at = first = 0
    while first < keys.size:
        last = first + 1
        while last < keys.size and keys[last] == keys[first]:
            last += 1
        size = last - first
        if size > 1 and a.size == 0:
            few = min(size, early.size)
            at += 2 * (few * (few - 1) // 2 + (size - few) * min(leaders, few))
        elif size > 1:
            held_before = _early(texts, first, last, before, live_before, ids, early_before)
            held = _early(texts, first, last, moment, live, ids, early)
            at = _emit(texts, first, last, live_before, changed, early_before, held_before, early, held, leaders, -1,
                       a, b, count, at)  # fmt: skip
            at = _emit(texts, first, last, live, changed, early, held, early_before, held_before, leaders, 1,
                       a, b, count, at)  # fmt: skip
        first = last
    return at


@dataclass(frozen=True, slots=True)
class Dates:
    """What decides on the pairs of a bucket: dates and liveness, now and when the pairs were counted last."""

    ids: npt.NDArray[np.uint64]
    before: npt.NDArray[np.int64]
    live_before: npt.NDArray[np.bool_]
    moment: npt.NDArray[np.int64]
    live: npt.NDArray[np.bool_]
    changed: npt.NDArray[np.bool_]

    def pairs(self, keys: npt.NDArray[np.int64], texts: Numbers, repeats: bool, leaders: int, together: int) -> Counted:
        """Return the pairs that some bands give: how often more, or less, than before. All texts of a key are there.

        Args:
            keys: sorted.
            repeats: a text may be in a bucket twice.
        """
        if repeats:
            order = np.lexsort((texts, keys))
            keys, texts = keys[order], texts[order]
            once = np.ones(len(keys), bool)
            once[1:] = (keys[1:] != keys[:-1]) | (texts[1:] != texts[:-1])
            keys, texts = keys[once], texts[once]
        nothing, none = np.empty(0, np.int64), np.empty(0, np.int32)
        states = (self.ids, self.before, self.live_before, self.moment, self.live, self.changed)
        rows = _pairs(keys, texts, *states, leaders, together, nothing, nothing, none)
        a, b, count = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int32)
        if rows:
            rows = _pairs(keys, texts, *states, leaders, together, a, b, count)
        a, b, count = counted(a[:rows], b[:rows], count[:rows])
        some = count != 0
        return a[some], b[some], count[some]


@dataclass(frozen=True, slots=True)
class RangeTask:
    """A range of keys. A range of wanted keys gives its bands; a range of all keys gives the pairs of its bands."""

    location: str
    parameters: Parameters
    together: int
    number: int
    low: int
    high: int
    wanted: bool


def work(task: RangeTask, ctx: Context) -> int:
    """Write what a range of keys gives as files of the scratch folder; return how many rows these have."""
    lake = Lake(task.location)
    about = json.loads(Path(ctx.read("bands.json")).read_text())
    named = np.load(ctx.read("named.npy"), mmap_mode="r")
    segments = segments_restored(about["segments"], named)
    bands = Bands(lake, [segment.name for segment in segments], None, task.parameters, about["files"])
    wanted = np.load(ctx.read("wanted.npy"), mmap_mode="r") if task.wanted else None
    all_keys, all_texts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, segment in enumerate(segments):
        for keys, rows in bands.within(number, task.low, task.high, wanted):
            all_keys.append(keys)
            all_texts.append(segment.of(rows))
    keys, texts = np.concatenate(all_keys), np.concatenate(all_texts)
    all_keys.clear()
    all_texts.clear()
    order = np.argsort(keys, kind="stable")  # merges the runs, which are sorted
    keys, texts = keys[order], texts[order]
    del order
    if task.wanted:
        np.save(ctx.write(f"{task.number}.keys.npy"), keys)
        np.save(ctx.write(f"{task.number}.texts.npy"), texts)
        return len(keys)
    alone = np.ones(len(keys), bool)  # a key that no other row has
    alone[1:] &= keys[1:] != keys[:-1]
    alone[:-1] &= keys[:-1] != keys[1:]
    keys, texts = keys[~alone], texts[~alone]
    moment, live = (np.load(ctx.read(f"{each}.npy"), mmap_mode="r") for each in ("moment", "live"))
    ids = np.load(ctx.read("ids.npy"), mmap_mode="r")
    nobody = np.zeros(len(live), bool)  # nothing was counted before
    dates = Dates(ids, moment, nobody, moment, live, ~nobody)
    repeats = any(segment.numbers is not None for segment in segments)
    a, b, count = dates.pairs(keys, texts, repeats, task.parameters.leaders, task.together)
    for column, values in (("a", a), ("b", b), ("count", count)):
        np.save(ctx.write(f"{task.number}.{column}.npy"), values)
    release(moment, live, ids)
    return len(a)


class Ranges:
    """Runs the ranges of keys of an index on an engine.

    Args:
        lake: a snapshot.
        memory: bytes for all workers together.
        folder: scratch that all workers see.
    """

    def __init__(
        self, lake: Lake, texts: Numbered, parameters: Parameters, engine: Engine, memory: int, folder: str
    ) -> None:
        self._lake, self._texts, self._parameters = lake, texts, parameters
        self._engine, self._memory, self._folder = engine, memory, folder
        self._bands = Bands(lake, [segment.name for segment in texts.segments], None, parameters)
        rows, named = segments_kept(texts.segments)
        Path(folder, "bands.json").write_text(json.dumps({"segments": rows, "files": self._bands.files}))
        np.save(f"{folder}/named.npy", named)

    def all(self) -> Iterator[Counted]:
        """Yield the pairs of each range of keys, sorted, as mapped files."""
        for name in ("moment", "live", "ids"):
            values = {"moment": self._texts.first_seen, "live": self._texts.live, "ids": self._texts.ids}[name]
            np.save(f"{self._folder}/{name}.npy", values)
            release(values)
        parts = max(1, -(-self._bands.size * _ROW * self._engine.workers // self._memory))
        for number in self._run(parts, False):
            a, b, count = (
                np.load(f"{self._folder}/{number}.{column}.npy", mmap_mode="r") for column in ("a", "b", "count")
            )
            yield a, b, count

    def changed(self, wanted: npt.NDArray[np.int64], dates: Dates) -> Counted:
        """Return the pairs that the buckets of some keys give now and did not, or gave and do not: count of buckets.

        Args:
            wanted: keys, sorted, each once.
        """
        np.save(f"{self._folder}/wanted.npy", wanted)
        parts = self._engine.workers if self._bands.size > 1 << 22 else 1
        found = []
        for number in self._run(parts, True):
            keys, texts = (np.load(f"{self._folder}/{number}.{column}.npy") for column in ("keys", "texts"))
            found.append(dates.pairs(keys, texts, self._texts.repeats, self._parameters.leaders, TOGETHER))
        a, b, count = (np.concatenate([each[column] for each in found]) for column in range(3))
        a, b, count = counted(a, b, count)
        some = count != 0
        return a[some], b[some], count[some]

    def _run(self, parts: int, wanted: bool) -> Iterator[int]:
        least, size = -(1 << 63), 1 << 64
        tasks = (
            RangeTask(self._lake.location, self._parameters, TOGETHER, part,
                      least + size * part // parts, least + size * (part + 1) // parts, wanted)
            for part in range(parts)
        )  # fmt: skip
        for task, _ in succeed(self._engine.run(work, tasks, scratch=self._folder)):
            yield task.number
