"""What a user has in and around a folder that a command writes stays as it is, whatever becomes of the command."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import examples, members, record, take
from dying import Killed, killed_at
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from archive.errors import ArchiveError
from archive.lake import Lake
from archive.owned import JOURNAL
from collapse import folder
from index.certify import certify
from index.neardup import index, textless
from query.export.run import export

#: Names that the commands give too, or gave once; and others.
NAMES = [
    ".work", ".work/notes.txt", ".work/planned", ".work/identity.json", ".work/lock", "README.md", "manifest.json",
    "train/x", "train/train-00000.parquet", "distribution.svg", "x.part", "README.md.part", ".lock", "run.json",
    "run.json.part", "data/real.npy", "data.part/x", "steps/seed-0/x", "_certify/part", "_certify/manifest.json",
    "set.jsonl", "report.html", "results.json", "loss.png", JOURNAL, f"{JOURNAL}.0123456789abcdef", "notes/thesis.tex",
    "captures/notes.txt", "sources/_delta_log/notes.txt",
]  # fmt: skip
#: Names in a folder that a killed run left. (An empty folder of a user's goes with the work around it.)
INSIDE = ["notes.txt", "x.part", ".lock", "part"]
KINDS = ["file", "empty file", "link to a file", "link to a folder", "folder"]


@dataclass(frozen=True)
class Thing:
    """Something of the user's. `place`: which folder of those that are there, as far as there are so many."""

    name: str
    kind: str
    place: int = 0


THINGS = st.lists(st.builds(Thing, st.sampled_from(NAMES), st.sampled_from(KINDS)), max_size=3)
LATER = st.lists(
    st.builds(Thing, st.sampled_from(NAMES), st.sampled_from(KINDS))
    | st.builds(Thing, st.sampled_from(INSIDE), st.sampled_from(KINDS[:-1]), st.integers(1, 20)),
    max_size=3,
)


class User:
    """What somebody has, and whether it is still what it was."""

    def __init__(self, home: Path) -> None:
        self.out = home / "out"
        self._elsewhere = home / "elsewhere"
        self._elsewhere.mkdir(parents=True)
        (self._elsewhere / "file").write_bytes(b"mine")
        self._had: dict[Path, Any] = {}

    def puts(self, things: list[Thing], inside: bool) -> None:
        """Lay things into the folder, or beside it, where nothing is yet."""
        for thing in things:
            base = self.out if inside else self.out.parent
            if thing.place and self.out.is_dir():
                folders = [each for each in sorted(self.out.rglob("*")) if each.is_dir() and not each.is_symlink()]
                base = folders[thing.place % len(folders)] if folders else base
            path = base / (thing.name if inside else f"out{thing.name}")
            if path.exists() or path.is_symlink() or any(each.is_symlink() for each in path.parents):
                continue
            if any(each.exists() and not each.is_dir() for each in path.parents):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            match thing.kind:
                case "file":
                    path.write_bytes(b"what nobody else has")
                case "empty file":
                    path.touch()
                case "link to a file":
                    path.symlink_to(self._elsewhere / "file")
                case "link to a folder":
                    path.symlink_to(self._elsewhere)
                case _:
                    path.mkdir()
            self._had[path] = _state(path)

    def has_all(self) -> None:
        assert {path: _state(path) for path in self._had} == self._had
        assert [path.name for path in self._elsewhere.iterdir()] == ["file"]
        assert (self._elsewhere / "file").read_bytes() == b"mine"


def _state(path: Path) -> Any:
    if path.is_symlink():
        return "link", path.readlink()
    if path.is_dir():
        return "folder"
    return (path.read_bytes(), path.stat().st_mtime_ns) if path.exists() else "gone"


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


# -- the commands ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    place = tmp_path_factory.mktemp("lake")
    (place / "a.warc.gz").write_bytes(
        members(*(record(f"http://a{n}.org/", f"<p>Page {n} has words.", f"201{n}-01-01T00:00:00Z") for n in range(4)))
    )
    made = Lake(str(place / "lake"))
    take(made, str(place / "a.warc.gz"))
    index(made, workers=1)
    lines = [json.dumps({"text": f"Page {n} has words."}) for n in range(3)]
    (place / "set.jsonl").write_text("\n".join(lines) + "\n")
    return made


def exporting(lake: Lake, out: Path) -> None:
    export(lake, out, before="2022-01-01", shard_size=400, workers=1)


def certifying(lake: Lake, out: Path) -> None:
    source = Path(lake.location).parent / "set.jsonl"
    certify(lake, str(source), str(out), before="2022-01-01", workers=1)


def witnessing(lake: Lake, out: Path) -> None:
    textless.export(lake, Lake(str(out)))


def collapsing(_: Lake, out: Path) -> None:
    """A run as far as its folder goes: what `collapse.run.experiment` and `collapse.run.generation` do with files."""
    with folder.entered(out, {"version": "1", "sources": ["a"], "recipe": {}}):
        owned = folder.owned(out)
        if not folder.blocks(out).exists():
            with owned.atomic_folder(folder.blocks(out)) as part:
                (part / "data.json").write_bytes(b"{}")
                np.save(part / "real.npy", np.arange(9))
        for generation in range(2):
            place = folder.steps(out) / "seed-0" / "replace" / f"generation-{generation}"
            owned.make_folder(place)
            for name in ("weights.safetensors", "losses.npy", "metrics.json"):
                if not (place / name).exists():
                    owned.write_file(place / name, name.encode())
            owned.write_file(place / "times.json", b'{"train": 1}')
            owned.remove(place / "weights.safetensors")
        for name in ("results.json", "metrics.parquet", "loss.png", "report.html"):
            owned.write_file(out / name, name.encode())


COMMANDS: dict[str, Callable[[Lake, Path], None]] = {
    "export": exporting, "certify": certifying, "collapse": collapsing, "witness": witnessing,
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@settings(max_examples=examples(4), deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    beside=THINGS,
    inside=THINGS | st.just([]),
    later=LATER | st.just([]),
    deaths=st.lists(st.integers(1, 120), max_size=2),
)
def test_what_is_not_the_commands_own_stays_as_it_is(
    lake: Lake, command: str, beside: list[Thing], inside: list[Thing], later: list[Thing], deaths: list[int]
) -> None:
    run = COMMANDS[command]
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        (Path(home) / "scratch").mkdir()
        patch.setattr(tempfile, "tempdir", str(Path(home) / "scratch"))
        user = User(Path(home) / "home")
        user.puts(beside, inside=False)
        user.puts(inside, inside=True)
        for death in [*deaths, None]:
            with suppress(Killed, ArchiveError), killed_at(death):
                run(lake, user.out)
            user.has_all()
            user.puts(later, inside=True)
        if command != "witness":  # a lake is a user's own, as soon as it is there
            shutil.rmtree(user.out, ignore_errors=True)
            for death in deaths:
                with suppress(Killed), killed_at(death):
                    run(lake, user.out)
            if command != "export" or not (user.out / "manifest.json").exists() or (user.out / JOURNAL).exists():
                run(lake, user.out)
            run(lake, Path(home) / "whole")
            found, whole = contents(user.out), contents(Path(home) / "whole")
            assert found.keys() == whole.keys()
            assert {name for name in whole if found[name] != whole[name]} <= {JOURNAL}
