"""What is derived from changes equals what is derived from nothing, and what the definition says."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import examples, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from made import edited, found, put, words

from archive.attestations.retract import retract
from archive.files import write_parquet
from archive.intake.forget import forget
from archive.lake import Lake
from archive.progress import Reporter
from archive.tables import CAPTURES
from index import ids, tables
from index.minhash.kernel import band_keys
from index.minhash.procedure import Parameters
from index.neardup import index, run
from index.neardup.derive import derive
from index.neardup.estimates import lower_bound
from index.neardup.kept import Kept
from index.neardup.signatures import PARQUET_OPTIONS, signature_rows
from index.tables import DUPLICATES, LIKENESSES, SIGNATURES

PARAMETERS = Parameters(bands=6, rows=2, threshold=0.5, leaders=2)
TOGETHER = 4


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lakes of any size keep what was derived; buckets are large early, and many ranges are needed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(run, "LEAST", 0)
    for module in ("ranges", "derive", "run"):
        monkeypatch.setattr(f"index.neardup.{module}.TOGETHER", TOGETHER)


class Made:
    """A lake without texts: signatures, captures with their dates, and pairs that vectors propose."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.lake = Lake(str(folder))
        self.lake.create()
        tables.create(self.lake, PARAMETERS)
        self.dice = np.random.default_rng(seed)
        self.signatures: dict[str, np.ndarray] = {}
        self.dates: dict[str, list[tuple[int, str]]] = defaultdict(list)  # with the file of captures
        self.proposed: set[tuple[str, str]] = set()

    def sign(self, count: int, captured: bool = True) -> list[str]:
        """Sign texts that are versions of earlier ones; two files may have the same text."""
        dice, known = self.dice, list(self.signatures)
        names = []
        for _ in range(count):
            if known and dice.random() < 0.1:
                names.append(str(dice.choice(known)))
                continue
            name = "".join(dice.choice(list("0123456789abcdef"), 64))
            signature = dice.integers(0, 4, PARAMETERS.hashes).astype(np.uint16)
            if known and dice.random() < 0.8:
                signature = self.signatures[str(dice.choice(known))].copy()
                signature[dice.integers(0, PARAMETERS.hashes, dice.integers(0, 5))] = dice.integers(0, 4)
            self.signatures[name] = signature
            names.append(name)
            known.append(name)
        rows_ = signature_rows(pa.array(names), np.full(len(names), 9, np.int32),
                               np.stack([self.signatures[name] for name in names]))  # fmt: skip
        self.lake.commit(SIGNATURES, [write_parquet(self.lake, SIGNATURES, rows_, "made", **PARQUET_OPTIONS)], [])
        if captured:
            self.capture([name for name in names if dice.random() < 0.9])
        return names

    def capture(self, names: list[str]) -> None:
        """Add captures of texts: some are no proof, and some texts have no signature yet."""
        moments = self.dice.integers(0, 40, len(names))
        problem = ["none" if at % 7 == 0 else None for at in moments]
        values = {
            "content_id": pa.array(names),
            "captured_at": pa.array(moments * 10**12, pa.timestamp("us", "UTC")),
            "date_problem": pa.array(problem, pa.string()),
            "file": pa.array(["made.warc"] * len(names)),
            "offset": np.arange(len(names)),
            "skip": np.zeros(len(names), np.int64),
        }
        table = pa.table({f.name: values.get(f.name, pa.nulls(len(names), f.type)) for f in CAPTURES.file_schema})
        file = write_parquet(self.lake, CAPTURES, table, "made", {"month": "2020-01"})
        self.lake.commit(CAPTURES, [file], [])
        for name, at, why in zip(names, moments.tolist(), problem, strict=True):
            self.dates[name].append((at if why is None else 10**6, file.path))

    def known(self) -> list[str]:
        return list(self.signatures)

    def some(self, share: float = 0.2) -> list[str]:
        return [name for name in self.known() if self.dice.random() < share]

    # -- what may happen ---------------------------------------------------------------------------

    def new_texts(self) -> None:
        self.sign(int(self.dice.integers(1, 12)))

    def many_new_texts(self) -> None:
        self.sign(60)

    def captures(self) -> None:
        self.capture(self.some())

    def captures_before_signatures(self) -> None:
        name = "".join(self.dice.choice(list("0123456789abcdef"), 64))
        self.capture([name])
        self.signatures[name] = self.dice.integers(0, 4, PARAMETERS.hashes).astype(np.uint16)
        if self.dice.random() < 0.5:
            index(self.lake, workers=1, memory=2000)
        rows_ = signature_rows(pa.array([name]), np.full(1, 9, np.int32), self.signatures[name][None])
        self.lake.commit(SIGNATURES, [write_parquet(self.lake, SIGNATURES, rows_, "made", **PARQUET_OPTIONS)], [])

    def forget(self) -> None:
        for name in self.some(0.1):
            self.lake.delta(CAPTURES.name).delete(f"content_id = '{name}'")
            self.dates.pop(name, None)

    def merge_signatures(self) -> None:
        self.lake.delta(SIGNATURES.name).optimize.compact()

    def merge_captures(self) -> None:
        self.lake.delta(CAPTURES.name).optimize.compact()

    def lose_the_cache(self) -> None:
        for path in Path(self.lake.location).parent.glob("cache/lowbackground/index/*/kept.json"):
            path.unlink()

    def damage_the_cache(self) -> None:
        for path in Path(self.lake.location).parent.glob("cache/lowbackground/index/*/array-*"):
            if self.dice.random() < 0.2 and (data := bytearray(path.read_bytes())):
                data[len(data) // 2] ^= 1
                path.write_bytes(data)

    def propose(self) -> None:
        known = self.known()
        pairs = {tuple(sorted(self.dice.choice(known, 2, replace=False).tolist())) for _ in range(4)} - self.proposed
        self.lake.create([LIKENESSES])
        table = pa.table({"a": [a for a, _ in pairs], "b": [b for _, b in pairs], "cosine": np.ones(len(pairs))})
        file = write_parquet(self.lake, LIKENESSES, table, "made", {"encoder": "e"})
        self.lake.commit(LIKENESSES, [file], [])
        self.proposed |= pairs  # type: ignore[arg-type]

    def nothing(self) -> None:
        pass

    # -- what must come of it ----------------------------------------------------------------------

    def defined(self) -> set[tuple[str, str]]:
        """The near-duplicates by the definition, (later, earlier)."""
        seen = {name: (min(at for at, _ in self.dates[name]), name) for name in self.signatures if self.dates[name]}
        keys = {name: band_keys(self.signatures[name][None], np.ones(1, np.int32), PARAMETERS)[0] for name in seen}
        buckets = defaultdict(list)
        for name in sorted(seen, key=lambda name: seen[name]):
            for key in keys[name].tolist():
                buckets[key].append(name)
        pairs = set()
        for bucket in buckets.values():
            for j, later in enumerate(bucket):
                pairs |= {(later, bucket[i]) for i in range(j if j < TOGETHER else min(j, PARAMETERS.leaders))}
        for a, b in self.proposed:
            if a in seen and b in seen:
                pairs.add((a, b) if seen[a] > seen[b] else (b, a))

        def is_near(pair: tuple[str, str]) -> bool:
            equal = (self.signatures[pair[0]] == self.signatures[pair[1]]).sum()
            return bool(lower_bound(np.array([equal]), PARAMETERS.hashes)[0] >= PARAMETERS.threshold)

        near = set(filter(is_near, pairs))
        while True:
            earlier = defaultdict(list)
            for later, other in near:
                earlier[later].append(other)
            ordered = {name: sorted(others, key=lambda other: seen[other]) for name, others in earlier.items()}
            more = {
                (name, other)
                for name, others in ordered.items()
                for other in ordered.get(others[0], [])[:32]
            }
            if not (fresh := set(filter(is_near, more - near))):
                return near
            near |= fresh


def derived_from_nothing(lake: Lake, folder: Path, memory: int) -> pa.Table:
    from archive.engine import open_engine

    with Kept(lake.location, folder) as kept:
        parts = list(derive(lake, lake.snapshot(), tables.parameters_of(lake), open_engine(1), memory, kept, Reporter()).rows())
    return pa.concat_tables([DUPLICATES.schema.empty_table(), *parts])


def stored(lake: Lake) -> pa.Table:
    files = [pq.read_table(f"{lake.table_path(DUPLICATES.name)}/{file}") for file in lake.files(DUPLICATES.name)]
    return pa.concat_tables([DUPLICATES.schema.empty_table(), *(file.cast(DUPLICATES.schema) for file in files)])


EVENTS = [name for name in vars(Made) if name not in {"sign", "capture", "known", "some", "defined"} and name[0] != "_"]


@settings(max_examples=examples(6), deadline=None)
@given(seed=st.integers(0, 10**6), events=st.lists(st.sampled_from(EVENTS), min_size=3, max_size=7))
def test_after_any_changes_the_near_duplicates_are_those_of_a_derivation_from_nothing(
    seed: int, events: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        made = Made(folder / "lake", seed)
        made.sign(40)
        index(made.lake, workers=1)
        for number, event in enumerate(events):
            getattr(made, event)()
            index(made.lake, workers=1, memory=2000 if number % 2 else 1 << 28)
            once = stored(made.lake)
            assert once.equals(derived_from_nothing(made.lake, folder / f"other-{number}", 3000))
            pairs = set(zip(once["content_id"].to_pylist(), once["earlier_id"].to_pylist(), strict=True))
            assert pairs == made.defined()


_ = (itertools, random, Callable, Iterator, ids, rows, edited, found, put, words, retract, forget)
