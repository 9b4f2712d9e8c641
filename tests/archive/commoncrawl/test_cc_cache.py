"""Whatever becomes of the cache folder costs requests at most; and other ways to share a lake."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import warnings
from pathlib import Path

import pytest
from conftest import snapshot
from forked import forked
from minicc.fixtures import cc, minicc  # noqa: F401
from minicc.kills import require_counts
from minicc.serve import Server

from archive.commoncrawl import cache as module
from archive.commoncrawl.cache import Cache, cache_folder
from archive.commoncrawl.gate import Gate
from archive.errors import SourceError
from archive.intake.run import ingest
from archive.lake import Lake

CRAWL = "cc:CC-MAIN-2019-35"


@pytest.fixture(autouse=True)
def unwarned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module._WARNED, "")  # so that it is taken away again
    monkeypatch.delenv(module._WARNED)


@pytest.fixture
def blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that takes no files, whoever this is: it is a file."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "file"


@pytest.mark.usefixtures("blocked")
def test_without_a_cache_it_works_with_one_warning(lake: Lake, cc: Server, minicc: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for options in ({"host": "site3.de"}, {"tld": "pt"}):
            result = ingest(lake, CRAWL, mirror=cc.address, rate=1e6, workers=1, **options)  # type: ignore[arg-type]
            assert result.files_failed == {}
    assert len([each for each in said if "is not kept" in str(each.message)]) == 1
    assert len(cc.requests("*/cc-index.paths.gz")) == 1, "a process remembers what no disk takes"
    whole = Lake(str(tmp_path / "whole"))
    for options in ({"host": "site3.de"}, {"tld": "pt"}):
        ingest(whole, CRAWL, mirror=str(minicc), workers=1, **options)  # type: ignore[arg-type]
    assert snapshot(lake) == snapshot(whole)


@pytest.mark.usefixtures("blocked")
def test_processes_share_their_budget_without_a_cache_and_without_any_folder_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="is not kept"):
        one = Gate(tmp_path / "file/gates", "host", 20.0)
    other = Gate(tmp_path / "file/gates", "host", 20.0)
    assert other.wait() + 0.05 <= one.wait() + 0.001
    shutil.rmtree(tmp_path / "temporary")
    (tmp_path / "temporary").write_bytes(b"")
    with pytest.raises(SourceError, match="TMPDIR"):
        Gate(tmp_path / "file/gates", "host", 20.0)


def test_another_user_without_a_home_works_without_a_cache(cc: Server) -> None:
    if os.geteuid():
        pytest.skip("needs the right to become another user")
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o777)
    env = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    env |= {"HOME": "/root", "TMPDIR": folder}
    try:
        args = ("ingest", CRAWL, "--host", "site3.de", "--mirror", cc.address, "--rate", "1000", "--json")
        done = forked(*args, "--lake", f"{folder}/lake", env=env, user=65534)
        assert done.returncode == 0, done.stderr
        assert '"captures": 18' in done.stdout
        assert done.stderr.count("is not kept") == 1
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("home", ["relative", "", "~"])
def test_the_cache_is_never_in_the_folder_where_a_command_runs(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    monkeypatch.setenv("HOME", "~")
    assert cache_folder().is_absolute()


def test_a_torn_or_foreign_file_is_fetched_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for damage in (b"", b"torn", b"data" + bytes(16), os.urandom(100)):
        cache.put("a/b", b"data")
        assert cache.get("a/b") == b"data"
        cache.path("a/b").write_bytes(damage)
        assert cache.get("a/b") is None
        assert cache.kept("a/b", lambda: b"new") == b"new"


@pytest.mark.filterwarnings("error")  # a warning says that a file is not kept
def test_writers_at_once_leave_one_whole_file_and_nothing_else(tmp_path: Path) -> None:
    cache, stop, wrong = Cache(tmp_path), threading.Event(), []
    contents = [bytes([number]) * 10_000 for number in range(4)]

    def read() -> None:
        while not stop.is_set():
            if cache.get("a") not in {None, *contents}:
                wrong.append(1)

    def write(data: bytes) -> None:
        for _ in range(20):
            Cache(tmp_path).put("a", data)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(data,)) for data in contents]
    for each in (reader, *writers):
        each.start()
    for each in writers:
        each.join()
    stop.set()
    reader.join()
    assert not wrong
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == ["a"]


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("a", b"1")
    old, new = (cache.path(f"a.{name}.part") for name in ("0123abcd", "4567abcd"))
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.put("a", b"2")
    assert (old.exists(), new.exists()) == (False, True)


def test_a_full_disk_keeps_nothing_and_breaks_nothing(
    lake: Lake, cc: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or os.system(f"mount -t tmpfs -o size=16k tmpfs {disk}"):
        pytest.skip("needs the right to mount a small disk")
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    try:
        with pytest.warns(UserWarning, match="No space left"):
            result = ingest(lake, CRAWL, tld="pt", mirror=cc.address, rate=1e6, workers=1)
        assert (result.files_failed, result.captures) == ({}, 60)
    finally:
        os.system(f"umount {disk}")


# -- other ways to share a lake ------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.mark.usefixtures("kept")
def test_parts_of_other_numbers_of_machines_and_of_records_bring_nothing_twice(
    lake: Lake, minicc: Path, tmp_path: Path
) -> None:
    whole = Lake(str(tmp_path / "whole"))
    every = ingest(whole, CRAWL, mirror=str(minicc), workers=1).captures
    count = 0
    for options in ({"part": "1/2"}, {"part": "2/3"}, {"part": "1/2", "sample": 0.5}, {"part": "1/5", "tld": "de"}, {}):
        count += ingest(lake, CRAWL, mirror=str(minicc), workers=1, **options).captures  # type: ignore[arg-type]
        require_counts(lake)
    assert count == every
    assert snapshot(lake) == snapshot(whole)


@pytest.mark.usefixtures("kept")
def test_a_lake_in_a_store_has_what_a_lake_on_disk_has(s3: str, lake: Lake, cc: Server, minicc: Path) -> None:
    remote = Lake(f"s3://{s3}/lake")
    for options in ({"host": "site3.de"}, {"sample": 0.3}, {}):
        ingest(remote, CRAWL, mirror=cc.address, rate=1e6, workers=1, **options)  # type: ignore[arg-type]
        ingest(lake, CRAWL, mirror=str(minicc), workers=1, **options)  # type: ignore[arg-type]
    require_counts(remote)
    assert snapshot(remote) == snapshot(lake)
    assert ingest(remote, CRAWL, mirror=cc.address, rate=1e6, workers=1).records == 0
