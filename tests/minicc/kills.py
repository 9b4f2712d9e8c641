"""Kills ingests of a small Common Crawl at random moments, and compares the lake with one that nobody disturbed.

A moment is so many answers of the server and some milliseconds later: on a slow machine as on a fast one, the kills
fall between the parts of one file, between the pieces of one, inside of a commit, and while an index is read.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conftest import rows, snapshot
from forked import Command, start

from archive.intake.forget import forget
from archive.intake.run import ingest
from archive.lake import Lake
from minicc.serve import Server

#: Bytes of a piece of a whole file, and requests of a task, where kills fall between them.
PIECE, REQUESTS = 16_000, 3


@dataclass(frozen=True)
class Wanted:
    """One command: what it takes, and with how many workers."""

    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1

    def arguments(self, lake: Lake, mirror: str, rate: float) -> list[str]:
        chosen = [text for name, value in self.options.items() for text in (f"--{name}", str(value))]
        where = ["--mirror", mirror, "--rate", str(rate), "--lake", lake.location, "--workers", str(self.workers)]
        return ["ingest", self.source, *chosen, *where, "--quiet", "--json"]


#: By ranges of an index table and of a sorted index, and by whole files in pieces; all of them overlap.
ALL = (
    Wanted("cc:2014..2020", {"tld": "de"}, 2),
    Wanted("cc:CC-MAIN-2019-35"),
    Wanted("cc:..2021", {"host": "site3.de"}),
    Wanted("cc:2019..2020", {"sample": 0.4}, 2),
    Wanted("cc:CC-MAIN-2020-34", {}, 2),
    Wanted("cc:CC-NEWS-2019-08"),
    Wanted("cc:CC-MAIN-2008-2009", {"host": "site0.com"}),
)
#: Two of them that overlap, by ranges and by pieces, for a test.
SHORT = (Wanted("cc:2019..2020", {"host": "site3.de"}), Wanted("cc:CC-MAIN-2019-35"))


def small_pieces() -> None:
    """Make the pieces of whole files, and the tasks of parts, so small that a test has many of them."""
    from archive.intake import plan

    plan.PIECE, plan._REQUESTS = PIECE, REQUESTS  # type: ignore[attr-defined]


@dataclass
class Drill:
    """Commands that bring all that is wanted into one lake, and are killed.

    Args:
        folder: for the caches and for what the commands say.
        answers: of the server, behind which a command is killed, at most.
    """

    lake: Lake
    server: Server
    folder: Path
    wanted: Sequence[Wanted] = ALL
    rate: float = 1e6
    answers: int = 6
    killed: int = 0
    together: int = 0  #: kills while two commands ran
    forgotten: int = 0  #: files that were taken out meanwhile, so that there was something to do
    by_source: Counter[str] = field(default_factory=Counter)

    def run(self, kills: int, dice: random.Random) -> None:
        """Kill so many commands, then let each one end. Where all is there before that, a file is forgotten.

        Raises:
            AssertionError: one ended with an error of its own.
        """
        left = list(self.wanted)
        while self.killed < kills:
            if not left:
                left = self._forget(dice)
            chosen = dice.sample(left, min(2 if dice.random() < 0.3 else 1, len(left)))
            moments = [(dice.randint(0, self.answers), dice.random() * 0.4) for _ in chosen]
            running = [self._start(each) for each in chosen]
            reapers = [
                threading.Thread(target=self._kill, args=(each, wanted, moment, len(running) > 1))
                for each, wanted, moment in zip(running, chosen, moments, strict=True)
            ]
            for reaper in reapers:
                reaper.start()
            for reaper in reapers:
                reaper.join()
            for each, wanted in zip(running, chosen, strict=True):
                if each.exitcode == 0:
                    left.remove(wanted)
                assert each.exitcode in {0, -signal.SIGKILL}, self._said(each)
        for wanted in self.wanted:
            ended = self._start(wanted)
            ended.join(300)
            assert ended.exitcode == 0, self._said(ended)

    def _forget(self, dice: random.Random) -> list[Wanted]:
        """Take all that a file brought out of the lake."""
        files = sorted(set(self.lake.read("sources", ["file"])["file"].to_pylist()))
        forget(self.lake, dice.choice(files))
        self.forgotten += 1
        return list(self.wanted)

    def _start(self, wanted: Wanted) -> Command:
        output = self.folder / f"said-{time.monotonic_ns()}"
        env = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "xdg")}
        arguments = wanted.arguments(self.lake, self.server.address, self.rate)
        command = start(arguments, output, env, prepare=("minicc.kills", "small_pieces"))
        command.output = output  # type: ignore[attr-defined]
        return command

    def _kill(self, command: Command, wanted: Wanted, moment: tuple[int, float], two: bool) -> None:
        until = self.server.answered + moment[0]
        while self.server.answered < until and command.exitcode is None:
            command.join(0.01)
        command.join(moment[1])
        command.kill(workers_too=True)
        if command.exitcode == -signal.SIGKILL:
            self.killed += 1
            self.together += two
            self.by_source[wanted.source] += 1

    def _said(self, command: Command) -> str:
        output: Path = command.output  # type: ignore[attr-defined]
        return "".join((output / name).read_text() for name in ("1", "2"))


def undisturbed(lake: Lake, mirror: str | Path, wanted: Sequence[Wanted] = ALL) -> Lake:
    """Bring all that is wanted into a lake, one command after the other."""
    for each in wanted:
        result = ingest(lake, each.source, mirror=str(mirror), rate=1e6, workers=1, **each.options)
        assert not result.files_failed
        assert result.records == result.captures + result.rejects.total() + result.skipped.total()
    return lake


def require_same(lake: Lake, other: Lake) -> None:
    """Require that a lake has what another one has: each record once, and every count of the ledger.

    Raises:
        AssertionError: it does not.
    """
    there, wanted = snapshot(lake), snapshot(other)
    for table, found in there.items():
        has, should = (Counter(map(repr, some)) for some in (found, wanted[table]))
        missing, more = should - has, has - should
        assert not missing, f"{table}: {missing.total()} rows are lost, such as {next(iter(missing))}"
        assert not more, f"{table}: {more.total()} rows too many, such as {next(iter(more))}"
    require_counts(lake)
    assert _counts(lake) == _counts(other)


def require_counts(lake: Lake) -> None:
    """Require that no record is there twice, that each unit counts all its records, and `known` all that were taken.

    Raises:
        AssertionError: one of them is not so.
    """
    assert twice(lake) == []
    ledger = lake.read("sources").to_pylist()
    for row in ledger:
        counted = row["captures"] + sum(count for _, count in [*row["rejects"], *row["skipped"]])
        assert row["records"] == counted, row
    for version in {row["version"] for row in ledger}:
        units = [row for row in ledger if row["version"] == version]
        taken = [row for row in units if row["taken"] is not None]
        whole = [row for row in units if row["taken"] is None]
        known = sum(count for row in whole for kind, count in row["skipped"] if kind == "known")
        if any(row["next_offset"] is None for row in whole):
            assert known == sum(len(row["taken"]) for row in taken), version
        starts = sorted((row["start"], row["end"]) for row in whole)
        ends = [0, *(end for _, end in starts)]
        assert all(start == end for (start, _), end in zip(starts, ends, strict=False)), f"{version}: a hole {starts}"


def twice(lake: Lake) -> list[tuple[Any, ...]]:
    """Return the records that are in a lake more than once, by their files and offsets."""
    return rows(
        lake,
        'SELECT file, "offset", skip FROM (SELECT file, "offset", skip FROM captures UNION ALL '
        'SELECT file, "offset", skip FROM rejects) GROUP BY ALL HAVING count(*) > 1',
    )


def _counts(lake: Lake) -> dict[str, tuple[int, Counter[str], Counter[str], bool]]:
    """Return for each file what its units counted: captures, rejects, what holds no page, and whether all was read.

    What holds no page is that of the units that read all records.
    """
    found: dict[str, tuple[int, Counter[str], Counter[str], bool]] = {}
    for row in lake.read("sources").to_pylist():
        captures, rejects, skipped, all_read = found.setdefault(row["file"], (0, Counter(), Counter(), False))
        rejects.update(dict(row["rejects"]))
        if row["taken"] is None:  # a file that is streamed for some records has the others too
            skipped.update({kind: count for kind, count in row["skipped"] if kind != "known"})
        all_read |= row["taken"] is None and row["next_offset"] is None
        found[row["file"]] = captures + row["captures"], rejects, skipped, all_read
    return found
