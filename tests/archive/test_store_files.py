"""Files of a lake in a store give each thread the bytes that it asked for."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from pyarrow import fs as pafs
from servers import flaky_proxy

from archive import store_files
from archive.storage import s3_filesystem
from archive.store_files import StoreFiles

_SIZE, _THREADS = 300_000, 8


def _all_threads(work: Callable[[int], Any]) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work, range(_THREADS)))


def _reads(files: StoreFiles, path: str, data: bytes, times: int) -> Callable[[int], None]:
    handle = files.open(path)

    def read(number: int) -> None:
        dice = random.Random(number)
        for _ in range(times):
            first, size = dice.randrange(_SIZE), dice.choice([0, 8, 500, 20_000, 100_000])
            handle.seek(first)
            assert handle.read(size) == data[first : first + size]
            assert handle.tell() == min(first + size, _SIZE)

    return read


def test_threads_that_share_a_file_read_their_own_ranges_while_others_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(1).randbytes(_SIZE)
    (tmp_path / "file").write_bytes(data)
    for kept in (1 << 20, 100_000, 10_000):  # all, some, next to nothing is kept
        monkeypatch.setattr(store_files, "_KEPT", kept)
        _all_threads(_reads(StoreFiles(pafs.LocalFileSystem()), str(tmp_path / "file"), data, 300))


def test_threads_read_a_store_right_that_cuts_bodies_and_drops_connections(
    s3: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(1).randbytes(_SIZE)
    boto3.client("s3", endpoint_url=server).put_object(Bucket=s3, Key="file", Body=data)
    monkeypatch.setattr(store_files, "_KEPT", 100_000)
    with flaky_proxy(server, share=0.2, faults="cut,reset,503") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        _all_threads(_reads(StoreFiles(s3_filesystem()), f"{s3}/file", data, 4))


def test_what_another_thread_asks_for_is_not_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(_SIZE))
    files, asked, started = StoreFiles(pafs.LocalFileSystem()), [], threading.Barrier(_THREADS)
    ask = files._ask

    def slow(path: str, first: int, stop: int) -> bytes:
        asked.append((first, stop))
        threading.Event().wait(0.05)
        return ask(path, first, stop)

    files._ask = slow  # type: ignore[method-assign]

    def read(number: int) -> None:
        started.wait()
        assert files.read(str(tmp_path / "file"), 1000 * number, 100_000) == bytes(100_000)

    _all_threads(read)
    asked.sort()
    assert sum(stop - first for first, stop in asked) == 100_000 + 1000 * (_THREADS - 1)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(asked))


def test_a_store_that_fails_ends_the_wait_of_other_threads(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(_SIZE))
    files, fails = StoreFiles(pafs.LocalFileSystem()), threading.Event()
    ask = files._ask

    def once(path: str, first: int, stop: int) -> bytes:
        if not fails.is_set():
            fails.set()
            threading.Event().wait(0.05)
            raise OSError("gone")
        return ask(path, first, stop)

    files._ask = once  # type: ignore[method-assign]
    failed: list[int] = []

    def read(number: int) -> None:
        try:
            assert files.read(str(tmp_path / "file"), 0, 1000) == bytes(1000)
        except OSError:
            failed.append(number)

    _all_threads(read)
    assert len(failed) == 1
