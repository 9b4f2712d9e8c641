"""What is derived from changes equals what is derived from nothing, and what the definition says."""

from __future__ import annotations

import base64
import errno
import hashlib
import shutil
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import examples, record, rows, take
from hypothesis import given, settings
from hypothesis import strategies as st
from made import edited, put, words

from archive.attestations.retract import retract
from archive.engine import open_engine
from archive.files import write_parquet
from archive.intake.forget import forget
from archive.lake import Lake
from archive.progress import Reporter
from archive.tables import CAPTURES
from index import ids, tables
from index.minhash.kernel import band_keys
from index.minhash.procedure import Parameters
from index.neardup import index, pair_columns, run
from index.neardup.derive import Derived, derive
from index.neardup.estimates import lower_bound
from index.neardup.kept import Kept
from index.neardup.signatures import PARQUET_OPTIONS, Signatures, signature_rows
from index.tables import DUPLICATES, LIKENESSES, PAIRS, SIGNATURES

#: Two texts with six of eight hashes in common are near, and need not share a band.
PARAMETERS = Parameters(bands=2, rows=4, threshold=0.44, leaders=2)
TOGETHER = 4


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lakes of any size keep what was derived; buckets are large early, and many ranges and mapped files are needed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(run, "LEAST", 0)
    monkeypatch.setattr("index.neardup.derive._MANY", 0.9)
    monkeypatch.setattr("index.neardup.parts.ROWS", 4)
    monkeypatch.setattr("index.neardup.numbered._MAPPED", 2)
    monkeypatch.setattr("index.neardup.kept._TAKEN", 64)
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
        self.write(names)
        if captured:
            self.capture([name for name in names if dice.random() < 0.9])
        return names

    def write(self, names: list[str]) -> None:
        """Write the signatures of some texts."""
        rows_ = signature_rows(pa.array(names), np.full(len(names), 9, np.int32),
                               np.stack([self.signatures[name] for name in names]))  # fmt: skip
        self.lake.commit(SIGNATURES, [write_parquet(self.lake, SIGNATURES, rows_, "made", **PARQUET_OPTIONS)], [])

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
        self.sign(30)

    def captures(self) -> None:
        self.capture(self.some())

    def captures_before_signatures(self) -> None:
        name = "".join(self.dice.choice(list("0123456789abcdef"), 64))
        self.capture([name])
        self.signatures[name] = self.dice.integers(0, 4, PARAMETERS.hashes).astype(np.uint16)
        if self.dice.random() < 0.5:
            index(self.lake, workers=1)
        self.write([name])

    def forget(self) -> None:
        for name in self.some(0.1):
            self.lake.delta(CAPTURES.name).delete(f"content_id = '{name}'")
            self.dates.pop(name, None)

    def sweep(self) -> None:
        """Remove the signatures of forgotten texts, some of which come back."""
        gone = [name for name in self.known() if not self.dates[name]]
        if gone:
            self.lake.delta(SIGNATURES.name).delete(" OR ".join(f"content_id = '{name}'" for name in gone))
            index(self.lake, workers=1)
            for name in set(gone) - set(gone[::2]):
                del self.signatures[name]
            self.resign(gone[::2])
            self.capture(gone[::4])

    def resign(self, names: list[str]) -> None:
        """Sign texts as the stage does, which asks the index which of them are new."""
        files = self.lake.files(SIGNATURES.name)
        is_new = Signatures(PARAMETERS).is_new(self.lake, files)(ids.parse(pa.array(names)))
        for name in np.array(names)[is_new]:
            self.write([name])

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

    def be_killed_while_growing(self) -> None:
        for path in Path(self.lake.location).parent.glob("cache/lowbackground/index/*/array-*"):
            if path.name.startswith(("array-ids", "array-shingles")):
                path.write_bytes(path.read_bytes() + b"rows that no manifest counts")

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
            more = {(name, other) for name, others in ordered.items() for other in ordered.get(others[0], [])[:32]}
            if not (fresh := set(filter(is_near, more - near))):
                return near
            near |= fresh


def derived_from_nothing(lake: Lake, folder: Path, memory: int) -> pa.Table:
    with Kept(lake.location, folder) as kept:
        given = tables.parameters_of(lake), open_engine(1), memory, kept, Reporter()
        parts = list(derive(lake, lake.snapshot(), *given).rows())
    return pa.concat_tables([DUPLICATES.schema.empty_table(), *parts])


def stored(lake: Lake) -> pa.Table:
    files = [pq.read_table(f"{lake.table_path(DUPLICATES.name)}/{file}") for file in lake.files(DUPLICATES.name)]
    return pa.concat_tables([DUPLICATES.schema.empty_table(), *(file.cast(DUPLICATES.schema) for file in files)])


_HELPERS = {"sign", "write", "resign", "capture", "known", "some", "defined"}
EVENTS = [name for name in vars(Made) if name not in _HELPERS and name[0] != "_"]


def follow(folder: Path, seed: int, events: list[str]) -> None:
    """Let something happen again and again; compare with the definition after each, and bit by bit at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        made = Made(folder / "lake", seed)
        made.sign(60)
        index(made.lake, workers=1)
        for number, event in enumerate(events):
            getattr(made, event)()
            index(made.lake, workers=1, memory=30_000 if number % 2 else 1 << 28)
            once = stored(made.lake)
            pairs = set(zip(once["content_id"].to_pylist(), once["earlier_id"].to_pylist(), strict=True))
            assert pairs == made.defined(), event
        assert once.equals(derived_from_nothing(made.lake, folder / "other", 10_000)), events


@settings(max_examples=examples(3), deadline=None)
@given(seed=st.integers(0, 10**6), events=st.lists(st.sampled_from(EVENTS), min_size=2, max_size=5))
def test_after_any_changes_the_near_duplicates_are_those_of_a_derivation_from_nothing(
    seed: int, events: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    follow(tmp_path_factory.mktemp("made"), seed, events)


def test_after_each_kind_of_change_they_are_too(tmp_path: Path) -> None:
    follow(tmp_path, 3, EVENTS)


def test_dates_bounds_retractions_and_forgotten_files_change_what_was_derived(lake: Lake, tmp_path: Path) -> None:
    family = [" ".join(edited(words(120, 1), 1, seed)) for seed in range(12)]
    other = [(" ".join(words(80, 50 + seed)), "2014-01-01") for seed in range(40)]
    put(lake, tmp_path / "a", [(text, f"201{at % 9}-01-0{at % 9 + 1}") for at, text in enumerate(family)])
    put(lake, tmp_path / "b", other)

    def check(number: int) -> None:
        index(lake, workers=1)
        assert stored(lake).equals(derived_from_nothing(lake, tmp_path / f"nothing-{number}", 1 << 20))

    check(0)
    put(lake, tmp_path / "c", [(family[5], "2005-03-01")])
    check(1)
    assert rows(lake, "SELECT DISTINCT year(first_seen_near) FROM documents WHERE witness_id IS NOT NULL") == [(2005,)]
    retract(lake, str(tmp_path / "c" / "0.warc"), reason="wrong")
    check(2)
    assert rows(lake, "SELECT min(year(first_seen_near)) FROM documents WHERE witness_id IS NOT NULL") == [(2010,)]
    put(lake, tmp_path / "d", [(family[7], "2003-03-01"), (" ".join(edited(words(120, 1), 1, 99)), "2001-01-01")])
    check(3)
    forget(lake, str(tmp_path / "d" / "0.warc"))
    check(4)
    forget(lake, str(tmp_path / "a" / "0.warc"))
    check(5)
    assert stored(lake).num_rows == 0


def test_an_estimate_gives_way_to_the_texts_also_where_nothing_else_changed(lake: Lake, tmp_path: Path) -> None:
    from index.neardup.textless import export

    original = words(500, 1)
    versions = [original, edited(original, 2, 2), edited(original, 12, 3)]  # 0.96 and about 0.8 similar
    dated = [(" ".join(text), f"201{n}-01-01") for n, text in enumerate(versions)]
    put(lake, tmp_path / "in", dated + [(" ".join(words(50, 100 + seed)), "2013-01-01") for seed in range(30)])
    index(lake, workers=1)
    out = Lake(str(tmp_path / "out"))
    export(lake, out)
    index(out, workers=1)
    assert rows(out, "SELECT DISTINCT estimated FROM duplicates") == [(True,)]
    put(out, tmp_path / "again", dated)
    index(out, workers=1)
    assert stored(out).equals(stored(lake))


def test_a_revisit_dates_a_text_of_another_file(lake: Lake, tmp_path: Path) -> None:
    body = " ".join(words(60, 1))
    digest = "sha1:" + base64.b32encode(hashlib.sha1(body.encode()).digest()).decode()
    page = {"body": body, "content_type": "text/plain"}
    revisit = record(
        url="http://example.com/2", kind="revisit", body="", date="2009-01-01T00:00:00Z",
        warc={"WARC-Payload-Digest": digest, "WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"},
    )  # fmt: skip
    copy = " ".join(edited(words(60, 1), 1, 2))
    put(lake, tmp_path / "in", [(" ".join(words(60, 9 + seed)), "2015-01-01") for seed in range(30)])
    (tmp_path / "1.warc").write_bytes(revisit)
    (tmp_path / "2.warc").write_bytes(
        record(url="http://example.com/1", date="2018-01-01T00:00:00Z", **page)
        + record(url="http://example.com/3", date="2016-01-01T00:00:00Z", body=copy, content_type="text/plain")
    )
    for number, file in enumerate(("1.warc", "2.warc")):
        take(lake, str(tmp_path / file))
        index(lake, workers=1)
        assert stored(lake).equals(derived_from_nothing(lake, tmp_path / f"nothing-{number}", 1 << 20))
    assert rows(lake, "SELECT year(first_seen) FROM documents WHERE witness_id IS NULL AND cluster_id IS NOT NULL") in (
        [(2009,)], [(2016,)],
    )  # fmt: skip


def test_numbers_beyond_32_bits_sort_as_those_below(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(1)
    a, b = dice.integers(0, 30, (2, 500))
    narrow = pair_columns.counted(a, b, np.ones(500, np.int32))
    far = 1 << 40
    wide = pair_columns.counted(a + far, b + far, np.ones(500, np.int32))
    assert all(
        np.array_equal(one, other) for one, other in zip(narrow, (wide[0] - far, wide[1] - far, wide[2]), strict=True)
    )
    wanted = pair_columns.locate(wide[0], wide[1], a + far, b + far)
    assert np.array_equal(wide[0][wanted], a + far)
    assert np.array_equal(wide[1][wanted], b + far)
    assert pair_columns.locate(wide[0], wide[1], a, b).max() == -1


def test_any_number_of_workers_and_ranges_gives_the_same_and_two_processes_may_index_at_once(tmp_path: Path) -> None:
    made = Made(tmp_path / "lake", 5)
    made.sign(300)
    index(made.lake, workers=2, memory=100_000)
    assert stored(made.lake).equals(derived_from_nothing(made.lake, tmp_path / "one", 1 << 28))
    made.sign(20)
    with Kept(made.lake.location) as other:
        assert other.restore() is not None  # another process is at work, and keeps its own
        index(made.lake, workers=1)
        assert stored(made.lake).equals(derived_from_nothing(made.lake, tmp_path / "two", 1 << 28))
    made.sign(5)
    index(made.lake, workers=1)
    assert stored(made.lake).equals(derived_from_nothing(made.lake, tmp_path / "three", 1 << 28))


def test_a_text_that_was_swept_is_signed_again_when_it_comes_back(tmp_path: Path) -> None:
    made = Made(tmp_path / "lake", 5)
    made.sign(30)
    name = made.known()[3]
    for table in (CAPTURES, SIGNATURES):
        index(made.lake, workers=1)
        made.lake.delta(table.name).delete(f"content_id = '{name}'")
    index(made.lake, workers=1)
    is_new = Signatures(PARAMETERS).is_new(made.lake, made.lake.files(SIGNATURES.name))
    assert is_new(ids.parse(pa.array([name]))).all()


def compare_as_another_process_does(lake: Lake, pairs: list[tuple[str, str]], share: int) -> None:
    """Add exact values of some pairs to a lake."""
    values = {"shared": [share] * len(pairs), "total": [10] * len(pairs), "estimated": [False] * len(pairs)}
    table = pa.table({"a": [min(pair) for pair in pairs], "b": [max(pair) for pair in pairs], **values})
    file = write_parquet(lake, PAIRS, table.cast(PAIRS.schema), "pairs")
    lake.commit(PAIRS, [file], [])


def test_what_others_compared_counts_as_long_as_the_lake_has_it(tmp_path: Path) -> None:
    made = Made(tmp_path / "lake", 5)
    made.sign(40)
    index(made.lake, workers=1)
    shutil.copytree(tmp_path / "lake", tmp_path / "before")
    pairs = [(row["content_id"], row["earlier_id"]) for row in stored(made.lake).to_pylist()]
    late = made.known()[0][::-1]  # a text that is signed later, and equals the first one
    made.signatures[late] = made.signatures[made.known()[0]]
    compare_as_another_process_does(made.lake, [*pairs[::2], (made.known()[0], late)], 9)
    made.sign(1)
    index(made.lake, workers=1)
    made.write([late])
    made.capture([late] * 5)
    index(made.lake, workers=1)
    assert stored(made.lake).equals(derived_from_nothing(made.lake, tmp_path / "one", 1 << 20))
    assert {0.9} < set(stored(made.lake)["similarity"].to_pylist())
    shutil.rmtree(tmp_path / "lake")
    shutil.copytree(tmp_path / "before", tmp_path / "lake")
    made.sign(1)
    index(made.lake, workers=1)
    assert stored(made.lake).equals(derived_from_nothing(made.lake, tmp_path / "two", 1 << 20))
    assert 0.9 not in stored(made.lake)["similarity"].to_pylist()


def test_of_two_processes_the_slower_one_does_not_take_the_rows_of_the_other_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path / "lake", 5)
    made.sign(40)
    index(made.lake, workers=1)
    right = stored(made.lake)

    def overtaken(*given: Any) -> Derived:
        monkeypatch.setattr(run, "derive", derive)
        derived = derive(*given)
        file = write_parquet(made.lake, DUPLICATES, right.slice(0, 3), "duplicates")
        opened = made.lake.delta(DUPLICATES.name)
        assert made.lake.commit_to(opened, DUPLICATES, [file], {"derived": 1, "another state": 1}, "overwrite")
        return derived

    monkeypatch.setattr(run, "derive", overtaken)
    made.sign(1, captured=False)  # changes the lake, and no near-duplicate
    index(made.lake, workers=1)
    assert right.num_rows > 3
    assert stored(made.lake).equals(right)


def test_what_is_kept_of_each_text_grows_by_the_rows_of_new_texts_alone(tmp_path: Path) -> None:
    made = Made(tmp_path / "lake", 5)
    made.sign(100)
    index(made.lake, workers=1)

    def kept() -> set[str]:
        names = {path.name for path in (tmp_path / "cache").glob("lowbackground/index/*/array-*")}
        of_texts = ("ids", "shingles", "first_seen", "captured", "live")
        return {name for name in names if name.split("-")[1] in of_texts}

    before = kept()
    assert len(before) == 5
    made.sign(4)
    index(made.lake, workers=1)
    assert kept() == before
    made.capture(made.known())  # old texts get other dates
    index(made.lake, workers=1)
    assert {name.split("-")[1] for name in before - kept()} >= {"first_seen"}
    made.sign(1)
    index(made.lake, workers=1)
    assert stored(made.lake).equals(derived_from_nothing(made.lake, tmp_path / "nothing", 1 << 20))


class _KilledError(BaseException):
    pass


def test_a_run_that_is_killed_anywhere_or_finds_no_room_for_its_cache_costs_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path / "lake", 5)
    made.sign(40)
    index(made.lake, workers=1)
    opened = Path.open
    wrote, grew, commit, keep = Kept._write, Kept.grown, Lake.commit_to, Kept.keep
    left = 0

    def fails(call: Any, error: BaseException, after: bool = False) -> Any:
        def failing(*given: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left >= 0:
                return call(*given, **named)
            if after:
                call(*given, **named)
            raise error

        return failing

    full = OSError(errno.ENOSPC, "No space left on device")
    for number, (owner, name, call, error, after) in enumerate((
        (Kept, "_write", wrote, _KilledError(), True), (Kept, "_write", wrote, full, True),
        (Kept, "grown", grew, _KilledError(), True), (Path, "open", Path.open, full, False),
        (Kept, "keep", keep, _KilledError(), False),
        (Lake, "commit_to", commit, _KilledError(), False), (Lake, "commit_to", commit, _KilledError(), True),
    )):  # fmt: skip
        made.sign(2)
        left = number % 3
        with monkeypatch.context() as patch, suppress(_KilledError):
            if owner is Path:  # the file that grows
                patch.setattr(Path, "open", lambda path, mode="r", *given, **named: _raise(full) if mode == "r+b" else
                              opened(path, mode, *given, **named))  # fmt: skip
            else:
                patch.setattr(owner, name, fails(call, error, after))
            index(made.lake, workers=1)
        index(made.lake, workers=1)
        near = stored(made.lake)
        pairs = set(zip(near["content_id"].to_pylist(), near["earlier_id"].to_pylist(), strict=True))
        assert pairs == made.defined(), number
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "lake" / "no folder"))
    (tmp_path / "lake" / "no folder").touch()
    made.sign(1)
    index(made.lake, workers=1)
    assert stored(made.lake).equals(derived_from_nothing(made.lake, tmp_path / "nothing", 1 << 20))


def _raise(error: BaseException) -> Any:
    raise error
